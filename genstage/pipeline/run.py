"""A running pipeline, as its user holds it."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast

from genstage._core.messages import Stop
from genstage._core.reasons import Killed, Shutdown
from genstage._runtime.async_reading import wait_for_call
from genstage._runtime.calls import Callback
from genstage._runtime.in_thread import finish_in_thread
from genstage._runtime.lane import give_way
from genstage._runtime.latch import Latch
from genstage.errors import CallTimeoutError, PipelineError, StageFailure, StartError
from genstage.logger import get_logger
from genstage.pipeline.statistics import PipelineStatistics
from genstage.pipeline.supervisor import RunSupervisor
from genstage.pipeline.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from genstage._core.reasons import Reason
    from genstage._runtime.driver import Driver
    from genstage._runtime.engine import Engine
    from genstage.client import Runtime
    from genstage.pipeline.job import Job
    from genstage.pipeline.work import Outcome
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
        self._engine = engine
        self._private = private
        self._shutdown_s = shutdown_s
        self._begun = time.monotonic()
        self._took_s: float | None = None
        self._outcome: Future[Outcome[R]] = Future()
        self._settled = Latch()
        self._told = False
        work = Work(job, self._ended)
        supervisors: list[RunSupervisor[R]] = []
        started: Future[Reason | None] = Future()

        def make(port: Driver) -> RunSupervisor[R]:
            supervisor = RunSupervisor[R](port, name=name, work=work, plan=plan, shutdown_s=shutdown_s)
            supervisors.append(supervisor)
            return supervisor

        def supervisor_ended(reason: Reason) -> None:
            if self._outcome.done():
                return
            if supervisors:
                supervisors[0].orphan(reason)
            else:
                work.orphan((StageFailure("supervisor", reason),))

        self._actor = engine.spawn(
            make, name=name, control=True, on_started=Callback(started.set_result).deliver
        )
        self._actor.await_end(Callback(supervisor_ended))
        try:
            reason = started.result()
        except BaseException:  # Ctrl-C: nobody would hold the run
            engine.kill(self._actor, Killed())
            raise
        if reason is not None:
            raise StartError(name, reason)
        self._supervisor = supervisors[0]

    def wait(self, timeout_s: float | None = None) -> R:
        """Wait for the end.

        Args:
            timeout_s: Seconds to wait; ``None``, the default, for ever.

        Returns:
            The run's result.

        Raises:
            PipelineError: The run failed or was stopped; ``__cause__`` is the first stage's own exception.
            CallTimeoutError: It has not ended in time; it goes on.
            RuntimeError: The caller is a stage of the run's own runtime, and would wait for itself.
        """
        outcome = self._result(timeout_s)
        error = self._error(outcome)
        if error is None:
            return cast("R", outcome.value)
        self._told = True
        raise error

    async def wait_async(self, timeout_s: float | None = None) -> R:
        """As :meth:`wait`, in asyncio: the event loop goes on.

        Args:
            timeout_s: As above.

        Returns:
            As above.

        Raises:
            PipelineError: As above.
            CallTimeoutError: As above.

        Example:
            >>> import asyncio
            >>> from genstage import Flow
            >>> run = Flow.from_iterable(range(4)).reduce(max, 0).run()
            >>> asyncio.run(run.wait_async(timeout_s=60))
            3
        """
        self._refuse_own_stages()
        try:
            async with asyncio.timeout(timeout_s):
                await wait_for_call(lambda called: self.on_end(lambda _: called()))
        except TimeoutError:
            raise CallTimeoutError(self.name, timeout_s or 0.0, to="end") from None
        return await finish_in_thread(self.wait)  # a private runtime has to be closed

    def on_end(self, function: Callable[[PipelineError | None], object]) -> Callable[[], None]:
        """Have a function called when the run has ended, or at once if it has.

        Args:
            function: Called once, with what :meth:`wait` would raise, in whatever thread. It must return
                soon, and wait for nothing. What it raises is logged.

        Returns:
            A function that takes it back.
        """

        def call() -> None:
            try:
                function(self._error(self._outcome.result()))
            except BaseException:  # noqa: BLE001 - it is the user's, and others have to be told too
                get_logger("genstage.pipeline", pipeline=self.name).exception(
                    "a function told of the end failed"
                )

        return self._settled.on_set(call)

    def stop(self, *, timeout_s: float | None = None) -> None:
        """Cancel the run, in order, and wait until it has ended; nothing happens if it has.

        A run that has begun to publish its result completes all the same.

        Args:
            timeout_s: Seconds to wait; ``None``, the default, as long as it takes: stages that overstay
                their time are killed.

        Raises:
            CallTimeoutError: It has not ended in time; it goes on ending.
            RuntimeError: As for :meth:`wait`.
        """
        self._refuse_own_stages()
        self.stop_soon()
        outcome = self._result(timeout_s)
        self._told = self._told or outcome.state != "failed"

    def stop_soon(self) -> None:
        """Begin to stop the run, as :meth:`stop` does, without waiting for anything."""
        self._actor.tell(Stop(Shutdown()))

    def statistics(self) -> PipelineStatistics:
        """Figures of this moment, or of the end; never blocks, and takes no lock of the stages."""
        supervisor = self._supervisor
        figures = supervisor.figures()
        took_s = self._took_s
        return PipelineStatistics(
            state=supervisor.state,
            records=self._job.records(),
            expected=self._job.expected(),
            elapsed_s=time.monotonic() - self._begun if took_s is None else took_s,
            restarts=supervisor.restarts,
            stages=figures.stages,
            throughput=figures.progress / took_s if took_s else figures.throughput,
            oldest_in_flight_s=figures.oldest_in_flight_s,
        )

    def explain(self) -> str:
        """Tell why the run does not move: what each stage is doing, who waits for whom, and who holds it up.

        It can be called from any thread, at any time, and never blocks.

        Returns:
            Text of several lines. Of a stage in a callback it tells which, for how long, and the innermost
            line that is neither the runtime's nor the standard library's. How long the others wait is a lower
            bound: that is looked at about once a second.

        Example:
            >>> from genstage import Flow
            >>> with Flow.from_iterable(range(4)).reduce(max, 0).run() as run:
            ...     greatest = run.wait(timeout_s=60)
            >>> print(run.explain())
            run 'max' has completed
        """
        state = self._supervisor.state
        if self._outcome.done():
            verb = "was" if state == "cancelled" else "has"
            return f"run {self.name!r} {verb} {state}"
        elapsed_s = time.monotonic() - self._begun
        head = f"run {self.name!r} is {state}, {elapsed_s:.1f} s after it began"
        return "\n  ".join([head, *self._supervisor.explain()])

    @property
    def results(self) -> Mapping[str, object]:
        """What the sinks that have ended normally so far have come to, by name; of the present attempt."""
        return self._supervisor.results()

    @property
    def failures(self) -> Mapping[str, StageFailure]:
        """What has failed in the present attempt, or in all once the run has failed, by stage.

        Of several failures of one stage, the latest.
        """
        return self._supervisor.failures()

    def close(self) -> None:
        """Stop the run if it has not ended, and the runtime if it is this run's own."""
        if not self._outcome.done():
            self.stop()
        self._close_private()

    def _result(self, timeout_s: float | None) -> Outcome[R]:
        self._refuse_own_stages()
        if not self._outcome.done():
            give_way()
        try:
            outcome = self._outcome.result(timeout_s)
        except FutureTimeoutError as error:
            raise CallTimeoutError(self.name, timeout_s or 0.0, to="end") from error
        self._close_private()
        return outcome

    def _refuse_own_stages(self) -> None:
        if self._engine.current_actor() in (self._actor, *self._supervisor.children()):
            raise RuntimeError(f"run {self.name!r}: a stage cannot wait for the end of its own run")

    def _close_private(self) -> None:
        if self._private is not None:
            self._private.close()

    def _ended(self, outcome: Outcome[R]) -> None:
        self._took_s = time.monotonic() - self._begun
        self._outcome.set_result(outcome)
        self._settled.set()

    def _error(self, outcome: Outcome[R]) -> PipelineError | None:
        if outcome.state == "completed":
            return None
        error = PipelineError(self.name, outcome.failures)
        error.__cause__ = outcome.failures[0].exception if outcome.failures else None
        return error

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
        stages = self._supervisor.figures().stages.values()
        running = sum(stage.state != "ended" for stage in stages)
        return f"<Run {self.name!r} {self._supervisor.state} {running}/{len(stages)} stages>"
