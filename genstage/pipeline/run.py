"""A running pipeline, as its user holds it."""

from __future__ import annotations

import time
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast

from genstage._core.messages import Stop
from genstage._core.reasons import Shutdown
from genstage._runtime.calls import Callback
from genstage.errors import CallTimeoutError, PipelineError, StageFailure, StartError
from genstage.pipeline.statistics import PipelineStatistics
from genstage.pipeline.supervisor import Outcome, RunSupervisor

if TYPE_CHECKING:
    from types import TracebackType

    from genstage._core.reasons import Reason
    from genstage._runtime.driver import Driver
    from genstage._runtime.engine import Engine
    from genstage.client import Runtime
    from genstage.pipeline.job import Job
    from genstage.supervision import RestartPlan

__all__ = ["Run"]

R = TypeVar("R")


class Run(Generic[R]):
    """A run of a pipeline; made by :meth:`genstage.pipeline.Pipeline.run`. Safe to use from any thread.

    As a context manager: leaving the block waits for the end and raises what :meth:`wait` raises, unless the
    block itself has stopped the run or has been told already; leaving it by an exception, Ctrl-C too, stops
    the run first.
    """

    def __init__(
        self,
        name: str,
        job: Job[R],
        *,
        engine: Engine,
        private: Runtime | None,
        plan: RestartPlan,
        shutdown_s: float,
    ) -> None:
        self.name = name
        self._job = job
        self._private = private
        self._shutdown_s = shutdown_s
        self._begun = time.monotonic()
        self._took_s: float | None = None
        self._outcome: Future[Outcome[R]] = Future()
        self._told = False
        supervisors: list[RunSupervisor[R]] = []
        started: Future[Reason | None] = Future()

        def make(port: Driver) -> RunSupervisor[R]:
            supervisor = RunSupervisor[R](
                port,
                name=name,
                job=job,
                plan=plan,
                shutdown_s=shutdown_s,
                ended=self._ended,
            )
            supervisors.append(supervisor)
            return supervisor

        self._actor = engine.spawn(
            make, name=name, control=True, on_started=Callback(started.set_result).deliver
        )
        reason = started.result()
        if reason is not None:
            raise StartError(name, reason)
        self._supervisor = supervisors[0]
        self._actor.await_end(Callback(self._supervisor_ended))

    def wait(self, timeout_s: float | None = None) -> R:
        """Wait for the end.

        Args:
            timeout_s: Seconds to wait; ``None``, the default, for ever.

        Returns:
            The run's result.

        Raises:
            PipelineError: The run failed or was stopped; ``__cause__`` is the first stage's own exception.
            CallTimeoutError: It has not ended in time; it goes on.
        """
        try:
            outcome = self._outcome.result(timeout_s)
        except FutureTimeoutError as error:
            raise CallTimeoutError(self.name, timeout_s or 0.0) from error
        self._close_private()
        if outcome.state == "completed":
            return cast("R", outcome.value)
        self._told = True
        cause = next((one.exception for one in outcome.failures if one.exception is not None), None)
        raise PipelineError(self.name, outcome.failures) from cause

    def stop(self, *, timeout_s: float | None = None) -> None:
        """Cancel the run, in order, and wait until it has ended; nothing happens if it has.

        A run that has begun to publish its result completes all the same.

        Args:
            timeout_s: Seconds to wait; ``None``, the default, as long as it takes: stages that overstay
                their time are killed.

        Raises:
            CallTimeoutError: It has not ended in time; it goes on ending.
        """
        self._told = True
        self._actor.tell(Stop(Shutdown()))
        try:
            self._outcome.result(timeout_s)
        except FutureTimeoutError as error:
            raise CallTimeoutError(self.name, timeout_s or 0.0) from error
        self._close_private()

    def statistics(self) -> PipelineStatistics:
        """Figures of this moment, or of the end; never blocks."""
        supervisor = self._supervisor
        return PipelineStatistics(
            state=supervisor.state,
            records=self._job.records(),
            expected=self._job.expected(),
            elapsed_s=time.monotonic() - self._begun if self._took_s is None else self._took_s,
            restarts=supervisor.restarts,
            stages=MappingProxyType(supervisor.statistics()),
        )

    def close(self) -> None:
        """Stop the run if it has not ended, and the runtime if it is this run's own."""
        if not self._outcome.done():
            self.stop()
        self._close_private()

    def _close_private(self) -> None:
        if self._private is not None:
            self._private.close()

    def _ended(self, outcome: Outcome[R]) -> None:
        self._took_s = time.monotonic() - self._begun
        with suppress(InvalidStateError):  # the supervisor was killed meanwhile
            self._outcome.set_result(outcome)

    def _supervisor_ended(self, reason: Reason) -> None:
        if not self._outcome.done():  # killed by a runtime that closes and has no more patience
            self._supervisor.state = "failed"
            self._ended(Outcome("failed", None, (StageFailure("supervisor", reason),)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and not self._told:
                self.wait()
        finally:
            self.close()

    def __repr__(self) -> str:
        stages = self._supervisor.statistics().values()
        running = sum(stage.state != "ended" for stage in stages)
        return f"<Run {self.name!r} {self._supervisor.state} {running}/{len(stages)} stages>"
