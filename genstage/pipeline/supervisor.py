"""The supervisor of a run: from the first attempt to the outcome.

::

    preparing → starting → running → finalizing → publishing → (completed)
        ↑           │         │           │            │
        └─────── stopping ←───┴───────────┘        abandoning → (failed, cancelled)
                    └──────────────────────────────────↑

A failure of any stage stops all of them; then either all begin anew, or the run is abandoned. It never
blocks: what may block (getting ready, publishing, cleaning up) is done by a task with a thread of its own.
If it ends before its time, because it is wrong itself or because its runtime closes and has no more patience,
its stages are killed and its work is brought to an end without it (see :class:`genstage.pipeline.work.Work`).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from genstage._core.messages import SetDemand, Stop, SubscribeTo
from genstage._core.reasons import Crash, Normal
from genstage._core.stage import StageCore
from genstage._runtime.calls import Callback
from genstage.errors import GraphError, StageFailure
from genstage.logger import get_logger
from genstage.pipeline.observer import Look, Observer
from genstage.pipeline.work import Outcome
from genstage.supervision import Child, ChildEnded, ChildrenStarted, Group, StageLaunch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage.pipeline.graph import Edge, Graph
    from genstage.pipeline.observer import Figures
    from genstage.pipeline.work import Work
    from genstage.supervision import RestartPlan

__all__ = ["RunState", "RunSupervisor"]

R = TypeVar("R")

RunState = Literal[
    "preparing",
    "starting",
    "running",
    "finalizing",
    "stopping",
    "publishing",
    "abandoning",
    "completed",
    "failed",
    "cancelled",
]


@dataclass(frozen=True, slots=True)
class _TaskDone:
    step: RunState
    reason: Reason


@dataclass(frozen=True, slots=True)
class _Subscribed:
    group: Group
    answer: Any


class _Task:
    """A behaviour that calls a function and ends."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function

    def start(self) -> Reason:
        self._function()
        return Normal()

    def handle(self, message: Any) -> None:
        """Nothing is ever sent to a task."""


class RunSupervisor(Generic[R]):
    """The behaviour of a run's supervisor.

    Args:
        port: The way out.
        name: Name of the pipeline.
        work: What the run does besides moving events; told the outcome.
        plan: When to begin anew.
        shutdown_s: Seconds the stages get to stop.
    """

    def __init__(
        self,
        port: Driver,
        *,
        name: str,
        work: Work[R],
        plan: RestartPlan,
        shutdown_s: float,
    ) -> None:
        self._port = port
        port.begin_run(name)
        self._work = work
        self._plan = plan
        self._shutdown_s = shutdown_s
        self._log = get_logger("genstage.pipeline", **port.log_fields)
        self._graph: Graph | None = None
        self._group: Group | None = None
        self._edges: list[Edge] = []
        self._history: list[StageFailure] = []  # the first failure of each attempt
        self._failures: list[StageFailure] = []  # of this attempt
        self._working: set[str] = set()  # sinks that have not ended
        self._enough = False  # no sink is left, what still runs is being stopped
        self._cancelled = False
        self._outcome: Outcome[R] = Outcome("failed")
        self._observer = Observer(port, work.records)
        self._results: dict[str, object] = {}  # of the sinks that have ended normally
        self.state: RunState = "preparing"
        self.restarts = 0

    # -- the behaviour --------------------------------------------------------------------------------

    def start(self) -> Reason | None:
        """Begin the first attempt."""
        self._prepare()
        return None

    def handle(self, message: Any) -> None:
        """Handle one message to the end."""
        try:
            self._handle(message)
        except Exception as error:  # noqa: BLE001 - a mistake in here must end the run, not hang it
            self._port.stop(Crash(error))

    def orphan(self, reason: Reason) -> None:
        """It has ended before its time; called once its actor and its stages are dead, in any thread."""
        self.state = "failed"
        exception = reason.exception if isinstance(reason, Crash) else None
        self._work.orphan((StageFailure("supervisor", reason, exception), *self._failures))

    def children(self) -> list[LaneActor]:
        """The actors of the stages; can be called from any thread."""
        return [] if self._group is None else list(self._group.actors.values())

    def figures(self) -> Figures:
        """What can be seen of the stages, of those that have ended too; can be called from any thread."""
        return self._observer.figures(self.restarts)

    def explain(self) -> list[str]:
        """What everybody is doing, and who holds up whom; can be called from any thread."""
        return self._observer.explain()

    def results(self) -> Mapping[str, object]:
        """What the sinks that have ended normally have come to; can be called from any thread."""
        return MappingProxyType(dict(self._results))

    def failures(self) -> Mapping[str, StageFailure]:
        """The failures of this attempt, or of the last one, by stage; can be called from any thread."""
        failures = list(self._outcome.failures or self._failures)
        return MappingProxyType({failure.stage: failure for failure in reversed(failures)})

    # -- messages -------------------------------------------------------------------------------------

    def _handle(self, message: Any) -> None:
        if isinstance(message, _TaskDone):
            self._task_done(message)
        elif isinstance(message, Stop):
            self._cancel()
        elif isinstance(message, _Subscribed):
            self._subscribed(message)
        elif isinstance(message, Look):
            self._observer.handle(message)
        elif self._group is not None:
            event = self._group.handle(message)
            if isinstance(event, ChildrenStarted):
                self._children_started()
            elif isinstance(event, ChildEnded):
                self._child_ended(event)

    def _task_done(self, message: _TaskDone) -> None:
        if isinstance(message.reason, Crash):
            self._failures.append(StageFailure(message.step, message.reason, message.reason.exception))
        if message.step == "abandoning" or (message.step == "publishing" and not self._failures):
            self._end()
        elif self._failures or self._cancelled:
            self._give_up_or_restart()
        elif message.step == "preparing":
            self._start_stages()

    def _cancel(self) -> None:
        if self.state == "publishing":
            return  # the decision has been made: it rolls forward
        self._cancelled = True
        if self.state in {"starting", "running", "finalizing"}:
            self._stop_stages()
            self._stages_ended()

    def _children_started(self) -> None:
        assert self._group is not None and self._graph is not None  # noqa: S101, PT018 - they have been started
        behaviours = [(name, actor.behaviour) for name, actor in self._group.actors.items()]
        cores = {name: core for name, core in behaviours if isinstance(core, StageCore)}
        sides = {name: core.producing for name, core in cores.items()}
        try:
            self._graph.check_kinds({name: core.kind for name, core in cores.items()})
            self._graph.check_dispatchers(
                {name: side.dispatcher for name, side in sides.items() if side is not None}
            )
        except GraphError as error:
            self._failures.append(StageFailure(error.node, Crash(error), error))
            self._stop_stages()
            return
        self._set_demand("accumulate")  # the first event waits until everybody has subscribed
        self._subscribe_next()

    def _subscribed(self, message: _Subscribed) -> None:
        if message.group is not self._group or self.state != "starting":
            return
        if isinstance(message.answer, Exception):
            self._failures.append(
                StageFailure(self._edges[-1].consumer, Crash(message.answer), message.answer)
            )
            self._stop_stages()
            self._stages_ended()
            return
        self._edges.pop()
        self._subscribe_next()

    def _child_ended(self, event: ChildEnded) -> None:
        name = event.child.name
        if event.child.actor is not None:
            self._observer.child_ended(name, event.child.actor, event.reason)
        assert self._graph is not None  # noqa: S101 - there are stages
        if self.state == "stopping":
            if isinstance(event.reason, Crash) and self._failures:
                self._add_failure(event)
        elif self._enough and not isinstance(event.reason, Crash):
            pass  # stopped, because nobody takes its events any more
        elif not isinstance(event.reason, Normal) or self.state == "starting":
            self._add_failure(event)
            self._stop_stages()
        else:
            self._normal_end(name)
        self._stages_ended()

    def _normal_end(self, name: str) -> None:
        assert self._graph is not None and self._group is not None  # noqa: S101, PT018 - there are stages
        if name in self._graph.sources():
            self.state = "finalizing"
        if name in self._working:
            self._working.discard(name)
            self._results[name] = self._group.actors[name].driver.result
        if not self._working:  # a consumer may have had enough before its producers have finished
            self._enough = True
            self._group.stop()

    def _stages_ended(self) -> None:
        """Go on when no stage is left."""
        if self._group is None or not self._group.ended:
            return
        self._observer.stages_ended()
        if self.state == "stopping":
            self._give_up_or_restart()
        else:
            self._publish()

    # -- steps ----------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self.state = "preparing"
        self._group = None
        self._results = {}

        def prepare() -> None:
            self._graph = self._work.attempt(self.restarts)

        self._spawn_task("preparing", prepare)

    def _start_stages(self) -> None:
        assert self._graph is not None  # noqa: S101 - it has been prepared
        self.state = "starting"
        nodes = self._graph.consumers_first()
        children = [
            Child(
                node.name,
                StageLaunch(node.factory, node.name, own_lane=node.blocking),
                shutdown_s=self._shutdown_s,
            )
            for node in nodes
        ]
        self._edges = list(reversed(self._graph.edges))
        self._working = set(self._graph.sinks())
        self._enough = False
        group = self._group = Group(self._port, children)
        group.start()
        self._observer.begin(lambda: group.actors, self._graph.sinks())

    def _subscribe_next(self) -> None:
        group = self._group
        assert group is not None and self._graph is not None  # noqa: S101, PT018 - they have been started
        if self.state != "starting":
            return
        if not self._edges:
            self.state = "running"
            self._set_demand("forward")
            return
        edge = self._edges[-1]
        supervisor = self._port.me
        answer = Callback(lambda value: supervisor.tell(_Subscribed(group, value)))
        actors = group.actors
        target = actors[edge.producer]
        self._port.send(actors[edge.consumer], SubscribeTo(target, edge.options, answer))

    def _add_failure(self, event: ChildEnded) -> None:
        exception = event.reason.exception if isinstance(event.reason, Crash) else None
        if exception is None or all(exception is not failure.exception for failure in self._failures):
            self._failures.append(StageFailure(event.child.name, event.reason, exception))

    def _stop_stages(self) -> None:
        self.state = "stopping"
        assert self._group is not None  # noqa: S101 - there are stages
        self._group.stop()

    def _give_up_or_restart(self) -> None:
        if self._failures:
            self._history.append(self._failures[0])
        if not self._cancelled and self._failures and self._may_restart():
            self._failures.clear()
            self.restarts += 1
            self._log.warning(
                "all stages begin anew", restarts=self.restarts, reason=str(self._history[-1].reason)
            )
            self._prepare()
            return
        if self._cancelled and not self._failures:
            self._outcome = Outcome("cancelled")
        else:
            earlier = self._history[:-1] if self._failures else self._history
            self._outcome = Outcome("failed", None, (*self._failures, *reversed(earlier)))
        failures = self._outcome.failures
        self._failures = []
        self.state = "abandoning"
        self._spawn_task("abandoning", lambda: self._work.abandon(failures))

    def _may_restart(self) -> bool:
        return self.state == "stopping" and self._plan.restarts(self._history)

    def _set_demand(self, mode: Literal["forward", "accumulate"]) -> None:
        assert self._group is not None and self._graph is not None  # noqa: S101, PT018 - they have been started
        for name in self._graph.sources():
            self._port.send(self._group.actors[name], SetDemand(mode))

    def _publish(self) -> None:
        self.state = "publishing"
        results = self.results()

        def publish() -> None:
            self._outcome = Outcome("completed", self._work.complete(self.restarts, results))

        self._spawn_task("publishing", publish)

    def _end(self) -> None:
        outcome = self._outcome
        if self._failures:  # of the cleaning up
            outcome = Outcome("failed", None, (*outcome.failures, *self._failures))
        self.state = outcome.state
        self._work.end(outcome)
        self._port.stop(Normal())

    def _spawn_task(self, step: RunState, function: Callable[[], None]) -> None:
        supervisor = self._port.me
        task = self._port.spawn(
            lambda _: _Task(function),
            name=step,
            own_lane=True,
            outlives=True,
            on_started=lambda reason: supervisor.tell(_TaskDone(step, reason or Normal())),
        )
        self._observer.task_began(task)
