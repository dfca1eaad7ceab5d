"""References to what runs: what a client holds of a stage, of whatever kind, or of a supervisor."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, NoReturn, Self

from genstage._core.checks import check_reason, check_seconds
from genstage._core.messages import (
    Call,
    Cast,
    Info,
    Message,
    Stop,
)
from genstage._core.reasons import Killed, Normal, Shutdown
from genstage._core.stage import StageCore
from genstage._runtime.calls import Callback
from genstage._runtime.lane import current_resident, here
from genstage.errors import CallTimeoutError, DeadStageError, PipelineError, StageFailure
from genstage.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    import pykka

    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.calls import Answer

__all__ = ["CALL_TIMEOUT_S", "Ref", "StageRef", "refuse_silenced"]

CALL_TIMEOUT_S = 5.0


class Ref:
    """Something that runs: a stage or a supervisor. Safe to use from any thread, also when it has ended.

    References to one of them are equal.
    """

    _what = "stage"
    _instead = "pass the stage's name, or the class that makes such a stage, and start it over there"
    _aside = "use cast, send or async_subscribe, or stop by self.stage.stop"

    def __init__(self, actor: LaneActor) -> None:
        self._actor = actor

    @property
    def name(self) -> str:
        """Its name."""
        return self._actor.name

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._actor.alive

    @property
    def reason(self) -> Reason | None:
        """Why it has ended; ``None`` while it is alive."""
        return self._actor.reason

    def stop(self, reason: Reason | None = None, *, timeout_s: float | None = CALL_TIMEOUT_S) -> None:
        """End it, behind the messages already waiting, and wait until it has.

        Args:
            reason: Why; by default ``Normal()``.
            timeout_s: Seconds to wait; ``None`` for ever.

        Raises:
            CallTimeoutError: It has not ended in time.
            DeadStageError: It was not alive.
            OptionError: ``reason`` is none.
            RuntimeError: The caller is it itself.
        """
        message = Stop(check_reason(reason))
        if not self.alive:
            raise DeadStageError(self.name, self._actor.reason)
        self._refuse_to_await_end()
        self._actor.tell(message)
        self._wait_end(timeout_s)

    def kill(self) -> None:
        """Declare it dead at once, whatever it is doing; nothing happens if it has ended.

        ``terminate`` does not run, and messages that wait for it are dropped. Whoever watches it learns of
        ``Killed()``, and nothing from it follows. What it has started is killed too.

        A thread cannot be stopped from outside. If it is in a callback, that goes on, without effect on
        anybody in the runtime, and its thread is free again when it returns: until then it counts in
        ``runtime.abandoned``, and the log tells where it was. What such a callback does by itself, to files,
        sockets and objects that it shares with others, cannot be held up; ``self.stage.ref.alive`` tells it.
        To let it clean up, use :meth:`stop`.

        Example:
            >>> from genstage import Producer, Runtime
            >>> with Runtime() as runtime:
            ...     numbers = runtime.start(Producer, name="numbers")
            ...     numbers.kill()
            ...     numbers.reason
            Killed()

        Source:
            OTP's ``Process.exit(pid, :kill)``.
        """
        refuse_silenced()
        self._actor.engine.kill(self._actor, Killed())

    def wait(self, *, timeout_s: float | None = None) -> None:
        """Wait until it has ended by itself.

        Args:
            timeout_s: Seconds to wait; ``None``, the default, for ever.

        Raises:
            CallTimeoutError: It has not ended in time.
            PipelineError: It did not end normally; ``__cause__`` is the exception, if there was one, and
                ``failures`` names the stage that raised it: this one, or one that it ended with.
            RuntimeError: The caller is it itself.
        """
        reason = self._wait_end(timeout_s)
        if not isinstance(reason, (Normal, Shutdown)):
            exception = getattr(reason, "exception", None)
            failed = getattr(reason, "stage", None) or self.name  # perhaps another one, whose end was its too
            raise PipelineError(self.name, (StageFailure(failed, reason, exception),)) from exception

    def on_end(self, function: Callable[[Reason], object]) -> Callable[[], None]:
        """Have a function called with the reason when it ends, or at once if it has.

        Args:
            function: Called once, by the thread in which it ends, or by this one. It must return
                soon, and wait for nothing: it holds up other stages. What it raises is logged.

        Returns:
            A function that takes it back.

        Example:
            An asynchronous program waits by a future of its loop: ``ref.on_end(lambda reason:
            loop.call_soon_threadsafe(ended.set_result, reason))``.
        """
        request = Callback(partial(_call_safely, function, self._actor))
        self._actor.await_end(request)
        return partial(self._actor.forget_request, request)

    def _wait_end(self, timeout_s: float | None) -> Reason:
        actor = self._actor
        self._refuse_to_await_end()
        seconds = _checked(timeout_s)
        if not actor.wait_end(seconds):
            raise CallTimeoutError(self.name, inf if seconds is None else seconds, to="end")
        assert actor.reason is not None  # noqa: S101 - it has ended
        return actor.reason

    def _request(self, make: Callable[[Answer], Any], timeout_s: float | None) -> Any:
        self._refuse_self()
        seconds = _checked(timeout_s)
        answer = self._actor.answer()
        self._actor.request(make(answer), answer)
        try:
            return answer.get(self.name, seconds)
        finally:
            self._actor.forget_request(answer)

    def _refuse_to_await_end(self) -> None:
        self._refuse_self()

    def _refuse_self(self) -> None:
        refuse_silenced()
        if self._actor.in_turn:
            raise RuntimeError(f"{self._what} {self.name!r} cannot wait for itself: {self._aside}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other._actor is self._actor

    def __hash__(self) -> int:
        return hash(self._actor)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a reference to {self._what} {self.name!r} cannot be pickled: it means one of this process; "
            f"{self._instead}"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self._actor.state}>"


class StageRef(Ref):
    """A running stage. Safe to use from any thread, also when the stage has ended.

    References to one stage are equal.
    """

    @property
    def pykka(self) -> pykka.ActorRef[Any]:
        """The pykka reference, to use the stage like any other pykka actor.

        ``tell`` comes to ``handle_info``, ``ask`` to ``handle_call``. A ``proxy()`` reaches the user's own
        object, the one that the class or function made: attributes are read and set, and methods called, in
        a turn of the stage's own. What a proxied call raises goes to the asker, and the stage goes on;
        deferred, it ends the stage.
        """
        return self._actor.actor_ref

    def call(self, request: Any, *, timeout_s: float | None = CALL_TIMEOUT_S) -> Any:
        """Send a request to ``handle_call`` and wait for the answer.

        Args:
            request: Anything.
            timeout_s: Seconds to wait; ``None`` for ever.

        Raises:
            CallTimeoutError: No answer came in time; the stage goes on.
            DeadStageError: The stage is not alive, or ended before it answered; ``__cause__`` is its own
                exception, if there was one.
            RuntimeError: The caller is the stage itself.
        """
        return self._request(lambda answer: Call(request, answer), timeout_s)

    def cast(self, request: Any) -> None:
        """Send a request to ``handle_cast``; nothing happens if the stage has ended."""
        self._actor.post(Cast(request))

    def send(self, message: Any) -> None:
        """Send a message to ``handle_info``; nothing happens if the stage has ended."""
        self._actor.post(Message(message))

    def sync_info(self, message: Any, *, timeout_s: float | None = CALL_TIMEOUT_S) -> None:
        """Send a message to ``handle_info`` that does not overtake events, and wait until it is in line.

        It is handled when the events that the stage has buffered at that moment have left: this returns
        before.

        Args:
            message: Anything.
            timeout_s: Seconds to wait; ``None`` for ever.

        Raises:
            CallTimeoutError: The stage did not take it in time.
            DeadStageError: The stage is not alive.
            RuntimeError: The caller is the stage itself.

        Source:
            GenStage's ``sync_info/3``.
        """
        self._request(lambda answer: Info(message, answer), timeout_s)

    def async_info(self, message: Any) -> None:
        """As :meth:`sync_info`, but without waiting; nothing happens if the stage has ended.

        Source:
            GenStage's ``async_info/2``.
        """
        self._actor.post(Info(message))

    def _counts(self) -> str:
        core = self._actor.behaviour
        if not isinstance(core, StageCore):
            return ""
        parts = []
        if core.consuming is not None:
            parts.append(f" in={core.consuming.events_in}")
        if core.producing is not None:
            demand: int | str
            try:
                demand = core.producing.dispatcher.room()
            except Exception:  # noqa: BLE001 - it is looked at from outside, in the middle of its work perhaps
                demand = "?"
            parts.append(
                f" out={core.producing.events_out} demand={demand} buffered={len(core.producing.buffer)}"
            )
        return "".join(parts)

    def __repr__(self) -> str:
        lane = "own" if self._actor.own_lane else "shared"
        return f"<{type(self).__name__} {self.name!r} {self._actor.state}{self._counts()} lane={lane}>"


def _call_safely(function: Callable[[Reason], object], actor: LaneActor, reason: Reason) -> None:
    try:
        function(reason)
    except BaseException:  # it is the user's, and others have to be told too
        log = get_logger("genstage.runtime", **actor.driver.log_fields)
        log.exception("a function told of the end failed")


def refuse_silenced() -> None:
    """Let nothing come from a callback whose stage has been killed in it.

    Raises:
        DeadStageError: The caller is one.
    """
    place = here.place
    if place is not None and place.silenced:
        stage: Any = current_resident()
        raise DeadStageError(stage.name, stage.reason)


def _checked(timeout_s: float | None) -> float | None:
    return None if timeout_s is None else check_seconds("timeout_s", timeout_s)
