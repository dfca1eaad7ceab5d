"""A pipeline's stages and who subscribes to whom: an immutable recipe, checked before anything starts."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from genstage._core.options import subscription_options
from genstage.dispatchers import BroadcastDispatcher, DemandDispatcher, PartitionDispatcher
from genstage.errors import GraphError, OptionError
from genstage.pipeline.drawing import as_mermaid, as_text
from genstage.stage import Stage
from genstage.supervision import ConsumerSupervisor, StageLaunch

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

    from genstage._core.stage import Kind
    from genstage._runtime.launch import Launch
    from genstage.dispatchers import Dispatcher
    from genstage.stage import AnyStage

    AnyFactory: TypeAlias = Callable[[], AnyStage] | ConsumerSupervisor[Any]

__all__ = ["KINDS", "Edge", "Graph", "Node", "check_node", "declared_kind", "refused_by"]

KINDS: Mapping[Kind, str] = {
    "producer": "Producer",
    "producer_consumer": "ProducerConsumer",
    "consumer": "Consumer",
}
"""What to subclass for each kind of stage."""


@dataclass(frozen=True, slots=True)
class Node:
    """A stage to be.

    Args:
        name: Its name, unique in the graph.
        factory: Its class, or a function that makes it; or a ``ConsumerSupervisor``, a recipe itself.
        blocking: Whether its callbacks block by nature (a query, a file): it gets a thread of its own.
    """

    name: str
    factory: AnyFactory
    blocking: bool = False

    def launch(self) -> Launch[Any]:
        """Get ready to start the stage."""
        if isinstance(self.factory, ConsumerSupervisor):
            return self.factory.launch(self.name)
        return StageLaunch(self.factory, self.name, own_lane=self.blocking)


@dataclass(frozen=True, slots=True)
class Edge:
    """A subscription to be.

    Args:
        consumer: Name of the node that subscribes.
        producer: Name of the node it subscribes to.
        options: Options of the subscription, such as ``max_demand``; ``partition`` where the producer has a
            ``PartitionDispatcher``, ``selector`` where it has a ``BroadcastDispatcher``.
    """

    consumer: str
    producer: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))


@dataclass(frozen=True, slots=True)
class Graph:
    """Stages and subscriptions, immutable and checked. Its text, by ``print(graph)``, is a drawing.

    Args:
        nodes: The stages.
        edges: The subscriptions.

    Raises:
        GraphError: There is no node, or a name occurs twice; a factory makes no stage; an edge names no node,
            occurs twice, or has an option that is wrong or the supervisor's business; a node has no edge, or
            an edge that a stage of its kind cannot have; or the edges form a cycle. What only a running stage
            can tell, such as its partitions, is checked when all stages of a run have started.

    Example:
        >>> from genstage import Consumer, Producer
        >>> graph = Graph((Node("numbers", Producer), Node("sum", Consumer)), (Edge("sum", "numbers"),))
        >>> print(graph)
        numbers (Producer)
        └─ sum (Consumer)
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        object.__setattr__(self, "edges", tuple(self.edges))
        if not self.nodes:
            raise GraphError("", "there is none; a pipeline has at least a producer and a consumer")
        names = Counter(node.name for node in self.nodes)
        for node in self.nodes:
            name: object = node.name
            if not isinstance(name, str) or not name:
                raise GraphError(str(name), "is no name; give the node text, at least a letter")
            if names[node.name] > 1:
                raise GraphError(node.name, f"occurs {names[node.name]} times; give each node its own name")
            check_node(node.name, node.factory)
        self._check_edges(names)
        self.consumers_first()
        kinds = {node.name: declared_kind(node.factory) for node in self.nodes}
        self.check_kinds({name: kind for name, kind in kinds.items() if kind is not None})

    def _check_edges(self, names: Mapping[str, int]) -> None:
        connected: set[str] = set()
        taken: dict[tuple[str, str], list[object]] = {}  # partitions: they need not be fit for a set
        for edge in self.edges:
            for name in (edge.consumer, edge.producer):
                if name not in names:
                    raise GraphError(name, f"is named by an edge, but there are only {', '.join(names)}")
                connected.add(name)
            if edge.consumer == edge.producer:
                raise GraphError(edge.consumer, "subscribes to itself; name the node whose events it takes")
            if "cancel" in edge.options:
                raise GraphError(
                    edge.consumer, "leave the option 'cancel' out; in a pipeline the supervisor decides"
                )
            with refused_by(edge.consumer):
                subscription_options(edge.options)
            partitions = taken.setdefault((edge.consumer, edge.producer), [])
            if edge.options.get("partition") in partitions:
                raise GraphError(edge.consumer, f"subscribes to {edge.producer!r} twice; leave one edge out")
            partitions.append(edge.options.get("partition"))
        for name in names:
            if name not in connected:
                raise GraphError(name, "is not connected to any other; add an edge or leave it out")

    def consumers_first(self) -> tuple[Node, ...]:
        """The nodes, each before all it subscribes to."""
        sorter = TopologicalSorter[str]({node.name: () for node in self.nodes})
        for edge in self.edges:
            sorter.add(edge.producer, edge.consumer)
        try:
            order = list(sorter.static_order())
        except CycleError as error:
            names = error.args[1]
            raise GraphError(names[0], f"is in a cycle: {' -> '.join(reversed(names))}") from error
        by_name = {node.name: node for node in self.nodes}
        return tuple(by_name[name] for name in order)

    def check_kinds(self, kinds: Mapping[str, Kind]) -> None:
        """Check what became of the recipes.

        Args:
            kinds: Kind of each node; nodes that are not in it are not checked.

        Raises:
            GraphError: A node subscribes or is subscribed to that cannot be, or one that emits events has
                no consumer.
        """
        consumers = {edge.consumer for edge in self.edges}
        producers = {edge.producer for edge in self.edges}
        for name, kind in kinds.items():
            if kind == "producer" and name in consumers:
                raise GraphError(
                    name, "is a producer and cannot subscribe to another node; make it a ProducerConsumer"
                )
            if kind == "consumer" and name in producers:
                raise GraphError(
                    name, "is a consumer and has no events to subscribe to; make it a ProducerConsumer"
                )
            if kind != "producer" and name not in consumers:
                raise GraphError(name, "takes events, but subscribes to no node; add an edge")
            if kind != "consumer" and name not in producers:
                raise GraphError(name, "emits events, but no node subscribes to it; add an edge")

    def check_dispatchers(self, dispatchers: Mapping[str, Dispatcher]) -> None:
        """Check that each partition has one consumer, and that no option goes unheard.

        Args:
            dispatchers: Dispatcher of each node that has one.

        Raises:
            GraphError: A partition does not exist, is taken twice or by nobody; or an edge has an option that
                the dispatcher at its other end does not know.
        """
        by_producer: dict[str, list[Edge]] = {name: [] for name in dispatchers}
        for edge in self.edges:
            if edge.producer in by_producer:
                by_producer[edge.producer].append(edge)
        for name, dispatcher in dispatchers.items():
            if isinstance(dispatcher, PartitionDispatcher):
                _check_partitions(name, dispatcher.partitions, by_producer[name])
            elif type(dispatcher) in _UNHEARD:  # one of the user's own may know any option
                for option, needed in _UNHEARD[type(dispatcher)].items():
                    for edge in by_producer[name]:
                        if option in edge.options:
                            raise GraphError(
                                edge.consumer,
                                f"has the option {option!r}, which {name!r} does not know; leave it out, or "
                                f"give {name!r} a {needed}",
                            )

    def sinks(self) -> tuple[str, ...]:
        """Names of the nodes that nobody subscribes to."""
        producers = {edge.producer for edge in self.edges}
        return tuple(node.name for node in self.nodes if node.name not in producers)

    def sources(self) -> tuple[str, ...]:
        """Names of the nodes that subscribe to nobody."""
        consumers = {edge.consumer for edge in self.edges}
        return tuple(node.name for node in self.nodes if node.name not in consumers)

    def text(self) -> str:
        """A drawing for a terminal: each node below those it subscribes to, with its options."""
        return as_text(self)

    def mermaid(self) -> str:
        """The graph as a Mermaid flow chart, to be drawn by a page that knows Mermaid."""
        return as_mermaid(self)

    def __str__(self) -> str:
        return self.text()


_UNHEARD: Mapping[type[Dispatcher], Mapping[str, str]] = {
    DemandDispatcher: {"partition": "PartitionDispatcher", "selector": "BroadcastDispatcher"},
    BroadcastDispatcher: {"partition": "PartitionDispatcher"},
}
"""Options that a dispatcher does not know, with the one that does."""


def _check_partitions(producer: str, partitions: tuple[Hashable, ...], edges: Iterable[Edge]) -> None:
    """Refuse a partition that does not exist, and one without its one consumer."""
    known = ", ".join(map(repr, partitions))
    takers: dict[Hashable, str] = {}
    for edge in edges:
        partition = edge.options.get("partition")
        if partition not in partitions:
            said = f"partition {partition!r}" if "partition" in edge.options else "no partition"
            raise GraphError(
                edge.consumer,
                f"takes {said} of {producer!r}; give its edge the option 'partition', one of {known}",
            )
        if partition in takers:
            raise GraphError(
                edge.consumer,
                f"takes partition {partition!r} of {producer!r}, which {takers[partition]!r} takes; "
                "a partition has one consumer",
            )
        takers[partition] = edge.consumer
    for partition in partitions:
        if partition not in takers:
            raise GraphError(
                producer,
                f"has a partition {partition!r} that no node takes, so its events would stay; "
                f"add an edge with the option partition={partition!r}",
            )


def check_node(name: str, factory: object) -> None:
    """Refuse what cannot make a stage, and an instance most of all: a restarted stage is a new object.

    Raises:
        GraphError: It is no class and no function.
    """
    wanted = "pass the class or a function that makes it, e.g. lambda:"
    if isinstance(factory, Stage):
        kind = type(factory).__name__
        raise GraphError(name, f"got a {kind} object; {wanted} {kind}(...)")
    if not callable(factory) and not isinstance(factory, ConsumerSupervisor):
        raise GraphError(name, f"got {factory!r}; {wanted} Counter(3)")


def declared_kind(factory: object) -> Kind | None:
    """The kind of stage that a class makes, or a partial of one; ``None`` where only a call could tell."""
    if isinstance(factory, ConsumerSupervisor):
        return "consumer"
    while isinstance(factory, partial):
        factory = factory.func
    if isinstance(factory, type) and issubclass(factory, Stage):
        return getattr(factory, "_kind", None)
    return None


@contextmanager
def refused_by(node: str) -> Iterator[None]:
    """Tell what an option's check refuses with the name of the node.

    Raises:
        GraphError: The check has raised an ``OptionError``.
    """
    try:
        yield
    except OptionError as error:
        raise GraphError(node, str(error)) from error
