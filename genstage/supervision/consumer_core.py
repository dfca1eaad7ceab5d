"""What a ``ConsumerSupervisor`` does: a consumer's protocol, and a child for each event."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from genstage._core.messages import Ask, Down, Events
from genstage._core.options import subscription_options
from genstage._core.reasons import Crash, Normal, Shutdown
from genstage._core.results import Reply
from genstage._core.stage import StageCore
from genstage._runtime.starting import start_error
from genstage.errors import OptionError
from genstage.stage import Consumer, StageContext
from genstage.supervision.census import ChildCounts, CountChildren, WhichChildren
from genstage.supervision.children import ChildEnded
from genstage.supervision.consumer_ref import ConsumerSupervisorRef, StartChild
from genstage.supervision.independent import IndependentChild, IndependentChildren
from genstage.supervision.intensity import GaveUp, Intensity
from genstage.supervision.slots import Slots
from genstage.supervision.spec import StageLaunch
from genstage.supervision.supervisor_ref import TerminateById

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genstage._core.reasons import Reason
    from genstage._core.subscription import Cancellation, Subscription
    from genstage._runtime.driver import Driver
    from genstage.supervision.consumer_supervisor import ConsumerSupervisor
    from genstage.supervision.spec import Restart

__all__ = ["ConsumerSupervisorCore"]

STARTS_A_TURN = 20
"""So that the first children of many events work, and end, while the last ones are yet to be started."""


class _More:
    """From the supervisor to itself: start more children."""

    def __repr__(self) -> str:
        return "More()"


_MORE = _More()


class _Supply:
    """A subscription and its slots; closed when the subscription has ended."""

    __slots__ = ("open", "slots", "subscription")

    def __init__(self, subscription: Subscription, slots: Slots) -> None:
        self.subscription = subscription
        self.slots = slots
        self.open = True


class _EventChild(IndependentChild[Any]):
    """The child of an event.

    Attributes:
        supply: Where the event came from; ``None`` if from ``start_child``.
    """

    __slots__ = ("supply",)

    def __init__(
        self, name: str, launch: StageLaunch, restart: Restart, shutdown_s: float, supply: _Supply | None
    ) -> None:
        super().__init__(name, launch, restart, shutdown_s=shutdown_s)
        self.supply = supply


class _Intake(Consumer[Any]):
    """The consumer's callbacks; subscriptions are manual."""

    def __init__(self, core: ConsumerSupervisorCore, subscribe_to: Sequence[Any]) -> None:
        self._core = core
        self._subscribe_to = subscribe_to
        self._supplies: dict[Subscription, _Supply] = {}

    def init(self) -> Mapping[str, Any]:
        return {"subscribe_to": self._subscribe_to}

    def handle_subscribe(self, _role: object, options: Mapping[str, Any], subscription: Subscription) -> Any:
        checked = subscription_options(options)
        slots = Slots(checked.max_demand, checked.min_demand)
        self._supplies[subscription] = _Supply(subscription, slots)
        subscription.ask(checked.max_demand)
        return "manual"

    def handle_events(self, events: Sequence[Any], origin: Subscription) -> None:
        self._core.take(events, self._supplies[origin])

    def handle_cancel(self, _cancellation: Cancellation, subscription: Subscription) -> None:
        self._supplies.pop(subscription).open = False

    def handle_call(self, request: Any, _reply_to: object) -> Reply:
        return Reply(NotImplementedError(f"a ConsumerSupervisor answers no calls, asked for {request!r}"))

    def handle_cast(self, request: Any) -> None:
        """As in GenStage, nothing."""


class ConsumerSupervisorCore(StageCore):
    """A consumer's core that has children.

    Args:
        recipe: What the supervisor is.
        port: The way out.
        name: Its name; the children's begin with it.
    """

    ref_type = ConsumerSupervisorRef

    __slots__ = ("_ending", "_family", "_finished", "_recipe", "_started", "_waiting")

    def __init__(self, recipe: ConsumerSupervisor[Any], port: Driver, name: str) -> None:
        intake = _Intake(self, recipe.subscribe_to)
        intake.stage = StageContext(port, name)
        super().__init__(intake, "consumer", port, name)
        self._recipe = recipe
        intensity = Intensity(recipe.max_restarts, recipe.restart_window_s)
        self._family = IndependentChildren(port, name, intensity)
        self._waiting: deque[tuple[Any, _Supply]] = deque()
        self._started = 0
        self._finished = False
        self._ending: Reason | None = None

    def handle(self, message: Any) -> None:
        """Handle one message, to the end: the protocol's, a child's or a client's."""
        kind = type(message)
        if kind is Down and message.watch not in self.watches:
            self._about_child(message)
        elif kind is Events or kind is Ask or kind in self._HANDLERS:
            if self._ending is None:
                super().handle(message)
        elif kind is _More:
            self._start_some()
        elif kind in self._REQUESTS:
            if self._ending is None:  # else the supervisor's end is the answer
                self._REQUESTS[kind](self, message)
        else:
            self._about_child(message)

    def take(self, events: Sequence[Any], supply: _Supply) -> None:
        """Events have come."""
        excess = supply.slots.take(len(events))
        if excess:
            self.port.report("excess_events", count=excess)
        self._waiting.extend((event, supply) for event in events)
        self._start_some()

    # -- children -------------------------------------------------------------------------------------

    def _start_some(self) -> None:
        waiting = self._waiting
        for _ in range(min(len(waiting), STARTS_A_TURN)):
            self._start(*waiting.popleft())
        if waiting:
            self.port.send(self.port.me, _MORE)

    def _start(self, event: Any, supply: _Supply | None) -> _EventChild:
        self._started += 1
        name = f"{self.name}-{self._started}"
        recipe = self._recipe
        make = recipe.make
        launch = StageLaunch(lambda: make(event), name, own_lane=recipe.blocking)
        child = _EventChild(name, launch, recipe.restart, recipe.shutdown_s, supply)
        self._family.start(child)
        return child

    def _about_child(self, message: Any) -> None:
        event = self._family.handle(message)
        if isinstance(event, ChildEnded):
            self._child_gone(event)
        elif isinstance(event, GaveUp):
            self._end(Shutdown(event))

    def _child_gone(self, event: ChildEnded) -> None:
        child: Any = event.child
        supply = child.supply
        if not event.started:
            self._not_started(child, event.reason)
        if supply is not None and supply.open and self._ending is None:
            supply.subscription.ask(supply.slots.finish())
        if self._family.members or self._waiting:
            return
        if self._ending is not None:
            super()._end(self._ending)
        elif self._finished and self.consuming is not None and not self.consuming.upstreams:
            self._end(Normal())

    def _not_started(self, child: _EventChild, reason: Reason) -> None:
        nothing_to_do = isinstance(reason, Normal)
        if child.starter is not None:
            self.port.reply(child.starter, None if nothing_to_do else start_error(child.name, reason))
        elif not (nothing_to_do or child.stopping or _is_logged(reason)):
            self.port.report("child_not_started", child=child.name, reason=reason)

    # -- the end --------------------------------------------------------------------------------------

    def upstreams_finished(self) -> None:
        """All producers have finished: what is left are the children.

        Raises:
            Exit: There are none.
        """
        self._finished = True
        if not self._family.members and not self._waiting:
            super().upstreams_finished()

    def _end(self, reason: Reason) -> None:
        self._ending = reason
        self._waiting.clear()
        self._family.stop_all()
        if not self._family.members:
            super()._end(reason)

    # -- requests -------------------------------------------------------------------------------------

    def _on_start_child(self, message: StartChild) -> None:
        self._start(message.event, None).starter = message.reply

    def _on_terminate(self, message: TerminateById) -> None:
        gone = self._family.terminate(message.id, message.reply)
        if gone is not None:
            self._child_gone(gone)

    def _on_which_children(self, message: WhichChildren) -> None:
        self.port.reply(message.reply, self._family.census())

    def _on_count_children(self, message: CountChildren) -> None:
        census = self._family.census()
        active = sum(not child.restarting for child in census)
        self.port.reply(message.reply, ChildCounts(1, active, 0, len(census)))

    _REQUESTS: ClassVar[dict[type, Callable[[ConsumerSupervisorCore, Any], None]]] = {
        CountChildren: _on_count_children,
        StartChild: _on_start_child,
        TerminateById: _on_terminate,
        WhichChildren: _on_which_children,
    }


def _is_logged(reason: Reason) -> bool:
    """Whether the end of a child for this reason has been told to the log by the child itself."""
    return isinstance(reason, Crash) and not isinstance(reason.exception, OptionError)
