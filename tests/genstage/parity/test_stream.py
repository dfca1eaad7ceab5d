"""Iterating over running producers: what they are asked for, and how an iteration ends."""

import gc
import threading
from contextlib import suppress
from itertools import islice

import pytest

from genstage import (
    BroadcastDispatcher,
    CallTimeoutError,
    DeadStageError,
    DemandDispatcher,
    Finish,
    Killed,
    NoProc,
    OptionError,
    Reply,
    Runtime,
    Shutdown,
    Stop,
    SubscriptionError,
)
from genstage._core.dispatchers.base import Refused
from genstage._core.messages import Ask, Subscribe
from genstage._core.reasons import AlreadySubscribed, Crash, Named, Normal, UnknownSubscription

from .conftest import DEADLINE_S, TellingProducer

MODES = ["permanent", "transient"]
OOPS = Named("oops")


class Finite(TellingProducer):
    """Says when its data has ended."""

    def handle_demand(self, demand):
        events = super().handle_demand(demand)
        return Finish(events) if self.next == self.end else events


class Refusing(DemandDispatcher):
    """Takes nobody on."""

    def subscribe(self, _tag, _peer, _options):
        raise Refused(Named("no thanks"))


@pytest.fixture
def source(stages):
    return stages.producer(end=100_000)


@pytest.fixture
def stream(stages):
    """Iterates over the given subscriptions, and checks that nothing of it stays."""
    actors = stages.runtime._engine._actors
    yield stages.runtime.stream
    gc.collect()
    for actor in list(actors):
        if actor.name.startswith("stream"):
            assert actor.actor_stopped.wait(DEADLINE_S)
    for actor in actors:
        assert actor._watchers == {}


# -- what is handed out and asked for -----------------------------------------------------------------


def test_it_takes_what_is_wanted_of_what_was_asked_for(stages, source, stream):
    assert list(islice(stream([source]), 10)) == list(range(10))
    stages.settle()
    assert stages.of("producer", "demand") == [1_000]
    assert source.alive


def test_it_asks_again(source, stream):
    assert list(islice(stream([(source, {"max_demand": 100})]), 300)) == list(range(300))


@pytest.mark.parametrize(
    ("min_demand", "demands"),
    [
        (0, {3: [4], 4: [4], 5: [4, 4], 8: [4, 4], 9: [4, 4, 4]}),
        (2, {2: [4], 3: [4, 2], 4: [4, 2], 5: [4, 2, 2], 10: [4, 2, 2, 2, 2]}),
    ],
)
def test_the_ask_of_a_batch_goes_out_when_the_event_behind_it_is_wanted(stages, stream, min_demand, demands):
    for taken, expected in demands.items():
        name = f"source-{taken}"
        source = stages.producer(name, end=100)
        with stream([(source, {"max_demand": 4, "min_demand": min_demand})]) as events:
            assert [next(events) for _ in range(taken)] == list(range(taken))
            stages.settle()
            assert stages.of(name, "demand") == expected


def test_nothing_is_subscribed_before_the_first_event_is_wanted(stages, source, stream):
    with stream([source]) as events:
        assert list(islice(events, 0)) == []
        assert repr(events) == f"<EventStream {events.name!r} not begun>"
    stages.settle()
    assert stages.story.told == []
    assert list(events) == []


def test_no_producers_are_no_events(stream):
    assert list(stream([])) == []


def test_several_producers_join(stages, stream):
    ones = [stages.producer(name, end=50, make=Finite) for name in ("one", "two", "three")]
    assert sorted(stream([(ones[0], {"max_demand": 7}), "two", ones[2]])) == sorted(list(range(50)) * 3)


def test_a_producer_consumer_is_a_producer(stages, stream):
    stages.producer(end=5, make=Finite, demand="accumulate")
    middle = stages.middle(subscribe_to=["producer"])
    assert next(stream([middle], producers=["producer"])) == 0


def test_one_more_producer_joins_a_running_iteration(stages, source, stream):
    events = stream([(source, {"max_demand": 1})])
    assert next(events) == 0
    other = stages.producer("other", make=Finite, end=3)
    events.subscribe(other, max_demand=1)
    stages.expect("other", "demand", 1)
    assert sorted(islice(events, 3)) in ([0, 1, 1], [0, 1, 2], [1, 2, 3])
    with pytest.raises(OptionError):
        events.subscribe(other, max_demand=0)
    events.close()
    events.subscribe(other)

    early = stream([])
    early.subscribe("other")
    assert set(early) <= {0, 1, 2}


def test_a_name_that_nobody_has_joins_as_its_mode_says(stages, source, stream):
    events = stream([source])
    assert next(events) == 0
    events.subscribe("nobody", cancel="temporary")
    stages.settle()
    assert next(events) == 1
    events.subscribe("nobody")
    with pytest.raises(DeadStageError):
        list(events)


# -- demand mode --------------------------------------------------------------------------------------


def test_producers_are_told_to_forward(stages, stream):
    source = stages.producer(end=100, demand="accumulate")
    assert next(stream([source])) == 0
    assert source.demand() == "forward"


@pytest.mark.parametrize(
    "options",
    [{"demand": "accumulate"}, {"producers": []}, {"producers": ["other"]}, {"producers": ["nobody"]}],
)
def test_it_waits_when_nobody_tells_the_producers_to_forward(stages, stream, options):
    source = stages.producer(end=100, demand="accumulate")
    other = stages.producer("other", demand="accumulate")
    got = []
    events = stream([source], **options)
    waiting = threading.Thread(target=lambda: got.append(next(events)))
    waiting.start()
    stages.expect("producer", "subscribed", "consumer", subscription_of(stages, "producer"))
    stages.settle()
    assert got == []
    assert other.demand() == ("forward" if options.get("producers") == ["other"] else "accumulate")

    source.set_demand("forward")
    waiting.join(DEADLINE_S)
    assert got == [0]
    events.close()


def subscription_of(stages, name):
    pause = threading.Event()
    while not stages.of(name, "subscribed"):
        pause.wait(0.001)
    return stages.of(name, "subscribed")[0][1]


# -- the end of the data ------------------------------------------------------------------------------


@pytest.mark.parametrize("cancel", [*MODES, "temporary"])
@pytest.mark.parametrize("end", [1, 4, 10, 1_500])
def test_the_end_of_the_data_is_the_end_whatever_the_mode(stages, stream, cancel, end):
    source = stages.producer(end=end, make=Finite)
    assert list(stream([(source, {"cancel": cancel, "max_demand": 4})])) == list(range(end))
    assert stages.ended(source) == Normal()


def test_what_was_asked_for_exactly_may_be_all(source, stream):
    events = stream([source])
    assert [next(events) for _ in range(1_000)] == list(range(1_000))
    events.close()


@pytest.mark.parametrize("reason", [Normal(), Shutdown("enough"), OOPS, Killed()], ids=str)
@pytest.mark.parametrize("cancel", [*MODES, "temporary"])
def test_the_end_of_a_producer_is_an_error_where_its_mode_does_not_tolerate_it(
    stages, source, stream, cancel, reason
):
    events = stream([(source, {"cancel": cancel, "max_demand": 2})])
    assert next(events) == 0
    if reason == Killed():
        stages.kill(source)
    else:
        source.stop(reason)

    if cancel == "temporary" or (cancel == "transient" and reason.tolerated):
        assert list(events) == [1]
    else:
        assert next(events) == 1
        with pytest.raises(DeadStageError) as caught:
            next(events)
        assert (caught.value.name, caught.value.reason) == ("producer", reason)
        assert list(events) == []


def test_a_producers_own_exception_is_the_cause(stages, stream, expected_errors):
    class Crashes(TellingProducer):
        def handle_demand(self, _demand):
            raise ValueError("boom")

    source = stages.producer(make=Crashes)
    with pytest.raises(DeadStageError, match="stage 'producer' is not alive: ValueError: boom") as caught:
        list(stream([(source, {"cancel": "transient"})]))
    assert source.reason == Crash(caught.value.__cause__)
    assert len(expected_errors) == 1


@pytest.mark.parametrize("end", ["close", "kill"])
def test_the_end_of_the_runtime_ends_a_waiting_iteration(end):
    with Runtime(name="brief", shutdown_s=20) as runtime:
        silent = runtime.start(lambda: TellingProducer("silent", Silence(), {}, 0))
        events = runtime.stream([(silent, {"cancel": "temporary"})])
        errors = []

        def iterate():
            try:
                list(events)
            except DeadStageError as error:
                errors.append(error)

        waiting = threading.Thread(target=iterate)
        waiting.start()
        while not silent._actor._watchers:
            threading.Event().wait(0.001)
        if end == "kill":
            runtime._engine.kill(events._feed.actor, Killed())
        else:
            runtime.close()
        waiting.join(DEADLINE_S)
        assert not waiting.is_alive()
    assert [error.name for error in errors] in ([events.name], [])
    if end == "kill":
        assert [error.reason for error in errors] == [Killed()]


class Silence:
    def tell(self, *_):
        pass


# -- who is not there, or does not want ---------------------------------------------------------------


@pytest.mark.parametrize("cancel", MODES)
def test_a_name_that_nobody_has(stages, source, stream, cancel):
    with pytest.raises(DeadStageError) as caught:
        next(stream([source, ("nobody", {"cancel": cancel})]))
    assert (caught.value.name, caught.value.reason) == ("nobody", NoProc())
    stages.settle()
    assert stages.story.told == []  # the others have not even been subscribed to


@pytest.mark.parametrize("cancel", MODES)
def test_a_producer_that_has_ended(source, stream, cancel):
    source.stop()
    with pytest.raises(DeadStageError) as caught:
        next(stream([(source, {"cancel": cancel})]))
    assert (caught.value.name, caught.value.reason) == ("producer", NoProc())


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("cancel", MODES)
def test_a_producer_that_refuses(stages, stream, cancel, dies):
    source = refusing(stages, dies=dies)
    with pytest.raises(SubscriptionError) as caught:
        next(stream([(source, {"cancel": cancel})]))
    assert (caught.value.name, caught.value.reason) == ("producer", Named("no thanks"))
    assert str(caught.value) == "stage 'producer' has ended the subscription: no thanks"


def refusing(stages, *, dies=False):
    make = RefusingAndDying if dies else TellingProducer
    return stages.producer(dispatcher=Refusing(), make=make)


class RefusingAndDying(TellingProducer):
    def handle_cancel(self, _cancellation, _subscription):
        return Stop(OOPS)


def test_who_is_not_there_or_does_not_want_is_left_out_if_temporary(stages, stream):
    dead = stages.producer("dead")
    dead.stop()
    temporary = {"cancel": "temporary"}
    dies = stages.runtime.start(lambda: RefusingAndDying("dies", stages.story, {"dispatcher": Refusing()}, 0))
    for refused in (refusing(stages), dies):
        assert list(stream([("nobody", temporary), (dead, temporary), (refused, temporary)])) == []
    finite = stages.producer("finite", make=Finite, end=3)
    assert list(stream([("nobody", temporary), (dead, temporary), finite])) == [0, 1, 2]


def test_a_second_subscription_to_a_broadcast_is_refused(stages, stream, expected_errors):
    source = stages.producer(end=100, dispatcher=BroadcastDispatcher())
    with pytest.raises(SubscriptionError, match="already subscribed"):
        list(stream([source, source]))
    stages.settle()
    reasons = [reason for _, reason, _ in stages.of("producer", "cancelled")]
    assert reasons == [AlreadySubscribed(), Normal()]
    assert expected_errors


# -- leaving early ------------------------------------------------------------------------------------


def leave_by_break(events):
    for event in events:
        if event == 2:
            break


def leave_by_an_error(events):
    for _ in events:
        raise LookupError


def leave_by_with(events):
    with events:
        assert next(events) == 0


def leave_by_an_error_in_with(events):
    with events:
        assert next(events) == 0
        raise LookupError


def leave_by_close(events):
    assert next(events) == 0
    events.close()
    events.close()
    assert list(events) == []


def leave_by_letting_go(events):
    assert next(events) == 0
    cycle = [events]
    cycle.append(cycle)


LEAVE = [
    leave_by_break,
    leave_by_an_error,
    leave_by_with,
    leave_by_an_error_in_with,
    leave_by_close,
    leave_by_letting_go,
]


@pytest.mark.parametrize("leave", LEAVE, ids=lambda leave: leave.__name__)
@pytest.mark.parametrize("cancel", [*MODES, "temporary"])
def test_whoever_leaves_cancels_every_subscription_normally_and_leaves_nothing_behind(stages, leave, cancel):
    ones = [stages.producer(name, end=100_000) for name in ("one", "two")]
    subscriptions = [(one, {"cancel": cancel, "max_demand": 3}) for one in ones]
    with suppress(LookupError):
        leave(stages.runtime.stream(subscriptions))
    gc.collect()
    for name in ("one", "two"):
        stages.expect(name, "cancelled", "cancel", Normal(), subscription_of(stages, name))
    stages.settle()

    assert [len(stages.of(name, "cancelled")) for name in ("one", "two")] == [1, 1]
    assert all(one.alive for one in ones)
    assert [one._actor._watchers for one in ones] == [{}, {}]
    assert {actor.name for actor in stages.runtime._engine._actors} == {"one", "two"}


@pytest.mark.parametrize("leave", [leave_by_with, leave_by_close, leave_by_an_error_in_with])
def test_who_closes_waits_for_the_confirmation(stages, leave):
    source = stages.producer(end=100)
    with suppress(LookupError):
        leave(stages.runtime.stream([source]))
    assert stages.of("producer", "subscribed")
    assert {actor.name for actor in stages.runtime._engine._actors} == {"producer"}
    assert source._actor._watchers == {}


def test_a_close_has_a_deadline_and_goes_on(stages, stream):
    inside, gate = threading.Event(), threading.Event()

    class Stuck(TellingProducer):
        def handle_demand(self, demand):
            events = super().handle_demand(demand)
            if events[0] > 0:
                inside.set()
                gate.wait()
            return events

    source = stages.producer(end=100, make=Stuck, blocking=True)
    events = stream([(source, {"max_demand": 1})])
    assert next(events) == 0
    waiting = threading.Thread(target=lambda: list(islice(events, 1)))
    waiting.start()
    assert inside.wait(DEADLINE_S)
    with pytest.raises(CallTimeoutError, match=r"did not end within 0\.01 s"):
        events.close(timeout_s=0.01)
    gate.set()
    waiting.join(DEADLINE_S)
    stages.expect("producer", "cancelled", "cancel", Normal(), subscription_of(stages, "producer"))


def test_an_error_cancels_the_others(stages, stream):
    one, other = stages.producer("one", end=10_000), stages.producer("other")
    events = stream([(one, {"max_demand": 2}), other])
    assert next(events) == 0
    other.stop(OOPS)
    with pytest.raises(DeadStageError):
        list(events)
    assert [facts[:2] for facts in stages.of("one", "cancelled")] == [("cancel", Normal())]


# -- mistakes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "option", "expected"),
    [
        ({"max_demand": 0}, "max_demand", "1 or more"),
        ({"min_demand": 1_000}, "min_demand", "999 or less"),
        ({"cancel": "never"}, "cancel", "one of permanent, transient, temporary"),
    ],
)
def test_wrong_options_are_refused_before_anything_happens(stages, source, options, option, expected):
    with pytest.raises(OptionError) as caught:
        stages.runtime.stream([source, (source, options)])
    assert (caught.value.option, caught.value.expected) == (option, expected)
    assert "in the subscription to <ProducerRef 'producer'" in caught.value.__notes__[0]
    stages.settle()
    assert stages.story.told == []


def test_what_is_no_list_of_producers_is_refused(stages, source):
    consumer = stages.consumer()
    for wrong in ("producer", source, (source, {}), [consumer], [(source, 5)], [None], 7, [(source, {}, 1)]):
        with pytest.raises(OptionError, match="a list of producers or"):
            stages.runtime.stream(wrong)
    with pytest.raises(OptionError, match="option 'demand'"):
        stages.runtime.stream([source], demand="never")
    with pytest.raises(OptionError, match="option 'producers'"):
        stages.runtime.stream([source], producers=source)


# -- places -------------------------------------------------------------------------------------------


def test_from_many_threads_at_once(stages, source):
    got = []

    def iterate():
        with stages.runtime.stream([(source, {"max_demand": 10})]) as events:
            got.append(list(islice(events, 500)))

    threads = [threading.Thread(target=iterate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert all(events == sorted(set(events)) for events in got)
    assert len({event for events in got for event in events}) == 2_000


@pytest.mark.parametrize("blocking", [False, True])
def test_in_a_callback_of_another_stage(stages, source, stream, blocking, monkeypatch):
    for lane in stages.runtime._engine._shared:  # not to be rescued by the monitor
        monkeypatch.setattr(lane, "steal", lambda _item: None)
    reader = stages.start(TellingProducer, "reader", 0, blocking=blocking)

    def read(*_):
        with stream([(source, {"max_demand": 10})]) as events:
            return Reply(list(islice(events, 25)))

    assert reader.call(read, timeout_s=DEADLINE_S) == list(range(25))
    assert stages.of("producer", "cancelled")


def test_not_in_a_callback_of_the_producer_itself(stages, source, stream):
    def read(*_):
        with pytest.raises(RuntimeError, match="stage 'producer' cannot wait for its own events"):
            next(stream([source]))
        return Reply(None)

    source.call(read, timeout_s=DEADLINE_S)
    assert stages.of("producer", "subscribed") == []


@pytest.mark.repeat
@pytest.mark.parametrize("cancel", [*MODES, "temporary"])
def test_an_end_at_any_moment_leaves_nothing(stages, cancel):
    """A producer ends, by itself or not, while the iteration is begun, under way or left."""
    for number in range(60):
        source = stages.producer(f"source-{number}", end=20, make=Finite, blocking=True)
        taken = number % 25
        ending = threading.Thread(target=lambda source=source: stages.kill(source))
        if number % 2:
            ending.start()
        got = []
        with suppress(DeadStageError):
            got.extend(islice(stages.runtime.stream([(source, {"max_demand": 3, "cancel": cancel})]), taken))
        assert got == list(range(len(got)))
        if number % 2:
            ending.join(DEADLINE_S)
        else:
            stages.kill(source)
    deadline = threading.Event()
    for _ in range(5_000):
        if not stages.runtime._engine._actors:
            break
        deadline.wait(0.001)
    assert stages.runtime._engine._actors == {}


def test_a_subscription_that_ends_before_the_others_is_watched_no_more(stages, source, stream):
    other = stages.producer("other", end=1)
    events = stream([(other, {"cancel": "temporary"}), (source, {"max_demand": 1})])
    assert sorted(islice(events, 2)) == [0, 0]
    subscription_of(stages, "other").cancel()
    assert list(islice(events, 3)) == [1, 2, 3]
    stages.settle()
    assert other._actor._watchers == {}
    assert len(events._feed.actor.driver.watched) == 1


def test_more_than_was_asked_for_is_handed_out_and_logged(stages, source, stream, expected_errors):
    events = stream([(source, {"max_demand": 2, "min_demand": 0})])
    assert next(events) == 0
    subscription_of(stages, "producer").ask(3)
    assert list(islice(events, 6)) == [1, 2, 3, 4, 5, 6]
    assert {record.event for record in expected_errors} == {"excess events"}


def test_events_of_no_subscription_are_answered_with_a_cancel(stages, source, stream):
    stranger = stages.producer("stranger")
    with stream([(source, {"max_demand": 1})]) as events:
        assert next(events) == 0
        for message in (Subscribe(events._feed.actor, 0, {}), Ask(events._feed.actor, 0, 1)):
            stranger._actor.tell(message)
        stranger.call(["stray"])
        subscription = subscription_of(stages, "stranger")
        stages.expect("stranger", "cancelled", "cancel", UnknownSubscription(), subscription)
        assert next(events) == 1


def test_an_interrupt_ends_it_without_waiting(stages, source, stream, monkeypatch):
    events = stream([(source, {"max_demand": 1})])
    assert next(events) == 0

    def interrupted(_inbox):
        raise KeyboardInterrupt

    monkeypatch.setattr("genstage._runtime.reading.take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(events)
    monkeypatch.undo()
    stages.expect("producer", "cancelled", "cancel", Normal(), subscription_of(stages, "producer"))
    assert list(events) == []


def test_whoever_knows_the_subscription_can_cancel_it(stages, source, stream):
    events = stream([(source, {"max_demand": 1})])
    assert next(events) == 0
    subscription_of(stages, "producer").cancel(OOPS)
    with pytest.raises(SubscriptionError, match="oops"):
        list(events)
