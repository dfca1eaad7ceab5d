"""How subscriptions begin: what both sides hear, manual demand, names, and targets that are not there."""

import pytest

from genstage import DeadStageError, NoProc, StartError
from genstage._core.reasons import BadReturn, Normal

SUBSCRIBERS = ["consumer", "middle"]
SOURCES = ["producer", "middle"]


def both(stages, source, subscriber):
    """A source and a subscriber of the given kinds."""
    return getattr(stages, source)("source"), getattr(stages, subscriber)("subscriber")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("subscriber", SUBSCRIBERS)
def test_both_sides_hear_of_the_subscription_and_can_tell_it_from_others(stages, source, subscriber):
    upstream, downstream = both(stages, source, subscriber)
    one, other = downstream.subscribe(upstream), downstream.subscribe(upstream)
    assert stages.of("subscriber", "subscribed") == [("producer", one), ("producer", other)]
    stages.settle()

    assert stages.of("source", "subscribed") == [("consumer", one), ("consumer", other)]
    assert one != other
    assert (one.producer, one.consumer) == (upstream._actor, downstream._actor)


@pytest.mark.parametrize("waiting", [True, False])
def test_resubscribing_is_subscribing_where_there_was_nothing_before(stages, waiting):
    upstream, downstream = both(stages, "producer", "consumer")
    ended = downstream.subscribe("nobody", cancel="temporary")
    if waiting:
        new = downstream.resubscribe(ended, upstream)
    else:
        downstream.async_resubscribe(ended, upstream)
        stages.settle()
        ((_, new),) = stages.of("subscriber", "subscribed")
    stages.settle()

    assert stages.of("subscriber", "subscribed") == [("producer", new)]
    assert stages.of("source", "subscribed") == [("consumer", new)]
    assert new != ended
    assert [told for told in stages.story.told if told[1] == "cancelled"] == []


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_cannot_be_asked_by_hand(stages, expected_errors, source):
    upstream, downstream = both(stages, source, "consumer")
    subscription = downstream.subscribe(upstream, modes={"consumer": "manual"}, cancel="temporary")
    bad = BadReturn("handle_subscribe", "manual")

    assert stages.ended(upstream) == bad
    stages.expect("source", "subscribed", "consumer", subscription)
    stages.expect("subscriber", "cancelled", "down", bad, subscription)
    assert [record.event for record in expected_errors] == ["bad return"]


@pytest.mark.parametrize("subscriber", SUBSCRIBERS)
def test_a_mode_that_is_none_ends_the_subscriber(stages, expected_errors, subscriber):
    upstream, downstream = both(stages, "producer", subscriber)
    bad = BadReturn("handle_subscribe", "unknown")
    with pytest.raises(DeadStageError) as caught:
        downstream.subscribe(upstream, modes={"producer": "unknown"})

    assert caught.value.reason == stages.ended(downstream) == bad
    stages.settle()
    assert upstream.alive
    assert [record.event for record in expected_errors] == ["bad return"]


# -- manual demand ------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_init", [True, False])
@pytest.mark.parametrize("subscriber", SUBSCRIBERS)
def test_manual_demand(stages, subscriber, at_init):
    manual = {"modes": {"producer": "manual"}, "max_demand": 10}
    upstream = stages.producer(end=100)
    make = getattr(stages, subscriber)
    downstream = make("subscriber", subscribe_to=[(upstream, manual)] if at_init else [])
    if not at_init:
        downstream.subscribe(upstream, **manual)
    if subscriber == "middle":
        stages.consumer(subscribe_to=[downstream])
    stages.settle()
    assert stages.of("producer", "demand") == []

    ((_, subscription), *_) = stages.of("subscriber", "subscribed")
    for asked in (50, 33, 0):
        subscription.ask(asked)
        stages.settle()
    assert stages.of("producer", "demand") == [50, 33]
    assert stages.of("subscriber", "events") == [list(range(50)), list(range(50, 83))]


# -- names and references -----------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["reference", "name"])
@pytest.mark.parametrize("subscriber", SUBSCRIBERS)
def test_a_stage_subscribes_when_it_starts_by_reference_or_name(stages, subscriber, by):
    upstream = stages.producer(end=3)
    target = upstream if by == "reference" else "producer"
    downstream = getattr(stages, subscriber)("subscriber", subscribe_to=[target, (target, {"max_demand": 1})])
    stages.settle()

    assert stages.of("producer", "demand")[:2] == [1_000, 1]
    if subscriber == "middle":
        stages.consumer(subscribe_to=[downstream])
        stages.settle()
    assert sorted(event for batch in stages.of("subscriber", "events") for event in batch) == [0, 1, 2]


@pytest.mark.parametrize("cancel", ["permanent", "transient"])
def test_a_stage_does_not_start_when_it_cannot_subscribe_to_a_name(stages, expected_errors, cancel):
    with pytest.raises(StartError) as caught:
        stages.consumer(subscribe_to=[("unknown", {"cancel": cancel})])

    assert caught.value.reason == NoProc()
    assert stages.story.told == []
    (record,) = expected_errors
    assert (record.event, record.stage) == ("subscribe target not alive", "consumer")
    assert "unknown" in record.target


def test_a_temporary_subscription_to_an_unknown_name_is_left_out(stages):
    stages.consumer(subscribe_to=[("unknown", {"cancel": "temporary"})])
    stages.settle()
    assert stages.story.told == []


@pytest.mark.parametrize("cancel", ["permanent", "temporary"])
def test_a_target_that_has_ended_is_down_at_once(stages, cancel):
    upstream, downstream = both(stages, "producer", "consumer")
    upstream.stop()
    subscription = downstream.subscribe(upstream, cancel=cancel)

    stages.expect("subscriber", "subscribed", "producer", subscription)
    stages.expect("subscriber", "cancelled", "down", NoProc(), subscription)
    if cancel == "permanent":
        assert stages.ended(downstream) == NoProc()
        stages.expect("subscriber", "terminated", NoProc())
    else:
        stages.settle()
        assert downstream.alive
    assert stages.of("source", "terminated") == [Normal()]
