"""What a flow is made of: its steps, what they are called, and the pipeline that they come to."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from genstage.errors import GraphError, SourceError
from genstage.iterable import IterableProducer
from genstage.pipeline.graph import Edge, Graph, Node
from genstage.pipeline.recipe import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from genstage.errors import StageFailure
    from genstage.stage import AnyStage

__all__ = ["Once", "Step", "named", "pipeline_to"]

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
    """

    name: str | None
    default: str
    factory: Callable[..., AnyStage]
    blocking: bool = False
    demand: Mapping[str, object] = field(default_factory=dict)
    above: tuple[Step, ...] = ()


class Once(Generic[U]):
    """Makes the source over an iterator, which can be read once.

    A run claims it before it starts, so that a second one is refused at once; the stage takes it, so that a
    stage that begins anew fails with what is wrong.
    """

    def __init__(self, iterator: Iterator[U], name: str) -> None:
        self._iterator: Iterator[U] | None = iterator
        self._name = name
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


class _FlowJob(Generic[R]):
    """One run of a flow: the sink's result is the run's.

    Args:
        graph: The stages, with the sink's factory told how to keep its result.
        once: The sources that can be read once.
    """

    whole_when_drained = True

    def __init__(self, graph: Callable[[Callable[[R], None]], Graph], once: Sequence[Once[Any]]) -> None:
        self._graph = graph
        self._result: R | None = None
        self._once: list[Once[Any]] = []
        try:
            for source in once:
                source.claim()
                self._once.append(source)
        except SourceError:
            self._release()
            raise

    def attempt(self, epoch: int) -> Graph:  # noqa: ARG002 - the same stages each time
        return self._graph(self._keep)

    def complete(self, restarts: int, results: Mapping[str, object]) -> R:  # noqa: ARG002 - it is kept
        self._release()
        return cast("R", self._result)

    def abandon(self, failures: Sequence[StageFailure]) -> None:  # noqa: ARG002 - nothing is left behind
        self._release()

    def records(self) -> int:
        return 0

    def expected(self) -> int | None:
        return None

    def _keep(self, result: R) -> None:
        self._result = result

    def _release(self) -> None:
        for source in self._once:
            source.release()


def pipeline_to(
    sink: Step,
    sink_factory: Callable[[Callable[[R], None]], Callable[[], AnyStage]],
    *,
    max_restarts: int = 3,
) -> Pipeline[R]:
    """The pipeline that ends in a step."""
    names = named((sink,))

    def graph(keep: Callable[[R], None]) -> Graph:
        nodes = (
            Node(name, sink_factory(keep) if step is sink else step.factory, step.blocking)
            for step, name in names.items()
        )
        edges = (
            Edge(name, names[above], step.demand) for step, name in names.items() for above in step.above
        )
        return Graph(tuple(nodes), tuple(edges))

    once = [step.factory for step in names if isinstance(step.factory, Once)]
    return Pipeline(names[sink], partial(_FlowJob, graph, once), max_restarts=max_restarts)


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
    for step in reversed(steps):
        names[step] = step.name or _free(step.default, taken)
        taken.add(names[step])
    return names


def _free(name: str, taken: set[str]) -> str:
    """A name that nobody has."""
    return next(
        free for number in count(1) if (free := name if number == 1 else f"{name}-{number}") not in taken
    )
