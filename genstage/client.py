"""The runtime, as a client uses it."""

from __future__ import annotations

import os
import warnings
from itertools import count
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar, overload

from genstage._core.checks import check_seconds
from genstage._core.stage import StageCore
from genstage._runtime.engine import Engine
from genstage._runtime.in_thread import finish_in_thread
from genstage._runtime.refs import StageRef
from genstage._runtime.starting import start_listed
from genstage._runtime.stream import AsyncEventStream, EventStream
from genstage._runtime.typed_refs import ConsumerRef, ProducerConsumerRef, ProducerRef, ref_to
from genstage.errors import DeadStageError, OptionError
from genstage.iterable import IterableProducer
from genstage.stage import check_factory, make_core
from genstage.streams import EventStreams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from genstage._core.dispatchers.base import Dispatcher
    from genstage._core.options import DemandMode
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.launch import Recipe
    from genstage.iterable import OnCancel
    from genstage.stage import AnyStage, Consumer, Producer, ProducerConsumer
    from genstage.telemetry import Telemetry

__all__ = [
    "AsyncEventStream",
    "ConsumerRef",
    "EventStream",
    "ProducerConsumerRef",
    "ProducerRef",
    "Runtime",
    "StageRef",
]

In = TypeVar("In")
Out = TypeVar("Out")
H = TypeVar("H")

_numbers = count(1)


class Runtime(EventStreams):
    """Brings stages to life. A context manager, also an asynchronous one: leaving the block stops what runs.

    It installs no signal handlers and sets up no logging. One that is left open ends with the interpreter;
    with ``python -X dev``, a ``ResourceWarning`` tells of it.

    Args:
        name: Names its threads and log records.
        shutdown_s: Seconds that stages get to stop when the runtime closes; then they are killed.

    Raises:
        OptionError: ``shutdown_s`` is negative or no number.

    Example:
        >>> from genstage import Producer
        >>> class Numbers(Producer[int]):
        ...     def handle_demand(self, demand): return range(demand)
        >>> with Runtime() as runtime:
        ...     numbers = runtime.start(Numbers, name="numbers")
        ...     numbers.name, numbers.alive
        ('numbers', True)
    """

    def __init__(self, *, name: str = "genstage", shutdown_s: float = 10.0) -> None:
        self.name = name
        self._shutdown_s = check_seconds("shutdown_s", shutdown_s)
        self._engine = Engine(name)
        self._process = os.getpid()
        self._left_open = True

    @overload
    def start(
        self,
        factory: Callable[[], ProducerConsumer[In, Out]],
        *,
        name: str | None = ...,
        blocking: bool = ...,
        register: bool = ...,
        timeout_s: float | None = ...,
        linked_to: StageRef | None = ...,
    ) -> ProducerConsumerRef[In, Out]: ...
    @overload
    def start(
        self,
        factory: Callable[[], Producer[Out]],
        *,
        name: str | None = ...,
        blocking: bool = ...,
        register: bool = ...,
        timeout_s: float | None = ...,
        linked_to: StageRef | None = ...,
    ) -> ProducerRef[Out]: ...
    @overload
    def start(
        self,
        factory: Callable[[], Consumer[In]],
        *,
        name: str | None = ...,
        blocking: bool = ...,
        register: bool = ...,
        timeout_s: float | None = ...,
        linked_to: StageRef | None = ...,
    ) -> ConsumerRef[In]: ...
    def start(
        self,
        factory: Callable[[], AnyStage],
        *,
        name: str | None = None,
        blocking: bool = False,
        register: bool = False,
        timeout_s: float | None = None,
        linked_to: StageRef | None = None,
    ) -> StageRef:
        """Start a stage, and wait until its ``init`` has run.

        Args:
            factory: The stage's class, or a function that makes the stage; called in the stage's own thread.
            name: Its name, unique in this runtime; by default made from the class name.
            blocking: Whether its callbacks block by nature (a query, a file): it gets a thread of its own.
            register: Whether pykka's global ``ActorRegistry`` knows the stage while it lives.
            timeout_s: Seconds to wait; ``None``, the default, for ever.
            linked_to: Another stage whose end is this one's too, and the other way round: as by
                ``stage.link``, when ``init`` has run and before any message comes.

        Returns:
            A reference of the stage's kind.

        Raises:
            OptionError: ``factory`` makes no stage, an option of the stage is wrong, or the name is taken.
            DeadStageError: The stage in ``linked_to`` is not alive.
            StartError: ``init`` raised, or refused to start; ``__cause__`` is its exception.
            CallTimeoutError: ``init`` has not returned in time; the stage is killed.
            ForkedRuntimeError: The runtime was made before a fork, in the parent.
        """
        if name is None:
            name = f"{getattr(factory, '__name__', 'stage').strip('<>')}-{next(_numbers)}"
        _check_name(name)
        check_factory(name, factory)
        actor = start_listed(
            self._engine,
            make_core(factory, name),
            name=name,
            own_lane=blocking,
            register=register,
            timeout_s=timeout_s,
            partner=None if linked_to is None else self._linkable(linked_to),
        )
        return ref_to(actor)

    def supervise(self, recipe: Recipe[H], *, name: str | None = None, timeout_s: float | None = None) -> H:
        """Start a tree of stages: a ``Supervisor``, or another recipe; wait until all of it has started.

        Args:
            recipe: What to start.
            name: Its name, unique in this runtime; by default made from its class name.
            timeout_s: Seconds to wait; ``None``, the default, for ever.

        Returns:
            What one holds of it; for a ``Supervisor`` its ``SupervisorRef``.

        Raises:
            OptionError: It refuses an option, or the name is taken.
            StartError: Something in it did not start. What had started has been stopped again; ``__cause__``
                is the exception it goes back to.
            CallTimeoutError: It has not started in time; it is killed, with all that is in it.
            ForkedRuntimeError: The runtime was made before a fork, in the parent.

        Source:
            OTP's ``Supervisor.start_link/2``; here the runtime is above the tree.
        """
        if not hasattr(recipe, "launch"):
            raise OptionError("recipe", recipe, "a Supervisor, a Pipeline or another recipe, not a stage")
        if name is None:
            name = f"{type(recipe).__name__}-{next(_numbers)}"
        _check_name(name)
        launch = recipe.launch(name)
        actor = start_listed(
            self._engine,
            launch.make,
            name=name,
            own_lane=launch.own_lane,
            control=launch.control,
            timeout_s=timeout_s,
        )
        return launch.handle(actor)

    def find(self, name: str) -> StageRef | None:
        """Look a stage up that was started here under a name.

        Args:
            name: Its name.

        Returns:
            A reference of the stage's kind; ``None`` if no running stage has the name.

        Example:
            >>> from genstage import Consumer, ConsumerRef
            >>> with Runtime() as runtime:
            ...     printer = runtime.start(Consumer, name="printer")
            ...     found = runtime.find("printer")
            ...     found == printer, isinstance(found, ConsumerRef), runtime.find("nobody")
            (True, True, None)
        """
        _check_name(name)
        actor = self._engine.resolve(name)
        return ref_to(actor) if actor is not None and isinstance(actor.behaviour, StageCore) else None

    def from_iterable(
        self,
        iterable: Iterable[Out] | Callable[[], Iterable[Out]],
        *,
        name: str | None = None,
        dispatcher: Dispatcher | None = None,
        demand: DemandMode = "forward",
        on_cancel: OnCancel = "continue",
        blocking: bool = False,
        timeout_s: float | None = None,
        linked_to: StageRef | None = None,
    ) -> ProducerRef[Out]:
        """Start a producer over an iterable. It pulls exactly as much as is asked for, and ends with it.

        Args:
            iterable: The events: an iterable, or a function that makes one, called in the stage's own thread.
            name: As in :meth:`start`.
            dispatcher: Decides which consumer gets what; ``DemandDispatcher()`` by default.
            demand: Its demand mode at first.
            on_cancel: What happens when the last consumer has gone: ``"continue"``, and wait for others, or
                ``"stop"``, and end normally.
            blocking: As in :meth:`start`: whether pulling events blocks.
            timeout_s: As in :meth:`start`.
            linked_to: As in :meth:`start`.

        Raises:
            OptionError: ``iterable`` is neither, or an option is wrong.
            StartError: The function raised; ``__cause__`` is its exception.

        The rest as in :meth:`start`.

        Example:
            >>> with Runtime() as runtime:
            ...     letters = runtime.from_iterable(["a", "b", "c"])
            ...     list(runtime.stream([letters]))
            ['a', 'b', 'c']

        Source:
            GenStage's ``from_enumerable/2``; the end of the data is a ``Finish`` here.
        """

        def make() -> IterableProducer[Out]:
            return IterableProducer(iterable, dispatcher=dispatcher, demand=demand, on_cancel=on_cancel)

        make()  # what is wrong with the arguments is raised here
        make.__name__ = "iterable"
        return self.start(make, name=name, blocking=blocking, timeout_s=timeout_s, linked_to=linked_to)

    def _linkable(self, stage: StageRef) -> LaneActor:
        if not isinstance(stage, StageRef):
            raise OptionError("linked_to", stage, "a reference to a running stage")
        if not stage.alive:
            raise DeadStageError(stage.name, stage.reason)
        actor = self._engine.resolve(stage)
        assert actor is not None  # noqa: S101 - a reference has one
        return actor

    @property
    def telemetry(self) -> Telemetry:
        """Where to attach handlers that hear what happens; see ``genstage.telemetry``."""
        return self._engine.telemetry

    @property
    def abandoned(self) -> int:
        """How many callbacks of stages that were killed in them still run; 0 is what it should be.

        A stage is killed that overstays its time to stop, or by ``ref.kill()``. Nobody waits for its
        callback, but each keeps a thread until it returns. The log has told where it was.
        """
        return self._engine.abandoned

    def close(self) -> None:
        """Stop what still runs, and end all threads; allowed more than once.

        Raises:
            RuntimeError: It is called by one of the runtime's own stages, which it would wait for.
        """
        self._engine.close(self._shutdown_s)
        self._left_open = False

    async def aclose(self) -> None:
        """As :meth:`close`, without blocking the event loop. A cancel does not keep it from closing."""
        await finish_in_thread(self.close)

    def __del__(
        self, warn: Callable[..., None] = warnings.warn, process: Callable[[], int] = os.getpid
    ) -> None:
        # The defaults outlive the module: this may be the end of the interpreter.
        if getattr(self, "_left_open", False) and self._process == process():
            warn(
                f"runtime {self.name!r} was not closed: use it in a with block, or call close()",
                ResourceWarning,
                source=self,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"runtime {self.name!r} cannot be pickled: its threads are of this process; make one over there"
        )

    def __repr__(self) -> str:
        return f"<Runtime {self.name!r} {'closed' if self._engine.closing else 'running'}>"


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise OptionError("name", name, "text, at least a letter")
