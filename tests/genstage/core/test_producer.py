from collections import UserList, deque

import pytest

from genstage._core import messages as m
from genstage._core.dispatchers.base import Refused
from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage._core.dispatchers.demand import DemandDispatcher
from genstage._core.reasons import BadReturn, Crash, Named, Normal
from genstage._core.results import Reply, Stop, Unanswered

OOPS = Named("oops")


def counter():
    """A ``handle_demand`` that counts on."""
    numbers = iter(range(10_000))
    return lambda demand: [next(numbers) for _ in range(demand)]


def broadcast(bench, **returns):
    return bench("producer", {"dispatcher": BroadcastDispatcher()}, **returns)


def sent(effects):
    """The events that effects hold, by tag."""
    return [(effect[2], effect[3]) for effect in effects if effect[0] == "events"]


# -- demand and buffer --------------------------------------------------------------------------------


def test_demand_is_passed_on_ask_by_ask(bench):
    producer = bench("producer")
    producer.subscribe(1)
    assert [producer.ask(1, count)[-1] for count in (3, 2, 1)] == [
        ("handle_demand", 3),
        ("handle_demand", 2),
        ("handle_demand", 1),
    ]


def test_buffered_events_come_first_and_in_a_message_of_their_own(bench):
    producer = bench("producer", handle_demand=counter())
    producer.emit("a", "b", "c", "d", "e")
    producer.subscribe(1)
    assert producer.ask(1, 4) == [("events", "c1", 1, ["a", "b", "c", "d"])]
    assert producer.ask(1, 4) == [
        ("events", "c1", 1, ["e"]),
        ("handle_demand", 3),
        ("events", "c1", 1, [0, 1, 2]),
    ]
    assert producer.buffered == 0


@pytest.mark.parametrize(
    ("answer", "report"),
    [(True, [("report", "discarded", {"count": 3})]), (False, [])],
)
def test_overflow_is_told_to_the_stage_which_may_silence_the_warning(bench, answer, report):
    producer = bench("producer", {"buffer_size": 5}, format_discarded=answer)
    assert producer.emit(*range(8)) == [("format_discarded", 3), *report]
    producer.subscribe(1)
    assert sent(producer.ask(1, 10)) == [(1, [3, 4, 5, 6, 7])]


def test_an_info_waits_for_the_events_before_it(bench):
    producer = bench("producer")
    producer.emit(1, 2)
    assert producer.handle(m.Info("i")) == []
    producer.emit(3)
    producer.subscribe(1)
    assert producer.ask(1, 4) == [
        ("events", "c1", 1, [1, 2]),
        ("events", "c1", 1, [3]),
        ("handle_demand", 1),
        ("handle_info", "i"),
    ]
    assert producer.handle(m.Info("j")) == [("handle_info", "j")]


# -- a dispatcher that refuses ----------------------------------------------------------------------------


class Stubborn(DemandDispatcher):
    """Says it has room but takes one event at a time."""

    def dispatch(self, events):
        return [*super().dispatch(events[:1]), *events[1:]]


def test_what_a_dispatcher_refuses_goes_back_to_the_head_with_its_infos_behind_it(bench):
    producer = bench("producer", {"dispatcher": Stubborn()})
    producer.emit(1, 2, 3)
    producer.handle(m.Info("i"))
    producer.emit(4)
    producer.subscribe(1)
    assert producer.ask(1, 4) == [
        ("events", "c1", 1, [1]),
        ("events", "c1", 1, [2]),
        ("handle_demand", 3),
    ]
    assert producer.buffered == 2
    assert producer.ask(1, 1) == [
        ("events", "c1", 1, [3]),
        ("events", "c1", 1, [4]),
        ("handle_info", "i"),
    ]
    assert producer.ask(1, 4) == [("handle_demand", 2)]  # nine asked for, four sent, three owed


# -- demand mode ----------------------------------------------------------------------------------------


def test_accumulated_demand_is_replayed_ask_by_ask_and_in_the_order_of_the_log(bench):
    producer = bench("producer", {"demand": "accumulate"}, handle_demand=counter())
    producer.subscribe(1)
    assert producer.ask(1, 3) == []
    assert producer.emit("x") == []
    assert producer.ask(1, 3) == []
    assert producer.buffered == 0
    assert producer.handle(m.SetDemand("accumulate")) == []
    assert producer.handle(m.SetDemand("forward")) == [
        ("handle_demand", 3),
        ("events", "c1", 1, [0, 1, 2]),
        ("events", "c1", 1, ["x"]),
        ("handle_demand", 3),
        ("events", "c1", 1, [3, 4]),
    ]
    assert producer.buffered == 1


def test_an_ask_moves_buffered_events_to_the_log_and_lets_their_infos_go(bench):
    producer = bench("producer")
    producer.emit(1, 2)
    producer.handle(m.Info("i"))
    producer.handle(m.SetDemand("accumulate"))
    producer.subscribe(1)
    assert producer.ask(1, 5) == [("handle_info", "i")]
    assert producer.buffered == 0
    assert producer.handle(m.SetDemand("forward")) == [
        ("events", "c1", 1, [1, 2]),
        ("handle_demand", 3),
    ]


def test_what_somebody_waits_for_is_handed_out_after_the_replay_too(bench):
    producer = bench("producer")
    producer.subscribe(1)
    producer.ask(1, 10)
    producer.cancel(1, Normal())
    producer.emit(1, 2, 3, 4)
    producer.handle(m.SetDemand("accumulate"))
    producer.subscribe(2)
    assert producer.ask(2, 5) == []
    assert producer.handle(m.SetDemand("forward")) == [("events", "c2", 2, [1, 2, 3, 4])]


def test_the_demand_mode_can_be_asked_for(bench):
    producer = bench("producer")
    producer.handle(m.GetDemand("a"), m.SetDemand("accumulate"), m.GetDemand("b"))
    assert producer.port.replies == [("a", "forward"), ("b", "accumulate")]


@pytest.mark.parametrize(
    ("kind", "mode", "reported"),
    [
        ("consumer", "forward", True),
        ("consumer", "accumulate", True),
        ("producer_consumer", "forward", False),
        ("producer_consumer", "accumulate", True),
    ],
)
def test_only_producers_have_a_demand_mode(bench, kind, mode, reported):
    stage = bench(kind)
    expected = [("report", "demand_mode_not_supported", {"mode": mode})] if reported else []
    assert stage.handle(m.SetDemand(mode), m.GetDemand("caller")) == expected
    assert stage.port.replies == [("caller", "forward")]  # pc-demand-query-crash


# -- callbacks and their results -------------------------------------------------------------------------


def test_a_reply_follows_the_events_returned_with_it(bench):
    producer = bench("producer", handle_call=Reply("done", ["x"]))
    producer.subscribe(1)
    producer.ask(1, 1)
    producer.port.reply = lambda *reply: producer.port.effects.append(("reply", *reply))
    assert producer.handle(m.Call("request", "caller"))[1:] == [
        ("events", "c1", 1, ["x"]),
        ("reply", "caller", "done"),
    ]


def test_a_call_can_be_answered_later_or_with_the_end(bench):
    producer = bench("producer", handle_call=Unanswered(["x"]))
    assert producer.handle(m.Call("request", "caller")) == [("handle_call", "request", "caller")]
    assert (producer.port.replies, producer.buffered) == ([], 1)
    for wrong in ("no reply", Stop(OOPS, "no reply")):
        producer = bench("producer", handle_call=wrong)
        assert producer.handle(m.Call("request", "caller"))[-1] == ("stop", BadReturn("handle_call", wrong))
        assert producer.port.replies == []
    producer = bench("producer", handle_call=Stop(OOPS, Reply("last")))
    assert producer.handle(m.Call("request", "caller"))[1:] == [("terminate", OOPS), ("stop", OOPS)]
    assert producer.port.replies == [("caller", "last")]


@pytest.mark.parametrize("value", [(1, 2), range(1, 3), deque([1, 2]), UserList([1, 2])], ids=repr)
def test_any_sequence_holds_events(bench, value):
    producer = bench("producer", handle_demand=lambda _: value)
    producer.subscribe(1)
    assert sent(producer.ask(1, 1)) == [(1, [1])]
    assert producer.buffered == 1


def test_none_is_no_events(bench):
    producer = bench("producer", handle_demand=lambda _: None)
    producer.subscribe(1)
    assert producer.ask(1, 2) == [("handle_demand", 2)]


@pytest.mark.parametrize(
    "value", ["text", b"bytes", 42, {"a": 1}, iter([])], ids=lambda value: type(value).__name__
)
def test_what_is_no_sequence_of_events_ends_the_stage(bench, value):
    producer = bench("producer", handle_demand=lambda _: value)
    producer.subscribe(1)
    assert producer.ask(1, 1)[-1] == ("stop", BadReturn("handle_demand", value))


def test_a_failing_terminate_is_the_reason_that_counts(bench):
    error = ValueError("in terminate")

    def terminate(_reason):
        raise error

    producer = bench("producer", terminate=terminate)
    assert producer.handle(m.Stop(Normal()))[-1] == ("stop", Crash(error))


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_whatever_a_callback_raises_ends_this_stage_only(bench, error):
    def handle_demand(_demand):
        raise error

    producer = bench("producer", handle_demand=handle_demand)
    producer.subscribe(1)
    assert producer.ask(1, 1)[-1] == ("stop", Crash(error))


def test_a_consumer_cannot_emit(bench):
    consumer = bench("consumer", handle_info=["x"])
    assert consumer.handle(m.Message("hello")) == [
        ("handle_info", "hello"),
        ("report", "consumer_cannot_emit", {"callback": "handle_info"}),
    ]


class Eager(DemandDispatcher):
    """Asks for five at each subscription, doubles what is asked, and takes nobody named c9 on."""

    def subscribe(self, tag, peer, options):
        if peer == "c9":
            raise Refused(OOPS)
        return super().subscribe(tag, peer, options) + 5

    def ask(self, tag, count):
        return 2 * super().ask(tag, count)


def test_the_dispatcher_decides_how_much_is_asked_for_and_who_is_taken_on(bench):
    producer = bench("producer", {"dispatcher": Eager()})
    assert producer.subscribe(1)[1:] == [("handle_demand", 5)]
    assert producer.ask(1, 3) == [("handle_demand", 6)]
    assert producer.subscribe(9)[1:] == [
        ("cancelled", "c9", 9, OOPS),
        ("handle_cancel", "cancel", OOPS, 9),
    ]
    assert producer.port.watched == {1: "c1"}


def test_the_buffer_never_offers_more_than_there_is_room_for(bench):
    offered = []

    class Counting(Eager):
        def dispatch(self, events):
            offered.append((len(events), self.room()))
            return super().dispatch(events)

    producer = bench("producer", {"dispatcher": Counting()})
    producer.emit(1, 2, 3)
    offered.clear()
    assert producer.subscribe(1)[1:] == [("handle_demand", 5)]
    assert producer.ask(1, 2) == [("events", "c1", 1, [1, 2]), ("handle_demand", 2)]
    assert offered == [(2, 2)]
