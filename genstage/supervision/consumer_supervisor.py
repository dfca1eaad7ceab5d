"""A consumer that starts a supervised child for each event, and asks for more as they end."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from genstage._core.checks import check_choice, check_flag, check_seconds
from genstage._core.dispatchers.demand import DemandDispatcher
from genstage._core.options import stage_options
from genstage._runtime.typed_refs import subscription_to
from genstage.errors import OptionError
from genstage.stage import Stage
from genstage.supervision.consumer_core import ConsumerSupervisorCore
from genstage.supervision.consumer_ref import ConsumerSupervisorRef
from genstage.supervision.intensity import check_intensity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage._runtime.launch import ChildType
    from genstage.stage import AnyStage

__all__ = ["ConsumerSupervisor", "ConsumerSupervisorRef"]

In = TypeVar("In")


@dataclass(frozen=True, slots=True)
class ConsumerSupervisor(Generic[In]):
    """Takes events, and has one child for each: a recipe for ``Runtime.supervise`` and ``child_spec``.

    Its subscriptions bound how many children live at a time: each has ``max_demand`` slots, an event takes
    one, and the end of the event's child frees it. When ``min_demand`` slots are free, or at once if it is 0,
    as many events are asked for. So it fits where events are few and their work is long or may fail: a crash
    is that of one child.

    - Each child runs on the lane of its supervisor, in turns; what blocks by nature wants ``blocking=True``.
    - A child whose ``init`` returns ``Stop()`` had nothing to do, and one that does not start at all is
      logged. Either frees its slot at once.
    - When the data has ended, the supervisor ends as soon as its last child has. When it is told to stop, it
      tells its children to stop first, and waits for them.

    Args:
        make: Makes the stage for an event; called in the child's own thread, and once more whenever the child
            is started again. ``lambda event: Task(work, event)`` calls a function.
        restart: Whether a child that has failed is started again: ``"transient"``, it is, and keeps its slot;
            ``"temporary"``, the default, it is not.
        shutdown_s: Seconds that a child gets to stop, as in ``ChildSpec``: 5 by default.
        max_restarts: How often children may be started again within the window. Then the supervisor ends.
        restart_window_s: The window.
        subscribe_to: Producers to subscribe to at the start: references or names, or pairs of one and the
            options of the subscription.
        blocking: Whether children block by nature: each gets a thread of its own.

    Raises:
        OptionError: An option is wrong, or ``make`` is a stage instead of what makes one.

    Example:
        >>> from genstage import Runtime, Task
        >>> greeted = []
        >>> with Runtime() as runtime:
        ...     names = runtime.from_iterable(["Ada", "Grace"], name="names")
        ...     greeter = runtime.supervise(ConsumerSupervisor(lambda name: Task(greeted.append, name)))
        ...     subscription = greeter.subscribe(names, max_demand=10)
        ...     greeter.wait(timeout_s=10)
        >>> greeted
        ['Ada', 'Grace']

    Source:
        GenStage's ``ConsumerSupervisor``.
    """

    make: Callable[[In], AnyStage]
    _: KW_ONLY
    restart: Literal["transient", "temporary"] = "temporary"
    shutdown_s: float = 5.0
    max_restarts: int = 3
    restart_window_s: float = 5.0
    subscribe_to: Sequence[Any] = ()
    blocking: bool = False

    child_type: ClassVar[ChildType] = "supervisor"

    def __post_init__(self) -> None:
        make: object = self.make
        if isinstance(make, Stage) or not callable(make):
            raise OptionError(
                "make", make, "a function that makes the stage for an event, e.g. lambda event: ..."
            )
        check_choice("restart", self.restart, ("transient", "temporary"))
        if self.shutdown_s != math.inf:
            check_seconds("shutdown_s", self.shutdown_s)
        check_intensity(self.max_restarts, self.restart_window_s)
        check_flag("blocking", self.blocking)
        stage_options("consumer", {"subscribe_to": self.subscribe_to}, DemandDispatcher)
        for entry in self.subscribe_to:
            subscription_to(entry[0] if isinstance(entry, tuple) else entry)
        object.__setattr__(self, "subscribe_to", tuple(self.subscribe_to))

    def launch(self, name: str) -> _Launch[In]:
        """As in ``Recipe``."""
        return _Launch(self, name)


@dataclass(frozen=True, slots=True)
class _Launch(Generic[In]):
    """Satisfies :class:`~genstage._runtime.launch.Launch`."""

    recipe: ConsumerSupervisor[In]
    name: str

    own_lane: ClassVar[bool] = False
    control: ClassVar[bool] = True

    def make(self, port: Driver) -> ConsumerSupervisorCore:
        return ConsumerSupervisorCore(self.recipe, port, self.name)

    def handle(self, actor: LaneActor) -> ConsumerSupervisorRef[In]:
        return ConsumerSupervisorRef(actor)

    def over(self) -> None:
        """Nothing was kept."""
