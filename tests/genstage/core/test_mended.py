"""Where GenStage 1.3.2 has a bug, this has none: one minimal test per bug, by its name in the decisions.

The names, and most of the situations, are those of the recorded traces.
"""

import pytest

from genstage._core import messages as m
from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage._core.dispatchers.demand import DemandDispatcher
from genstage._core.dispatchers.partition import PartitionDispatcher
from genstage._core.reasons import Killed, Named, Normal

OOPS = Named("oops")


def counter():
    """A ``handle_demand`` that counts on."""
    numbers = iter(range(10_000))
    return lambda demand: [next(numbers) for _ in range(demand)]


def broadcast(bench, **returns):
    return bench("producer", {"dispatcher": BroadcastDispatcher()}, **returns)


def producer_consumer(bench, max_demand=4, min_demand=2, dispatcher=None):
    """One that passes on what it gets, subscribed to ``p1`` by tag 101."""
    options = {} if dispatcher is None else {"dispatcher": dispatcher}
    made = bench("producer_consumer", options, handle_events=lambda events, _tag: events)
    made.subscribe_to("p1", max_demand=max_demand, min_demand=min_demand, cancel="temporary")
    return made


def sent(effects):
    """The events that effects hold, by tag."""
    return [(effect[2], effect[3]) for effect in effects if effect[0] == "events"]


def demanded(effects):
    """What the producer was asked for."""
    return [effect[1] for effect in effects if effect[0] == "handle_demand"]


# -- events stay in the buffer while somebody waits -----------------------------------------------------


def test_broadcast_late_subscriber_stall(bench):
    producer = broadcast(bench)
    producer.subscribe(1)
    producer.ask(1, 10)
    producer.subscribe(2)
    assert sent(producer.emit(*range(10))) == []
    assert sent(producer.ask(2, 10)) == [(1, list(range(10))), (2, list(range(10)))]
    assert producer.buffered == 0


def test_broadcast_late_subscriber_stall_with_part_of_the_demand_served(bench):
    producer = broadcast(bench)
    producer.subscribe(1)
    producer.ask(1, 10)
    producer.emit(1, 2, 3)
    producer.subscribe(2)
    producer.emit(4, 5)
    assert producer.ask(2, 20) == [("events", "c1", 1, [4, 5]), ("events", "c2", 2, [4, 5])]
    assert sent(producer.emit(6, 7)) == [(1, [6, 7]), (2, [6, 7])]


def test_demand_pending_stall(bench):
    producer = bench("producer")
    producer.subscribe(1)
    producer.ask(1, 10)
    producer.cancel(1, Normal())
    producer.emit(1, 2, 3, 4)
    producer.subscribe(2)
    assert producer.ask(2, 5) == [("events", "c2", 2, [1, 2, 3, 4])]
    assert sent(producer.emit(5, 6)) == [(2, [5])]


@pytest.mark.parametrize("make", [DemandDispatcher, BroadcastDispatcher])
def test_what_is_drained_from_the_buffer_is_not_asked_for_twice(bench, make):
    producer = bench("producer", {"dispatcher": make()})
    producer.subscribe(1)
    producer.ask(1, 10)
    producer.emit(1)  # nine are owed now
    producer.cancel(1, Normal())
    producer.emit(2, 3, 4, 5)  # five
    producer.subscribe(2)
    assert producer.ask(2, 3) == [("events", "c2", 2, [2, 3, 4])]
    assert producer.ask(2, 6) == [("events", "c2", 2, [5])]
    assert producer.ask(2, 1) == [("handle_demand", 1)]


def test_reconnect_stranded(bench):
    """Upstream issue 311: consumers go down, events are buffered, and one comes back."""
    producer = bench("producer")
    producer.subscribe(1, 2)
    producer.ask(1, 1000)
    producer.ask(2, 1000)
    for peer in ("c1", "c2"):
        producer.down(peer, Killed())
    for event in range(20):
        producer.emit(event)
    producer.subscribe(3)
    assert producer.ask(3, 1000) == [("events", "c3", 3, list(range(20)))]
    assert producer.buffered == 0
    assert sent(producer.emit(20)) == [(3, [20])]


def test_reconnect_stranded_in_a_partition(bench):
    producer = bench("producer", {"dispatcher": PartitionDispatcher(1)})
    producer.subscribe(1, partition=0)
    producer.ask(1, 10)
    producer.down("c1", Killed())
    for event in range(20):
        producer.emit(event)
    producer.subscribe(2, partition=0)
    assert sent(producer.ask(2, 10)) == [(2, list(range(10)))]
    assert producer.ask(2, 10) == [("events", "c2", 2, list(range(10, 20)))]
    assert producer.buffered == 0


def test_partition_discard_stall(bench):
    only_some = PartitionDispatcher(1, hash=lambda event: (event, 0) if event % 3 else None)
    producer = bench("producer", {"dispatcher": only_some})
    producer.emit(*range(12))
    producer.subscribe(1, partition=0)
    arrived = []
    for _ in range(3):
        effects = producer.ask(1, 3)
        arrived += [event for _, events in sent(effects) for event in events]
        assert demanded(effects) == []  # no demand for what the function drops
    assert arrived == [1, 2, 4, 5, 7, 8, 10, 11]
    assert producer.buffered == 0
    assert demanded(producer.ask(1, 2)) == [2]


def test_partition_discard_stall_of_a_producer_consumer(bench):
    only_some = PartitionDispatcher(1, hash=lambda event: (event, 0) if event % 3 else None)
    stage = producer_consumer(bench, 10, 0, only_some)
    stage.subscribe(1, partition=0)
    stage.ask(1, 2)
    stage.events(101, 0, 3)  # both are dropped
    assert sent(stage.events(101, 6, 7, 8)) == [(1, [7, 8])]


def test_a_producer_consumer_hands_out_what_is_buffered_behind_discards(bench):
    only_some = PartitionDispatcher(1, hash=lambda event: (event, 0) if event % 3 else None)
    stage = producer_consumer(bench, 10, 0, only_some)
    stage.subscribe(1, partition=0)
    stage.ask(1, 2)
    stage.events(101, 1, 2, 3, 6, 9, 10, 11)
    assert stage.buffered == 5
    assert sent(stage.ask(1, 2)) == [(1, [10]), (1, [11])]
    assert stage.buffered == 0


def test_broadcast_refused_demand(bench):
    producer = broadcast(bench)
    producer.subscribe(1)
    producer.ask(1, 10)
    producer.subscribe(2)
    producer.emit(1, 2, 3, 4)  # refused, for the second has not asked; six are owed
    producer.ask(1, 4)
    assert producer.ask(2, 14) == [
        ("events", "c1", 1, [1, 2, 3, 4]),
        ("events", "c2", 2, [1, 2, 3, 4]),
        ("handle_demand", 4),
    ]


def test_pc_buffer_rotation(bench):
    stage = producer_consumer(bench, 10, 0, BroadcastDispatcher())
    stage.subscribe(1)
    stage.ask(1, 4)
    stage.subscribe(2)
    stage.ask(2, 1)
    stage.events(101, 0, 1, 2, 3, 4)
    stage.ask(1, 1)
    assert stage.ask(2, 8) == [("events", "c1", 1, [1, 2, 3, 4]), ("events", "c2", 2, [1, 2, 3, 4])]


# -- a producer-consumer works though nobody waits -------------------------------------------------------


def test_pc_orphan_demand(bench):
    stage = producer_consumer(bench)
    stage.subscribe(1)
    stage.ask(1, 10)
    stage.cancel(1, Normal())
    for start in range(1, 17, 4):
        assert stage.events(101, *range(start, start + 4)) == []
    assert stage.buffered == 0
    stage.subscribe(2)
    assert stage.ask(2, 3) == [
        ("handle_events", [1, 2], 101),
        ("events", "c2", 2, [1, 2]),
        ("ask", "p1", 101, 2),
        ("handle_events", [3, 4], 101),
        ("events", "c2", 2, [3]),
        ("ask", "p1", 101, 2),
    ]


def test_broadcast_pile_up(bench):
    stage = producer_consumer(bench, dispatcher=BroadcastDispatcher())
    stage.subscribe(1)
    stage.ask(1, 100)
    stage.subscribe(2)
    stage.events(101, 1, 2, 3, 4)
    for start in range(5, 50, 4):
        assert stage.events(101, *range(start, start + 4)) == []
    assert stage.buffered == 4
    assert sent(stage.ask(2, 6)) == [(tag, events) for events in ([1, 2, 3, 4], [5, 6]) for tag in (1, 2)]


# -- departures, refusals, strangers --------------------------------------------------------------------


def test_event_to_cancelled(bench):
    producer = bench("producer", handle_cancel=["goodbye"])
    producer.subscribe(1, 2)
    producer.ask(1, 3)
    assert producer.cancel(1, OOPS) == [("cancelled", "c1", 1, OOPS), ("handle_cancel", "cancel", OOPS, 1)]
    assert producer.buffered == 1
    assert sent(producer.ask(2, 1)) == [(2, ["goodbye"])]


def test_events_of_a_departure_follow_what_was_buffered_and_lessen_the_demand_it_makes(bench):
    producer = broadcast(bench, handle_cancel=["goodbye"])
    producer.subscribe(1, 2)
    producer.ask(1, 5)
    producer.emit("waits")
    assert producer.cancel(2, OOPS)[2:] == [
        ("events", "c1", 1, ["waits", "goodbye"]),
        ("handle_demand", 3),
    ]


@pytest.mark.parametrize(
    ("asked_before", "waiting", "demand"),
    [(3, [], 2), (0, [], 4), (3, ["waits"], 2), (0, ["waits"], 3)],
)
def test_events_of_a_departure_count_against_what_was_owed_first(bench, asked_before, waiting, demand):
    producer = broadcast(bench, handle_cancel=["goodbye"])
    producer.subscribe(1)
    if asked_before:
        producer.ask(1, asked_before)
    producer.subscribe(2)
    producer.ask(1, 5 - asked_before)
    producer.emit(*waiting)
    assert producer.cancel(2, OOPS)[2:] == [
        ("events", "c1", 1, [*waiting, "goodbye"]),
        ("handle_demand", demand),
    ]


def test_events_of_a_departure_that_nobody_waits_for_make_no_demand(bench):
    producer = bench("producer", handle_cancel=["goodbye"])
    producer.subscribe(1)
    producer.ask(1, 5)
    producer.cancel(1, OOPS)  # its goodbye counts: four are still owed
    producer.emit("waits")
    producer.subscribe(2)
    assert [effect[0] for effect in producer.cancel(2, OOPS)] == ["cancelled", "handle_cancel"]
    assert producer.buffered == 3
    producer.subscribe(3)
    assert producer.ask(3, 6)[-1] == ("handle_demand", 1)  # three were buffered, and two are still owed


def test_events_of_a_departure_are_logged_before_the_demand_it_makes(bench):
    producer = broadcast(bench, handle_cancel=["goodbye"])
    producer.subscribe(1, 2)
    producer.ask(1, 5)
    producer.handle(m.SetDemand("accumulate"))
    producer.cancel(2, OOPS)
    assert producer.handle(m.SetDemand("forward")) == [
        ("events", "c1", 1, ["goodbye"]),
        ("handle_demand", 5),
    ]


def test_events_of_a_departure_take_the_place_of_the_backlog_that_it_drops(bench):
    dispatcher = PartitionDispatcher(2, hash=lambda event: (event, 0 if event == "first" else 1))
    producer = bench("producer", {"dispatcher": dispatcher}, handle_cancel=["goodbye"])
    for tag in (1, 2):
        producer.subscribe(tag, partition=tag - 1)
    producer.ask(2, 1)
    producer.emit("first")  # for the first consumer, which has not asked
    assert producer.cancel(1, OOPS)[2:] == [("events", "c2", 2, ["goodbye"])]


def test_broadcast_second_subscription(bench):
    producer = broadcast(bench)
    producer.subscribe(1)
    for tag in (2, 3):
        effects = producer.handle(m.Subscribe("c1", tag, {}))
        assert [effect[0] for effect in effects] == [
            "handle_subscribe",
            "report",
            "cancelled",
            "handle_cancel",
        ]
    assert producer.ask(1, 2) == [("handle_demand", 2)]
    assert sent(producer.emit("x")) == [(1, ["x"])]


@pytest.mark.parametrize("make", [DemandDispatcher, BroadcastDispatcher])
def test_ask_by_other_process(bench, make):
    producer = bench("producer", {"dispatcher": make()})
    producer.subscribe(1)
    producer.handle(m.Ask("somebody else", 1, 2))
    assert producer.emit("x") == [("events", "c1", 1, ["x"])]


def test_pc_demand_query_crash(bench):
    stage = bench("producer_consumer")
    assert stage.handle(m.GetDemand("caller")) == []
    assert stage.port.replies == [("caller", "forward")]


# -- what is rejected without end -----------------------------------------------------------------------


def test_selectors_reject_all(bench):
    producer = broadcast(bench, handle_demand=counter())
    for tag in (1, 2):
        producer.subscribe(tag, selector=lambda _: False)
    core, mailbox = producer.core, producer.port.mailbox
    mailbox += [m.Ask("c1", 1, 2), m.Ask("c2", 2, 2)]
    for _ in range(10):
        core.handle(mailbox.pop(0))
    mailbox.append(m.Message("other"))
    for _ in range(10):  # other messages get their turn
        core.handle(mailbox.pop(0))
    assert ("handle_info", "other") in producer.port.effects
    mailbox.append(m.Stop(OOPS))
    for _ in range(10):  # and it stops when it is told to
        if producer.port.stopped is None:
            core.handle(mailbox.pop(0))
    assert producer.port.stopped == OOPS


# -- kept -----------------------------------------------------------------------------------------------


def test_accumulated_order_is_kept(bench):
    producer = bench("producer", {"demand": "accumulate"}, handle_demand=counter())
    producer.subscribe(1)
    producer.ask(1, 3)
    producer.emit("a", "b", "c", "d")
    producer.ask(1, 2)
    assert producer.handle(m.SetDemand("forward")) == [
        ("handle_demand", 3),
        ("events", "c1", 1, [0, 1, 2]),
        ("events", "c1", 1, ["a", "b"]),
    ]
    assert producer.buffered == 2
