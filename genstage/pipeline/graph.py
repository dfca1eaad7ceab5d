"""A pipeline's stages and who subscribes to whom: an immutable recipe, checked before anything starts."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from genstage.errors import GraphError, OptionError
from genstage.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from genstage._core.stage import Kind
    from genstage.stage import AnyStage

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
        factory: Its class, or a function that makes it.
        blocking: Whether its callbacks block by nature (a query, a file): it gets a thread of its own.
    """

    name: str
    factory: Callable[[], AnyStage]
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """A subscription to be.

    Args:
        consumer: Name of the node that subscribes.
        producer: Name of the node it subscribes to.
        options: Options of the subscription.
    """

    consumer: str
    producer: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """Stages and subscriptions.

    Args:
        nodes: The stages.
        edges: The subscriptions.

    Raises:
        GraphError: There is no node, a name occurs twice, an edge names no node, a node has no edge, the
            edges form a cycle, or an edge has an option that is the supervisor's business.

    Example:
        >>> from genstage import Consumer, Producer
        >>> graph = Graph((Node("numbers", Producer), Node("sum", Consumer)), (Edge("sum", "numbers"),))
        >>> [node.name for node in graph.consumers_first()]
        ['sum', 'numbers']
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        if not self.nodes:
            raise GraphError("", "there is none; a pipeline has at least a producer and a consumer")
        names = Counter(node.name for node in self.nodes)
        for node in self.nodes:
            if names[node.name] > 1:
                raise GraphError(node.name, f"occurs {names[node.name]} times; give each node its own name")
            check_node(node.name, node.factory)
        self._check_edges(names)
        self.consumers_first()

    def _check_edges(self, names: Mapping[str, int]) -> None:
        connected: set[str] = set()
        for edge in self.edges:
            for name in (edge.consumer, edge.producer):
                if name not in names:
                    raise GraphError(name, f"is named by an edge, but there are only {', '.join(names)}")
                connected.add(name)
            if "cancel" in edge.options:
                raise GraphError(
                    edge.consumer, "leave the option 'cancel' out; in a pipeline the supervisor decides"
                )
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
                raise GraphError(name, "is a producer and cannot subscribe to another node")
            if kind == "consumer" and name in producers:
                raise GraphError(name, "is a consumer and has no events to subscribe to")
            if kind != "producer" and name not in consumers:
                raise GraphError(name, "takes events, but subscribes to no node; add an edge")
            if kind != "consumer" and name not in producers:
                raise GraphError(name, "emits events, but no node subscribes to it; add an edge")

    def sinks(self) -> tuple[str, ...]:
        """Names of the nodes that nobody subscribes to."""
        producers = {edge.producer for edge in self.edges}
        return tuple(node.name for node in self.nodes if node.name not in producers)

    def sources(self) -> tuple[str, ...]:
        """Names of the nodes that subscribe to nobody."""
        consumers = {edge.consumer for edge in self.edges}
        return tuple(node.name for node in self.nodes if node.name not in consumers)


def check_node(name: str, factory: object) -> None:
    """Refuse what cannot make a stage, and an instance most of all: a restarted stage is a new object.

    Raises:
        GraphError: It is no class and no function.
    """
    wanted = "pass the class or a function that makes it, e.g. lambda:"
    if isinstance(factory, Stage):
        kind = type(factory).__name__
        raise GraphError(name, f"got a {kind} object; {wanted} {kind}(...)")
    if not callable(factory):
        raise GraphError(name, f"got {factory!r}; {wanted} Counter(3)")


def declared_kind(factory: object) -> Kind | None:
    """The kind of stage that a class makes, or a partial of one; ``None`` where only a call could tell."""
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
