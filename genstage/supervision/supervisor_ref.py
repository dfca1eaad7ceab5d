"""What one holds of a running supervisor, and what it asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from genstage._core.reasons import Normal, Shutdown, exception_of
from genstage._runtime.refs import CALL_TIMEOUT_S, Ref
from genstage.errors import OptionError, SupervisorError
from genstage.supervision.census import CountChildren, WhichChildren
from genstage.supervision.spec import ChildSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._runtime.actor import LaneActor
    from genstage._runtime.calls import Answer
    from genstage.supervision.census import ChildCounts, ChildInfo

__all__ = [
    "DeleteChild",
    "DynamicSupervisorRef",
    "FindChild",
    "IndependentChildrenRef",
    "RestartChild",
    "StartSpec",
    "SupervisingRef",
    "SupervisorRef",
    "TerminateById",
]

H = TypeVar("H")


@dataclass(slots=True)
class StartSpec:
    """Client to supervisor: start a child."""

    spec: ChildSpec[Any]
    reply: Any


@dataclass(slots=True)
class TerminateById:
    """Client to supervisor: stop a child, for good; some know it by its actor too."""

    id: str
    reply: Any


@dataclass(slots=True)
class RestartChild:
    """Client to supervisor: start a child that was stopped."""

    id: str
    reply: Any


@dataclass(slots=True)
class DeleteChild:
    """Client to supervisor: forget a child that was stopped."""

    id: str
    reply: Any


@dataclass(slots=True)
class FindChild:
    """Client to supervisor: what does one hold of this child?"""

    id: str
    reply: Any


class SupervisingRef(Ref):
    """What the references to all kinds of supervisors have in common."""

    _what = "supervisor"
    _instead = "pass the recipe, and start it over there"
    _aside = "ask in another thread"

    def wait(self, *, timeout_s: float | None = None) -> None:
        """Wait until it has ended.

        Args:
            timeout_s: Seconds to wait; ``None``, the default, for ever.

        Raises:
            CallTimeoutError: It has not ended in time.
            SupervisorError: It gave up, or was killed; ``reason`` has the whole chain, and ``__cause__`` is
                the exception it goes back to, if there was one.
            RuntimeError: The caller is the supervisor itself, or below it.
        """
        reason = self._wait_end(timeout_s)
        gave_up = isinstance(reason, Shutdown) and hasattr(reason.detail, "reason")
        if gave_up or not isinstance(reason, Normal | Shutdown):
            raise SupervisorError(self.name, reason) from exception_of(reason)

    def which_children(self, *, timeout_s: float | None = CALL_TIMEOUT_S) -> list[ChildInfo]:
        """Its children, in the order of their first start, also those that rest or are being started again.

        Args:
            timeout_s: Seconds to wait; ``None`` for ever.

        Raises:
            CallTimeoutError: No answer came in time.
            DeadStageError: It is not alive.

        Source:
            OTP's ``which_children/1``, which has them in reverse.
        """
        found: list[ChildInfo] = self._request(WhichChildren, timeout_s)
        return found

    def count_children(self, *, timeout_s: float | None = CALL_TIMEOUT_S) -> ChildCounts:
        """How many children it has.

        Args:
            timeout_s: Seconds to wait; ``None`` for ever.

        Raises:
            CallTimeoutError: No answer came in time.
            DeadStageError: It is not alive.

        Source:
            OTP's ``count_children/1``.
        """
        counts: ChildCounts = self._request(CountChildren, timeout_s)
        return counts

    def _order(self, make: Callable[[Answer], Any], timeout_s: float | None) -> Any:
        """Request what the supervisor does only when it has nothing else to do."""
        for actor in self._callers():
            if actor.starting:
                raise RuntimeError(
                    f"{actor.name!r} cannot wait for supervisor {self.name!r}, which waits for its start: "
                    "send yourself a message in init, and ask when that comes"
                )
        return self._request(make, timeout_s)

    def _refuse_to_await_end(self) -> None:
        super()._refuse_to_await_end()
        callers = self._callers()
        if callers and callers[-1].parent is self._actor:
            raise RuntimeError(
                f"{callers[0].name!r} cannot wait for the end of supervisor {self.name!r}, which waits for "
                "its own: stop it from elsewhere"
            )

    def _callers(self) -> list[LaneActor]:
        """Whose turn the caller is in, and the supervisors above that, up to this one."""
        line: list[LaneActor] = []
        actor = self._actor.engine.current_actor()
        while actor is not None and actor is not self._actor:
            line.append(actor)
            actor = actor.parent
        return line


class IndependentChildrenRef(SupervisingRef):
    """What those have in common that forget a child when it has ended for good."""

    def terminate_child(self, child: Ref | str, *, timeout_s: float | None = None) -> None:
        """Stop a child by its shutdown rule, and wait until it has ended. It is forgotten.

        Args:
            child: What one holds of it, if that is a reference (while it is being started again, the old one
                will do); or its id, which means the oldest child with that id.
            timeout_s: Seconds to wait; ``None``, the default, for ever.

        Raises:
            ChildError: There is no such child.
            OptionError: ``child`` is neither.
            CallTimeoutError: It has not ended in time; it goes on ending.
            DeadStageError: This supervisor is not alive.
            RuntimeError: The caller is a child of the supervisor that has not started itself.

        Source:
            OTP's ``DynamicSupervisor.terminate_child/2``, and GenStage's of ``ConsumerSupervisor``.
        """
        if not isinstance(child, Ref | str):
            raise OptionError("child", child, "a reference to a child, or its id")
        target: Any = child if isinstance(child, str) else child._actor  # noqa: SLF001 - references belong together
        self._order(lambda answer: TerminateById(target, answer), timeout_s)


class _StartingRef(SupervisingRef):
    """What those have in common that start children of any specification."""

    def start_child(self, spec: ChildSpec[H], *, timeout_s: float | None = CALL_TIMEOUT_S) -> H:
        """Start one more child, and wait until it has started.

        Args:
            spec: The child to be.
            timeout_s: Seconds to wait; ``None`` for ever.

        Returns:
            What one holds of it: for a stage, a reference of its kind.

        Raises:
            ChildError: A child with its id is there, or there are as many as there may be.
            StartError: It did not start; nothing is left of it. ``__cause__`` is the exception it goes back
                to.
            OptionError: ``spec`` is none, an option is wrong, or its name is taken.
            CallTimeoutError: It has not started in time; it goes on starting.
            DeadStageError: The supervisor is not alive.
            RuntimeError: The caller is a child of the supervisor that has not started itself.

        Source:
            OTP's ``start_child/2``.
        """
        if not isinstance(spec, ChildSpec):
            raise OptionError("spec", spec, "a ChildSpec: child_spec(id, start)")
        handle: H = self._order(lambda answer: StartSpec(spec, answer), timeout_s)
        return handle


class SupervisorRef(_StartingRef):
    """A running ``Supervisor``. Safe to use from any thread, also when it has ended.

    What it is asked for while it starts, stops or restarts children is done after that; only
    ``which_children`` and ``count_children`` answer at once.
    """

    @overload
    def child(self, child: ChildSpec[H], *, timeout_s: float | None = ...) -> H: ...
    @overload
    def child(self, child: str, *, timeout_s: float | None = ...) -> Any: ...
    def child(self, child: ChildSpec[Any] | str, *, timeout_s: float | None = CALL_TIMEOUT_S) -> Any:
        """What one holds of a child.

        Args:
            child: Its specification, or its id.
            timeout_s: Seconds to wait; ``None`` for ever.

        Returns:
            For a stage or supervisor, a reference to the present incarnation; for a pipeline, its run, which
            outlives restarts.

        Raises:
            ChildError: There is no child with its id.
            DeadStageError: It is a stage or supervisor and does not run now, or this supervisor is not alive.
            CallTimeoutError: No answer came in time.
            RuntimeError: As for :meth:`start_child`.
        """
        return self._order(lambda answer: FindChild(_id(child), answer), timeout_s)

    def terminate_child(self, child: ChildSpec[Any] | str, *, timeout_s: float | None = None) -> None:
        """Stop a child by its shutdown rule, and wait until it has ended. It rests, and is still known.

        A temporary one is forgotten. Nothing happens if it rests already.

        Args:
            child: Its specification, or its id.
            timeout_s: Seconds to wait; ``None``, the default, for ever.

        Raises:
            ChildError: There is no child with its id.
            CallTimeoutError: It has not ended in time; it goes on ending.
            DeadStageError: This supervisor is not alive.
            RuntimeError: As for :meth:`start_child`.

        Source:
            OTP's ``terminate_child/2``.
        """
        self._order(lambda answer: TerminateById(_id(child), answer), timeout_s)

    @overload
    def restart_child(self, child: ChildSpec[H], *, timeout_s: float | None = ...) -> H: ...
    @overload
    def restart_child(self, child: str, *, timeout_s: float | None = ...) -> Any: ...
    def restart_child(self, child: ChildSpec[Any] | str, *, timeout_s: float | None = CALL_TIMEOUT_S) -> Any:
        """Start a child that rests, and wait until it has started.

        Args:
            child: Its specification, or its id.
            timeout_s: Seconds to wait; ``None`` for ever.

        Returns:
            As :meth:`child`.

        Raises:
            ChildError: There is no child with its id, or it runs, or is being started again.
            StartError: It did not start, and rests again.
            CallTimeoutError: It has not started in time; it goes on starting.
            DeadStageError: This supervisor is not alive.
            RuntimeError: As for :meth:`start_child`.

        Source:
            OTP's ``restart_child/2``.
        """
        return self._order(lambda answer: RestartChild(_id(child), answer), timeout_s)

    def delete_child(self, child: ChildSpec[Any] | str, *, timeout_s: float | None = CALL_TIMEOUT_S) -> None:
        """Forget a child that rests.

        Args:
            child: Its specification, or its id.
            timeout_s: Seconds to wait; ``None`` for ever.

        Raises:
            ChildError: There is no child with its id, or it runs, or is being started again.
            CallTimeoutError: No answer came in time.
            DeadStageError: This supervisor is not alive.
            RuntimeError: As for :meth:`start_child`.

        Source:
            OTP's ``delete_child/2``.
        """
        self._order(lambda answer: DeleteChild(_id(child), answer), timeout_s)


class DynamicSupervisorRef(IndependentChildrenRef, _StartingRef):
    """A running ``DynamicSupervisor``. Safe to use from any thread, also when it has ended."""


def _id(child: object) -> str:
    if isinstance(child, ChildSpec):
        return child.id
    if isinstance(child, str):
        return child
    raise OptionError("child", child, "a ChildSpec or the id of a child")
