"""The base classes of stages: plain objects with callbacks, which a runtime brings to life.

A stage's state is its attributes. It needs no runtime to be tested: ``Counter(3).handle_demand(2)`` is a
call like any other. All callbacks of a stage run one after the other, never two at a time.
"""

from __future__ import annotations

from inspect import isasyncgenfunction, iscoroutinefunction
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar

from genstage._core.stage import StageCore
from genstage.context import StageContext
from genstage.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genstage._core.reasons import Reason
    from genstage._core.results import Finish, Reply, Unanswered
    from genstage._core.results import Stop as StopResult
    from genstage._core.stage import Kind
    from genstage._core.subscription import Cancellation, Subscription
    from genstage._runtime.driver import Driver

__all__ = ["Consumer", "Producer", "ProducerConsumer", "Stage", "StageContext"]

In = TypeVar("In")
Out = TypeVar("Out")


_CALLBACKS = (
    "init",
    "handle_subscribe",
    "handle_cancel",
    "handle_demand",
    "handle_drain",
    "handle_events",
    "handle_call",
    "handle_cast",
    "handle_info",
    "terminate",
    "format_discarded",
)


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

    def handle_drain(self) -> Sequence[Out] | StopResult | None:
        """The pipeline is drained: no demand follows, and the stage ends when its events have left.

        Returns:
            The last events, for instance those that it has queued itself; none by default. What it emits
            later is discarded.

        Source:
            Not in GenStage; Broadway's ``prepare_for_draining/1``.
        """
        return None


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
