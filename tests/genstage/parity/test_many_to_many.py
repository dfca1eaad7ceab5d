"""Several producers and several consumers: each subscription has its own demand."""

import threading

import pytest

from genstage import BroadcastDispatcher, DemandDispatcher

from .conftest import DEADLINE_S, TellingConsumer


class Origins(TellingConsumer):
    """Tells where each batch comes from, too."""

    def handle_events(self, events, origin):
        self.tell("batch", origin, list(events))


def test_a_consumer_accounts_for_each_of_its_producers(stages):
    one, other = stages.producer("one", end=20), stages.producer("other", end=20)
    consumer = stages.consumer(make=Origins)
    first = consumer.subscribe(one, max_demand=4, min_demand=0)
    second = consumer.subscribe(other, max_demand=10, min_demand=5)
    stages.settle()

    assert stages.of("one", "demand") == [4] * 6
    assert stages.of("other", "demand") == [10, 5, 5, 5, 5]
    told = stages.of("consumer", "batch")
    for subscription, size in ((first, 4), (second, 5)):
        batches = [events for origin, events in told if origin == subscription]
        assert batches == [list(range(start, start + size)) for start in range(0, 20, size)]


def test_two_subscriptions_to_one_producer_are_two(stages):
    source = stages.producer()
    consumer = stages.consumer(make=Origins)
    first = consumer.subscribe(source, max_demand=4, min_demand=0)
    second = consumer.subscribe(source, max_demand=1, min_demand=0)
    stages.settle()
    assert stages.of("producer", "demand") == [4, 1]
    stages.more(source, 30)
    stages.settle()

    told = stages.of("consumer", "batch")
    assert {origin for origin, _ in told} == {first, second}
    assert sorted(event for _, events in told for event in events) == list(range(30))
    assert {len(events) for origin, events in told if origin == second} == {1}


def test_default_consumers_share_events_in_halves_of_their_demand(stages):
    source = stages.producer()
    names = ("first", "second")
    for name in names:
        stages.consumer(name, subscribe_to=[source])
    stages.more(source, 5_000)
    stages.settle()

    batches = {name: stages.of(name, "events") for name in names}
    assert {len(batch) for name in names for batch in batches[name]} == {500}
    together = [event for name in names for batch in batches[name] for event in batch]
    assert sorted(together) == list(range(5_000))
    assert all(batches.values())


@pytest.mark.parametrize(
    ("dispatcher", "fast", "left"),
    [(DemandDispatcher, 20, 0), (BroadcastDispatcher, 4, 20)],
    ids=["demand", "broadcast"],
)
def test_a_slow_consumer_gets_what_it_asked_for_and_the_others_go_on_if_they_may(
    stages, dispatcher, fast, left
):
    class Slow(TellingConsumer):
        def handle_events(self, events, origin):
            super().handle_events(events, origin)
            opened.wait(DEADLINE_S)

    opened = threading.Event()
    source = stages.producer(dispatcher=dispatcher())
    window = {"max_demand": 4, "min_demand": 2}
    stages.consumer("slow", make=Slow, blocking=True, subscribe_to=[(source, window)])
    stages.consumer("fast", subscribe_to=[(source, window)])
    stages.settle()
    try:
        source.call([f"event {number}" for number in range(24)])
        stages.settle()
        assert sum(len(batch) for batch in stages.of("fast", "events")) == fast
        assert source.estimate_buffered_count() == left
    finally:
        opened.set()
    stages.expect("slow", "events", ["event 2", "event 3"])
