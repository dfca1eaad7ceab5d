"""Demand through a producer-consumer: what it asks for, handles and holds."""

import threading

import pytest

from genstage import BroadcastDispatcher
from genstage._core.reasons import Named

from .conftest import DEADLINE_S, TellingConsumer, double


def doubled(first, end):
    return double(None, range(first, end))


@pytest.mark.parametrize("at_init", [True, False])
@pytest.mark.parametrize(
    ("min_demand", "middles", "consumers"),
    [
        (
            80,
            [list(range(start, start + 20)) for start in range(0, 1_000, 20)],
            [doubled(0, 20), doubled(20, 40), doubled(120, 125), doubled(125, 140)],
        ),
        (
            20,
            [list(range(80)), list(range(80, 100)), list(range(100, 180))],
            [doubled(0, 25), doubled(25, 50), doubled(50, 75)],
        ),
    ],
    ids=["80 %", "20 %"],
)
def test_batches_on_both_sides(stages, at_init, min_demand, middles, consumers):
    window = {"max_demand": 100, "min_demand": min_demand}
    first = stages.producer(end=1_000)
    second = stages.middle(subscribe_to=[(first, window)] if at_init else [])
    last = stages.consumer(subscribe_to=[(second, {"max_demand": 100, "min_demand": 50})] if at_init else [])
    if not at_init:
        last.subscribe(second, max_demand=100, min_demand=50)
        second.subscribe(first, **window)
    stages.settle()

    assert stages.of("middle", "events")[: len(middles)] == middles
    arrived = stages.of("consumer", "events")
    assert [batch for batch in consumers if batch not in arrived] == []
    assert [event for batch in arrived for event in batch] == doubled(0, 1_000)
    assert max(len(batch) for batch in arrived) == 50


def test_it_stops_when_its_consumer_stops_asking(stages):
    def postpone(stage, events):
        stage.stage.send(list(events))  # emitted when it comes to handle_info
        return []

    class Stuck(TellingConsumer):
        def handle_events(self, events, origin):
            super().handle_events(events, origin)
            opened.wait(DEADLINE_S)

    opened = threading.Event()
    first = stages.producer(end=100)
    second = stages.middle(work=postpone, subscribe_to=[(first, {"max_demand": 10, "min_demand": 8})])
    stages.consumer(make=Stuck, blocking=True, subscribe_to=[(second, {"max_demand": 10, "min_demand": 5})])
    stages.expect("consumer", "events", [0, 1])
    stages.settle()
    try:
        assert stages.of("middle", "events") == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
        assert stages.of("producer", "demand") == [10, 2, 2, 2, 2, 2]
        assert stages.of("consumer", "events") == [[0, 1]]
    finally:
        opened.set()


def test_it_goes_on_when_it_drops_everything(stages):
    first = stages.producer(end=1_100)
    second = stages.middle(
        work=lambda _stage, _events: [], subscribe_to=[(first, {"max_demand": 100, "min_demand": 80})]
    )
    stages.consumer(subscribe_to=[(second, {"max_demand": 100, "min_demand": 50})])
    stages.settle()

    assert stages.of("middle", "events") == [list(range(start, start + 20)) for start in range(0, 1_100, 20)]
    assert stages.of("consumer", "events") == []


def test_a_broadcast_gives_all_consumers_the_same_batches(stages):
    first = stages.producer(end=100)
    second = stages.middle(dispatcher=BroadcastDispatcher(), subscribe_to=[(first, {"max_demand": 10})])
    one, other = stages.consumer("one"), stages.consumer("other")
    one.subscribe(second, max_demand=10, min_demand=0)
    other.subscribe(second, max_demand=20, min_demand=0)
    stages.settle()
    stages.more(first, 200)
    stages.settle()

    assert [200, 200, 201, 201, 202, 202, 203, 203, 204, 204] in stages.of("one", "events")
    assert [event for batch in stages.of("one", "events") for event in batch] == doubled(0, 300)
    seen = stages.of("other", "events")
    assert seen == stages.of("one", "events")[-len(seen) :]
    assert len(seen) >= 40  # it had subscribed before these were made


def test_a_subscriber_that_does_not_ask_holds_a_broadcast_up(stages):
    first = stages.producer(end=1_000)
    second = stages.middle(dispatcher=BroadcastDispatcher(), subscribe_to=[first])
    late, one, other = stages.consumer("late"), stages.consumer("one"), stages.consumer("other")
    holding = late.subscribe(second, modes={"producer": "manual"}, cancel="temporary")
    one.subscribe(second, max_demand=10, min_demand=0)
    other.subscribe(second, max_demand=20, min_demand=0)
    stages.settle()
    assert stages.of("middle", "events") == []

    holding.cancel(Named("enough"))
    stages.settle()
    batches = [doubled(start, start + 5) for start in range(0, 1_000, 5)]
    assert stages.of("one", "events") == stages.of("other", "events") == batches


def test_queued_events_outlive_their_producers_subscription(stages):
    first, second = stages.producer(end=100), stages.middle()
    window = {"max_demand": 100, "min_demand": 50}
    subscription = second.subscribe(first, **window, cancel="temporary")
    stages.expect("middle", "subscribed", "producer", subscription)
    stages.settle()
    subscription.cancel(Named("done"))
    stages.settle()
    assert stages.of("middle", "events") == stages.of("middle", "cancelled") == []

    stages.consumer(subscribe_to=[(second, window)])
    stages.settle()
    assert stages.of("middle", "events") == [list(range(100))]
    assert stages.of("middle", "cancelled") == [("cancel", Named("done"), subscription)]
    assert stages.of("consumer", "events") == [doubled(start, start + 25) for start in range(0, 100, 25)]
