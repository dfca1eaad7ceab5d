"""The stages of one attempt: started, subscribed to each other, let go, paused, drained, stopped together.

::

    starting → running ⇄ paused
       │          ├─────────┴──→ draining
       │          ↓                 │
       │      finalizing            │
       └→ stopping ←┴───────────────┘

Sources accumulate demand until everybody has subscribed, or the first event would go to whoever is there;
so they do in a pause. A failure stops all stages. A stage whose consumers have all ended is stopped too: it
would ask for nothing, and hold up those with which it shares a producer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from genstage._core.messages import Drain, SetDemand, SubscribeTo
from genstage._core.reasons import Crash, Normal
from genstage._core.stage import StageCore
from genstage._runtime.calls import Callback
from genstage.errors import GraphError, StageFailure
from genstage.supervision import Child, ChildEnded, ChildrenStarted, Group

if TYPE_CHECKING:
    from genstage._core.reasons import Reason
    from genstage._runtime.driver import Driver
    from genstage.pipeline.graph import Graph
    from genstage.pipeline.observer import Observer

__all__ = ["Attempt", "AttemptState"]

AttemptState = Literal["starting", "running", "paused", "draining", "finalizing", "stopping"]


@dataclass(frozen=True, slots=True)
class _Subscribed:
    attempt: Attempt
    answer: Any

    def __repr__(self) -> str:
        return f"Subscribed({self.answer!r})"


class Attempt:
    """The stages of one attempt; belongs to the supervisor of the run, whose messages it is handed.

    Args:
        port: The supervisor's port.
        graph: The stages.
        observer: Told of their ends.
        failures: Where failures are put.
        shutdown_s: Seconds the stages get to stop.
        paused: Whether they begin in a pause.
        draining: Whether they are drained as soon as they have begun.

    Attributes:
        group: The stages as children.
        results: What the sinks that have ended normally have come to, by name.
        cut_off: Whether a source was drained before its data had ended.
    """

    def __init__(
        self,
        port: Driver,
        graph: Graph,
        observer: Observer,
        *,
        failures: list[StageFailure],
        shutdown_s: float,
        paused: bool,
        draining: bool,
    ) -> None:
        self._port = port
        self._graph = graph
        self._observer = observer
        self._failures = failures
        self._paused = paused
        self._draining = draining
        self._edges = list(reversed(graph.edges))  # those to come
        self._sources = set(graph.sources())  # those that have not ended
        self._sinks = set(graph.sinks())  # likewise
        self._connected = False
        self._finalizing = False
        self._ended: set[str] = set()
        self._unwanted: set[str] = set()  # those that are being stopped because nobody takes their events
        self._stopping = False
        self.results: dict[str, object] = {}
        self.cut_off = False
        self.group = Group(
            port,
            [Child(node.name, node.launch(), shutdown_s=shutdown_s) for node in graph.consumers_first()],
        )

    @property
    def state(self) -> AttemptState:
        """What the stages are doing; can be called from any thread."""
        if self._stopping:
            return "stopping"
        if not self._connected:
            return "starting"
        if self._draining:
            return "draining"
        if self._paused and self._sources:
            return "paused"
        return "finalizing" if self._finalizing else "running"

    @property
    def ended(self) -> bool:
        """Whether no stage is alive or yet to start."""
        return self.group.ended

    @property
    def stopped(self) -> bool:
        """Whether they were stopped before their work was done."""
        return self._stopping

    # -- what the supervisor does ---------------------------------------------------------------------

    def start(self) -> None:
        """Start the stages; the rest follows as messages come in."""
        self.group.start()
        self._observer.begin(lambda: self.group.actors, self._graph.sinks())

    def pause(self) -> None:
        """Let the sources accumulate demand."""
        self._paused = True
        if self._connected and not self._draining:
            self._set_demand("accumulate")

    def resume(self) -> None:
        """Let the sources go on, with the demand that has accumulated first."""
        self._paused = False
        if self._connected and not self._draining:
            self._set_demand("forward")

    def drain(self) -> None:
        """Let the sources end, and everything that is on its way reach the sinks; this ends a pause."""
        self._draining = True
        if self._connected:
            self._to_sources(Drain())

    def stop(self, reason: Reason | None = None) -> None:
        """Stop the stages before their work is done; the first reason counts."""
        self._stopping = True
        self.group.stop(reason)

    def handle(self, message: Any) -> None:
        """Handle a message of the supervisor, if it is about these stages."""
        if isinstance(message, _Subscribed):
            self._subscribed(message)
            return
        event = self.group.handle(message)
        if isinstance(event, ChildrenStarted):
            self._children_started()
        elif isinstance(event, ChildEnded):
            self._child_ended(event)

    # -- the beginning --------------------------------------------------------------------------------

    def _children_started(self) -> None:
        behaviours = [(name, actor.behaviour) for name, actor in self.group.actors.items()]
        cores = {name: core for name, core in behaviours if isinstance(core, StageCore)}
        sides = {name: core.producing for name, core in cores.items()}
        try:
            self._graph.check_kinds({name: core.kind for name, core in cores.items()})
            self._graph.check_dispatchers(
                {name: side.dispatcher for name, side in sides.items() if side is not None}
            )
        except GraphError as error:
            self._fail(StageFailure(error.node, Crash(error), error))
            return
        self._set_demand("accumulate")
        self._subscribe_next()

    def _subscribe_next(self) -> None:
        if not self._edges:
            self._connect()
            return
        edge = self._edges[-1]
        supervisor = self._port.me
        answer = Callback(lambda value: supervisor.tell(_Subscribed(self, value)))
        actors = self.group.actors
        self._port.send(actors[edge.consumer], SubscribeTo(actors[edge.producer], edge.options, answer))

    def _subscribed(self, message: _Subscribed) -> None:
        if message.attempt is not self or self._stopping:
            return
        edge = self._edges.pop()
        if isinstance(message.answer, Exception):
            self._fail(StageFailure(edge.consumer, Crash(message.answer), message.answer))
        else:
            self._subscribe_next()

    def _connect(self) -> None:
        self._connected = True
        if self._draining:
            self._to_sources(Drain())
        elif not self._paused:
            self._set_demand("forward")

    def _set_demand(self, mode: Literal["forward", "accumulate"]) -> None:
        self._to_sources(SetDemand(mode))

    def _to_sources(self, message: Any) -> None:
        actors = self.group.actors
        for name in self._graph.sources():
            self._port.send(actors[name], message)

    # -- the end --------------------------------------------------------------------------------------

    def _child_ended(self, event: ChildEnded) -> None:
        name, actor = event.child.name, event.child.actor
        if actor is not None:
            self._observer.child_ended(name, actor, event.reason)
        crashed = isinstance(event.reason, Crash)
        if self._stopping:
            if crashed and self._failures:
                self._add_failure(event)
        elif name in self._unwanted and not crashed:
            self._gone(name)
        elif not isinstance(event.reason, Normal) or not self._connected:
            self._add_failure(event)
            self.stop()
        else:
            self._normal_end(event)

    def _normal_end(self, event: ChildEnded) -> None:
        name, actor = event.child.name, event.child.actor
        assert actor is not None  # noqa: S101 - it has run
        if name in self._sources:
            self._finalizing = True
            core = actor.behaviour
            self.cut_off = self.cut_off or (isinstance(core, StageCore) and core.drained)
        if name in self._sinks:
            self._sinks.discard(name)
            self.results[name] = actor.driver.result
        self._gone(name)

    def _gone(self, name: str) -> None:
        """A stage has ended in order: what only it has taken events from is not wanted any more."""
        self._sources.discard(name)
        self._ended.add(name)
        edges = self._graph.edges
        for producer in [edge.producer for edge in edges if edge.consumer == name]:
            wanted = any(edge.producer == producer and edge.consumer not in self._ended for edge in edges)
            if not wanted and producer not in self._ended | self._unwanted:
                self._unwanted.add(producer)
                self.group.stop_child(producer)

    def _fail(self, failure: StageFailure) -> None:
        self._failures.append(failure)
        self.stop()

    def _add_failure(self, event: ChildEnded) -> None:
        exception = event.reason.exception if isinstance(event.reason, Crash) else None
        if exception is None or all(exception is not failure.exception for failure in self._failures):
            self._failures.append(StageFailure(event.child.name, event.reason, exception))
