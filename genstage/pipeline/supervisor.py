"""The supervisor of a run: from the first attempt to the outcome.

::

    preparing → (stages) → publishing → (completed)
        ↑          │  │        │
        └──────────┘  └────────┴──→ abandoning → (failed, cancelled)

What the stages do in between is told by :class:`~genstage.pipeline.attempt.Attempt`. A failure of any stage
stops all of them; then either all begin anew, or the run is abandoned. A run that is being drained does not
begin anew: what was on its way is lost, and could not reach the sinks. It never blocks: what may block
(getting ready, publishing, cleaning up) is done by a task with a thread of its own. If it ends before its
time, because it is wrong itself or because its runtime closes and has no more patience, its stages are killed
and its work is brought to an end without it (see :class:`genstage.pipeline.work.Work`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from genstage._core.messages import Stop
from genstage._core.reasons import Crash, Normal, Shutdown, exception_of
from genstage.errors import StageFailure
from genstage.logger import get_logger
from genstage.pipeline.attempt import Attempt, AttemptState
from genstage.pipeline.observer import Look, Observer
from genstage.pipeline.work import OrphanedError, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage.pipeline.graph import Graph
    from genstage.pipeline.observer import Figures
    from genstage.pipeline.work import Work
    from genstage.supervision import RestartPlan

__all__ = ["DrainRun", "Pause", "Resume", "RunState", "RunSupervisor"]

R = TypeVar("R")

_Own = Literal["preparing", "publishing", "abandoning", "completed", "failed", "cancelled"]

RunState = Literal[_Own, AttemptState]


@dataclass(frozen=True, slots=True)
class Pause:
    """To the supervisor: let the sources rest; ``reply`` is told when they have been told."""

    reply: Any = None


@dataclass(frozen=True, slots=True)
class Resume:
    """To the supervisor: let the sources go on; ``reply`` as above."""

    reply: Any = None


@dataclass(frozen=True, slots=True)
class DrainRun:
    """To the supervisor: let the sources end, and what is on its way reach the sinks."""


@dataclass(frozen=True, slots=True)
class _TaskDone:
    step: RunState
    reason: Reason


class _Task:
    """A behaviour that calls a function and ends."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function

    def start(self) -> Reason:
        with suppress(OrphanedError):  # nobody is left to be told
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
        self._name = name
        self._work = work
        self._plan = plan
        self._shutdown_s = shutdown_s
        self._log = get_logger("genstage.pipeline", **port.log_fields)
        self._step: Literal[_Own, "stages"] = "preparing"
        self._graph: Graph | None = None
        self._attempt: Attempt | None = None
        self._history: list[StageFailure] = []  # the first failure of each attempt
        self._failures: list[StageFailure] = []  # of this attempt
        self._paused = False
        self._draining = False
        self._drain_began_s = 0.0
        self._cancelled: Reason | None = None  # why
        self._outcome: Outcome[R] = Outcome("failed")
        self._observer = Observer(port, work.records)
        self.restarts = 0

    # -- the behaviour --------------------------------------------------------------------------------

    def start(self) -> Reason | None:
        """Begin the first attempt."""
        self._port.emit("pipeline.start", {})
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
        if self._step == "stages":
            self._step = "abandoning"
        exception = reason.exception if isinstance(reason, Crash) else None
        self._work.orphan((StageFailure("supervisor", reason, exception), *self._failures))

    def settle(self, outcome: Outcome[R], duration_s: float) -> None:
        """The run has ended, with this outcome; called once, in any thread."""
        self._outcome = outcome
        self._step = outcome.state
        self._emit_end(outcome, duration_s)

    # -- what can be seen, from any thread ------------------------------------------------------------

    @property
    def state(self) -> RunState:
        """What the run is doing."""
        step, attempt = self._step, self._attempt
        if step != "stages":
            return step
        return "starting" if attempt is None else attempt.state

    def children(self) -> list[LaneActor]:
        """The actors of the stages."""
        attempt = self._attempt
        return [] if attempt is None else list(attempt.group.actors.values())

    def figures(self) -> Figures:
        """What can be seen of the stages, of those that have ended too."""
        return self._observer.figures(self.restarts)

    def explain(self) -> list[str]:
        """What everybody is doing, and who holds up whom."""
        return self._observer.explain()

    def results(self) -> Mapping[str, object]:
        """What the sinks that have ended normally have come to."""
        attempt = self._attempt
        return MappingProxyType({} if attempt is None else dict(attempt.results))

    def failures(self) -> Mapping[str, StageFailure]:
        """The failures of this attempt, or of all once the run has failed, by stage; the latest of each."""
        failures = list(self._outcome.failures or self._failures)
        return MappingProxyType({failure.stage: failure for failure in reversed(failures)})

    # -- messages -------------------------------------------------------------------------------------

    def _handle(self, message: Any) -> None:
        if isinstance(message, _TaskDone):
            self._task_done(message)
        elif isinstance(message, Stop):
            self._cancel(message.reason)
        elif isinstance(message, Pause):
            self._pause()
            self._port.reply(message.reply, None)
        elif isinstance(message, Resume):
            self._resume()
            self._port.reply(message.reply, None)
        elif isinstance(message, DrainRun):
            self._drain()
        elif isinstance(message, Look):
            self._observer.handle(message)
        elif self._attempt is not None:
            self._attempt.handle(message)
        if self._step == "stages" and self._attempt is not None and self._attempt.ended:
            self._stages_ended(self._attempt)

    def _task_done(self, message: _TaskDone) -> None:
        if not isinstance(message.reason, Normal):  # it has raised, or was killed
            self._failures.append(StageFailure(message.step, message.reason, exception_of(message.reason)))
        if message.step == "abandoning" or (message.step == "publishing" and not self._failures):
            self._end()
        elif self._failures or self._cancelled is not None:
            self._give_up_or_restart()
        elif message.step == "preparing":
            self._start_stages()

    def _cancel(self, reason: Reason) -> None:
        if self._step == "publishing":
            return  # the decision has been made: it rolls forward
        self._cancelled = self._cancelled or reason
        if self._step == "stages" and self._attempt is not None:
            self._attempt.stop(self._cancelled)

    def _pause(self) -> None:
        self._paused = True
        if self._step == "stages" and self._attempt is not None:
            self._attempt.pause()

    def _resume(self) -> None:
        self._paused = False
        if self._step == "stages" and self._attempt is not None:
            self._attempt.resume()

    def _drain(self) -> None:
        if not self._draining and self._step in {"preparing", "stages"}:
            self._draining = True
            self._drain_began_s = self._port.now_s
            if self._attempt is not None:
                self._attempt.drain()

    def _stages_ended(self, attempt: Attempt) -> None:
        self._observer.stages_ended()
        if attempt.stopped:
            self._give_up_or_restart()
        elif attempt.cut_off and not self._work.whole_when_drained:
            self._cancelled = Shutdown("drained")
            self._give_up_or_restart()
        else:
            self._publish()

    # -- steps ----------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._step = "preparing"
        self._attempt = None

        def prepare() -> None:
            self._graph = self._work.attempt(self.restarts)

        self._spawn_task("preparing", prepare)

    def _start_stages(self) -> None:
        assert self._graph is not None  # noqa: S101 - it has been prepared
        self._attempt = Attempt(
            self._port,
            self._graph,
            self._observer,
            failures=self._failures,
            shutdown_s=self._shutdown_s,
            paused=self._paused,
            draining=self._draining,
        )
        self._step = "stages"
        self._attempt.start()

    def _give_up_or_restart(self) -> None:
        if self._failures:
            self._history.append(self._failures[0])
        if self._failures and self._may_restart():
            self._restart()
            return
        if self._cancelled is not None and not self._failures:
            self._outcome = Outcome("cancelled")
        else:
            earlier = self._history[:-1] if self._failures else self._history
            failures = (*self._failures, *reversed(earlier))
            self._outcome = Outcome("failed", None, failures, len(self._failures) or 1)
        failures = self._outcome.failures
        self._failures = []
        self._step = "abandoning"
        self._spawn_task("abandoning", lambda: self._work.abandon(failures))

    def _may_restart(self) -> bool:
        wanted = self._cancelled is None and not self._draining
        return wanted and self._step == "stages" and self._plan.restarts(self._history)

    def _restart(self) -> None:
        reason = self._history[-1].reason
        self._failures = []
        self.restarts += 1
        self._log.warning("all stages begin anew", restarts=self.restarts, reason=str(reason))
        self._port.emit("pipeline.restart", {"restarts": self.restarts}, reason=reason)
        self._prepare()

    def _publish(self) -> None:
        self._step = "publishing"
        results = self.results()
        self._spawn_task("publishing", lambda: self._work.complete(self.restarts, results))

    def _end(self) -> None:
        outcome = self._work.completed or self._outcome  # what has been published stays
        if self._failures and outcome.state != "completed":  # of the cleaning up
            failures = (*outcome.failures, *self._failures)
            outcome = Outcome("failed", None, failures, outcome.together)
        self._work.end(outcome)
        self._port.stop(self._exit_reason(outcome))

    def _exit_reason(self, outcome: Outcome[R]) -> Reason:
        if outcome.state == "cancelled":
            return self._cancelled or Shutdown()
        error = outcome.error(self._name)
        return Normal() if error is None else Crash(error)

    def _emit_end(self, outcome: Outcome[R], duration_s: float) -> None:
        emit = self._port.emit
        if outcome.failures:
            emit("pipeline.exception", {}, stage=outcome.failures[0].stage, reason=outcome.failures[0].reason)
        if self._draining:
            emit(
                "pipeline.drain",
                {"duration_s": self._port.now_s - self._drain_began_s},
                outcome=outcome.state,
            )
        measurements = {"duration_s": duration_s, "records": self._work.records()}
        emit("pipeline.stop", measurements, state=outcome.state)

    def _spawn_task(self, step: RunState, function: Callable[[], object]) -> None:
        supervisor = self._port.me
        task = self._port.spawn(
            lambda _: _Task(function),
            name=step,
            own_lane=True,
            outlives=True,
            on_started=lambda reason: supervisor.tell(_TaskDone(step, reason or Normal())),
        )
        self._observer.task_began(task)
