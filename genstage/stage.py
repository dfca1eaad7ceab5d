"""The base classes of stages: plain objects with callbacks, which a runtime brings to life.

A stage's state is its attributes. It needs no runtime to be tested: ``Counter(3).handle_demand(2)`` is a
call like any other. All callbacks of a stage run one after the other, never two at a time.
"""

from __future__ import annotations

from contextlib import nullcontext
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar

from genstage._core.checks import check_reason, check_seconds
from genstage._core.messages import Cast, Info, Message, Stop
from genstage._core.stage import StageCore
from genstage._runtime.lane import give_way
from genstage._runtime.typed_refs import ref_to
from genstage.errors import OptionError
from genstage.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from genstage._core.reasons import Reason
    from genstage._core.results import Finish, Reply, Unanswered
    from genstage._core.results import Stop as StopResult
    from genstage._core.stage import Kind
    from genstage._core.subscription import Cancellation, Subscription
    from genstage._runtime.driver import Driver
    from genstage._runtime.refs import StageRef
    from genstage._runtime.timers import Timer
    from genstage.logger import Logger

__all__ = ["Consumer", "Producer", "ProducerConsumer", "Stage", "StageContext"]

In = TypeVar("In")
Out = TypeVar("Out")


_CALLBACKS = (
    "init",
    "handle_subscribe",
    "handle_cancel",
    "handle_demand",
    "handle_events",
    "handle_call",
    "handle_cast",
    "handle_info",
    "terminate",
    "format_discarded",
)


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

    def stop(self, reason: Reason | None = None) -> None:
        """End the stage, behind the messages already waiting; by default normally.

        Raises:
            OptionError: ``reason`` is none.
        """
        self._port.send(self._port.me, Stop(check_reason(reason)))


class _NotRunning:
    """In place of a context, until the stage runs."""

    def __get__(self, stage: object | None, kind: type) -> Self:
        if stage is None:
            return self
        raise AttributeError(
            f"this {kind.__name__} has no attribute 'stage': a stage has it while it runs, from init on, "
            "not in its constructor and not in a test without a runtime"
        )


class Stage:
    """What the three kinds of stage have in common.

    Attributes:
        stage: The context, once the stage is running.
    """

    if TYPE_CHECKING:
        stage: StageContext
    else:
        stage = _NotRunning()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in _CALLBACKS:
            callback = getattr(cls, name, None)
            if iscoroutinefunction(callback) or isasyncgenfunction(callback):
                raise TypeError(
                    f"{cls.__name__}.{name} is async, and nobody would await it: write a plain method, "
                    "start the stage with blocking=True, and run asynchronous code in it by asyncio.run"
                )

    def init(self) -> Mapping[str, Any] | StopResult | None:
        """Get ready, and choose options; runs first, in the stage's own thread.

        Returns:
            The options of the stage, none by default; or ``Stop(reason)`` not to start.

        Source:
            GenStage's ``init/1``; the state it returns there is the object here.
        """
        return None

    def handle_subscribe(
        self,
        role: Literal["producer", "consumer"],  # noqa: ARG002 - for overriding
        options: Mapping[str, Any],  # noqa: ARG002
        subscription: Subscription,  # noqa: ARG002
    ) -> Literal["automatic", "manual"] | StopResult | None:
        """A subscription begins.

        Args:
            role: What the *other* side is.
            options: The subscription's options, those unknown to the protocol too.
            subscription: The subscription.

        Returns:
            On the consumer's side, ``"manual"`` to ask by ``subscription.ask``; otherwise, and by default,
            demand is sent automatically.
        """
        return None

    def handle_cancel(
        self,
        cancellation: Cancellation,  # noqa: ARG002 - for overriding
        subscription: Subscription,  # noqa: ARG002
    ) -> Sequence[Any] | Finish[Any] | StopResult | None:
        """A subscription has ended: by a cancel, with its stage, or with the data."""
        return None

    def handle_call(self, request: Any, reply_to: Any) -> Reply | Unanswered | StopResult:
        """Answer a request.

        Returns:
            ``Reply(value, events)``, or ``Unanswered(events)`` to answer later by ``stage.reply(reply_to)``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no handle_call, asked for {request!r}")

    def handle_cast(self, request: Any) -> Sequence[Any] | Finish[Any] | StopResult | None:
        """Take a request that wants no answer; returns events to emit."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_cast, told {request!r}")

    def handle_info(self, message: Any) -> Sequence[Any] | Finish[Any] | StopResult | None:
        """Take any other message; returns events to emit. By default it is logged and dropped.

        ``Down`` of a watch comes here, and ``Exited`` of a link to a stage that traps exits.
        """
        self.stage.log.warning("unexpected message", message_repr=repr(message))
        return None

    def terminate(self, reason: Reason) -> None:
        """Clean up; runs last, in the stage's own thread. Not after a kill."""

    def format_discarded(self, count: int) -> bool:  # noqa: ARG002 - for overriding
        """Whether the log shall tell that ``count`` events were discarded from a full buffer."""
        return True


class _Producing(Stage, Generic[Out]):
    """What emits events."""

    _kind: ClassVar[Kind]


class Producer(_Producing[Out]):
    """A stage that makes events when they are asked for.

    While it runs, ``self.stage`` is its :class:`~genstage.stage.StageContext`: its name and logger, timers,
    messages to itself, delayed replies, watches and links.

    Example:
        >>> from genstage import Finish
        >>> class Counter(Producer[int]):
        ...     def __init__(self, end): self.next, self.end = 0, end
        ...     def handle_demand(self, demand):
        ...         first, self.next = self.next, min(self.next + demand, self.end)
        ...         events = range(first, self.next)
        ...         return events if self.next < self.end else Finish(events)
        >>> Counter(3).handle_demand(2)
        range(0, 2)

    Source:
        GenStage's producer.
    """

    _kind = "producer"

    def handle_demand(self, demand: int) -> Sequence[Out] | Finish[Out] | StopResult | None:
        """Consumers want ``demand`` more events, 1 or more.

        Returns:
            Events now, in a sequence that nobody changes any more; what is missing can be emitted later,
            from another callback. ``Finish(events)`` when the data ends with them.
        """
        raise NotImplementedError(f"{type(self).__name__} has no handle_demand")


class Consumer(Stage, Generic[In]):
    """A stage that takes events.

    Source:
        GenStage's consumer. While it runs, ``self.stage`` is its :class:`~genstage.stage.StageContext`.
    """

    _kind: ClassVar[Kind] = "consumer"

    def handle_events(self, events: Sequence[In], origin: Subscription) -> StopResult | None:
        """Take events: at most ``max_demand - min_demand`` of one subscription. May return ``Stop()``."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_events")


class ProducerConsumer(_Producing[Out], Generic[In, Out]):
    """A stage that takes events and emits others.

    Source:
        GenStage's producer-consumer. It has a :class:`~genstage.stage.StageContext` like the others.
    """

    _kind = "producer_consumer"

    def handle_events(
        self, events: Sequence[In], origin: Subscription
    ) -> Sequence[Out] | Finish[Out] | StopResult | None:
        """Take events, return events to emit."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_events")


AnyStage = Producer[Any] | ProducerConsumer[Any, Any] | Consumer[Any]


def check_factory(name: str, factory: Any) -> None:
    """Refuse what cannot make a stage, and an instance most of all: a restarted stage is a new object.

    Raises:
        OptionError: It is no function or class.
    """
    if isinstance(factory, Stage) or not callable(factory):
        kind = type(factory).__name__
        raise OptionError(
            "factory",
            factory if not isinstance(factory, Stage) else f"a {kind} object",
            f"the class of stage {name!r} or a function that makes it, e.g. lambda: {kind}(...)",
        )


def make_core(factory: Callable[[], AnyStage], name: str) -> Callable[[Driver], StageCore]:
    """A function that makes the core of a stage, for the runtime to call in the stage's thread."""

    def make(port: Driver) -> StageCore:
        stage = factory()
        if not isinstance(stage, Producer | ProducerConsumer | Consumer):
            raise OptionError(
                "factory", stage, f"a function that makes the Producer, ProducerConsumer or Consumer {name!r}"
            )
        if "stage" in vars(stage):  # its context: it runs already, or has run
            raise OptionError("factory", stage, f"a function that makes a new object as stage {name!r}")
        stage.stage = StageContext(port, name)
        return StageCore(stage, stage._kind, port, name)  # noqa: SLF001 - of the class above

    return make
