import threading
from itertools import count

import pytest

from genstage import (
    CallTimeoutError,
    Consumer,
    DeadStageError,
    Finish,
    NoProc,
    OptionError,
    PipelineError,
    Producer,
    ProducerConsumer,
    Shutdown,
    Subscription,
)
from genstage._core.reasons import Crash, Killed, Normal
from genstage._core.results import Reply

DEADLINE_S = 30.0


class Counter(Producer):
    """Counts when the gate is open, and knows how much it was asked for."""

    def __init__(self, end=None, gate=None):
        self.next, self.end, self.asked, self.gate = 0, end, 0, gate

    def handle_demand(self, demand):
        if self.gate is not None:
            self.gate.wait()
        self.asked += demand
        stop = self.next + demand if self.end is None else min(self.next + demand, self.end)
        events = range(self.next, stop)
        self.next = stop
        return Finish(events) if stop == self.end else events


class Doubler(ProducerConsumer):
    def handle_events(self, events, _):
        return [2 * number for number in events]


class Collector(Consumer):
    """Collects events, and fails at a given one."""

    def __init__(self, trap=lambda _: None):
        self.got, self.trap, self.cancellations = [], trap, []
        self.heard = threading.Event()

    def handle_events(self, events, _):
        for event in events:
            self.trap(event)
            self.got.append(event)

    def handle_cancel(self, cancellation, _):
        self.cancellations.append((cancellation.kind, cancellation.reason))
        self.heard.set()

    def handle_call(self, _request, _reply_to):
        return Reply(len(self.got))


@pytest.fixture
def run(runtime):
    """Starts a given stage; gives its reference."""
    numbers = count()

    def run(stage, **options):
        return runtime.start(lambda: stage, name=f"{type(stage).__name__}-{next(numbers)}", **options)

    return run


@pytest.mark.parametrize("blocking", [(), (0,), (1,), (2,), (0, 1, 2)])
@pytest.mark.parametrize(("max_demand", "min_demand"), [(1, 0), (2, 1), (10, 0), (10, 9), (1_000, 500)])
def test_three_stages_run_to_the_end_in_order(run, blocking, max_demand, min_demand):
    stages = Counter(2_000), Doubler(), Collector()
    counter, doubler, collector = (
        run(stage, blocking=place in blocking) for place, stage in enumerate(stages)
    )
    collector.subscribe(doubler, max_demand=max_demand, min_demand=min_demand)
    doubler.subscribe(counter, max_demand=max_demand, min_demand=min_demand)
    for ref in (collector, doubler, counter):
        ref.wait(timeout_s=DEADLINE_S)

    assert stages[2].got == list(range(0, 4_000, 2))
    assert stages[2].cancellations == [("finish", Normal())]


def test_a_slow_consumer_bounds_what_is_under_way(run):
    end, highest = 100_000, []
    counter = Counter(end)

    def look(event):
        highest.append(counter.next - event // 2)

    collector = Collector(look)
    first, middle, last = run(counter, blocking=True), run(Doubler()), run(collector, blocking=True)
    last.subscribe(middle, max_demand=20)
    middle.subscribe(first, max_demand=100)
    last.wait(timeout_s=DEADLINE_S)

    assert len(collector.got) == end
    assert counter.asked >= end
    # At the consumer; in the middle's buffer, a whole message of the producer; and on the way to the middle.
    assert max(highest) <= 20 + 100 + 100


def test_a_stuck_consumer_stops_the_producer(run, gate):
    inside = threading.Event()

    def wait(_):
        inside.set()
        gate.wait()

    counter, collector = Counter(), Collector(wait)
    first, last = run(counter), run(collector, blocking=True)
    last.subscribe(first, max_demand=10)
    assert inside.wait(DEADLINE_S)

    assert (counter.asked, counter.next) == (10, 10)


def test_many_consumers_share_what_is_there(run, gate):
    counter = run(Counter(5_000, gate), blocking=True)
    collectors = [Collector() for _ in range(20)]
    refs = [run(collector) for collector in collectors]
    for ref in refs:
        ref.subscribe(counter, max_demand=7)
    gate.set()
    for ref in refs:
        ref.wait(timeout_s=DEADLINE_S)

    assert sorted(event for collector in collectors for event in collector.got) == list(range(5_000))


# -- what the end of one means for the others ---------------------------------------------------------


def crash(_event):
    raise ValueError("boom")


ENDS = {
    "normal": (lambda _runtime, ref: ref.stop(), "down", Normal()),
    "shutdown": (lambda _runtime, ref: ref.stop(Shutdown("enough")), "down", Shutdown("enough")),
    "kill": (lambda runtime, ref: runtime._engine.kill(ref._actor, Killed()), "down", Killed()),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("cancel", ["permanent", "transient", "temporary"])
def test_the_end_of_a_producer_ends_its_consumers_as_their_cancel_mode_says(runtime, run, end, cancel):
    act, kind, reason = ENDS[end]
    collector = Collector()
    counter, ref = run(Counter(), blocking=True), run(collector)
    ref.subscribe(counter, max_demand=1, cancel=cancel)
    act(runtime, counter)
    assert collector.heard.wait(DEADLINE_S)

    assert collector.cancellations == [(kind, reason)]
    if cancel == "temporary" or (cancel == "transient" and reason.tolerated):
        ref.call("alive")
        ref.stop()
    else:
        assert ref._actor.actor_stopped.wait(DEADLINE_S)
        assert ref._actor.reason == reason


@pytest.mark.parametrize("cancel", ["permanent", "transient", "temporary"])
def test_a_crash_of_the_producer_is_the_end_of_its_consumers_as_they_say(run, expected_errors, cancel):
    class Crashes(Producer):
        def handle_demand(self, _demand):
            raise ValueError("boom")

    collector = Collector()
    producer, ref = run(Crashes()), run(collector)
    ref.subscribe(producer, cancel=cancel)
    assert collector.heard.wait(DEADLINE_S)

    (cancellation,) = collector.cancellations
    assert cancellation == ("down", producer._actor.reason)
    if cancel == "temporary":
        ref.call("alive")
    else:
        with pytest.raises(PipelineError) as caught:
            ref.wait(timeout_s=DEADLINE_S)
        assert str(caught.value.__cause__) == "boom"
    assert len(expected_errors) == 1  # told once, by the stage that failed


def test_a_crash_of_a_consumer_leaves_the_producer_and_the_other_consumers(run, gate, expected_errors):
    good, bad = Collector(), Collector(crash)
    source, good_ref, bad_ref = run(Counter(1_000, gate), blocking=True), run(good), run(bad)
    good_ref.subscribe(source, max_demand=10)
    bad_ref.subscribe(source, max_demand=10)
    gate.set()
    good_ref.wait(timeout_s=DEADLINE_S)

    assert isinstance(bad_ref._actor.reason, Crash)
    assert source._actor.actor_stopped.wait(DEADLINE_S)
    assert source._actor.reason == Normal()
    assert set(range(1_000)) - set(good.got) == set(range(10, 20))  # what the other had been sent
    assert len(expected_errors) == 1


def test_a_crash_in_the_middle_is_seen_on_both_sides(run, expected_errors):
    class Middle(ProducerConsumer):
        def handle_events(self, _events, _):
            raise ValueError("boom")

    producer_hears = threading.Event()

    class Source(Counter):
        def handle_cancel(self, cancellation, _):
            self.cancellation = cancellation
            producer_hears.set()

    producer, collector = Source(), Collector()
    first, middle, last = run(producer), run(Middle()), run(collector)
    last.subscribe(middle)
    middle.subscribe(first)
    with pytest.raises(PipelineError):
        last.wait(timeout_s=DEADLINE_S)
    assert producer_hears.wait(DEADLINE_S)

    assert first.alive
    assert producer.cancellation.kind == "down"
    assert producer.cancellation.reason == middle._actor.reason == last._actor.reason
    assert collector.cancellations == [("down", middle._actor.reason)]
    assert len(expected_errors) == 1


# -- subscribe ----------------------------------------------------------------------------------------


def test_subscribe_returns_the_subscription_when_handle_subscribe_has_run(run):
    seen = []

    class Curious(Collector):
        def handle_subscribe(self, role, options, subscription):
            seen.append((role, options, subscription))

    collector = Curious()
    counter, ref = run(Counter()), run(collector)
    subscription = ref.subscribe(counter, max_demand=4, min_demand=2, cancel="temporary", color="blue")

    options = {"max_demand": 4, "min_demand": 2, "cancel": "temporary", "color": "blue"}
    assert seen == [("producer", options, subscription)]
    assert isinstance(subscription, Subscription)
    with pytest.raises(OptionError):
        subscription.cancel("enough")
    subscription.cancel(Shutdown("enough"))
    assert collector.heard.wait(DEADLINE_S)
    assert collector.cancellations == [("cancel", Shutdown("enough"))]


def test_manual_demand_from_another_thread(run):
    class Manual(Collector):
        def handle_subscribe(self, *_):
            return "manual"

        def handle_events(self, events, origin):
            super().handle_events(events, origin)
            arrived.release()

    arrived = threading.Semaphore(0)
    collector = Manual()
    ref = run(collector)
    subscription = ref.subscribe(run(Counter()))
    for asked in (3, 2):
        subscription.ask(asked)
        assert arrived.acquire(timeout=DEADLINE_S)

    assert collector.got == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("option", "value"),
    [("max_demand", 0), ("min_demand", 1_000), ("cancel", "forever"), ("max_demand", 1.0)],
)
def test_wrong_subscription_options_are_raised_and_the_stage_goes_on(run, expected_errors, option, value):
    ref = run(Collector())
    with pytest.raises(OptionError) as caught:
        ref.subscribe(run(Counter()), **{option: value})

    assert (caught.value.option, caught.value.value) == (option, value)
    assert ref.call("alive") == 0
    assert expected_errors


def test_a_consumer_is_nothing_to_subscribe_to(run):
    ref = run(Collector())
    with pytest.raises(OptionError, match="must be a reference to a producer or producer-consumer"):
        ref.subscribe(run(Collector()))
    with pytest.raises(OptionError):
        ref.subscribe(None)

    assert ref.call("alive") == 0


@pytest.mark.parametrize("cancel", ["permanent", "temporary"])
def test_a_dead_producer_is_down_at_once(run, cancel):
    counter, collector = run(Counter()), Collector()
    counter.stop()
    ref = run(collector)
    ref.subscribe(counter, cancel=cancel)
    assert collector.heard.wait(DEADLINE_S)

    assert collector.cancellations == [("down", NoProc())]
    if cancel == "permanent":
        assert ref._actor.actor_stopped.wait(DEADLINE_S)
        assert ref._actor.reason == NoProc()
    else:
        assert ref.call("alive") == 0


def test_a_dead_consumer_cannot_subscribe(run):
    ref = run(Collector())
    ref.stop()

    with pytest.raises(DeadStageError):
        ref.subscribe(run(Counter()), timeout_s=None)


def test_subscribing_has_a_deadline(run, gate):
    def wait(*_):
        gate.wait()

    class Slow(Collector):
        handle_subscribe = wait

    with pytest.raises(CallTimeoutError):
        run(Slow(), blocking=True).subscribe(run(Counter()), timeout_s=0.01)
    gate.set()
