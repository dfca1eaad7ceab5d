"""The end of the data, which GenStage does not have."""

import pytest

from genstage._core import messages as m
from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage._core.reasons import AlreadySubscribed, BadReturn, Crash, Killed, Named, Normal
from genstage._core.results import Finish, Reply

OOPS = Named("oops")
ENDS = [("terminate", Normal()), ("stop", Normal())]


def finished(*tags):
    return [("finished", f"c{tag}", tag) for tag in tags]


def identity(events, _tag):
    return events


# -- producers ----------------------------------------------------------------------------------------


def test_consumers_learn_the_end_after_the_last_event(bench):
    producer = bench("producer", handle_demand=Finish([1, 2]))
    producer.subscribe(1)
    assert producer.ask(1, 5) == [
        ("handle_demand", 5),
        ("events", "c1", 1, [1, 2]),
        *finished(1),
        *ENDS,
    ]
    assert producer.port.watched == {}
    assert producer.core.watches == {}


def test_the_end_waits_for_what_is_buffered_and_asks_for_no_more(bench):
    producer = bench("producer", handle_demand=Finish([1, 2, 3]))
    producer.subscribe(1, 2)
    assert producer.ask(1, 1) == [("handle_demand", 1), ("events", "c1", 1, [1])]
    assert producer.ask(2, 1) == [("events", "c2", 2, [2])]
    assert producer.ask(2, 1) == [("events", "c2", 2, [3]), *finished(1, 2), *ENDS]


def test_a_finish_without_consumers_ends_at_once_or_waits_for_one(bench):
    assert bench("producer").handle(m.Cast(Finish())) == ENDS
    producer = bench("producer")
    assert producer.handle(m.Cast(Finish([1]))) == []
    producer.subscribe(1)
    assert producer.ask(1, 1) == [("events", "c1", 1, [1]), *finished(1), *ENDS]


def test_a_consumer_that_leaves_a_finishing_producer_hears_of_its_cancel_only(bench):
    producer = bench("producer")
    producer.subscribe(1, 2)
    producer.handle(m.Cast(Finish([1])))
    producer.cancel(1, OOPS)
    assert producer.ask(2, 1) == [("events", "c2", 2, [1]), *finished(2), *ENDS]


def test_who_subscribes_before_the_end_is_told_too(bench):
    producer = bench("producer")
    producer.port.mailbox = [m.Cast(Finish()), m.Subscribe("c1", 1, {})]
    assert producer.handle() == [("handle_subscribe", "consumer", {}, 1), *finished(1), *ENDS]


def test_a_broadcast_ends_when_the_slowest_has_everything(bench):
    producer = bench("producer", {"dispatcher": BroadcastDispatcher()}, handle_demand=Finish([1, 2]))
    producer.subscribe(1, 2)
    producer.ask(1, 5)
    assert producer.ask(2, 1) == [
        ("handle_demand", 1),
        ("events", "c1", 1, [1]),
        ("events", "c2", 2, [1]),
    ]
    assert producer.ask(2, 1)[2:] == [*finished(1, 2), *ENDS]


def test_a_finish_while_demand_accumulates_is_logged_too(bench):
    producer = bench("producer", {"demand": "accumulate"})
    producer.subscribe(1)
    producer.ask(1, 2)
    assert producer.handle(m.Cast(Finish([1, 2]))) == []
    assert producer.handle(m.SetDemand("forward")) == [("events", "c1", 1, [1, 2]), *finished(1), *ENDS]


def test_a_finish_within_the_replay_lets_the_rest_of_the_log_out_and_asks_no_more(bench):
    producer = bench("producer", {"demand": "accumulate"}, handle_demand=Finish([1, 2, 3]))
    producer.subscribe(1)
    producer.ask(1, 2)
    producer.emit("x")
    producer.ask(1, 2)
    assert producer.handle(m.SetDemand("forward")) == [
        ("handle_demand", 2),
        ("events", "c1", 1, [1, 2, 3]),
        ("events", "c1", 1, ["x"]),
        *finished(1),
        *ENDS,
    ]


def test_a_finish_after_a_drain_ends_when_the_rest_has_left(bench):
    producer = bench("producer", handle_demand=Finish(["last"]))
    producer.emit(1, 2)
    producer.subscribe(1)
    assert producer.ask(1, 3) == [
        ("events", "c1", 1, [1, 2]),
        ("handle_demand", 1),
        ("events", "c1", 1, ["last"]),
        *finished(1),
        *ENDS,
    ]


@pytest.mark.parametrize("size", [10, None])
def test_infos_are_handled_before_the_end(bench, size):
    producer = bench("producer", {"buffer_size": size})
    producer.emit(1, 2)
    producer.handle(m.Info("i"))
    producer.handle(m.Cast(Finish()))
    producer.subscribe(1)
    assert producer.ask(1, 2) == [
        ("events", "c1", 1, [1, 2]),
        ("handle_info", "i"),
        *finished(1),
        *ENDS,
    ]


def test_events_that_an_info_still_brings_leave_before_the_end(bench):
    producer = bench("producer", handle_info=["late"])
    producer.emit(1)
    producer.handle(m.Info("i"))
    producer.handle(m.Cast(Finish()))
    producer.subscribe(1)
    assert producer.ask(1, 1) == [("events", "c1", 1, [1]), ("handle_info", "i")]
    assert producer.ask(1, 1) == [("events", "c1", 1, ["late"]), *finished(1), *ENDS]


def test_every_callback_can_finish(bench):
    for callback, message in {
        "handle_info": m.Message("x"),
        "handle_call": m.Call("x", "caller"),
        "handle_cancel": m.Cancel("c1", 1, OOPS),
    }.items():
        result = Reply("done", Finish([1])) if callback == "handle_call" else Finish([1])
        producer = bench("producer", **{callback: result})
        producer.subscribe(1, 2)
        producer.handle(message)
        tags = (2,) if callback == "handle_cancel" else (1, 2)
        assert producer.ask(2, 1) == [("events", "c2", 2, [1]), *finished(*tags), *ENDS], callback


def test_what_finish_holds_is_checked(bench):
    producer = bench("producer")
    assert producer.handle(m.Cast(Finish("text")))[-1] == ("stop", BadReturn("handle_cast", "text"))


def test_a_crash_after_the_finish_is_a_crash(bench):
    error = ValueError("late")

    def handle_info(_message):
        raise error

    producer = bench("producer", handle_info=handle_info)
    producer.subscribe(1)
    producer.handle(m.Cast(Finish([1])))
    assert producer.handle(m.Message("x"))[-1] == ("stop", Crash(error))


# -- consumers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cancel", "after"), [("permanent", ENDS), ("transient", []), ("temporary", [])])
def test_a_consumer_hears_of_the_end_once_and_ends_with_it_if_permanent(bench, cancel, after):
    consumer = bench("consumer")
    consumer.subscribe_to("p1", cancel=cancel)
    assert consumer.handle(m.Finished("p1", 101), m.Down(1, Normal()), m.Finished("p1", 101)) == [
        ("handle_cancel", "finish", Normal(), 101),
        *after,
    ]
    assert consumer.port.watched == {}


def test_a_consumer_waits_for_all_its_producers(bench):
    consumer = bench("consumer")
    consumer.subscribe_to("p1")
    consumer.subscribe_to("p2", cancel="temporary")
    consumer.subscribe_to("p3", cancel="transient")
    assert consumer.handle(m.Finished("p1", 101)) == [("handle_cancel", "finish", Normal(), 101)]
    assert consumer.down("p2", OOPS) == [("handle_cancel", "down", OOPS, 102)]
    assert consumer.events(103, 1, sender="p3") == [("handle_events", [1], 103)]
    assert consumer.handle(m.Finished("p3", 103)) == [("handle_cancel", "finish", Normal(), 103), *ENDS]


def test_a_refused_second_subscription_does_not_hold_the_end_up(bench):
    consumer = bench("consumer")
    consumer.subscribe_to("p1")
    consumer.subscribe_to("p1")
    consumer.handle(m.Finished("p1", 101))
    assert consumer.handle(m.Cancelled("p1", 102, AlreadySubscribed()))[-1] == ("stop", Normal())


def test_a_consumer_cannot_finish(bench):
    consumer = bench("consumer", handle_events=Finish())
    consumer.subscribe_to("p1")
    assert consumer.events(101, 1)[-1] == ("stop", BadReturn("handle_events", Finish()))


# -- producer-consumers -------------------------------------------------------------------------------


def middle(bench, *producers, cancel="permanent", modes=None, **returns):
    returns.setdefault("handle_events", identity)
    made = bench("producer_consumer", modes=modes, **returns)
    for producer in producers:
        made.subscribe_to(producer, max_demand=4, min_demand=2, cancel=cancel)
    return made


def test_a_producer_consumer_ends_when_its_producer_has(bench):
    pc = middle(bench, "p1")
    pc.subscribe(1)
    assert pc.handle(m.Finished("p1", 101)) == [
        ("handle_cancel", "finish", Normal(), 101),
        *finished(1),
        *ENDS,
    ]


def test_what_it_holds_leaves_first_in_the_usual_batches_and_the_end_needs_no_demand(bench):
    pc = middle(bench, "p1")
    pc.subscribe(1)
    pc.events(101, 1, 2, 3, 4)
    assert pc.handle(m.Info("i"), m.Finished("p1", 101), m.Down(1, Normal())) == []
    assert pc.ask(1, 3) == [
        ("handle_events", [1, 2], 101),
        ("events", "c1", 1, [1, 2]),
        ("handle_events", [3, 4], 101),
        ("events", "c1", 1, [3]),
    ]
    assert pc.ask(1, 1) == [
        ("events", "c1", 1, [4]),
        ("handle_cancel", "finish", Normal(), 101),
        ("handle_info", "i"),
        *finished(1),
        *ENDS,
    ]


def test_what_handle_cancel_returns_at_the_end_is_the_last_to_leave(bench):
    pc = middle(bench, "p1", handle_cancel=["total"])
    pc.subscribe(1)
    pc.ask(1, 1)
    pc.events(101, 1, 2)
    pc.handle(m.Finished("p1", 101))
    assert pc.ask(1, 1)[0] == ("events", "c1", 1, [2])
    assert pc.ask(1, 1) == [("events", "c1", 1, ["total"]), *finished(1), *ENDS]


def test_it_waits_for_all_its_producers_also_for_queued_events(bench):
    pc = middle(bench, "p1", "p2")
    pc.subscribe(1)
    pc.events(101, 1, sender="p1")
    pc.handle(m.Finished("p1", 101))
    pc.events(102, 2, sender="p2")
    pc.handle(m.Finished("p2", 102))
    assert pc.ask(1, 1) == [("handle_events", [1], 101), ("events", "c1", 1, [1])]
    assert pc.ask(1, 1) == [
        ("handle_cancel", "finish", Normal(), 101),
        ("handle_events", [2], 102),
        ("events", "c1", 1, [2]),
        ("handle_cancel", "finish", Normal(), 102),
        *finished(1),
        *ENDS,
    ]


def test_the_end_of_one_producer_does_not_stop_the_other(bench):
    pc = middle(bench, "p1", "p2")
    pc.subscribe(1)
    pc.ask(1, 9)
    assert pc.handle(m.Finished("p1", 101)) == [("handle_cancel", "finish", Normal(), 101)]
    assert pc.events(102, 1, 2, sender="p2")[1] == ("events", "c1", 1, [1, 2])
    assert pc.handle(m.Finished("p2", 102))[-1] == ("stop", Normal())


def test_the_end_of_one_producer_does_not_make_the_events_of_the_other_wanted(bench):
    pc = middle(bench, "p1", "p2")
    pc.handle(m.Finished("p1", 101))
    assert pc.events(102, 1, 2, sender="p2") == []
    pc.subscribe(1)
    assert pc.ask(1, 2)[:2] == [("handle_events", [1, 2], 102), ("events", "c1", 1, [1, 2])]


def test_a_crash_that_is_queued_before_the_last_finish_is_a_crash(bench):
    pc = middle(bench, "p1", "p2")
    pc.subscribe(1)
    pc.events(101, 1)
    pc.down("p1", Killed())
    pc.handle(m.Finished("p2", 102))
    effects = pc.ask(1, 1)
    assert effects[1] == ("events", "c1", 1, [1])
    assert effects[-1] == ("stop", Killed())
    assert not [effect for effect in effects if effect[0] == "finished"]


def test_queued_events_of_a_cancelled_producer_hold_the_end_up_too(bench):
    pc = middle(bench, "p1", "p2")
    pc.core.consuming.upstreams[102].cancel = "temporary"
    pc.subscribe(1)
    pc.events(101, 1)
    pc.handle(m.Finished("p1", 101))
    pc.events(102, 2, sender="p2")
    pc.handle(m.Cancelled("p2", 102, OOPS))
    pc.ask(1, 1)
    assert pc.ask(1, 1) == [
        ("handle_cancel", "finish", Normal(), 101),
        ("handle_events", [2], 102),
        ("events", "c1", 1, [2]),
        ("handle_cancel", "cancel", OOPS, 102),
        *finished(1),
        *ENDS,
    ]


def test_an_end_that_waits_is_not_heard_of_twice(bench):
    pc = middle(bench, "p1")
    pc.subscribe(1)
    pc.events(101, 1)
    pc.handle(m.Finished("p1", 101), m.Finished("p1", 101), m.Cancelled("p1", 101, OOPS))
    assert pc.ask(1, 2)[2:] == [("handle_cancel", "finish", Normal(), 101), *finished(1), *ENDS]


def test_a_temporary_producer_consumer_outlives_its_producer(bench):
    pc = middle(bench, "p1", cancel="temporary")
    assert pc.handle(m.Finished("p1", 101)) == [("handle_cancel", "finish", Normal(), 101)]
    assert pc.subscribe_to("p2")[0][0] == "subscribe"


def test_its_own_finish_takes_no_more_events_and_survives_its_producers(bench):
    def first_two(events, _tag):
        return Finish(events) if 2 in events else events

    pc = middle(bench, "p1", handle_events=first_two)
    pc.subscribe(1)
    pc.ask(1, 1)
    assert pc.events(101, 1, 2, 3, 4) == [
        ("handle_events", [1, 2], 101),
        ("events", "c1", 1, [1]),
    ]
    assert pc.events(101, 5, 6) == []
    assert pc.down("p1", Killed()) == [("handle_cancel", "down", Killed(), 101)]
    assert pc.ask(1, 1) == [("events", "c1", 1, [2]), *finished(1), *ENDS]


def test_after_its_own_finish_it_neither_asks_nor_handles_what_was_on_the_way(bench):
    pc = middle(bench, "p1", handle_events=Finish([1, 2]))
    pc.subscribe(1)
    pc.ask(1, 9)
    assert pc.handle(m.Events("p1", 101, [1, 2]), m.Events("p1", 101, [3, 4])) == [
        ("handle_events", [1, 2], 101),
        ("events", "c1", 1, [1, 2]),
        *finished(1),
        *ENDS,
    ]


def test_a_producer_that_has_finished_is_not_asked_for_more(bench):
    pc = middle(bench, "p1", "p2")
    pc.events(101, 1, 2)
    pc.handle(m.Finished("p1", 101))
    pc.subscribe(1)
    assert pc.ask(1, 2) == [
        ("handle_events", [1, 2], 101),
        ("events", "c1", 1, [1, 2]),
        ("handle_cancel", "finish", Normal(), 101),
    ]


def test_infos_queued_at_its_own_finish_are_handled(bench):
    pc = middle(bench, "p1", handle_events=lambda events, _tag: Finish(events))
    pc.subscribe(1)
    pc.events(101, 1)
    pc.handle(m.Info("i"))
    pc.events(101, 2)
    assert pc.ask(1, 1) == [
        ("handle_events", [1], 101),
        ("events", "c1", 1, [1]),
        ("handle_info", "i"),
        *finished(1),
        *ENDS,
    ]


def test_the_last_events_of_a_manual_subscription_are_handled_whole(bench):
    pc = middle(bench, "p1", modes={"producer": "manual"})
    pc.subscribe(1)
    pc.events(101, *range(6))
    pc.handle(m.Finished("p1", 101))
    assert pc.ask(1, 6) == [
        ("handle_events", [0, 1, 2, 3, 4, 5], 101),
        ("events", "c1", 1, [0, 1, 2, 3, 4, 5]),
        ("handle_cancel", "finish", Normal(), 101),
        *finished(1),
        *ENDS,
    ]
