"""Three homes for the same stages: the runtime, a thread for each stage, and the core alone.

Each takes a graph, runs it to the end of its data, and returns then. On ``lanes`` stages run as users run
them: a pipeline under its supervisor, with all its watches. The other two are anchors. They carry the same
cores on ports that watch nobody: their data ends, and so do they.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pykka

from genstage import Normal, Pipeline
from genstage._core.messages import SetDemand, SubscribeTo
from genstage._runtime.calls import Answer
from genstage.stage import make_core

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage import Graph, Node
    from genstage._core.reasons import Reason
    from genstage._core.stage import StageCore

__all__ = ["core_alone", "lanes", "threads"]

_PATIENCE_S = 600.0


def lanes(graph: Graph) -> None:
    """Run the stages on the runtime, in a pipeline of their own."""
    with Pipeline.of("benchmark", graph).run() as run:
        run.wait(_PATIENCE_S)


def threads(graph: Graph) -> None:
    """Run each stage as a ``pykka.ThreadingActor``."""
    actors = {node.name: _ThreadingStage.start(node) for node in graph.consumers_first()}
    for name in graph.sources():
        actors[name].tell(SetDemand("accumulate"))
    for edge in graph.edges:
        answer = Answer()
        actors[edge.consumer].tell(SubscribeTo(actors[edge.producer], edge.options, answer))
        answer.get(edge.consumer, _PATIENCE_S)
    for name in graph.sources():
        actors[name].tell(SetDemand("forward"))
    for name, actor in actors.items():
        if not actor.actor_stopped.wait(_PATIENCE_S):
            raise RuntimeError(f"{name} does not end")


def core_alone(graph: Graph) -> None:
    """Handle the messages of all stages in a loop, in the order they were sent."""
    queue: deque[tuple[str, Any]] = deque()
    cores: dict[str, StageCore] = {}

    def handle_all() -> None:
        while queue:
            to, message = queue.popleft()
            core = cores.get(to)
            if core is not None:
                core.handle(message)

    for node in graph.nodes:
        cores[node.name] = _started(node, _QueuePort(node.name, queue, partial(cores.__delitem__, node.name)))
    for name in graph.sources():
        queue.append((name, SetDemand("accumulate")))
    for edge in graph.edges:
        queue.append((edge.consumer, SubscribeTo(edge.producer, edge.options)))
    handle_all()
    for name in graph.sources():
        queue.append((name, SetDemand("forward")))
    handle_all()
    if cores:
        raise RuntimeError(f"{', '.join(cores)} does not end")


def _started(node: Node, port: _Port) -> StageCore:
    core = make_core(node.factory, node.name)(port)  # type: ignore[arg-type] # a port for less than all of a stage
    reason = core.start()
    if reason is not None:
        raise RuntimeError(f"{node.name} does not start: {reason}")
    return core


_numbers = count(1)


class _Port:
    """What a core needs while nobody dies before the end of the data."""

    def __init__(self, me: Any, end: Callable[[], None]) -> None:
        self.me = me
        self._end = end

    def watch(self, peer: Any) -> int:  # noqa: ARG002 - nobody dies before the end
        return next(_numbers)

    def unwatch(self, watch: int) -> None:
        """There is nothing to take back."""

    def reply(self, to: Answer | None, value: Any) -> None:
        if to is not None:
            to.deliver(value)

    def resolve(self, target: Any) -> Any:
        return target

    def new_tag(self) -> int:
        return next(_numbers)

    def report(self, event: str, **fields: Any) -> None:
        raise RuntimeError(f"unexpected: {event} {fields}")

    def stop(self, reason: Reason) -> None:
        self._end()
        if reason != Normal():
            raise RuntimeError(f"a stage ended: {reason!r}")


class _QueuePort(_Port):
    def __init__(self, me: str, queue: deque[tuple[str, Any]], end: Callable[[], None]) -> None:
        super().__init__(me, end)
        self._queue = queue

    def send(self, to: str, message: Any) -> None:
        self._queue.append((to, message))


class _ThreadPort(_Port):
    def send(self, to: pykka.ActorRef[Any], message: Any) -> None:
        try:
            to.tell(message)
        except pykka.ActorDeadError:
            return  # as everywhere: a send to the dead is lost


class _ThreadingStage(pykka.ThreadingActor):
    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node

    def on_start(self) -> None:
        self._handle = _started(self._node, _ThreadPort(self.actor_ref, self.stop)).handle

    def on_receive(self, message: Any) -> None:
        self._handle(message)
