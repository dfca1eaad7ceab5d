"""How an automatic subscription cuts messages and asks, and how demand and broadcast dispatchers share."""

import pytest

from genstage import BroadcastDispatcher
from genstage._core.reasons import AlreadySubscribed, Named


@pytest.mark.parametrize("at_init", [True, False])
@pytest.mark.parametrize(
    ("options", "demands", "batches"),
    [
        ({}, [1_000, 500, 500, 500, 500], [500] * 4),
        ({"max_demand": 100, "min_demand": 80}, [100, *[20] * 51], [20] * 51),
        ({"max_demand": 100, "min_demand": 20}, [100, 80, 100, 80], [80, 20, 80, 80, 20]),
        ({"max_demand": 100, "min_demand": 0}, [100, 100, 100], [100, 100]),
        ({"max_demand": 1, "min_demand": 0}, [1, 1, 1, 1], [1, 1, 1]),
    ],
    ids=["default", "80 %", "20 %", "none", "one"],
)
def test_demand_and_batches(stages, at_init, options, demands, batches):
    end = sum(batches)
    first = stages.producer(end=end)
    last = stages.consumer(subscribe_to=[(first, options)] if at_init else [])
    if not at_init:
        last.subscribe(first, **options)
    stages.settle()

    assert stages.of("producer", "demand") == demands
    assert [len(events) for events in stages.of("consumer", "events")] == batches
    assert [event for events in stages.of("consumer", "events") for event in events] == list(range(end))


def test_a_broadcast_gives_all_consumers_the_same_batches(stages):
    source = stages.producer(end=100, dispatcher=BroadcastDispatcher())
    first, second = stages.consumer("first"), stages.consumer("second")
    first.subscribe(source, max_demand=10, min_demand=0)
    second.subscribe(source, max_demand=20, min_demand=0)
    stages.settle()
    stages.more(source, 1_000)
    stages.settle()

    batches = [list(range(start, start + 10)) for start in range(0, 1_100, 10)]
    assert stages.of("first", "events") == batches
    seen = stages.of("second", "events")
    assert seen == batches[-len(seen) :]
    assert len(seen) >= 100  # it had subscribed before these were made


def test_a_subscriber_that_does_not_ask_holds_a_broadcast_up(stages):
    source = stages.producer(end=1_010, dispatcher=BroadcastDispatcher())
    late, first, second = stages.consumer("late"), stages.consumer("first"), stages.consumer("second")
    holding = late.subscribe(source, modes={"producer": "manual"}, cancel="temporary")
    first.subscribe(source, max_demand=10, min_demand=0)
    second.subscribe(source, max_demand=20, min_demand=0)
    stages.settle()
    assert stages.of("first", "events") == stages.of("second", "events") == []
    assert stages.of("producer", "demand") == []

    holding.cancel(Named("enough"))
    stages.settle()
    batches = [list(range(start, start + 10)) for start in range(0, 1_010, 10)]
    assert stages.of("first", "events") == batches
    assert stages.of("second", "events") == batches
    assert stages.of("late", "events") == []


def test_a_broadcast_asks_once_for_what_all_wait_for(stages):
    source = stages.producer(dispatcher=BroadcastDispatcher())
    first, second = stages.consumer("first"), stages.consumer("second")
    first.subscribe(source, max_demand=10, min_demand=0)
    second.subscribe(source, max_demand=20, min_demand=0)
    stages.settle()

    assert stages.of("producer", "demand") == [10]


def test_a_second_subscription_to_a_broadcast_is_refused(stages, expected_errors):
    source = stages.producer(dispatcher=BroadcastDispatcher())
    both = {name: stages.consumer(name) for name in ("first", "second")}
    for _ in range(2):
        both["first"].subscribe(source)
        both["second"].async_subscribe(source)
    stages.settle()

    for name in both:
        (_, _), (_, refused) = stages.of(name, "subscribed")
        assert stages.of(name, "cancelled") == [("cancel", AlreadySubscribed(), refused)]
        assert ("cancel", AlreadySubscribed(), refused) in stages.of("producer", "cancelled")
    assert [record.event for record in expected_errors] == ["already registered"] * 2
    stages.more(source, 500)
    stages.settle()
    assert stages.of("first", "events") == stages.of("second", "events") == [list(range(500))]
