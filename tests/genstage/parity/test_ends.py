"""How subscriptions end, and which ends end the stage too: cancels and ends of either side."""

import pytest

from genstage import Shutdown
from genstage._core.reasons import Killed, Named, Normal

OOPS = Named("oops")
REASONS = [Normal(), Shutdown(), Shutdown("enough"), OOPS]


def survives(cancel, reason):
    return cancel == "temporary" or (cancel == "transient" and reason in REASONS[:3])


@pytest.fixture
def pair(stages):
    """A producer or producer-consumer, and a subscriber, by kind; gives both and their subscription."""

    def pair(source, subscriber, cancel):
        upstream = getattr(stages, source)("source")
        downstream = getattr(stages, subscriber)("subscriber")
        subscription = downstream.subscribe(upstream, cancel=cancel)
        stages.expect("source", "subscribed", "consumer", subscription)
        return upstream, downstream, subscription

    return pair


def check_end(stages, downstream, cancel, reason):
    """What the cancel mode says has happened to the subscriber."""
    if survives(cancel, reason):
        stages.settle()
        assert downstream.alive
        assert stages.of("subscriber", "terminated") == []
    else:
        assert stages.ended(downstream) == reason
        assert stages.of("subscriber", "terminated") == [reason]


@pytest.mark.parametrize(
    "kinds", [("producer", "consumer"), ("producer", "middle"), ("middle", "consumer")], ids=" to ".join
)
@pytest.mark.parametrize("cancel", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("reason", REASONS, ids=str)
def test_a_cancel_is_heard_on_both_sides_and_ends_the_subscriber_as_its_mode_says(
    stages, pair, kinds, cancel, reason
):
    upstream, downstream, subscription = pair(*kinds, cancel)
    subscription.cancel(reason)

    stages.expect("source", "cancelled", "cancel", reason, subscription)
    stages.expect("subscriber", "cancelled", "cancel", reason, subscription)
    check_end(stages, downstream, cancel, reason)
    stages.settle()
    assert upstream.alive
    assert len(stages.of("source", "cancelled")) == len(stages.of("subscriber", "cancelled")) == 1


@pytest.mark.parametrize("subscriber", ["consumer", "middle"])
@pytest.mark.parametrize("cancel", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("reason", [*REASONS, Killed()], ids=str)
def test_the_end_of_the_source_ends_the_subscriber_as_its_mode_says(stages, pair, subscriber, cancel, reason):
    upstream, downstream, subscription = pair("producer", subscriber, cancel)
    if reason == Killed():
        stages.kill(upstream)
    else:
        upstream.stop(reason)

    stages.expect("subscriber", "cancelled", "down", reason, subscription)
    check_end(stages, downstream, cancel, reason)
    assert stages.of("source", "terminated") == ([] if reason == Killed() else [reason])


@pytest.mark.parametrize("source", ["producer", "middle"])
def test_a_source_outlives_its_subscriber(stages, pair, source):
    upstream, downstream, subscription = pair(source, "consumer", "permanent")
    stages.kill(downstream)

    stages.expect("source", "cancelled", "down", Killed(), subscription)
    stages.settle()
    assert upstream.alive
