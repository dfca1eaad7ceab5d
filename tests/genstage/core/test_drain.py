"""A producer that is drained ends as if its data had, once everything that it holds has left."""

import pytest

from genstage._core import messages as m
from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage._core.dispatchers.partition import PartitionDispatcher
from genstage._core.reasons import BadReturn, Crash, Named, Normal
from genstage._core.results import Finish, Reply, Stop

ENDS = [("terminate", Normal()), ("stop", Normal())]
DRAINED = [("handle_drain",)]


def finished(*tags):
    return [("finished", f"c{tag}", tag) for tag in tags]


def test_a_producer_that_holds_nothing_ends_at_once(bench):
    producer = bench("producer", handle_drain=None)
    producer.subscribe(1)
    assert producer.ask(1, 5) == [("handle_demand", 5)]
    assert producer.handle(m.Drain()) == [*DRAINED, *finished(1), *ENDS]
    assert producer.core.drained
    assert producer.port.watched == {}


def test_what_is_buffered_leaves_first_and_no_demand_follows(bench):
    producer = bench("producer")
    producer.subscribe(1, 2)
    producer.emit(1, 2, 3)
    assert producer.handle(m.Drain()) == DRAINED
    assert producer.ask(1, 2) == [("events", "c1", 1, [1, 2])]
    assert producer.ask(2, 2) == [("events", "c2", 2, [3]), *finished(1, 2), *ENDS]


@pytest.mark.parametrize("last", [[8, 9], Finish([8, 9])])
def test_its_own_last_events_come_behind_those_that_are_buffered(bench, last):
    producer = bench("producer", handle_drain=last)
    producer.subscribe(1)
    producer.emit(1)
    assert producer.handle(m.Drain()) == DRAINED
    assert producer.ask(1, 9) == [("events", "c1", 1, [1, 8, 9]), *finished(1), *ENDS]


def test_what_has_accumulated_leaves_too_in_order(bench):
    producer = bench("producer", {"demand": "accumulate"}, handle_drain=[3])
    producer.subscribe(1)
    assert producer.ask(1, 2) == []
    producer.emit(1, 2)
    assert producer.ask(1, 2) == []
    assert producer.handle(m.Drain()) == [
        *DRAINED,
        ("events", "c1", 1, [1, 2]),
        ("events", "c1", 1, [3]),
        *finished(1),
        *ENDS,
    ]


def test_a_drain_in_a_pause_ends_it(bench):
    producer = bench("producer")
    producer.subscribe(1)
    producer.handle(m.SetDemand("accumulate"))
    producer.emit(1)
    assert producer.handle(m.Drain()) == DRAINED
    assert producer.ask(1, 1) == [("events", "c1", 1, [1]), *finished(1), *ENDS]


def test_a_partition_keeps_its_events_for_its_consumer(bench):
    producer = bench(
        "producer", {"dispatcher": PartitionDispatcher(2, hash=lambda event: (event, event % 2))}
    )
    for tag in (1, 2):
        producer.subscribe(tag, partition=tag - 1)
    producer.ask(1, 5)
    producer.handle(m.Cast([1, 3, 4]))
    assert producer.handle(m.Drain()) == DRAINED
    assert producer.ask(2, 5) == [("events", "c2", 2, [1, 3]), *finished(1, 2), *ENDS]


def test_the_slowest_consumer_of_a_broadcast_is_waited_for(bench):
    producer = bench("producer", {"dispatcher": BroadcastDispatcher()})
    producer.subscribe(1, 2)
    producer.ask(1, 5)
    producer.emit(1, 2)
    assert producer.handle(m.Drain()) == DRAINED
    assert producer.ask(2, 1) == [("events", "c1", 1, [1]), ("events", "c2", 2, [1])]
    assert producer.ask(2, 1) == [
        ("events", "c1", 1, [2]),
        ("events", "c2", 2, [2]),
        *finished(1, 2),
        *ENDS,
    ]


@pytest.mark.parametrize(
    "late",
    [m.Cast([7, 8]), m.Message("more"), m.Call("more", "caller")],
    ids=["cast", "info", "call"],
)
def test_what_it_emits_later_is_discarded_and_told(bench, late):
    producer = bench("producer", handle_info=[7, 8], handle_call=Reply("done", [7, 8]))
    producer.subscribe(1)
    producer.emit(1)
    producer.handle(m.Drain())
    effects = producer.handle(late)
    assert effects[-2:] == [("format_discarded", 2), ("report", "discarded", {"count": 2})]
    assert producer.buffered == 1
    assert producer.ask(1, 5) == [("events", "c1", 1, [1]), *finished(1), *ENDS]


def test_an_info_on_its_way_is_handled_before_the_end(bench):
    producer = bench("producer")
    producer.subscribe(1)
    producer.emit(1)
    producer.handle(m.Info("news"))
    producer.handle(m.Drain())
    assert producer.ask(1, 1) == [
        ("events", "c1", 1, [1]),
        ("handle_info", "news"),
        *finished(1),
        *ENDS,
    ]


def test_a_second_drain_and_one_behind_the_end_of_the_data_change_nothing(bench):
    producer = bench("producer")
    producer.subscribe(1)
    producer.emit(1)
    producer.handle(m.Drain())
    assert producer.handle(m.Drain()) == []
    finishing = bench("producer")
    finishing.subscribe(1)
    finishing.handle(m.Cast(Finish([1])))
    assert finishing.handle(m.Drain()) == []
    assert not finishing.core.drained


def test_a_drain_ends_the_pause_of_a_producer_whose_data_has_ended(bench):
    producer = bench("producer")
    producer.subscribe(1)
    producer.handle(m.Cast(Finish([1])))
    producer.handle(m.SetDemand("accumulate"))
    assert producer.ask(1, 1) == []
    assert producer.handle(m.Drain()) == [("events", "c1", 1, [1]), *finished(1), *ENDS]
    assert not producer.core.drained


def test_a_drain_without_consumers_ends_at_once(bench):
    assert bench("producer").handle(m.Drain()) == [*DRAINED, *ENDS]


@pytest.mark.parametrize("kind", ["consumer", "producer_consumer"])
def test_a_stage_that_takes_events_is_not_drained_itself(bench, kind):
    stage = bench(kind)
    message = m.Drain()
    assert stage.handle(message) == [("report", "wrong_kind_message", {"message": message})]
    assert not stage.core.drained


def test_a_drain_may_go_wrong_or_stop_the_stage(bench):
    def fail():
        raise error

    error = ValueError("boom")
    producer = bench("producer", handle_drain=fail)
    producer.handle(m.Drain())
    assert producer.port.stopped == Crash(error)
    producer = bench("producer", handle_drain="text")
    producer.handle(m.Drain())
    assert producer.port.stopped == BadReturn("handle_drain", "text")
    producer = bench("producer", handle_drain=Stop(Named("enough")))
    producer.handle(m.Drain())
    assert producer.port.stopped == Named("enough")
