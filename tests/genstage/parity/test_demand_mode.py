"""Demand that accumulates until it is forwarded."""

import pytest

from genstage import BroadcastDispatcher, OptionError, Stop
from genstage._core.reasons import Named

from .conftest import TellingProducer

MANUAL = {"modes": {"producer": "manual"}}


@pytest.mark.parametrize("at_init", [True, False])
def test_nothing_happens_before_demand_is_forwarded(stages, at_init):
    source = stages.producer(end=100, demand="accumulate" if at_init else "forward")
    if not at_init:
        source.set_demand("accumulate")
    stages.consumer().subscribe(source, max_demand=4, min_demand=0)
    stages.settle()
    assert source.demand() == "accumulate"
    assert stages.of("producer", "demand") == stages.of("consumer", "events") == []

    source.set_demand("forward")
    assert source.demand() == "forward"
    stages.expect("consumer", "events", [0, 1, 2, 3])


def test_who_subscribes_after_the_change_is_served_at_once(stages):
    source = stages.producer(end=100, demand="accumulate")
    source.set_demand("forward")
    stages.consumer().subscribe(source, max_demand=4, min_demand=0)

    stages.expect("consumer", "events", [0, 1, 2, 3])


def test_accumulating_again_loses_nothing_and_asks_are_not_added_up(stages):
    source = stages.producer(end=100, demand="accumulate")
    for name in ("one", "other"):
        stages.consumer(name).subscribe(source, **MANUAL).ask(2)
    source.set_demand("accumulate")
    source.set_demand("forward")
    stages.settle()

    assert stages.of("producer", "demand") == [2, 2]
    assert stages.of("one", "events") + stages.of("other", "events") == [[0, 1], [2, 3]]


def test_what_is_emitted_meanwhile_waits_in_order_and_outside_the_buffer(stages):
    source = stages.producer()
    subscription = stages.consumer().subscribe(source, **MANUAL)
    source.call(["a", "b", "c"])
    assert source.estimate_buffered_count() == 3
    source.set_demand("accumulate")
    subscription.ask(4)
    source.call(["d"])
    subscription.ask(2)
    stages.settle()
    assert source.estimate_buffered_count() == 0
    source.sync_info("overtakes")
    stages.expect("producer", "info", "overtakes")
    assert stages.of("producer", "demand") == []

    source.set_demand("forward")
    stages.settle()
    assert [told[1:] for told in stages.story.told if told[:2] == ("producer", "demand")] == [
        ("demand", 1),
        ("demand", 2),
    ]
    assert stages.of("consumer", "events") == [["a", "b", "c"], ["d"]]


def test_a_broadcast_replays_each_batch_to_those_who_came_meanwhile(stages):
    source = stages.producer(dispatcher=BroadcastDispatcher())
    for name in ("first", "second"):
        stages.consumer(name).subscribe(source, max_demand=1, min_demand=0)
    stages.settle()
    for name in ("first", "second"):
        stages.runtime.find(name).stop()
    source.set_demand("accumulate")
    for number in range(1, 5):
        source.cast([number])
    for name in ("third", "fourth"):
        stages.consumer(name).subscribe(source)
    stages.settle()
    assert stages.of("third", "events") == stages.of("fourth", "events") == []

    source.set_demand("forward")
    stages.settle()
    assert stages.of("third", "events") == stages.of("fourth", "events") == [[1], [2], [3], [4]]
    assert source.estimate_buffered_count() == 0


def test_the_demand_of_who_left_meanwhile_is_kept_for_the_next(stages):
    source = stages.producer(end=100, demand="accumulate")
    subscription = stages.consumer("first").subscribe(source, cancel="temporary", **MANUAL)
    subscription.ask(3)
    subscription.cancel()
    stages.settle()
    source.set_demand("forward")
    stages.settle()
    assert stages.of("producer", "demand") == [3]
    assert source.estimate_buffered_count() == 3

    stages.consumer("second").subscribe(source, **MANUAL).ask(5)
    stages.settle()
    assert stages.of("producer", "demand") == [3, 2]
    assert [event for batch in stages.of("second", "events") for event in batch] == [0, 1, 2, 3, 4]


def test_a_stop_during_the_replay_drops_the_rest(stages):
    class Stops(TellingProducer):
        def handle_demand(self, demand):
            events = super().handle_demand(demand)
            return Stop(Named("enough")) if demand == 2 else events

    source = stages.producer(end=100, make=Stops, demand="accumulate")
    subscription = stages.consumer().subscribe(source, cancel="temporary", **MANUAL)
    for count in (1, 2, 3):
        subscription.ask(count)
    stages.settle()
    source.set_demand("forward")

    assert stages.ended(source) == Named("enough")
    assert stages.of("producer", "demand") == [1, 2]


def test_a_producer_consumer_only_forwards(stages, expected_errors):
    middle = stages.middle()
    middle.set_demand("forward")
    assert middle.demand() == "forward"
    assert expected_errors == []
    middle.set_demand("accumulate")

    assert middle.demand() == "forward"
    assert [record.event for record in expected_errors] == ["demand mode not supported"]


def test_there_are_two_modes(stages):
    with pytest.raises(OptionError, match="option 'mode': must be one of forward, accumulate, got 'stop'"):
        stages.producer().set_demand("stop")
