"""Callbacks that stop, raise, return what they must not, or are missing: each ends its stage, in order."""

import threading
from itertools import pairwise

import pytest

from genstage import (
    Consumer,
    DeadStageError,
    Finish,
    Killed,
    NoProc,
    Producer,
    ProducerConsumer,
    ProducerConsumerRef,
    Reply,
    StartError,
    Stop,
    Unanswered,
)
from genstage._core.reasons import BadReturn, Crash, Named

from .conftest import DEADLINE_S, TellingConsumer, TellingMiddle, TellingProducer

OOPS = Named("oops")
TEMPORARY = {"cancel": "temporary"}


@pytest.fixture
def provoke(stages):
    """Starts a stage one of whose callbacks does something, and has that callback called; gives the stage."""

    def provoke(kind, callback, act):
        base = {"producer": TellingProducer, "middle": TellingMiddle, "consumer": TellingConsumer}[kind]
        bad = type("Bad", (base,), {callback: lambda _self, *_arguments: act()})
        arguments = {"producer": [100], "middle": [lambda _stage, events: events], "consumer": []}[kind]
        ref = stages.start(bad, "bad", *arguments, subscribe_to=[]) if kind != "producer" else None
        ref = ref or stages.start(bad, "bad", *arguments)
        PROVOKED[callback](stages, ref, kind)
        return ref

    return provoke


def by_a_call(_stages, ref, _kind):
    with pytest.raises(DeadStageError) as caught:
        ref.call("anything", timeout_s=None)
    assert caught.value.reason == ref.reason


def by_a_consumer(stages, ref, kind):
    if kind == "consumer":
        ref.async_subscribe(stages.producer(end=100), **TEMPORARY)
    else:
        stages.consumer().subscribe(ref, **TEMPORARY)


def by_a_producer(stages, ref, _kind):
    if isinstance(ref, ProducerConsumerRef):
        stages.consumer().subscribe(ref, **TEMPORARY)
    ref.async_subscribe(stages.producer(end=100), **TEMPORARY)


def by_a_cancel(stages, ref, kind):
    if kind == "consumer":
        subscription = ref.subscribe(stages.producer(), **TEMPORARY)
    else:
        subscription = stages.consumer().subscribe(ref, **TEMPORARY)
    subscription.cancel()


PROVOKED = {
    "handle_call": by_a_call,
    "handle_cast": lambda _stages, ref, _kind: ref.cast("anything"),
    "handle_info": lambda _stages, ref, _kind: ref.send("anything"),
    "handle_demand": by_a_consumer,
    "handle_events": by_a_producer,
    "handle_subscribe": by_a_consumer,
    "handle_cancel": by_a_cancel,
}
OWN = {"producer": "handle_demand", "middle": "handle_events", "consumer": "handle_events"}
COMMON = ["handle_call", "handle_cast", "handle_info", "handle_subscribe", "handle_cancel"]
PLACES = [(kind, callback) for kind, own in OWN.items() for callback in [own, *COMMON]]


@pytest.mark.parametrize(("kind", "callback"), PLACES)
def test_a_stop_ends_the_stage_with_its_reason_and_what_waits_is_not_handled(stages, provoke, kind, callback):
    ref = provoke(kind, callback, lambda: Stop(OOPS))
    ref.send("too late")
    assert stages.ended(ref) == OOPS
    stages.settle()
    assert stages.of("bad", "terminated") == [OOPS]
    assert stages.of("bad", "info") in ([], ["too late"])


@pytest.mark.parametrize(("kind", "callback"), PLACES)
def test_what_is_raised_ends_the_stage_after_terminate(stages, provoke, expected_errors, kind, callback):
    cause = ValueError("boom")

    def act():
        raise cause

    ref = provoke(kind, callback, act)
    assert stages.ended(ref) == Crash(cause)
    assert stages.of("bad", "terminated") == [Crash(cause)]
    assert [record.exc_info[1] for record in expected_errors] == [cause]


BAD = ["text", b"bytes", {"a": 1}, {1}, 42, iter([1])]


@pytest.mark.parametrize("value", BAD, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(("kind", "callback"), PLACES)
@pytest.mark.usefixtures("expected_errors")
def test_what_is_no_sequence_of_events_is_refused(stages, provoke, kind, callback, value):
    ref = provoke(kind, callback, lambda: value)
    assert stages.ended(ref) == BadReturn(callback, value)
    assert stages.of("bad", "terminated") == [BadReturn(callback, value)]


@pytest.mark.parametrize("value", BAD, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("wrap", [lambda value: Reply(1, value), Unanswered, Finish])
def test_nor_is_it_inside_of_a_reply_or_an_end(stages, expected_errors, provoke, wrap, value):
    callback = "handle_info" if wrap is Finish else "handle_call"
    ref = provoke("producer", callback, lambda: wrap(value))
    assert stages.ended(ref) == BadReturn(callback, value)
    assert [record.event for record in expected_errors] == ["bad return"]


@pytest.mark.parametrize(
    ("base", "callback"),
    [(Producer, "handle_demand"), (ProducerConsumer, "handle_events"), (Consumer, "handle_events")]
    + [(base, callback) for base in (Producer, ProducerConsumer, Consumer) for callback in ("handle_cast",)],
)
def test_a_callback_that_is_missing_is_a_crash_that_names_it(stages, expected_errors, base, callback):
    class Minimal(base):
        pass

    ref = stages.runtime.start(Minimal, name="bad")
    PROVOKED[callback](stages, ref, "middle")

    reason = stages.ended(ref)
    assert isinstance(reason.exception, NotImplementedError)
    assert str(reason.exception).startswith(f"Minimal has no {callback}")
    assert expected_errors


def test_a_minimal_stage_can_be_told_anything_subscribed_cancelled_and_stopped(stages, caplog):
    class MinimalConsumer(Consumer):
        def handle_events(self, events, origin):
            pass

    ref = stages.runtime.start(MinimalConsumer)
    subscription = ref.subscribe(stages.producer(end=10), **TEMPORARY)
    ref.send("junk")
    subscription.cancel()
    ref.sync_info("more junk")
    ref.stop()
    assert [record.event for record in caplog.records] == ["unexpected message"] * 2


# -- while subscribing and cancelling -----------------------------------------------------------------


def test_a_stop_while_subscribing_is_told_to_who_asked_and_the_producer_sees_the_end(stages):
    class Stops(TellingConsumer):
        def handle_subscribe(self, *_):
            return Stop(OOPS)

    source, ref = stages.producer(), stages.consumer(make=Stops)
    with pytest.raises(DeadStageError) as caught:
        ref.subscribe(source)
    assert caught.value.reason == OOPS
    stages.settle()
    ((kind, reason, _),) = stages.of("producer", "cancelled")
    assert (kind, reason in (OOPS, NoProc())) == (
        "down",
        True,
    )  # it watches when it hears of the subscription

    with pytest.raises(StartError) as refused:
        stages.consumer("other", make=Stops, subscribe_to=[source])
    assert refused.value.reason == OOPS


def test_a_producer_that_stops_while_it_is_subscribed_to_is_down(stages):
    class Stops(TellingProducer):
        def handle_subscribe(self, *_):
            return Stop(OOPS)

    source, ref = stages.producer(make=Stops), stages.consumer()
    subscription = ref.subscribe(source, **TEMPORARY)
    stages.expect("consumer", "cancelled", "down", OOPS, subscription)
    assert ref.alive


def test_the_consumer_is_told_of_a_cancel_before_the_producers_callback_runs(stages):
    told = threading.Event()

    class Waits(TellingProducer):
        def handle_cancel(self, cancellation, subscription):
            assert told.wait(DEADLINE_S)
            super().handle_cancel(cancellation, subscription)

    class Tells(TellingConsumer):
        def handle_cancel(self, cancellation, subscription):
            super().handle_cancel(cancellation, subscription)
            told.set()

    source, ref = stages.producer(make=Waits, blocking=True), stages.consumer(make=Tells)
    subscription = ref.subscribe(source, **TEMPORARY)
    subscription.cancel(OOPS)
    stages.expect("producer", "cancelled", "cancel", OOPS, subscription)
    stages.expect("consumer", "cancelled", "cancel", OOPS, subscription)


def test_events_sent_before_a_cancel_come_before_it(stages):
    source, ref = stages.producer(), stages.consumer()
    subscription = ref.subscribe(source, **TEMPORARY)

    def emit_and_cancel(_stage, _reply_to):
        subscription.cancel()
        return Reply(None, ["last"])

    source.call(emit_and_cancel)
    stages.settle()
    assert [told[1] for told in stages.story.told if told[0] == "consumer"][-2:] == ["events", "cancelled"]


def test_a_producer_that_stops_when_a_new_subscription_replaces_one_never_takes_it(stages):
    class Stops(TellingProducer):
        def handle_cancel(self, *_):
            return Stop(OOPS)

    source, ref = stages.producer(make=Stops), stages.consumer()
    old = ref.subscribe(source, **TEMPORARY)
    new = ref.resubscribe(old, source, reason=OOPS, **TEMPORARY)
    stages.settle()
    assert [subscription for _, subscription in stages.of("producer", "subscribed")] == [old]
    assert stages.of("consumer", "cancelled") == [("cancel", OOPS, old), ("down", OOPS, new)]


def test_a_consumer_that_stops_when_a_cancel_comes_ends_whatever_the_mode(stages):
    class Stops(TellingConsumer):
        def handle_cancel(self, *_):
            return Stop(OOPS)

    ref = stages.consumer(make=Stops)
    ref.subscribe(stages.producer(), **TEMPORARY).cancel()
    assert stages.ended(ref) == OOPS


# -- ends that others see -----------------------------------------------------------------------------


def test_terminate_has_run_when_others_learn_of_the_end(stages):
    class Slow(TellingProducer):
        def terminate(self, reason):
            threading.Event().wait(0.05)
            super().terminate(reason)

    source, ref = stages.producer(make=Slow, blocking=True), stages.consumer()
    subscription = ref.subscribe(source, **TEMPORARY)
    source.stop(OOPS)
    stages.expect("consumer", "cancelled", "down", OOPS, subscription)
    assert [told[1] for told in stages.story.told][-2:] == ["terminated", "cancelled"]


def test_what_was_delivered_before_a_kill_is_handled_before_the_end_is_heard(stages):
    gate, inside = threading.Event(), threading.Event()

    class Slow(TellingConsumer):
        def handle_events(self, events, origin):
            inside.set()
            gate.wait(DEADLINE_S)
            super().handle_events(events, origin)

    source = stages.producer(end=4)
    ref = stages.consumer(make=Slow, blocking=True)
    ref.subscribe(source, max_demand=4, min_demand=2)
    assert inside.wait(DEADLINE_S)
    stages.kill(source)
    gate.set()

    assert stages.ended(ref) == Killed()
    assert stages.of("consumer", "events") == [[0, 1], [2, 3]]
    assert [told[1] for told in stages.story.told][-2:] == ["cancelled", "terminated"]


def test_of_two_producers_the_one_whose_end_counts_ends_the_consumer(stages):
    one, other, ref = stages.producer("one"), stages.producer("other"), stages.consumer()
    ref.subscribe(one)
    ref.subscribe(other, **TEMPORARY)
    other.stop()
    stages.settle()
    assert ref.alive
    surviving = stages.producer("surviving")
    ref.subscribe(surviving, **TEMPORARY)
    stages.settle()
    one.stop(OOPS)

    assert stages.ended(ref) == OOPS
    stages.settle()
    assert [facts[:2] for facts in stages.of("surviving", "cancelled")] == [("down", OOPS)]


def test_an_end_runs_down_a_chain(stages):
    refs = [stages.producer(), *(stages.middle(name) for name in ("one", "two")), stages.consumer()]
    for upstream, downstream in pairwise(refs):
        downstream.subscribe(upstream)
    stages.settle()
    refs[0].stop(OOPS)
    assert [stages.ended(ref) for ref in refs] == [OOPS] * 4


def test_a_consumer_is_a_dead_end_for_who_subscribes_to_its_name(stages, expected_errors):
    target, ref = stages.consumer("target"), stages.consumer()
    subscription = ref.subscribe("target")
    stages.settle()
    assert stages.of("consumer", "subscribed") == [("producer", subscription)]
    assert (target.alive, ref.alive) == (True, True)
    assert {record.event for record in expected_errors} == {"wrong kind message"}
