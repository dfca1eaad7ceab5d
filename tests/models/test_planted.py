"""The models find mistakes: each is planted into the core alone.

``pytest -s`` shows how many examples and seconds each took.
"""

import time

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from genstage import BroadcastDispatcher
from genstage._core.buffer import Buffer
from genstage._core.demand import Window
from genstage._core.dispatchers.demand import DemandDispatcher
from genstage._core.producing import Producing
from tests.models import test_models as models
from tests.models.world import World


def off_by_one_in_the_window(monkeypatch):
    """It asks again when fewer than ``min_demand`` are left."""
    init = Window.__init__

    def later(self, max_demand, min_demand):
        init(self, max_demand, min_demand)
        self.min_demand -= 1

    monkeypatch.setattr(Window, "__init__", later)


def lost_ask_at_a_cancel(monkeypatch):
    """When the slowest consumer of a broadcast leaves, the producer is not told what the others wait for."""
    cancel = BroadcastDispatcher.cancel
    monkeypatch.setattr(BroadcastDispatcher, "cancel", lambda self, tag: cancel(self, tag) * 0)


def forgotten_demand_at_a_cancel(monkeypatch):
    """What the producer owes a consumer that leaves is asked of it again."""
    cancel = DemandDispatcher.cancel

    def forget(self, tag):
        before = self._pending
        demand = cancel(self, tag)
        self._pending = before
        return demand

    monkeypatch.setattr(DemandDispatcher, "cancel", forget)


def wrong_order_in_the_buffer(monkeypatch):
    """What is taken out together comes out the wrong way round."""
    take = Buffer.take

    def turned(self, count):
        taken = take(self, count)
        return taken and taken._replace(events=taken.events[::-1])

    monkeypatch.setattr(Buffer, "take", turned)


def double_delivery(monkeypatch):
    """The last event taken from the buffer stays there too, once."""
    take, init = Buffer.take, Buffer.__init__
    doubled = []

    def twice(self, count):
        taken = take(self, count)
        if taken and taken.events and self.entries and taken.events[-1] not in doubled[-1:]:
            doubled.append(taken.events[-1])
            self.put_back(taken.events[-1:], ())
        return taken

    def begin(self, *options):
        doubled.clear()
        init(self, *options)

    monkeypatch.setattr(Buffer, "take", twice)
    monkeypatch.setattr(Buffer, "__init__", begin)


def demand_not_returned_on_a_crash(monkeypatch):
    """The dispatcher goes on to serve a consumer that has died."""
    gone = Producing.consumer_gone

    def silent(self, tag, cancellation):
        if cancellation.kind != "down":
            gone(self, tag, cancellation)
        elif (consumer := self.consumers.pop(tag, None)) is not None:
            self._say_goodbye(consumer, cancellation)

    monkeypatch.setattr(Producing, "consumer_gone", silent)


def buffer_kept_from_a_late_subscriber(monkeypatch):
    """GenStage's own stall: only new demand is served from the buffer."""
    monkeypatch.setattr(Producing, "_drain", lambda _self: None)


PLANTED = {
    off_by_one_in_the_window: ("Demand", "Broadcast", "Partition", "Tree"),
    lost_ask_at_a_cancel: ("Tree", "Broadcast"),
    forgotten_demand_at_a_cancel: ("Tree", "Demand"),
    wrong_order_in_the_buffer: ("Partition", "Demand", "Broadcast", "Tree"),
    double_delivery: ("Tree", "Demand", "Broadcast", "Partition"),
    demand_not_returned_on_a_crash: ("Demand", "Broadcast", "Partition", "Tree"),
    buffer_kept_from_a_late_subscriber: ("Demand", "Broadcast"),
}
"""The mistakes, each with the models that meet it: the first by day, all of them at night."""


@pytest.mark.parametrize(
    ("plant", "model"),
    [
        pytest.param(plant, model, marks=() if model == found_by[0] else pytest.mark.nightly)
        for plant, found_by in PLANTED.items()
        for model in found_by
    ],
)
def test_a_planted_mistake_is_found(monkeypatch, record_property, plant, model):
    plant(monkeypatch)
    worlds = []
    begin = World.__init__

    def count(self, plan):
        worlds.append(plan)
        begin(self, plan)

    monkeypatch.setattr(World, "__init__", count)
    start = time.perf_counter()
    with pytest.raises(AssertionError) as found:
        run_state_machine_as_test(
            getattr(models, model),
            settings=settings(
                models.SETTINGS, max_examples=3_000, phases=[Phase.generate], derandomize=True, database=None
            ),
        )
    seconds = time.perf_counter() - start
    record_property("examples", len(worlds))
    record_property("seconds", round(seconds, 2))
    told = str(found.value).partition("\n")[0]
    print(f"\n{plant.__name__} in {model}: {len(worlds)} examples, {seconds:.2f} s: {told}")  # noqa: T201
