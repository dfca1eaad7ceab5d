"""Dispatchers on the runtime: what they ask for again leaves room for others, and what goes wrong is told."""

import logging
import threading

import pytest

from genstage import (
    BroadcastDispatcher,
    Consumer,
    Crash,
    DemandDispatcher,
    Finish,
    OptionError,
    PartitionDispatcher,
    PipelineError,
    Producer,
    Shutdown,
)
from genstage._core.results import Reply

DEADLINE_S = 30.0


class Numbers(Producer):
    """Counts on, to ``end`` if there is one; tells how far it is, and that it has made ``many``."""

    def __init__(self, dispatcher, end=None, many=1_000):
        self.options = {"dispatcher": dispatcher}
        self.next, self.end, self.many = 0, end, many
        self.made_many = threading.Event()

    def init(self):
        return self.options

    def handle_demand(self, demand):
        events = range(self.next, self.next + demand)
        self.next += demand
        if self.next >= self.many:
            self.made_many.set()
        if self.end is not None and self.next >= self.end:
            return Finish(range(events[0], self.end))
        return events

    def handle_call(self, _request, _reply_to):
        return Reply(self.next)


class Collector(Consumer):
    def __init__(self, *, manual=False):
        self.got, self.manual = [], manual

    def handle_subscribe(self, _role, _options, _subscription):
        return "manual" if self.manual else "automatic"

    def handle_events(self, events, _origin):
        self.got += events


def collect(runtime, stage=None):
    stage = stage or Collector()
    return runtime.start(lambda: stage), stage


REJECTS_ALL = [
    (BroadcastDispatcher, {"selector": lambda _: False}),
    (lambda: PartitionDispatcher(1, hash=lambda _: None, replace_discarded=True), {"partition": 0}),
]


@pytest.mark.parametrize(("make", "options"), REJECTS_ALL, ids=["selectors", "hash"])
def test_what_rejects_everything_keeps_nobody_from_working_and_stops_when_told_to(runtime, make, options):
    endless = Numbers(make())
    busy = runtime.start(lambda: endless)
    rejecting, rejected = collect(runtime)
    rejecting.subscribe(busy, max_demand=10, cancel="temporary", **options)
    assert endless.made_many.wait(DEADLINE_S)

    # its own other messages
    first = busy.call("how far?", timeout_s=DEADLINE_S)
    assert first >= 1_000
    # and the neighbours on its lane
    finite = runtime.start(lambda: Numbers(DemandDispatcher(), end=1_000))
    reading, read = collect(runtime)
    reading.subscribe(finite, max_demand=7)
    reading.wait(timeout_s=DEADLINE_S)
    assert read.got == list(range(1_000))
    assert busy.call("how far?", timeout_s=DEADLINE_S) > first

    busy.stop(Shutdown(), timeout_s=DEADLINE_S)
    assert rejecting.alive
    assert rejected.got == []


def test_each_partition_gets_its_events_then_the_end(runtime):
    producer = runtime.start(lambda: Numbers(PartitionDispatcher(3), end=3_000))
    consumers = [collect(runtime) for _ in range(3)]
    for number, (ref, _) in enumerate(consumers):
        ref.subscribe(producer, partition=number, max_demand=20 + number)
    for ref, _ in consumers:
        ref.wait(timeout_s=DEADLINE_S)
    assert sorted(event for _, stage in consumers for event in stage.got) == list(range(3_000))
    assert all(stage.got == sorted(stage.got) and len(stage.got) > 900 for _, stage in consumers)


def test_the_end_waits_for_a_partition_that_asks_late(runtime):
    everything_to_first = PartitionDispatcher(2, hash=lambda event: (event, 0))
    numbers = Numbers(everything_to_first, end=100, many=100)
    producer = runtime.start(lambda: numbers)
    slow, slow_stage = collect(runtime, Collector(manual=True))
    fast, fast_stage = collect(runtime)
    subscription = slow.subscribe(producer, partition=0)
    fast.subscribe(producer, partition=1, max_demand=200)
    assert numbers.made_many.wait(DEADLINE_S)
    producer.call("wait until that is dispatched", timeout_s=DEADLINE_S)

    assert producer.alive
    assert (slow_stage.got, fast_stage.got) == ([], [])
    subscription.ask(60)
    subscription.ask(60)
    for ref in (slow, fast):
        ref.wait(timeout_s=DEADLINE_S)
    assert slow_stage.got == list(range(100))


@pytest.mark.usefixtures("expected_errors")
def test_a_wrong_partition_ends_the_producer_and_says_why(runtime):
    producer = runtime.start(
        lambda: Numbers(PartitionDispatcher(["north", "south"], hash=lambda e: (e, "east")))
    )
    ref, _ = collect(runtime)
    ref.subscribe(producer, partition="north", cancel="transient")
    with pytest.raises(PipelineError) as failure:
        ref.wait(timeout_s=DEADLINE_S)
    reason = failure.value.failures[0].reason
    assert isinstance(reason, Crash)
    assert isinstance(reason.exception, OptionError)
    assert str(reason.exception) == (
        "option 'hash': must be a function that returns (event, partition) or None, the partition one of "
        "'north', 'south', also for 0, got (0, 'east')"
    )


def test_differing_demands_are_warned_of(runtime, caplog):
    producer = runtime.start(lambda: Numbers(DemandDispatcher()))
    with caplog.at_level(logging.WARNING, logger="genstage"):
        for most in (3, 5):
            ref, _ = collect(runtime, Collector(manual=True))
            ref.subscribe(producer, max_demand=most).ask(most)
        producer.call("wait until the asks have come", timeout_s=DEADLINE_S)
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "demand above max" in record.event
