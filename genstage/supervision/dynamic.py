"""A supervisor whose children come and go, as in OTP's ``DynamicSupervisor``: a recipe, and what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from genstage._core.checks import check_count
from genstage._core.messages import Stop
from genstage._core.reasons import Shutdown
from genstage._runtime.starting import start_error
from genstage.errors import ChildError, GenstageError
from genstage.supervision.census import ChildCounts, CountChildren, WhichChildren
from genstage.supervision.children import ChildEnded
from genstage.supervision.independent import IndependentChild, IndependentChildren
from genstage.supervision.intensity import GaveUp, Intensity, check_intensity
from genstage.supervision.supervisor import check_significant
from genstage.supervision.supervisor_ref import DynamicSupervisorRef, StartSpec, TerminateById

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage._runtime.launch import ChildType
    from genstage.supervision.spec import ChildSpec

__all__ = ["DynamicSupervisor"]


class DynamicSupervisor:
    """Begins without children, and starts them when it is asked to: a recipe, and never changes.

    Children have nothing to do with each other: they start at the same time, each that fails is started again
    for itself, and one that ends for good is forgotten, with its specification. When the supervisor stops, it
    tells all of them to, and waits.

    Args:
        max_children: How many there may be at a time; ``None``, the default, for any number.
        max_restarts: How many restarts there may be within the window, of all children together. With one
            more, it stops all children and ends itself, with a ``Shutdown`` whose detail is a ``GaveUp``.
        restart_window_s: The window, in seconds.

    Raises:
        OptionError: An option is wrong.

    Example:
        >>> from genstage import Consumer, Runtime, child_spec
        >>> with Runtime() as runtime:
        ...     sessions = runtime.supervise(DynamicSupervisor())
        ...     session = sessions.start_child(child_spec("session", Consumer, restart="temporary"))
        ...     session.stop()
        ...     sessions.count_children().active
        0

    Source:
        OTP's ``DynamicSupervisor``, which starts one child after the other.
    """

    child_type: ClassVar[ChildType] = "supervisor"

    def __init__(
        self, *, max_children: int | None = None, max_restarts: int = 3, restart_window_s: float = 5.0
    ) -> None:
        self.max_children = None if max_children is None else check_count("max_children", max_children, 0)
        self.max_restarts, self.restart_window_s = check_intensity(max_restarts, restart_window_s)

    def launch(self, name: str) -> _Launch:
        """As in ``Recipe``."""
        return _Launch(self, name)

    def __repr__(self) -> str:
        most = "" if self.max_children is None else f" of at most {self.max_children}"
        return f"<DynamicSupervisor{most}>"


class _Launch:
    """Satisfies :class:`~genstage._runtime.launch.Launch`."""

    own_lane: ClassVar[bool] = False
    control: ClassVar[bool] = True

    def __init__(self, recipe: DynamicSupervisor, name: str) -> None:
        self._recipe = recipe
        self._name = name

    def make(self, port: Driver) -> _DynamicSupervising:
        return _DynamicSupervising(self._recipe, port, self._name)

    @staticmethod
    def handle(actor: LaneActor) -> DynamicSupervisorRef:
        return DynamicSupervisorRef(actor)

    def over(self) -> None:
        """Nobody waits for that: a reference is of one incarnation."""


def _child(spec: ChildSpec[Any], starter: Any) -> IndependentChild[Any]:
    assert spec.shutdown_s is not None  # noqa: S101 - the specification has set it
    child = IndependentChild(
        spec.name or spec.id,
        spec.launch(),
        spec.restart,
        shutdown_s=spec.shutdown_s,
        listed=spec.name is not None,
    )
    child.id = spec.id
    child.type = spec.type
    child.starter = starter
    return child


class _DynamicSupervising:
    """The behaviour of a ``DynamicSupervisor``.

    Args:
        recipe: What it is to do.
        port: The way out.
        name: Its name.
    """

    def __init__(self, recipe: DynamicSupervisor, port: Driver, name: str) -> None:
        self._recipe = recipe
        self._port = port
        self._name = name
        self._ending: Reason | None = None
        self._family = IndependentChildren(
            port, name, Intensity(recipe.max_restarts, recipe.restart_window_s)
        )

    def start(self) -> None:
        """There is nothing to start."""

    def handle(self, message: Any) -> None:
        """As :class:`~genstage._runtime.launch.Behaviour`."""
        event = self._family.handle(message)
        if isinstance(event, ChildEnded):
            self._child_gone(event)
        elif isinstance(event, GaveUp):
            self._end(Shutdown(event))
        elif isinstance(message, Stop):
            self._end(message.reason)
        elif type(message) in self._REQUESTS:
            self._REQUESTS[type(message)](self, message)

    def _end(self, reason: Reason) -> None:
        if self._ending is None:
            self._ending = reason
            self._family.stop_all()
            self._end_when_alone()

    def _end_when_alone(self) -> None:
        if self._ending is not None and not self._family.members:
            self._port.stop(self._ending)

    def _child_gone(self, event: ChildEnded) -> None:
        child: Any = event.child
        child.launch.over()
        if child.starter is not None:
            self._port.reply(child.starter, start_error(child.name, event.reason))
        self._end_when_alone()

    # -- requests -------------------------------------------------------------------------------------

    def _on_start(self, message: StartSpec) -> None:
        spec, most = message.spec, self._recipe.max_children
        if self._ending is not None:
            return  # its end is the answer
        if most is not None and len(self._family.members) >= most:
            self._port.reply(message.reply, ChildError(self._name, spec.id, "max_children"))
            return
        try:
            check_significant(spec, "never")
            child = _child(spec, message.reply)
        except GenstageError as error:
            self._port.reply(message.reply, error)
            return
        self._family.start(child)

    def _on_terminate(self, message: TerminateById) -> None:
        gone = self._family.terminate(message.id, message.reply)
        if gone is not None:
            self._child_gone(gone)

    def _on_which(self, message: WhichChildren) -> None:
        self._port.reply(message.reply, self._family.census())

    def _on_count(self, message: CountChildren) -> None:
        census = self._family.census()
        supervisors = sum(child.type == "supervisor" for child in census)
        active = sum(child.ref is not None for child in census)
        counts = ChildCounts(len(census), active, supervisors, len(census) - supervisors)
        self._port.reply(message.reply, counts)

    _REQUESTS: ClassVar[dict[type, Callable[[_DynamicSupervising, Any], None]]] = {
        CountChildren: _on_count,
        StartSpec: _on_start,
        TerminateById: _on_terminate,
        WhichChildren: _on_which,
    }
