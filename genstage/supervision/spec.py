"""What a supervisor knows of a child before it exists."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args, overload

from genstage._core.checks import check_choice, check_flag, check_seconds
from genstage._runtime.typed_refs import ref_to
from genstage.errors import OptionError
from genstage.stage import check_factory, make_core

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._core.stage import StageCore
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage._runtime.launch import ChildType, Launch, Recipe
    from genstage.client import ConsumerRef, ProducerConsumerRef, ProducerRef, StageRef
    from genstage.stage import AnyStage, Consumer, Producer, ProducerConsumer

__all__ = ["ChildSpec", "Restart", "StageLaunch", "child_spec"]

In = TypeVar("In")
Out = TypeVar("Out")
H = TypeVar("H")

Restart = Literal["permanent", "transient", "temporary"]

SHUTDOWN_S = 5.0
"""What a stage gets to stop, as in OTP."""


@dataclass(frozen=True, slots=True)
class ChildSpec(Generic[H]):
    """A child to be: a recipe, because a restarted child is a new object. Best made by :func:`child_spec`.

    Attributes:
        id: Its name among the children of its supervisor.
        start: Makes it: a stage's class or a function that makes the stage, or a recipe, such as a
            ``Supervisor`` or a ``Pipeline``.
        restart: Whether it is started again when it has ended: ``"permanent"``, always; ``"transient"``,
            unless it ended normally or was told to stop; ``"temporary"``, never.
        shutdown_s: Seconds it gets to stop; then it is killed. 0 means that it is killed at once, without
            ``terminate``; ``math.inf``, that it gets all the time it takes. ``None`` stands for 5 for a
            stage, and for ``math.inf`` for what has children of its own.
        significant: Whether its end counts for the supervisor's ``auto_shutdown``.
        blocking: Whether the callbacks of a stage block by nature: it gets a thread of its own.
        name: The name under which the runtime finds it, and others can subscribe to it; by default it has
            none.

    Raises:
        OptionError: An option is wrong.

    Source:
        OTP's child specification.
    """

    id: str
    start: Callable[[], AnyStage] | Recipe[H]
    restart: Restart = "permanent"
    shutdown_s: float | None = None
    significant: bool = False
    blocking: bool = False
    name: str | None = None

    def __post_init__(self) -> None:
        for option, text in (("id", self.id), ("name", self.id if self.name is None else self.name)):
            _check_text(option, text)
        if _recipe(self.start) is None:
            check_factory(self.id, self.start)
        elif self.blocking:
            raise OptionError("blocking", self.blocking, f"left out: {self.id!r} is not a stage")
        check_choice("restart", self.restart, get_args(Restart))
        check_flag("blocking", self.blocking)
        if check_flag("significant", self.significant) and self.restart == "permanent":
            raise OptionError(
                "significant", self.significant, "False for a permanent child, which never ends"
            )
        seconds = self.shutdown_s
        if seconds is None:
            seconds = SHUTDOWN_S if self.type == "worker" else math.inf
        elif seconds != math.inf:
            seconds = check_seconds("shutdown_s", seconds)
        object.__setattr__(self, "shutdown_s", seconds)

    @property
    def type(self) -> ChildType:
        """``"supervisor"`` if it has children of its own, else ``"worker"``."""
        recipe = _recipe(self.start)
        return "worker" if recipe is None else recipe.child_type

    def launch(self) -> Launch[H]:
        """Get ready to start the child; once for all its incarnations.

        Raises:
            GenstageError: A recipe refuses its input.
        """
        recipe = _recipe(self.start)
        name = self.name or self.id
        if recipe is not None:
            return recipe.launch(name)
        start: Any = self.start
        launch: Any = StageLaunch(start, name, own_lane=self.blocking)
        return launch  # type: ignore[no-any-return] # child_spec() has seen to it that H is what it gives


@dataclass(frozen=True, slots=True)
class StageLaunch:
    """A stage as a child; satisfies :class:`~genstage._runtime.launch.Launch`.

    Attributes:
        factory: Makes the stage.
        name: Its name.
        own_lane: Whether it gets a thread of its own.
    """

    factory: Callable[[], AnyStage]
    name: str
    own_lane: bool = False

    @property
    def control(self) -> bool:
        """A stage is no supervisor."""
        return False

    def make(self, port: Driver) -> StageCore:
        """Its core, with a new stage."""
        return make_core(self.factory, self.name)(port)

    def handle(self, actor: LaneActor) -> StageRef:
        """A reference of its kind."""
        return ref_to(actor)

    def over(self) -> None:
        """Nobody waits for that: a reference is of one incarnation."""


@overload
def child_spec(
    id: str,
    start: Callable[[], ProducerConsumer[In, Out]],
    *,
    restart: Restart = ...,
    shutdown_s: float | None = ...,
    significant: bool = ...,
    blocking: bool = ...,
    name: str | None = ...,
) -> ChildSpec[ProducerConsumerRef[In, Out]]: ...
@overload
def child_spec(
    id: str,
    start: Callable[[], Producer[Out]],
    *,
    restart: Restart = ...,
    shutdown_s: float | None = ...,
    significant: bool = ...,
    blocking: bool = ...,
    name: str | None = ...,
) -> ChildSpec[ProducerRef[Out]]: ...
@overload
def child_spec(
    id: str,
    start: Callable[[], Consumer[In]],
    *,
    restart: Restart = ...,
    shutdown_s: float | None = ...,
    significant: bool = ...,
    blocking: bool = ...,
    name: str | None = ...,
) -> ChildSpec[ConsumerRef[In]]: ...
@overload
def child_spec(
    id: str,
    start: Recipe[H],
    *,
    restart: Restart = ...,
    shutdown_s: float | None = ...,
    significant: bool = ...,
    name: str | None = ...,
) -> ChildSpec[H]: ...
def child_spec(id: str, start: Any, **options: Any) -> ChildSpec[Any]:  # noqa: A002
    """A child to be, for a supervisor; the arguments are the attributes of :class:`ChildSpec`.

    Raises:
        OptionError: An option is wrong, or ``start`` is a stage instead of what makes one.

    Example:
        >>> from genstage import Consumer
        >>> child_spec("cache", Consumer, restart="transient").shutdown_s
        5.0

    Source:
        OTP's child specification; GenStage's ``child_spec/1``.
    """
    return ChildSpec(id, start, **options)


def _check_text(option: str, text: object) -> None:
    if not isinstance(text, str) or not text:
        raise OptionError(option, text, "text, at least a letter")


def _recipe(start: Any) -> Recipe[Any] | None:
    """``start``, if it is not a stage's factory."""
    return start if hasattr(start, "launch") and hasattr(start, "child_type") else None
