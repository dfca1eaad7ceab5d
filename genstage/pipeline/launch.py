"""A pipeline that is run, over all its incarnations: a supervisor may start it again when it has failed."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

from genstage._core.reasons import Killed
from genstage._runtime.calls import Callback
from genstage._runtime.latch import Latch
from genstage.errors import StageFailure, StartError
from genstage.pipeline.run import Run
from genstage.pipeline.supervisor import RunSupervisor
from genstage.pipeline.work import Outcome, Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage._runtime.engine import Engine
    from genstage.client import Runtime
    from genstage.pipeline.job import Job
    from genstage.supervision import RestartPlan

__all__ = ["Incarnation", "RunLaunch", "start_run"]

R = TypeVar("R")


class Incarnation(Generic[R]):
    """One start of a pipeline, to its outcome.

    Args:
        port: The port of its supervisor.
        launch: What it is an incarnation of; told when it has ended.
        job: Its work, if it has begun already.

    Attributes:
        actor: The supervisor's actor.
        work: Its work.
        supervisor: The supervisor's behaviour.
        begun_s: When it began, by the port's clock.
        took_s: How long it took; ``None`` while it has not ended.
        outcome: How it ended; ``None`` while it has not.
        ended: Set when it has ended, and the launch has been told.
    """

    def __init__(self, port: Driver, launch: RunLaunch[R], job: Job[R] | None) -> None:
        self._port = port
        self._launch = launch
        self.actor = port.me
        self.begun_s = port.now_s
        self.took_s: float | None = None
        self.outcome: Outcome[R] | None = None
        self.ended = Latch()
        self.work = Work(launch.open_job, self._settle, job)
        self.supervisor = RunSupervisor(
            port, name=launch.name, work=self.work, plan=launch.plan, shutdown_s=launch.shutdown_s
        )
        self.actor.await_end(Callback(self._supervisor_ended))

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began, or that it took."""
        took_s = self.took_s
        return self._port.now_s - self.begun_s if took_s is None else took_s

    def _supervisor_ended(self, reason: Reason) -> None:
        if self.outcome is None:
            self.supervisor.orphan(reason)

    def _settle(self, outcome: Outcome[R]) -> None:
        self.took_s = self.elapsed_s
        self.supervisor.settle(outcome, self.took_s)
        self.outcome = outcome
        self._launch.incarnation_ended()
        self.ended.set()


class RunLaunch(Generic[R]):
    """A pipeline to be run; satisfies :class:`~genstage._runtime.launch.Launch`.

    It is *over* when no incarnation will follow: of a run without a supervisor above it, that is so from the
    start; otherwise the supervisor tells, or its own end does.

    Args:
        name: The pipeline's name.
        open_job: Begins the work of an incarnation.
        plan: When its stages begin anew.
        shutdown_s: Seconds its stages get to stop.
        job: The work of the first incarnation, if it has begun already.

    Attributes:
        present: The present incarnation, or the last one; ``None`` before the first.
        outcome: The last outcome, once no other can follow.
        settled: Set when that is there.
    """

    own_lane = False
    control = True

    def __init__(
        self,
        name: str,
        open_job: Callable[[], Job[R]],
        *,
        plan: RestartPlan,
        shutdown_s: float,
        job: Job[R] | None = None,
    ) -> None:
        self.name = name
        self.open_job = open_job
        self.plan = plan
        self.shutdown_s = shutdown_s
        self.present: Incarnation[R] | None = None
        self.outcome: Outcome[R] | None = None
        self.settled = Latch()
        self._lock = threading.Lock()  # guards the decision that all is over
        self._job = job
        self._parent: LaneActor | None = None
        self._parent_ended = Callback(lambda _: self.over())
        self._over = False

    def make(self, port: Driver) -> RunSupervisor[R]:
        """The supervisor of a new incarnation."""
        parent = port.me.parent
        if parent is None:
            self._over = True
        elif parent is not self._parent:
            self._parent = parent
            parent.await_end(self._parent_ended)
        self.present = Incarnation(port, self, self._take_job())
        return self.present.supervisor

    def handle(self, actor: LaneActor) -> Run[R]:
        """The run, as its user holds it."""
        return Run(self, actor.engine)

    def over(self) -> None:
        """No further incarnation will follow."""
        self._over = True
        if self._parent is not None:
            self._parent.forget_request(self._parent_ended)
        self._settle()

    def incarnation_ended(self) -> None:
        """There is an outcome."""
        self._settle()

    def abandon(self, reason: Reason) -> None:
        """There is not even an incarnation: give up the work that had begun."""
        job = self._take_job()
        if job is not None:
            job.abandon((StageFailure("supervisor", reason),))

    def _take_job(self) -> Job[R] | None:
        with self._lock:
            job, self._job = self._job, None
        return job

    def _settle(self) -> None:
        with self._lock:
            present = self.present
            outcome: Outcome[R] | None = Outcome("cancelled") if present is None else present.outcome
            settles = self._over and outcome is not None and self.outcome is None
            if settles:
                self.outcome = outcome
        if settles:
            self.settled.set()


def start_run(launch: RunLaunch[R], engine: Engine, private: Runtime | None) -> Run[R]:
    """Start a run that no supervisor looks after.

    Args:
        launch: Of the run.
        engine: Where it lives.
        private: The runtime, if it is the run's own.

    Raises:
        StartError: The runtime is closed; the run's work has been abandoned.
    """
    started: Future[Reason | None] = Future()
    actor = engine.spawn(
        launch.make, name=launch.name, control=True, on_started=Callback(started.set_result).deliver
    )
    try:
        reason = started.result()
    except BaseException:  # Ctrl-C: nobody would hold the run
        engine.kill(actor, Killed())
        launch.abandon(Killed())
        raise
    if reason is not None:
        launch.abandon(reason)
        raise StartError(launch.name, reason)
    return Run(launch, engine, private=private, owned=True)
