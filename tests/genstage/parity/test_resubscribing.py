"""Subscribing anew or without waiting, and cancels and asks that come too late or from elsewhere."""

import pytest

from genstage import NoProc, NotAConsumerError, OptionError, Reply, Runtime, Shutdown, Subscription
from genstage._core.messages import SubscribeTo
from genstage._core.reasons import AlreadySubscribed, Named, Normal

from .conftest import TellingConsumer

MANUAL = {"modes": {"producer": "manual"}}
OOPS = Named("oops")


@pytest.fixture
def subscribed(stages):
    def subscribed(**options):
        source, ref = stages.producer(end=1_000), stages.consumer()
        return source, ref, ref.subscribe(source, **options)

    return subscribed


def story(stages, *kinds):
    return [record for record in stages.story.told if record[1] in kinds]


# -- without waiting ----------------------------------------------------------------------------------


def test_subscribing_without_waiting(stages):
    source, ref = stages.producer(end=3), stages.consumer()
    assert ref.async_subscribe(source, max_demand=5) is None
    stages.expect("consumer", "events", [0, 1, 2])
    assert stages.of("producer", "demand")[0] == 5


def test_a_wrong_option_is_only_logged_when_nobody_waits(stages, expected_errors):
    source, ref = stages.producer(), stages.consumer()
    ref.async_subscribe(source, max_demand=0)
    stages.settle()

    assert (ref.alive, stages.story.told) == (True, [])
    assert [record.event for record in expected_errors] == ["invalid subscription option"]


def test_a_wrong_target_is_refused_at_once(stages):
    ref = stages.consumer()
    subscription = ref.subscribe(stages.producer(), cancel="temporary")
    for target in (ref, None, 7):
        for ask in (
            ref.subscribe,
            ref.async_subscribe,
            lambda target: ref.resubscribe(subscription, target),
            lambda target: ref.async_resubscribe(subscription, target),
        ):
            with pytest.raises(OptionError, match="option 'producer': must be a reference to a producer"):
                ask(target)


def test_a_target_in_init_that_is_no_stage_is_refused(stages):
    with pytest.raises(OptionError, match="option 'to': must be a stage's reference or name, got 42"):
        stages.consumer(subscribe_to=[42])


def test_a_producer_cannot_subscribe(stages, expected_errors):
    source, other = stages.producer(), stages.producer("other")
    with pytest.raises(NotAConsumerError):  # its reference has no subscribe at all
        source._request(lambda answer: SubscribeTo(other._actor, {}, answer), None)
    assert source.alive
    assert [record.event for record in expected_errors] == ["not a consumer"]


def test_callbacks_see_the_options_that_were_given_and_no_others(stages):
    seen = []

    def keep(stage, _reply_to):
        stage.handle_subscribe = lambda role, options, _: seen.append((role, dict(options)))
        return Reply(None)

    source, ref = stages.producer(), stages.consumer()
    for each in (source, ref):
        each.call(keep)
    for options in ({}, {"max_demand": 7, "color": "blue", "cancel": "temporary"}):
        ref.subscribe(source, **options)
        stages.settle()
        assert seen == [("producer", options), ("consumer", options)]
        seen.clear()


@pytest.mark.parametrize("cancel", ["permanent", "transient", "temporary"])
def test_an_unknown_name(stages, cancel, request):
    ref = stages.consumer()
    if cancel != "temporary":
        request.getfixturevalue("expected_errors")
    subscription = ref.subscribe("nobody", cancel=cancel)
    assert isinstance(subscription, Subscription)
    subscription.ask(3)
    subscription.cancel()
    if cancel == "temporary":
        stages.settle()
        assert (ref.alive, stages.story.told) == (True, [])
    else:
        assert stages.ended(ref) == NoProc()
        assert stages.story.told == [("consumer", "terminated", NoProc())]


# -- anew ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("waiting", [True, False])
def test_the_order_in_which_both_sides_hear_of_a_new_subscription(stages, subscribed, waiting):
    source, ref, old = subscribed(cancel="temporary")
    stages.settle()
    stages.story.told.clear()
    if waiting:
        new = ref.resubscribe(old, source, reason=OOPS, cancel="temporary")
    else:
        assert ref.async_resubscribe(old, source, reason=OOPS, cancel="temporary") is None
        stages.settle()
        new = stages.of("consumer", "subscribed")[0][1]
    stages.settle()

    assert new != old
    assert story(stages, "subscribed", "cancelled") == [
        ("consumer", "subscribed", "producer", new),
        ("producer", "cancelled", "cancel", OOPS, old),
        ("producer", "subscribed", "consumer", new),
        ("consumer", "cancelled", "cancel", OOPS, old),
    ]


@pytest.mark.parametrize(
    ("cancel", "reason", "lives"),
    [
        ("temporary", OOPS, True),
        ("transient", Normal(), True),
        ("transient", Shutdown("enough"), True),
        ("transient", OOPS, False),
        ("permanent", None, False),
    ],
)
def test_the_mode_of_the_old_subscription_says_what_its_end_means(stages, subscribed, cancel, reason, lives):
    source, ref, old = subscribed(cancel=cancel)
    ref.resubscribe(old, source, reason=reason, cancel="temporary")
    if lives:
        stages.settle()
        assert ref.alive
    else:
        assert stages.ended(ref) == (reason or Normal())
        assert len(stages.of("consumer", "subscribed")) == 2


def test_an_old_subscription_that_has_ended_or_is_to_another_stays_as_it_is(stages, subscribed):
    source, ref, old = subscribed(cancel="temporary", **MANUAL)
    other = stages.producer("other", end=1_000)
    second = ref.resubscribe(old, other, cancel="temporary", **MANUAL)
    stages.settle()
    assert stages.of("producer", "cancelled") == []
    for subscription in (old, second):
        subscription.ask(1)
    stages.settle()
    assert stages.of("consumer", "events") == [[0], [0]]

    old.cancel()
    stages.settle()
    third = ref.resubscribe(old, source)
    assert third != old
    stages.settle()
    assert [facts[2] for facts in stages.of("consumer", "cancelled")] == [old]


def test_wrong_options_leave_the_old_subscription_alone(stages, subscribed, expected_errors):
    source, ref, old = subscribed(cancel="temporary")
    for options, option in (({"max_demand": 0}, "max_demand"), ({"min_demand": 1_000}, "min_demand")):
        with pytest.raises(OptionError) as caught:
            ref.resubscribe(old, source, **options)
        assert caught.value.option == option
    others = stages.consumer("other").subscribe(source)
    for wrong in (old.tag, others):
        with pytest.raises(OptionError, match="must be a subscription of stage 'consumer'"):
            ref.resubscribe(wrong, source)
    with pytest.raises(OptionError):
        ref.resubscribe(old, source, reason="oops")
    stages.settle()

    assert story(stages, "cancelled") == []
    assert len(expected_errors) == 2


def test_the_new_ask_is_covered_by_what_the_old_one_left(stages):
    source, ref = stages.producer(), stages.consumer()
    old = ref.subscribe(source, max_demand=10, cancel="temporary")
    stages.settle()
    ref.resubscribe(old, source, max_demand=4)
    stages.settle()

    assert stages.of("producer", "demand") == [10]


# -- ask and cancel -----------------------------------------------------------------------------------


def test_a_second_cancel_and_a_late_ask_are_nothing(stages, subscribed):
    source, ref, subscription = subscribed(cancel="temporary", **MANUAL)
    for _ in range(2):
        subscription.cancel(OOPS)
    subscription.ask(5)
    stages.settle()

    assert story(stages, "cancelled") == [
        ("producer", "cancelled", "cancel", OOPS, subscription),
        ("consumer", "cancelled", "cancel", OOPS, subscription),
    ]
    assert stages.of("producer", "demand") == []
    assert source.alive
    assert ref.alive


def test_an_ask_by_hand_on_an_automatic_subscription_is_more_demand(stages, expected_errors):
    source, ref = stages.producer(), stages.consumer()
    ref.subscribe(source, max_demand=2, min_demand=0).ask(3)
    stages.settle()
    source.call(["a", "b", "c", "d", "e"])
    stages.settle()

    assert stages.of("producer", "demand") == [2, 3, 2]
    assert stages.of("consumer", "events") == [["a", "b"], ["c", "d"], ["e"]]
    assert [record.event for record in expected_errors] == ["excess events"] * 2


@pytest.mark.parametrize("count", [-1, 1.0, True, "3", None])
def test_an_ask_is_a_number(subscribed, count):
    with pytest.raises(OptionError, match="option 'count': must be an integer, 0 or more"):
        subscribed(**MANUAL)[2].ask(count)


@pytest.mark.parametrize("dead", ["producer", "consumer"])
def test_ask_and_cancel_to_the_dead_are_nothing(stages, subscribed, dead):
    source, ref, subscription = subscribed(cancel="temporary", **MANUAL)
    (source if dead == "producer" else ref).stop()
    subscription.ask(3)
    subscription.cancel()
    stages.settle()

    assert (source.alive, ref.alive) == (dead != "producer", dead != "consumer")
    assert stages.of("producer", "demand") == []


def test_messages_to_a_dead_stage_are_nothing(stages, subscribed):
    source, ref, subscription = subscribed(cancel="temporary")
    source.stop()
    ref.stop()
    source.set_demand("accumulate")
    for each in (source, ref):
        each.async_info("late")
        each.cast("late")
        each.send("late")
    ref.async_subscribe(source)
    ref.async_resubscribe(subscription, source)
    stages.settle()
    assert "late" not in [fact for record in stages.story.told for fact in record]


def test_a_cancel_as_already_subscribed_ends_nobody(stages, subscribed):
    _, ref, subscription = subscribed(cancel="permanent")
    subscription.cancel(AlreadySubscribed())
    stages.expect("consumer", "cancelled", "cancel", AlreadySubscribed(), subscription)
    stages.settle()
    assert ref.alive


def test_stages_of_two_runtimes_work_together(stages):
    with Runtime(name="other") as other:
        foreign = other.start(lambda: TellingConsumer("foreign", stages.story, {}))
        source = stages.producer(end=1_000)
        subscription = foreign.subscribe(source, cancel="temporary", **MANUAL)
        subscription.ask(2)
        stages.expect("foreign", "events", [0, 1])
        assert other.find("producer") is None
        subscription.cancel(OOPS)
        stages.expect("producer", "cancelled", "cancel", OOPS, subscription)
        stages.expect("foreign", "cancelled", "cancel", OOPS, subscription)
        assert foreign.alive
        last = foreign.subscribe(source)
        stages.expect("producer", "subscribed", "consumer", last)  # else it finds nobody there
    stages.expect("producer", "cancelled", "down", Shutdown(), last)
