"""What a running stage can do besides returning events."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from genstage._core.checks import check_reason, check_seconds
from genstage._core.messages import Cast, Info, Message, Stop
from genstage._runtime.lane import give_way
from genstage._runtime.typed_refs import ref_to
from genstage.errors import OptionError
from genstage.logger import get_logger

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from genstage._core.reasons import Reason
    from genstage._runtime.driver import Driver
    from genstage._runtime.refs import StageRef
    from genstage._runtime.timers import Timer
    from genstage.logger import Logger

__all__ = ["StageContext"]


class StageContext:
    """What a running stage can do besides returning events; its attribute ``stage``."""

    __slots__ = ("_log", "_port", "name")  # a slip such as ``stage.trap_exits = True`` is an error

    def __init__(self, port: Driver, name: str) -> None:
        self._port = port
        self._log: Logger | None = None
        self.name = name

    @property
    def log(self) -> Logger:
        """A logger whose records carry the names of runtime, pipeline and stage, and the chunk at hand."""
        if self._log is None:
            self._log = get_logger("genstage.stage.user", **self._port.log_fields)
        return self._log

    def send(self, message: Any) -> None:
        """Send a message to the stage itself: it comes to ``handle_info`` behind those already waiting."""
        self._port.send(self._port.me, Message(message))

    def send_after(self, delay_s: float, message: Any) -> Timer:
        """Send a message to the stage itself, not before ``delay_s`` seconds have passed.

        Returns:
            A timer, to ``cancel()`` it. It is forgotten when the stage ends.

        Raises:
            OptionError: ``delay_s`` is negative or no number.
        """
        return self._port.schedule(check_seconds("delay_s", delay_s), Message(message))

    def blocking(self) -> AbstractContextManager[None]:
        """Around something that blocks, in a stage that seldom does: the other stages go on meanwhile.

        The rest of the callback runs beside them, too. References' own waiting (``call``, ``stop``, ``wait``,
        ``subscribe``) does this by itself, and a callback that blocks without it is noticed after some
        milliseconds. A stage that blocks by nature is better started with ``blocking=True``.

        Example:
            >>> import time
            >>> from genstage import Consumer, Runtime
            >>> class Patient(Consumer[int]):
            ...     def handle_cast(self, seconds):
            ...         with self.stage.blocking():
            ...             time.sleep(seconds)
            >>> with Runtime() as runtime:
            ...     runtime.start(Patient).cast(0.001)
        """
        give_way()
        return nullcontext()

    def cast(self, request: Any) -> None:
        """Send a request to the stage itself: it comes to ``handle_cast``."""
        self._port.send(self._port.me, Cast(request))

    def reply(self, to: Any, value: Any) -> None:
        """Answer a call that was left unanswered; an exception as value is raised at the caller.

        Raises:
            OptionError: ``to`` is no ``reply_to`` that ``handle_call`` was given.
        """
        if to is not None and not hasattr(to, "deliver"):
            raise OptionError("to", to, "the reply_to that handle_call was given")
        self._port.reply(to, value)

    @property
    def ref(self) -> StageRef:
        """The reference to the stage itself, to hand on or to compare."""
        return ref_to(self._port.me)

    def async_info(self, message: Any) -> None:
        """Send a message to the stage itself that does not overtake the events it has emitted before.

        It comes to ``handle_info`` when the events that were buffered at this moment have left.
        """
        self._port.send(self._port.me, Info(message))

    def watch(self, stage: StageRef | str) -> int:
        """Hear of another stage's end, whatever the reason: a ``Down`` comes to ``handle_info``, once.

        Args:
            stage: A reference, or a name in the same runtime. One that has ended, or that nobody has, is
                down at once, with ``NoProc()``.

        Returns:
            The number of the watch, to tell it from others and to take it back. Each watch has its own.

        Raises:
            OptionError: ``stage`` is none.

        Source:
            OTP's ``monitor/2``.
        """
        return self._port.monitor(stage)

    def unwatch(self, watch: int) -> None:
        """Take a watch back; its ``Down`` may still be on the way."""
        self._port.unwatch(watch)

    def link(self, stage: StageRef | str) -> None:
        """Tie this stage's end to another's, and the other's to this one's.

        When one of them ends for any reason but ``Normal()``, the other is stopped with the same reason,
        behind the messages that wait there already; its ``terminate`` runs. A stage that has ended already
        counts as ended with ``NoProc()``.

        Args:
            stage: A reference, or a name in the same runtime.

        Raises:
            OptionError: ``stage`` is none.

        Source:
            OTP's ``link/1``; a stage that is killed by a link there does not clean up.
        """
        self._port.link(stage)

    def unlink(self, stage: StageRef | str) -> None:
        """Take a link back, from whichever side it was made."""
        self._port.unlink(stage)

    def trap_exits(self, *, on: bool = True) -> None:
        """Hear of the ends of linked stages instead of ending with them.

        ``Exited(stage, reason)`` comes to ``handle_info`` then, for ``Normal()`` too.

        Source:
            OTP's process flag ``trap_exit``.
        """
        self._port.me.traps_exits = on

    def set_result(self, value: Any) -> None:
        """Set what the stage comes to: a pipeline tells it of each of its sinks that has ended normally.

        The last value counts. A stage that is restarted begins without one.

        Example:
            >>> from genstage import Consumer
            >>> class Sum(Consumer[int]):
            ...     total = 0
            ...     def handle_events(self, events, origin):
            ...         self.total += sum(events)
            ...         self.stage.set_result(self.total)
        """
        self._port.result = value

    def stop(self, reason: Reason | None = None) -> None:
        """End the stage, behind the messages already waiting; by default normally.

        Raises:
            OptionError: ``reason`` is none.
        """
        self._port.send(self._port.me, Stop(check_reason(reason)))
