"""The supervisor of a run: from the first attempt to the outcome.

::

    preparing → starting → running → publishing → (completed)
        ↑          │          │           │
        └── stopping ←────────┘       abandoning → (failed, cancelled)

A failure of any stage stops all of them; then either all begin anew, or the run is abandoned. It never
blocks: what may block (getting ready, publishing, cleaning up) is done by a task with a thread of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from genstage._core.messages import SetDemand, Stop, SubscribeTo
from genstage._core.reasons import Crash, Normal
from genstage._runtime.calls import Callback
from genstage.errors import StageFailure
from genstage.logger import get_logger
from genstage.pipeline.statistics import stage_statistics
from genstage.stage import make_core
from genstage.supervision import ChildEnded, ChildrenStarted, ChildSpec, Group

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._core.reasons import Reason
    from genstage._runtime.driver import Driver
    from genstage.pipeline.graph import Edge, Graph
    from genstage.pipeline.job import Job
    from genstage.pipeline.statistics import StageStatistics
    from genstage.supervision import RestartPlan

__all__ = ["Outcome", "RunState", "RunSupervisor"]

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
class Outcome(Generic[R]):
    """How a run ended.

    Attributes:
        state: ``"completed"``, ``"failed"`` or ``"cancelled"``.
        value: The result of a completed run.
        failures: The first failure of each attempt; of the last one, all.
    """

    state: Literal["completed", "failed", "cancelled"]
    value: R | None
    failures: tuple[StageFailure, ...]


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
        job: The run's work.
        plan: When to begin anew.
        shutdown_s: Seconds the stages get to stop.
        ended: Told the outcome, once.
    """

    def __init__(
        self,
        port: Driver,
        *,
        name: str,
        job: Job[R],
        plan: RestartPlan,
        shutdown_s: float,
        ended: Callable[[Outcome[R]], None],
    ) -> None:
        self._port = port
        self._job = job
        self._plan = plan
        self._shutdown_s = shutdown_s
        self._ended = ended
        self._log = get_logger("genstage.pipeline", pipeline=name)
        self._graph: Graph | None = None
        self._group: Group | None = None
        self._edges: list[Edge] = []
        self._history: list[StageFailure] = []  # the first failure of each attempt
        self._failures: list[StageFailure] = []  # of this attempt
        self._cancelled = False
        self._value: R | None = None
        self._final: dict[str, StageStatistics] = {}
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
            failure = StageFailure("supervisor", Crash(error), error)
            self._ended(Outcome("failed", None, (*self._history, failure)))
            self._port.stop(Crash(error))

    def statistics(self) -> dict[str, StageStatistics]:
        """The stages' figures, of those that have ended too; can be called from any thread."""
        group = self._group
        living = {} if group is None else dict(group.children)
        return {name: stage_statistics(child, self.restarts) for name, child in living.items()} | self._final

    # -- messages -------------------------------------------------------------------------------------

    def _handle(self, message: Any) -> None:
        if isinstance(message, _TaskDone):
            self._task_done(message)
        elif isinstance(message, Stop):
            self._cancel()
        elif isinstance(message, _Subscribed):
            self._subscribed(message)
        elif self._group is not None:
            event = self._group.handle(message)
            if isinstance(event, ChildrenStarted):
                self._set_demand("accumulate")  # the first event waits until everybody has subscribed
                self._subscribe_next()
            elif isinstance(event, ChildEnded):
                self._child_ended(event)

    def _task_done(self, message: _TaskDone) -> None:
        if isinstance(message.reason, Crash):
            self._failures.append(StageFailure(message.step, message.reason, message.reason.exception))
        if message.step == "abandoning":
            self._end("cancelled" if self._cancelled and not self._history else "failed")
        elif message.step == "publishing" and not self._failures:
            self._end("completed")
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
        self._final[event.id] = stage_statistics(event.child, self.restarts)
        assert self._graph is not None  # noqa: S101 - there are stages
        if self.state == "stopping":
            if isinstance(event.reason, Crash) and self._failures:
                self._add_failure(event)
        elif not isinstance(event.reason, Normal) or self.state == "starting":
            self._add_failure(event)
            self._stop_stages()
        elif event.id in self._graph.sources():
            self.state = "finalizing"
        self._stages_ended()

    def _stages_ended(self) -> None:
        """Go on when no stage is left."""
        if self._group is None or not self._group.ended:
            return
        if self.state == "stopping":
            self._give_up_or_restart()
        else:
            self._publish()

    # -- steps ----------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self.state = "preparing"
        self._group = None
        self._final = {}

        def prepare() -> None:
            self._graph = self._job.attempt(self.restarts)

        self._spawn_task("preparing", prepare)

    def _start_stages(self) -> None:
        assert self._graph is not None  # noqa: S101 - it has been prepared
        self.state = "starting"
        nodes = self._graph.consumers_first()
        specs = [ChildSpec(node.name, make_core(node.factory, node.name), node.blocking) for node in nodes]
        # Consumers subscribe before the stage they subscribe to does, so that nobody misses the beginning.
        rank = {node.name: place for place, node in enumerate(nodes)}
        self._edges = sorted(self._graph.edges, key=lambda edge: -rank[edge.producer])
        self._group = Group(self._port, specs, shutdown_s=self._shutdown_s)
        self._group.start()

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
        target = group.children[edge.producer]
        self._port.send(group.children[edge.consumer], SubscribeTo(target, edge.options, answer))

    def _add_failure(self, event: ChildEnded) -> None:
        exception = event.reason.exception if isinstance(event.reason, Crash) else None
        if exception is None or all(exception is not failure.exception for failure in self._failures):
            self._failures.append(StageFailure(event.id, event.reason, exception))

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
        failures = self._all_failures()
        self.state = "abandoning"
        self._spawn_task("abandoning", lambda: self._job.abandon(failures))

    def _may_restart(self) -> bool:
        return self.state == "stopping" and self._plan.restarts(self._history)

    def _set_demand(self, mode: Literal["forward", "accumulate"]) -> None:
        assert self._group is not None and self._graph is not None  # noqa: S101, PT018 - they have been started
        for name in self._graph.sources():
            self._port.send(self._group.children[name], SetDemand(mode))

    def _publish(self) -> None:
        self.state = "publishing"

        def publish() -> None:
            self._value = self._job.complete(self.restarts)

        self._spawn_task("publishing", publish)

    def _end(self, state: Literal["completed", "failed", "cancelled"]) -> None:
        self.state = state
        self._ended(Outcome(state, self._value if state == "completed" else None, self._all_failures()))
        self._port.stop(Normal())

    def _all_failures(self) -> tuple[StageFailure, ...]:
        # The last attempt's failures come first: they are why the run has ended.
        return (*self._failures, *(one for one in reversed(self._history) if one not in self._failures))

    def _spawn_task(self, step: RunState, function: Callable[[], None]) -> None:
        supervisor = self._port.me
        self._port.spawn(
            lambda _: _Task(function),
            name=step,
            own_lane=True,
            on_started=lambda reason: supervisor.tell(_TaskDone(step, reason or Normal())),
        )
