"""References by kind of stage: what can be asked of those that emit events, and of those that take them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

from genstage._core.checks import check_choice, check_reason
from genstage._core.messages import EstimateBuffered, GetDemand, SetDemand, SubscribeTo
from genstage._core.options import DemandMode
from genstage._core.stage import StageCore
from genstage._core.subscription import Subscription
from genstage._runtime.refs import CALL_TIMEOUT_S, StageRef
from genstage.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genstage._core.messages import Tag
    from genstage._core.options import CancelMode
    from genstage._core.reasons import Reason
    from genstage._core.stage import Kind
    from genstage._runtime.actor import LaneActor

__all__ = ["ConsumerRef", "ProducerConsumerRef", "ProducerRef", "ref_to", "subscription_to"]

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


class ProducerRef(StageRef, Generic[Out_co]):
    """A running stage that emits events."""

    def set_demand(self, mode: DemandMode) -> None:
        """Let the stage forward demand to ``handle_demand``, or accumulate it.

        Accumulated asks and events are replayed in order when the stage forwards again. Returns at once;
        nothing happens if the stage has ended. A producer-consumer can only forward.

        Args:
            mode: ``"forward"`` or ``"accumulate"``.

        Raises:
            OptionError: ``mode`` is neither.

        Source:
            GenStage's ``demand/2``.
        """
        self._actor.post(SetDemand(check_choice("mode", mode, get_args(DemandMode))))

    def demand(self, *, timeout_s: float | None = CALL_TIMEOUT_S) -> DemandMode:
        """Which of the two it does; always ``"forward"`` for a producer-consumer.

        Raises:
            CallTimeoutError: No answer came in time.
            DeadStageError: The stage is not alive.
            RuntimeError: The caller is the stage itself.

        Source:
            GenStage's ``demand/1``.
        """
        mode: DemandMode = self._request(GetDemand, timeout_s)
        return mode

    def estimate_buffered_count(self, *, timeout_s: float | None = CALL_TIMEOUT_S) -> int:
        """How many events wait in its buffer.

        Not those that a producer-consumer has not handled yet, that a dispatcher queues, or that wait for
        accumulated demand; infos count in a buffer without bound.

        Raises:
            CallTimeoutError: No answer came in time.
            DeadStageError: The stage is not alive.
            RuntimeError: The caller is the stage itself.

        Source:
            GenStage's ``estimate_buffered_count/2``.
        """
        count: int = self._request(EstimateBuffered, timeout_s)
        return count


class ConsumerRef(StageRef, Generic[In_contra]):
    """A running stage that takes events."""

    def subscribe(
        self,
        producer: ProducerRef[In_contra] | str,
        *,
        max_demand: int | None = None,
        min_demand: int | None = None,
        cancel: CancelMode | None = None,
        timeout_s: float | None = CALL_TIMEOUT_S,
        **options: Any,
    ) -> Subscription:
        """Subscribe this stage to a producer.

        Args:
            producer: Where the events come from: a reference, or a name in the same runtime. If nobody has
                the name, the stage ends with ``NoProc()``, unless ``cancel`` is ``"temporary"``.
            max_demand: Most events in flight, 1 or more; 1000 by default.
            min_demand: Ask for more when this few are in flight; half of ``max_demand`` by default.
            cancel: Which ends of the producer end this stage too: ``"permanent"``, the default, all,
                ``"transient"`` the abnormal ones, ``"temporary"`` none.
            timeout_s: Seconds to wait for this stage to subscribe; ``None`` for ever.
            options: More options, for the dispatcher and for ``handle_subscribe``.

        Returns:
            The subscription. This stage's ``handle_subscribe`` has run, the producer's perhaps not yet.

        Raises:
            OptionError: An option is wrong, or ``producer`` is no reference to a stage that emits events.
            CallTimeoutError: The stage did not answer in time.
            DeadStageError: The stage is not alive.
            RuntimeError: The caller is the stage itself.

        Source:
            GenStage's ``sync_subscribe/3``.
        """
        target, options = subscription_to(producer, max_demand, min_demand, cancel, options)
        made: Subscription = self._request(lambda answer: SubscribeTo(target, options, answer), timeout_s)
        return made

    def async_subscribe(
        self,
        producer: ProducerRef[In_contra] | str,
        *,
        max_demand: int | None = None,
        min_demand: int | None = None,
        cancel: CancelMode | None = None,
        **options: Any,
    ) -> None:
        """As :meth:`subscribe`, but without waiting: the stage subscribes when the message's turn comes.

        A wrong option of the subscription is only logged; nothing happens if the stage has ended.

        Raises:
            OptionError: ``producer`` is no reference to a stage that emits events.

        Source:
            GenStage's ``async_subscribe/2``.
        """
        target, options = subscription_to(producer, max_demand, min_demand, cancel, options)
        self._actor.post(SubscribeTo(target, options))

    def resubscribe(
        self,
        subscription: Subscription,
        producer: ProducerRef[In_contra] | str,
        *,
        reason: Reason | None = None,
        max_demand: int | None = None,
        min_demand: int | None = None,
        cancel: CancelMode | None = None,
        timeout_s: float | None = CALL_TIMEOUT_S,
        **options: Any,
    ) -> Subscription:
        """Subscribe anew, and cancel an old subscription of this stage to the same producer, in one request.

        No demand of others is served in between. The old subscription's own ``cancel`` mode decides what its
        end means: a *permanent* one ends this stage, so use ``"temporary"``, or ``"transient"`` with a reason
        that is no failure. An old subscription that has ended, or was to another producer, is left alone.

        Args:
            subscription: The old one.
            producer: As for :meth:`subscribe`.
            reason: Why the old one ends; by default ``Normal()``.
            max_demand: As for :meth:`subscribe`, and so are the rest.
            min_demand: Of the new one.
            cancel: Of the new one.
            timeout_s: Seconds to wait for this stage to subscribe; ``None`` for ever.
            options: Of the new one.

        Returns:
            The new subscription.

        Raises:
            OptionError: As for :meth:`subscribe`, and the old subscription stays; or
                ``subscription`` is none of this stage's, or ``reason`` none.
            CallTimeoutError: The stage did not answer in time.
            DeadStageError: The stage is not alive.
            RuntimeError: The caller is the stage itself.

        Source:
            GenStage's ``sync_resubscribe/5``.
        """
        target, options = subscription_to(producer, max_demand, min_demand, cancel, options)
        old = self._replaced(subscription, reason)
        made: Subscription = self._request(
            lambda answer: SubscribeTo(target, options, answer, old), timeout_s
        )
        return made

    def async_resubscribe(
        self,
        subscription: Subscription,
        producer: ProducerRef[In_contra] | str,
        *,
        reason: Reason | None = None,
        max_demand: int | None = None,
        min_demand: int | None = None,
        cancel: CancelMode | None = None,
        **options: Any,
    ) -> None:
        """As :meth:`resubscribe`, but without waiting, and with the limits of :meth:`async_subscribe`.

        Raises:
            OptionError: ``producer``, ``subscription`` or ``reason`` is none.

        Source:
            GenStage's ``async_resubscribe/4``.
        """
        target, options = subscription_to(producer, max_demand, min_demand, cancel, options)
        self._actor.post(SubscribeTo(target, options, None, self._replaced(subscription, reason)))

    def _replaced(self, subscription: Any, reason: Reason | None) -> tuple[Tag, Reason]:
        if not isinstance(subscription, Subscription) or subscription.consumer is not self._actor:
            raise OptionError("subscription", subscription, f"a subscription of stage {self.name!r}")
        return subscription.tag, check_reason(reason)


class ProducerConsumerRef(ConsumerRef[In_contra], ProducerRef[Out_co], Generic[In_contra, Out_co]):
    """A running stage that takes events and emits others."""


def subscription_to(
    producer: Any,
    max_demand: int | None = None,
    min_demand: int | None = None,
    cancel: CancelMode | None = None,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Any, dict[str, Any]]:
    """Where to subscribe, and the options that were given; those that were not, the callbacks do not see.

    Raises:
        OptionError: ``producer`` is neither a reference to a stage that emits events nor a name.
    """
    if not isinstance(producer, ProducerRef | str):
        raise OptionError("producer", producer, "a reference to a producer or producer-consumer, or its name")
    named = {"max_demand": max_demand, "min_demand": min_demand, "cancel": cancel}
    given = {name: value for name, value in named.items() if value is not None}
    target = producer if isinstance(producer, str) else producer._actor  # noqa: SLF001 - references belong together
    return target, {**given, **options}


def ref_to(actor: LaneActor) -> StageRef:
    """A reference of the stage's kind; a plain one if the stage has not been made yet."""
    core = actor.behaviour
    if not isinstance(core, StageCore):
        return StageRef(actor)
    kind: type[StageRef] = getattr(core, "ref_type", _KINDS[core.kind])
    return kind(actor)


_KINDS: dict[Kind, type[StageRef]] = {
    "producer": ProducerRef,
    "producer_consumer": ProducerConsumerRef,
    "consumer": ConsumerRef,
}
