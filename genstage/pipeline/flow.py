"""Pipelines of plain functions: a flow is open, and closed by a sink it becomes a pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypedDict, TypeVar, Unpack

from genstage._core.checks import check_flag
from genstage._core.options import subscription_options
from genstage.errors import GraphError
from genstage.iterable import IterableProducer
from genstage.pipeline.functions import (
    Filter,
    FlatMap,
    ForEach,
    Map,
    Reduce,
    ToList,
    check_function,
    copied,
    name_of,
)
from genstage.pipeline.graph import KINDS, check_node, declared_kind, refused_by
from genstage.pipeline.outlet import AsyncFlowStream, FlowFeed, FlowStream, Outlet
from genstage.pipeline.steps import Once, Step, named, pipeline_to
from genstage.stage import Consumer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from genstage._core.stage import Kind
    from genstage.client import Runtime
    from genstage.pipeline.graph import AnyFactory
    from genstage.pipeline.recipe import Pipeline
    from genstage.stage import AnyStage, Producer, ProducerConsumer
    from genstage.supervision import ConsumerSupervisor

__all__ = ["Flow", "FlowOptions"]

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")
R = TypeVar("R")


class FlowOptions(TypedDict, total=False):
    """What can be said of each stage of a flow but its source.

    Attributes:
        name: Its name, unique in the flow; by default made from the function's name.
        max_demand: Most events in flight to it, 1 or more; 1000 by default.
        min_demand: More are asked for when this few are in flight; half of ``max_demand`` by default.
        blocking: Whether the function blocks by nature (a request, a file): the stage gets a thread of its
            own.
    """

    name: str
    max_demand: int
    min_demand: int
    blocking: bool


_DEMAND = ("max_demand", "min_demand")
_OPTIONS = ("name", *_DEMAND, "blocking")


class Flow(Generic[T_co]):
    """An open flow of events: a source, and stages made from functions.

    A flow is an immutable recipe: each method returns a new one and leaves this one as it is, so that it can
    be gone on with in several ways, and nothing runs. ``reduce``, ``to_list``, ``for_each`` and ``to`` close
    it and return a :class:`genstage.Pipeline`, which can be run any number of times. Begin with
    ``Flow.from_iterable`` or ``Flow.from_producer``.

    The functions are called in the threads of the runtime, those of one stage never two at a time.

    Example:
        >>> from operator import add
        >>> words = Flow.from_iterable(["to be", "or not"]).flat_map(str.split)
        >>> pipeline = words.map(len).reduce(add, 0, name="letters")
        >>> with pipeline.run() as run:
        ...     run.wait(timeout_s=60)
        9
    """

    __slots__ = ("_heads",)

    def __init__(self, heads: tuple[Step, ...]) -> None:
        named(heads)  # refuses names that occur twice
        self._heads = heads

    # -- sources --------------------------------------------------------------------------------------

    @staticmethod
    def from_iterable(
        iterable: Iterable[U] | Callable[[], Iterable[U]], *, name: str | None = None, blocking: bool = False
    ) -> Flow[U]:
        """Begin with what an iterable yields, pulled exactly as fast as it is asked for.

        Args:
            iterable: The events: an iterable, or a function that makes one, called for each run in the
                stage's own thread. An iterator can be read once, so a second run and a restart are refused.
            name: The stage's name; by default the function's.
            blocking: Whether pulling events blocks: the stage gets a thread of its own.

        Raises:
            GraphError: ``iterable`` is neither, or is text or a mapping, whose letters or keys nobody means;
                or an option is wrong.
        """
        default = (None if isinstance(iterable, type) else name_of(iterable)) or "iterable"
        shown = _name(name, default)
        with refused_by(shown):
            check_flag("blocking", blocking)
            IterableProducer(iterable)
        if isinstance(iterable, Iterator):
            return Flow((Step(name, default, Once(iterable, shown), blocking),))
        return Flow((Step(name, default, partial(IterableProducer, iterable), blocking),))

    @staticmethod
    def from_producer(
        factory: Callable[[], Producer[U]], *, name: str | None = None, blocking: bool = False
    ) -> Flow[U]:
        """Begin with a producer.

        Args:
            factory: Its class, or a function that makes it.
            name: The stage's name; by default the class's or the function's.
            blocking: Whether its callbacks block by nature: it gets a thread of its own.

        Raises:
            GraphError: ``factory`` makes no producer, or an option is wrong.
        """
        default = name_of(factory) or "producer"
        shown = _name(name, default)
        _check_factory(shown, factory, "producer")
        with refused_by(shown):
            check_flag("blocking", blocking)
        return Flow((Step(name, default, factory, blocking),))

    def merge(self, *others: Flow[U]) -> Flow[T_co | U]:
        """Bring flows together: the next stage takes the events of all of them, as they come.

        Each flow's own events keep their order. The flows must not have a stage in common: events would go
        one way or the other. Where they are to go both ways, write a :class:`genstage.Graph`.

        Args:
            others: The other flows.

        Raises:
            GraphError: A stage occurs twice, or a name does.
        """
        heads = [head for flow in (self, *others) for head in flow._heads]  # noqa: SLF001 - of this class
        return Flow(tuple(heads))

    # -- stages ---------------------------------------------------------------------------------------

    def map(self, function: Callable[[T_co], U], **options: Unpack[FlowOptions]) -> Flow[U]:
        """Go on with a function's result for each event.

        Args:
            function: A function of one event.
            **options: See :class:`FlowOptions`.

        Raises:
            GraphError: ``function`` is none, or is asynchronous, or an option is wrong.
        """
        return Flow((self._calling(Map, function, "map", options),))

    def filter(self, function: Callable[[T_co], object], **options: Unpack[FlowOptions]) -> Flow[T_co]:
        """Go on with the events for which a function's result is true.

        Args:
            function: A function of one event.
            **options: See :class:`FlowOptions`.

        Raises:
            GraphError: As for :meth:`map`.
        """
        return Flow((self._calling(Filter, function, "filter", options),))

    def flat_map(self, function: Callable[[T_co], Iterable[U]], **options: Unpack[FlowOptions]) -> Flow[U]:
        """Go on with all that a function returns for each event: none, one or many.

        Args:
            function: A function of one event, which returns an iterable: no text or mapping, whose letters
                or keys nobody means.
            **options: See :class:`FlowOptions`.

        Raises:
            GraphError: As for :meth:`map`.
        """
        return Flow((self._calling(FlatMap, function, "flat_map", options),))

    def via(
        self, factory: Callable[[], ProducerConsumer[T_co, U]], **options: Unpack[FlowOptions]
    ) -> Flow[U]:
        """Go on through a producer-consumer.

        Args:
            factory: Its class, or a function that makes it.
            **options: See :class:`FlowOptions`; the default name is the class's or the function's.

        Raises:
            GraphError: ``factory`` makes no producer-consumer, or an option is wrong.
        """
        default = name_of(factory) or "via"
        _check_factory(_name(options.get("name"), default), factory, "producer_consumer")
        return Flow((self._step(default, factory, options),))

    # -- sinks ----------------------------------------------------------------------------------------

    def reduce(
        self, function: Callable[[R, T_co], R], initial: R, **options: Unpack[FlowOptions]
    ) -> Pipeline[R]:
        """Close the flow with a sink that brings all events together in one value.

        Args:
            function: A function of the value so far and an event, which returns the value with it.
            initial: The value before the first event; each run begins with a copy.
            **options: See :class:`FlowOptions`.

        Returns:
            A pipeline whose result is the last value.

        Raises:
            GraphError: ``function`` is none, or is asynchronous, ``initial`` cannot be copied, or an option
                is wrong.
        """
        default = name_of(function) or "reduce"
        with refused_by(_name(options.get("name"), default)):
            check_function(function, "the value so far and an event")
            own = copied(initial)
        return pipeline_to(self._step(default, partial(Reduce, function, own), options))

    def to_list(self, **options: Unpack[FlowOptions]) -> Pipeline[list[T_co]]:
        """Close the flow with a sink that keeps all events.

        Args:
            **options: See :class:`FlowOptions`.

        Returns:
            A pipeline whose result is the list of all events.

        Raises:
            GraphError: An option is wrong.
        """
        return pipeline_to(self._step("to_list", ToList, options))

    def for_each(self, function: Callable[[T_co], object], **options: Unpack[FlowOptions]) -> Pipeline[None]:
        """Close the flow with a function that is called with each event; what it returns is dropped.

        Args:
            function: A function of one event.
            **options: See :class:`FlowOptions`.

        Returns:
            A pipeline without a result.

        Raises:
            GraphError: As for :meth:`map`.
        """
        return pipeline_to(self._calling(ForEach, function, "for_each", options))

    def to(
        self, factory: Callable[[], Consumer[T_co]] | ConsumerSupervisor[T_co], **options: Unpack[FlowOptions]
    ) -> Pipeline[object]:
        """Close the flow with a consumer.

        Args:
            factory: Its class, or a function that makes it; or a ``ConsumerSupervisor``: a child per event.
            **options: See :class:`FlowOptions`; the default name is the class's or the function's.

        Returns:
            A pipeline whose result is what the consumer gives to ``self.stage.set_result``, or ``None``.

        Raises:
            GraphError: ``factory`` makes no consumer, or an option is wrong.
        """
        default = name_of(factory if callable(factory) else type(factory)) or "to"
        _check_factory(_name(options.get("name"), default), factory, "consumer")
        return pipeline_to(self._step(default, factory, options))

    # -- the output -----------------------------------------------------------------------------------

    def stream(self, *, runtime: Runtime | None = None, **options: Unpack[FlowOptions]) -> FlowStream[T_co]:
        """Run the flow and iterate over its output, as fast as it is taken.

        Args:
            runtime: Where its stages live; by default in a private runtime, closed at the end.
            **options: Of the subscription to its output, see :class:`FlowOptions`.

        Returns:
            An iterator and context manager. Leaving it early cancels the run.

        Raises:
            GraphError: An option is wrong.

        Example:
            >>> from itertools import count
            >>> with Flow.from_iterable(count).map(lambda n: n * n).stream(max_demand=2) as squares:
            ...     [next(squares) for _ in range(4)]
            [0, 1, 4, 9]
        """
        return FlowStream(self._feed(runtime, options))

    def stream_async(
        self, *, runtime: Runtime | None = None, **options: Unpack[FlowOptions]
    ) -> AsyncFlowStream[T_co]:
        """As :meth:`stream`, for asyncio: an asynchronous iterator and context manager.

        Args:
            runtime: As above.
            **options: As above.

        Raises:
            GraphError: An option is wrong.
        """
        return AsyncFlowStream(self._feed(runtime, options))

    def _feed(self, runtime: Runtime | None, options: FlowOptions) -> FlowFeed:
        step = self._step("stream", Consumer, options)
        # What has been taken cannot be taken back, so the stages must not begin anew.
        return FlowFeed(
            step.name or step.default,
            lambda put: pipeline_to(replace(step, factory=partial(Outlet, put))),
            runtime,
        )

    # -- the inside -----------------------------------------------------------------------------------

    def _calling(
        self,
        kind: Callable[[Any], AnyStage],
        function: Callable[[Any], Any],
        verb: str,
        options: FlowOptions,
    ) -> Step:
        default = name_of(function) or verb
        with refused_by(_name(options.get("name"), default)):
            check_function(function)
        return self._step(default, partial(kind, function), options)

    def _step(self, default: str, factory: AnyFactory, options: FlowOptions) -> Step:
        """A stage that subscribes to what the flow is so far."""
        name = _name(options.get("name"), default)
        for option, value in options.items():
            if option not in _OPTIONS:
                raise GraphError(name, f"option {option!r}: there are {', '.join(_OPTIONS)}, got {value!r}")
        demand = {key: value for key, value in options.items() if key in _DEMAND and value is not None}
        if not demand:
            demand = dict(next((head.asked for head in self._heads if head.asked), {}))
        blocking = options.get("blocking", False)
        with refused_by(name):
            subscription_options(demand)
            check_flag("blocking", blocking)
        return Step(options.get("name"), default, factory, blocking, demand, self._heads)

    def __repr__(self) -> str:
        names = named(self._heads)
        return f"<Flow {' and '.join(repr(names[head]) for head in self._heads)} of {len(names)}>"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            if name in {"run", "child_spec"}:
                raise AttributeError(
                    f"{self!r} has no {name!r} without a sink: close it by reduce, to_list, for_each or to"
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _name(given: object, default: str) -> str:
    if given is None:
        return default
    if not isinstance(given, str) or not given:
        raise GraphError(default, f"option 'name': must be text, at least a letter, got {given!r}")
    return given


def _check_factory(name: str, factory: object, kind: Kind) -> None:
    """Refuse what makes no stage of a kind, as far as can be told before it is called."""
    check_node(name, factory)
    found = declared_kind(factory)
    if found is not None and found != kind:
        raise GraphError(name, f"is a {KINDS[found]}, where a {KINDS[kind]} is needed")
