"""A supervisor with a fixed set of children, as in OTP: a recipe."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from genstage._core.checks import check_choice
from genstage.errors import OptionError
from genstage.supervision.backoff import Backoff
from genstage.supervision.intensity import check_intensity
from genstage.supervision.spec import ChildSpec
from genstage.supervision.strategy import AutoShutdown, Strategy
from genstage.supervision.supervising import Supervising
from genstage.supervision.supervisor_ref import SupervisorRef

if TYPE_CHECKING:
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage._runtime.launch import ChildType

__all__ = ["Supervisor"]


class Supervisor:
    """Starts children in order, restarts those that fail, stops them in reverse: a recipe, and never changes.

    Start it by ``runtime.supervise(tree)``, or make it a child of another one by ``child_spec``. A child that
    does not start stops those that have started, and the supervisor does not start. How it starts, restarts
    and stops in detail stands in the explanation "Supervision".

    Args:
        *specs: The children, in the order of their start.
        strategy: Who is started again with a child that has failed: only that one (``"one_for_one"``), all
            children (``"one_for_all"``), or those that were started after it (``"rest_for_one"``).
        max_restarts: How many restarts there may be within the window, 0 or more. With one more, it stops all
            children and ends itself, with a ``Shutdown`` whose detail is a ``GaveUp``.
        restart_window_s: The window, in seconds.
        auto_shutdown: Whether it ends when a significant child has ended and is not started again:
            ``"never"``; with ``"any_significant"``; or with the last one, ``"all_significant"``.
        backoff: How long it waits before a restart; by default not at all. Children that wait count as being
            started again, and do not hold up anything else.

    Raises:
        OptionError: An option is wrong, an id occurs twice, or a child is no ``ChildSpec``.

    Example:
        >>> from genstage import Consumer, Runtime, child_spec
        >>> cache = child_spec("cache", Consumer)
        >>> with Runtime() as runtime:
        ...     supervisor = runtime.supervise(Supervisor(cache, max_restarts=10))
        ...     supervisor.child(cache).alive, supervisor.count_children().active
        (True, 1)

    Source:
        OTP's ``supervisor``.
    """

    child_type: ClassVar[ChildType] = "supervisor"

    def __init__(
        self,
        *specs: ChildSpec[Any],
        strategy: Strategy = "one_for_one",
        max_restarts: int = 3,
        restart_window_s: float = 5.0,
        auto_shutdown: AutoShutdown = "never",
        backoff: Backoff | None = None,
    ) -> None:
        for spec in specs:
            if not isinstance(spec, ChildSpec):
                raise OptionError("specs", spec, "specifications of children: child_spec(id, start)")
        check_choice("strategy", strategy, get_args(Strategy))
        check_choice("auto_shutdown", auto_shutdown, get_args(AutoShutdown))
        if backoff is not None and not isinstance(backoff, Backoff):
            raise OptionError("backoff", backoff, "a Backoff, or None")
        twice = [id_ for id_, times in Counter(spec.id for spec in specs).items() if times > 1]
        if twice:
            raise OptionError("specs", twice[0], "children with an id of their own each")
        for spec in specs:
            check_significant(spec, auto_shutdown)
        self.specs = specs
        self.strategy: Strategy = strategy
        self.max_restarts, self.restart_window_s = check_intensity(max_restarts, restart_window_s)
        self.auto_shutdown: AutoShutdown = auto_shutdown
        self.backoff = backoff

    def launch(self, name: str) -> _Launch:
        """As in ``Recipe``."""
        return _Launch(self, name)

    def __repr__(self) -> str:
        return (
            f"<Supervisor {self.strategy} of {', '.join(repr(spec.id) for spec in self.specs) or 'nobody'}>"
        )


def check_significant(spec: ChildSpec[Any], auto_shutdown: AutoShutdown) -> None:
    """Refuse a significant child where nobody looks at that.

    Raises:
        OptionError: It is one.
    """
    if spec.significant and auto_shutdown == "never":
        raise OptionError(
            "significant", True, f"False for child {spec.id!r}, unless the supervisor has auto_shutdown"
        )


class _Launch:
    """Satisfies :class:`~genstage._runtime.launch.Launch`."""

    own_lane: ClassVar[bool] = False
    control: ClassVar[bool] = True

    def __init__(self, recipe: Supervisor, name: str) -> None:
        self._recipe = recipe
        self._name = name

    def make(self, port: Driver) -> Supervising:
        return Supervising(self._recipe, port, self._name)

    @staticmethod
    def handle(actor: LaneActor) -> SupervisorRef:
        return SupervisorRef(actor)

    def over(self) -> None:
        """Nobody waits for that: a reference is of one incarnation."""
