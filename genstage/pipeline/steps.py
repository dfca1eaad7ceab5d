"""What a flow is made of: its steps, what they are called, and the pipeline that they come to."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from genstage.errors import GraphError, SourceError
from genstage.iterable import IterableProducer
from genstage.pipeline.graph import Edge, Graph, Node
from genstage.pipeline.job import GraphJob
from genstage.pipeline.recipe import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from genstage.errors import StageFailure
    from genstage.pipeline.graph import AnyFactory
    from genstage.stage import AnyStage

__all__ = ["Once", "Prepared", "PreparedStage", "Step", "named", "pipeline_to"]

P = TypeVar("P")
U = TypeVar("U")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)  # two steps are one only if they are the same
class Step:
    """A stage to be.

    Attributes:
        name: Its name, as the user said; ``None`` for a default.
        default: What its default name is made from.
        factory: Makes it.
        blocking: As in a node.
        demand: Options of its subscriptions.
        above: What it subscribes to.
        asked: Options of the subscriptions to it, if nothing is said of their demand.
    """

    name: str | None
    default: str
    factory: AnyFactory
    blocking: bool = False
    demand: Mapping[str, object] = field(default_factory=dict)
    above: tuple[Step, ...] = ()
    asked: Mapping[str, object] = field(default_factory=dict)


class Once(Generic[U]):
    """Makes the source over an iterator, which can be read once.

    A run claims it before it starts, so that a second one is refused at once; the stage takes it, so that a
    stage that begins anew fails with what is wrong.
    """

    def __init__(self, iterator: Iterator[U], name: str) -> None:
        self._iterator: Iterator[U] | None = iterator
        self._name = name
        self.__name__ = IterableProducer.__name__  # what a drawing says it makes
        self._claimed = False
        self._lock = threading.Lock()

    def claim(self) -> None:
        """Have it for one run."""
        with self._lock:
            if self._claimed:
                raise self._error()
            self._claimed = True

    def release(self) -> None:
        """The run that has claimed it has ended; if it has read nothing, another may."""
        with self._lock:
            self._claimed = self._iterator is None

    def __call__(self) -> IterableProducer[U]:
        """Make the source, once."""
        with self._lock:
            iterator, self._iterator = self._iterator, None
        if iterator is None:
            raise self._error()
        return IterableProducer(iterator)

    def _error(self) -> SourceError:
        return SourceError(
            self._name,
            "cannot be replayed: an iterator can be read once; pass a list, or a function that makes it",
        )


class Prepared(Generic[P]):
    """What is got ready once for each run of a flow, before a stage of it starts: it can refuse the run.

    Args:
        prepare: Gets it ready.
    """

    def __init__(self, prepare: Callable[[], P]) -> None:
        self.prepare = prepare

    def stage(self, make: Callable[[P], AnyStage]) -> PreparedStage[P]:
        """A factory of a stage that needs it."""
        return PreparedStage(self, make)


class PreparedStage(Generic[P]):
    """Makes a stage of what is got ready for its run.

    Args:
        prepared: What it needs.
        make: Makes it.
    """

    def __init__(self, prepared: Prepared[P], make: Callable[[P], AnyStage]) -> None:
        self.prepared = prepared
        self.make = make

    def __call__(self) -> AnyStage:
        """Make the stage outside of a run."""
        return self.make(self.prepared.prepare())


def _ready(graph: Graph) -> Graph:
    """The graph for one run, with what its stages need got ready."""
    values: dict[Prepared[Any], Any] = {}
    nodes = []
    for node in graph.nodes:
        factory = node.factory
        if isinstance(factory, PreparedStage):
            if factory.prepared not in values:
                values[factory.prepared] = factory.prepared.prepare()
            node = replace(node, factory=partial(factory.make, values[factory.prepared]))  # noqa: PLW2901 - the same, ready
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


class _FlowJob(GraphJob[R]):
    """One run of a flow, which has its iterators for itself.

    Args:
        graph: The stages.
        sink: Name of the stage whose result is the run's.
        once: The sources that can be read once.

    Raises:
        SourceError: One of them has been read.
    """

    def __init__(self, graph: Graph, sink: str, once: Sequence[Once[Any]]) -> None:
        super().__init__(_ready(graph), itemgetter(sink))
        self._claimed: list[Once[Any]] = []
        try:
            for source in once:
                source.claim()
                self._claimed.append(source)
        except SourceError:
            self.abandon(())
            raise

    def abandon(self, failures: Sequence[StageFailure]) -> None:  # noqa: ARG002 - whatever they are
        """Leave to others what has not been read."""
        for source in self._claimed:
            source.release()


def pipeline_to(sink: Step) -> Pipeline[Any]:
    """The pipeline that ends in a step, with the result of that."""
    names = named((sink,))
    nodes = [Node(name, step.factory, step.blocking) for step, name in names.items()]
    edges = [Edge(name, names[above], step.demand) for step, name in names.items() for above in step.above]
    graph = Graph(tuple(nodes), tuple(edges))
    once = [step.factory for step in names if isinstance(step.factory, Once)]
    return Pipeline(names[sink], partial(_FlowJob, graph, names[sink], once), max_restarts=0, graph=graph)


def named(heads: tuple[Step, ...]) -> dict[Step, str]:
    """All steps up to these, each behind those that it subscribes to, with their names.

    Raises:
        GraphError: A name occurs twice, or a step does.
    """
    steps: dict[Step, None] = {}
    waiting = list(heads)
    while waiting:
        step = waiting.pop()
        if step in steps:
            raise GraphError(
                step.name or step.default,
                "is in both flows that are merged, and its events would go one way or the other; write a "
                "Graph, where its dispatcher says which",
            )
        steps[step] = None
        waiting.extend(step.above)
    taken = set()
    for name in filter(None, (step.name for step in steps)):
        if name in taken:
            raise GraphError(name, "occurs twice; give each stage its own name")
        taken.add(name)
    names: dict[Step, str] = {}
    numbered: dict[str, Iterator[str]] = {}
    for step in reversed(steps):
        free = numbered.setdefault(step.default, _numbered(step.default))
        names[step] = step.name or next(name for name in free if name not in taken)
    return names


def _numbered(name: str) -> Iterator[str]:
    """A name, then the same with a number behind it, from 2 on."""
    yield name
    for number in count(2):
        yield f"{name}-{number}"
