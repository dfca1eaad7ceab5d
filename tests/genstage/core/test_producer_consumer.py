import pytest

from genstage._core import messages as m
from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage._core.reasons import Killed, Named

OOPS = Named("oops")


def identity(events, _tag):
    return events


def stage(bench, max_demand=4, min_demand=2, *, dispatcher=None, cancel="temporary", handle=identity):
    """A producer-consumer that has subscribed to ``p1`` by tag 101."""
    options = {} if dispatcher is None else {"dispatcher": dispatcher}
    made = bench("producer_consumer", options, handle_events=handle)
    made.subscribe_to("p1", max_demand=max_demand, min_demand=min_demand, cancel=cancel)
    return made


def short(effects):
    """Effects without peers and tags: batches handled, asks and events sent."""
    names = {"handle_events": "handled", "ask": "asked", "events": "sent"}
    places = {"handle_events": 1, "ask": 3, "events": 3}
    return [(names[e[0]], e[places[e[0]]]) if e[0] in names else e for e in effects]


def test_events_wait_unhandled_until_somebody_asks(bench):
    pc = stage(bench)
    assert pc.events(101, 1, 2, 3, 4) == []
    assert pc.buffered == 0
    pc.subscribe(1)
    assert short(pc.ask(1, 1)) == [
        ("handled", [1, 2]),
        ("sent", [1]),
        ("asked", 2),
        ("handled", [3, 4]),
        ("asked", 2),
    ]
    assert pc.buffered == 3


def test_downstream_is_served_from_the_buffer_first_then_from_the_queue(bench):
    pc = stage(bench, 100, 0)
    pc.subscribe(1)
    for start in (0, 20, 40):
        pc.events(101, *range(start, start + 20))
    assert short(pc.ask(1, 30)) == [
        ("handled", list(range(20))),
        ("sent", list(range(20))),
        ("handled", list(range(20, 40))),
        ("sent", list(range(20, 30))),
    ]
    assert short(pc.ask(1, 5)) == [("sent", list(range(30, 35)))]
    assert short(pc.ask(1, 6)) == [
        ("sent", list(range(35, 40))),
        ("handled", list(range(40, 60))),
        ("sent", [40]),
    ]
    assert pc.buffered == 19


def test_a_filter_that_drops_everything_keeps_pulling(bench):
    pc = stage(bench, handle=lambda _events, _tag: [])
    pc.subscribe(1)
    pc.ask(1, 1)
    for _ in range(3):
        assert short(pc.events(101, 1, 2)) == [("handled", [1, 2]), ("asked", 2)]


def test_more_out_than_in_waits_in_the_buffer_and_holds_the_queue(bench):
    pc = stage(bench, 10, 0, handle=lambda events, _tag: [e for e in events for _ in range(2)])
    pc.subscribe(1)
    pc.ask(1, 3)
    assert short(pc.events(101, 1, 2, 3)) == [("handled", [1, 2, 3]), ("sent", [1, 1, 2])]
    assert pc.events(101, 4) == []
    assert short(pc.ask(1, 2)) == [("sent", [2, 3])]
    assert short(pc.ask(1, 2)) == [("sent", [3]), ("handled", [4]), ("sent", [4])]
    assert pc.buffered == 1


def test_handle_demand_is_never_called(bench):
    pc = stage(bench)
    pc.subscribe(1)
    assert pc.ask(1, 5) == []


def test_infos_and_ends_wait_behind_queued_events(bench):
    pc = stage(bench, cancel="permanent")
    pc.events(101, 1, 2)
    assert pc.handle(m.Info("i")) == []
    assert pc.down("p1", Killed()) == []
    pc.subscribe(1)
    assert pc.ask(1, 1) == [
        ("handle_events", [1, 2], 101),
        ("events", "c1", 1, [1]),
    ]
    assert pc.ask(1, 1) == [("events", "c1", 1, [2])]
    assert pc.ask(1, 1) == [
        ("handle_cancel", "down", Killed(), 101),
        ("report", "stopping_after_cancel", {"reason": Killed()}),
        ("terminate", Killed()),
        ("stop", Killed()),
    ]


def test_queued_events_of_a_cancelled_subscription_come_in_one_batch_without_a_producer(bench):
    origins = []
    pc = stage(bench, handle=identity)
    pc.stage.handle_events = lambda events, origin: origins.append((list(events), origin.producer))
    pc.events(101, 1, 2, 3, 4)
    pc.handle(m.Cancelled("p1", 101, OOPS))
    pc.subscribe(1)
    assert pc.ask(1, 9) == [("handle_cancel", "cancel", OOPS, 101)]
    assert origins == [([1, 2, 3, 4], None)]


def test_an_end_with_nothing_queued_is_heard_at_once(bench):
    pc = stage(bench, cancel="permanent")
    assert pc.down("p1", OOPS)[-1] == ("stop", OOPS)


@pytest.mark.parametrize("dispatcher", [None, BroadcastDispatcher()], ids=["demand", "broadcast"])
def test_emissions_of_other_callbacks_use_up_demand(bench, dispatcher):
    pc = stage(bench, dispatcher=dispatcher)
    pc.subscribe(1)
    pc.ask(1, 2)
    assert short(pc.emit("a", "b")) == [("sent", ["a", "b"])]
    assert pc.events(101, 1) == []
    assert short(pc.ask(1, 1)) == [("handled", [1]), ("sent", [1])]
