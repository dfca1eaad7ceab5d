"""The pipelines of the suite: several shapes, each made of stages that have accidents."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from genstage import (
    BroadcastDispatcher,
    Consumer,
    DemandDispatcher,
    Edge,
    Finish,
    Flow,
    Graph,
    Node,
    Normal,
    PartitionDispatcher,
    Pipeline,
    Producer,
    ProducerConsumer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.supervision.meter import Meter
    from genstage import Dispatcher, Reason, Subscription

__all__ = ["SHAPES", "Silent", "Sink", "Source", "Step", "make_pipeline", "nodes_of"]

_BATCH = 50
_PAUSE_S = 0.005
_DEMAND = {"max_demand": 2 * _BATCH}


class Source(Producer[int]):
    """Counts: at its own pace, or as fast as it is asked.

    Args:
        name: What the meter knows it by.
        meter: Of the pipeline.
        end: The first number that it does not make; ``None`` for no end.
        paced: Whether it makes a batch every few milliseconds.
        dispatcher: Makes its dispatcher.
    """

    def __init__(
        self,
        name: str,
        meter: Meter,
        end: int | None,
        *,
        paced: bool,
        dispatcher: Callable[[], Dispatcher] = DemandDispatcher,
    ) -> None:
        self.name, self.meter, self.end, self.paced, self.dispatcher = name, meter, end, paced, dispatcher
        self.next = 0
        self.owed = 0

    def init(self) -> Mapping[str, Any]:
        """Choose the dispatcher."""
        if self.paced:
            self.stage.send_after(_PAUSE_S, "tick")
        return {"dispatcher": self.dispatcher()}

    def handle_demand(self, demand: int) -> Sequence[int] | Finish[int]:
        """Make it, or note it until the next tick."""
        self.meter.passing(self.name)
        if not self.paced:
            return self.make(demand)
        self.owed += demand
        return ()

    def handle_info(self, message: Any) -> Sequence[int] | Finish[int]:
        """A tick."""
        self.meter.passing(self.name)
        self.stage.send_after(_PAUSE_S, message)
        made = min(self.owed, _BATCH)
        self.owed -= made
        return self.make(made)

    def make(self, count: int) -> Sequence[int] | Finish[int]:
        """The next numbers."""
        first, self.next = self.next, self.next + count
        if self.end is None or self.next < self.end:
            return range(first, self.next)
        return Finish(range(first, self.end))


class Silent(Source):
    """A source that makes nothing more after a while, and does not end either: a hang, to be found."""

    def make(self, count: int) -> Sequence[int] | Finish[int]:
        """The next numbers, a few times."""
        return () if self.next > 10 * _BATCH else super().make(count)


class Step(ProducerConsumer[int, int]):
    """Passes numbers on."""

    def __init__(self, name: str, meter: Meter) -> None:
        self.name, self.meter = name, meter

    def handle_events(self, events: Sequence[int], _origin: Subscription) -> Sequence[int]:
        """Pass them on."""
        self.meter.passing(self.name)
        return events


class Sink(Consumer[int]):
    """Sums up.

    Args:
        name: What the meter knows it by.
        meter: Of the pipeline.
        expected: What the sum is to be at the end of the data; ``None`` if there is no end.
    """

    def __init__(self, name: str, meter: Meter, expected: int | None) -> None:
        self.name, self.meter, self.expected = name, meter, expected
        self.made_s = monotonic()
        self.total = 0

    def handle_events(self, events: Sequence[int], _origin: Subscription) -> None:
        """Add them."""
        self.meter.passing(self.name)
        self.total += sum(events)
        self.meter.took(len(events), self.made_s)
        self.stage.set_result(self.total)

    def terminate(self, reason: Reason) -> None:
        """The end of the data, if it is a normal end."""
        if isinstance(reason, Normal) and self.total != self.expected:
            self.meter.wrong[f"{self.name} came to {self.total}, not {self.expected}"] += 1


class _Parts:
    """What a shape is made of: nodes that know the pipeline's meter and how long its data are."""

    def __init__(self, meter: Meter, end: int | None, *, paced: bool, source: type[Source]) -> None:
        self.meter, self.end, self.paced, self.kind = meter, end, paced, source
        self.total = None if end is None else end * (end - 1) // 2

    def make_source(self, name: str, dispatcher: Callable[[], Dispatcher] = DemandDispatcher) -> Source:
        return self.kind(name, self.meter, self.end, paced=self.paced, dispatcher=dispatcher)

    def source(
        self,
        name: str = "source",
        dispatcher: Callable[[], Dispatcher] = DemandDispatcher,
        *,
        blocking: bool = False,
    ) -> Node:
        return Node(name, partial(self.make_source, name, dispatcher), blocking)

    def step(self, name: str) -> Node:
        return Node(name, partial(Step, name, self.meter))

    def sink(self, name: str, expected: int | None, *, blocking: bool = False) -> Node:
        return Node(name, partial(Sink, name, self.meter, expected), blocking)


def _line(name: str, parts: _Parts) -> Pipeline[Any]:
    def double(number: int) -> int:
        parts.meter.passing("double")
        return 2 * number

    total = None if parts.total is None else 2 * parts.total
    return (
        Flow.from_producer(partial(parts.make_source, "source"), name="source")
        .via(partial(Step, "step", parts.meter), name="step", **_DEMAND)
        .map(double, name="double", **_DEMAND)
        .to(partial(Sink, "sink", parts.meter, total), name="sink", **_DEMAND)
        .with_options(name=name)
    )


def _fan_out(name: str, parts: _Parts) -> Pipeline[Any]:
    source = parts.source(dispatcher=BroadcastDispatcher)
    sinks = [parts.sink(sink, parts.total) for sink in ("left", "right")]
    return _of(name, [source, *sinks], ("left", "source"), ("right", "source"))


def _fan_in(name: str, parts: _Parts) -> Pipeline[Any]:
    total = None if parts.total is None else 2 * parts.total
    nodes = [parts.source("one"), parts.source("other"), parts.sink("sink", total)]
    return _of(name, nodes, ("sink", "one"), ("sink", "other"))


def _diamond(name: str, parts: _Parts) -> Pipeline[Any]:
    total = None if parts.total is None else 2 * parts.total
    nodes = [
        parts.source(dispatcher=BroadcastDispatcher),
        *map(parts.step, ("left", "right")),
        parts.sink("sink", total),
    ]
    edges = ("left", "source"), ("right", "source"), ("sink", "left"), ("sink", "right")
    return _of(name, nodes, *edges)


def _blocking(name: str, parts: _Parts) -> Pipeline[Any]:
    nodes = [parts.source(blocking=True), parts.step("step"), parts.sink("sink", parts.total, blocking=True)]
    return _of(name, nodes, ("step", "source"), ("sink", "step"))


def _partitions(name: str, parts: _Parts) -> Pipeline[Any]:
    def parity(number: int) -> tuple[int, int]:
        return number, number % 2

    even = odd = None
    if parts.end is not None:
        even, odd = sum(range(0, parts.end, 2)), sum(range(1, parts.end, 2))
    nodes = (
        parts.source(dispatcher=partial(PartitionDispatcher, 2, hash=parity)),
        parts.sink("even", even),
        parts.sink("odd", odd),
    )
    edges = [
        Edge(sink, "source", {"partition": number, **_DEMAND}) for number, sink in enumerate(("even", "odd"))
    ]
    return Pipeline.of(name, Graph(nodes, tuple(edges)))


def _of(name: str, nodes: Sequence[Node], *edges: tuple[str, str]) -> Pipeline[Any]:
    return Pipeline.of(name, Graph(tuple(nodes), tuple(Edge(*edge, _DEMAND) for edge in edges)))


_SHAPES = {
    "line": _line,
    "fan_out": _fan_out,
    "fan_in": _fan_in,
    "diamond": _diamond,
    "blocking": _blocking,
    "partitions": _partitions,
}

SHAPES = tuple(_SHAPES)
"""The names of the shapes."""


def make_pipeline(
    shape: str, name: str, meter: Meter, end: int | None, *, paced: bool, source: type[Source] = Source
) -> Pipeline[Any]:
    """A pipeline of one of the shapes.

    Args:
        shape: One of :data:`SHAPES`.
        name: Of the pipeline.
        meter: What its stages tell.
        end: How many events each source makes; ``None`` for no end.
        paced: Whether sources go at their own pace.
        source: The class of its sources.
    """
    return _SHAPES[shape](name, _Parts(meter, end, paced=paced, source=source))


def nodes_of(pipeline: Pipeline[Any]) -> list[str]:
    """The names of a pipeline's stages."""
    assert pipeline.graph is not None  # noqa: S101 - all of these have one
    return [node.name for node in pipeline.graph.nodes]
