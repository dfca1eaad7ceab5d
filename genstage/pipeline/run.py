"""A running pipeline, as its user holds it."""

from __future__ import annotations

import asyncio
import os
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, NoReturn, Self, TypeVar, cast

from genstage._core.messages import Stop
from genstage._core.reasons import Shutdown
from genstage._runtime.async_reading import wait_for_call
from genstage._runtime.calls import Answer
from genstage._runtime.in_thread import finish_in_thread
from genstage._runtime.lane import give_way
from genstage.errors import CallTimeoutError, DeadStageError
from genstage.logger import get_logger
from genstage.pipeline.statistics import PipelineStatistics
from genstage.pipeline.supervisor import DrainRun, Pause, Resume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from genstage._runtime.actor import LaneActor
    from genstage._runtime.engine import Engine
    from genstage._runtime.latch import Latch
    from genstage.client import Runtime
    from genstage.errors import PipelineError, StageFailure
    from genstage.pipeline.launch import Incarnation, RunLaunch
    from genstage.pipeline.supervisor import RunSupervisor
    from genstage.pipeline.work import Outcome

__all__ = ["Run"]

R = TypeVar("R")


class Run(Generic[R]):
    """A run of a pipeline, made by :meth:`genstage.pipeline.Pipeline.run`. Safe to use from any thread.

    As a context manager: leaving the block waits for the end and raises what :meth:`wait` raises, unless the
    block itself has stopped the run or has been told already; leaving it by an exception, Ctrl-C too, stops
    the run first. One that is neither waited for, stopped nor closed is told of by a ``ResourceWarning``,
    with ``python -X dev``.

    Of a pipeline that is the child of a supervisor, ``supervisor.child(spec)`` gives the run. It lasts over
    restarts by the supervisor: :meth:`wait` waits until the pipeline has ended and is not started again;
    everything else is about the present run, or the last one.
    """

    def __init__(
        self, launch: RunLaunch[R], engine: Engine, *, private: Runtime | None = None, owned: bool = False
    ) -> None:
        self.name = launch.name
        self._launch = launch
        self._engine = engine
        self._private = private
        self._told = False
        self._left_open = owned
        self._process = os.getpid()

    @property
    def _present(self) -> Incarnation[R]:
        present = self._launch.present
        assert present is not None  # noqa: S101 - there is a run only when it has begun
        return present

    @property
    def _actor(self) -> LaneActor:
        return self._present.actor

    @property
    def _supervisor(self) -> RunSupervisor[R]:
        return self._present.supervisor

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
        self._wait(self._launch.settled, timeout_s, "end")
        error = self._outcome.error(self.name)
        if error is None:
            return cast("R", self._outcome.value)
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
            self._left_open = False
            try:
                function(self._outcome.error(self.name))
            except BaseException:
                log = get_logger("genstage.pipeline", **self._actor.driver.log_fields)
                log.exception("a function told of the end failed")

        return self._launch.settled.on_set(call)

    def pause(self) -> None:
        """Let the sources rest until :meth:`resume`: they make nothing more, and demand accumulates.

        What is on its way goes on to the sinks, and nothing is lost. A run that has not begun to move does
        not begin; one whose stages begin anew stays paused. It can be stopped and drained meanwhile.
        Nothing happens if it has ended. A source in the middle of a callback brings that to its end.
        """
        self._ask(Pause)

    def resume(self) -> None:
        """Let the sources go on after :meth:`pause`, with the demand that has accumulated."""
        self._ask(Resume)

    def drain(self, *, timeout_s: float | None = None) -> None:
        """Let the sources end and everything on its way reach the sinks, and wait until the run has ended.

        The run then ends as if its data had: a pipeline of stages is completed. A report of a part of its
        data would be none, so it is cancelled; its files stay as they were. A source in the middle of a
        callback ends when that returns; its ``handle_drain`` gives the last events. A pause ends. What fails
        meanwhile fails the run: it does not begin anew. Nothing happens if it has ended.

        Args:
            timeout_s: Seconds to wait; ``None``, the default, as long as it takes.

        Raises:
            CallTimeoutError: It has not ended in time, and goes on; a note tells what :meth:`explain` does.
            RuntimeError: As for :meth:`wait`.

        Example:
            >>> from itertools import count
            >>> from genstage import Flow
            >>> with Flow.from_iterable(count()).reduce(max, 0).run() as run:
            ...     run.drain(timeout_s=60)
            ...     greatest = run.wait()
        """
        self._refuse_own_stages()
        present = self._present
        present.actor.tell(DrainRun())
        try:
            self._wait(present.ended, timeout_s, "drain")
        except CallTimeoutError as error:
            told = self.explain()
            error.add_note(told)
            log = get_logger("genstage.pipeline", **present.actor.driver.log_fields)
            log.warning("drain timed out", explanation=told)
            raise
        self._told = self._told or self.statistics().state != "failed"

    def stop(self, reason: object = None, *, timeout_s: float | None = None) -> None:
        """Cancel the run, in order, and wait until it has ended; nothing happens if it has.

        A run that has begun to publish its result completes all the same.

        Args:
            reason: Anything that says why: the ``terminate`` of the stages gets ``Shutdown(reason)``.
            timeout_s: Seconds to wait; ``None``, the default, as long as it takes: stages that overstay
                their time are killed.

        Raises:
            CallTimeoutError: It has not ended in time; it goes on ending.
            RuntimeError: As for :meth:`wait`.
        """
        self._refuse_own_stages()
        present = self._present
        present.actor.tell(Stop(Shutdown(reason)))
        self._wait(present.ended, timeout_s, "stop")
        self._told = self._told or self.statistics().state != "failed"

    def stop_soon(self, reason: object = None) -> None:
        """Begin to stop the run, as :meth:`stop` does, without waiting for anything."""
        self._actor.tell(Stop(Shutdown(reason)))

    def statistics(self) -> PipelineStatistics:
        """Figures of this moment, or of the end; never blocks, and takes no lock of the stages."""
        present = self._present
        supervisor, work, took_s = present.supervisor, present.work, present.took_s
        figures = supervisor.figures()
        return PipelineStatistics(
            state=supervisor.state,
            records=work.records(),
            expected=work.expected(),
            elapsed_s=present.elapsed_s,
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
        present = self._present
        state = present.supervisor.state
        if present.outcome is not None:
            verb = "was" if state == "cancelled" else "has"
            return f"run {self.name!r} {verb} {state}"
        head = f"run {self.name!r} is {state}, {present.elapsed_s:.1f} s after it began"
        return "\n  ".join([head, *present.supervisor.explain()])

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
        if not self._present.ended.wait(0):
            self.stop()
        self._let_go()

    @property
    def _outcome(self) -> Outcome[R]:
        outcome = self._launch.outcome
        assert outcome is not None  # noqa: S101 - it has settled
        return outcome

    def _wait(self, end: Latch, timeout_s: float | None, to: str) -> None:
        self._refuse_own_stages()
        if not end.wait(0):
            give_way()
        if not end.wait(timeout_s):
            raise CallTimeoutError(self.name, timeout_s or 0.0, to=to)
        self._let_go()

    def _ask(self, make: Callable[[Answer], object]) -> None:
        """Tell the supervisor something, and wait until it has heard."""
        answer = Answer()
        actor = self._actor
        actor.request(make(answer), answer)
        with suppress(DeadStageError):  # it has ended
            answer.get(self.name, None)

    def _refuse_own_stages(self) -> None:
        caller = self._engine.current_actor()
        while caller is not None and caller is not self._actor:
            caller = caller.parent
        if caller is not None:  # it is below the run: a stage, the child of one, or a step of its work
            raise RuntimeError(f"run {self.name!r}: a stage cannot wait for the end of its own run")

    def _let_go(self) -> None:
        self._left_open = False
        if self._private is not None:
            self._private.close()

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

    def __del__(
        self, warn: Callable[..., None] = warnings.warn, process: Callable[[], int] = os.getpid
    ) -> None:
        # The defaults outlive the module: this may be the end of the interpreter.
        if getattr(self, "_left_open", False) and self._process == process():
            if self._private is not None:
                self._private._left_open = False  # noqa: SLF001 - one warning is enough
            warn(
                f"run {self.name!r} was left alone: wait for it, stop it, or use it in a with block",
                ResourceWarning,
                source=self,
            )

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"run {self.name!r} cannot be pickled: its stages are of this process; pass its statistics(), "
            "its result, or what makes its pipeline"
        )

    def __repr__(self) -> str:
        stages = self._supervisor.figures().stages.values()
        running = sum(stage.state != "ended" for stage in stages)
        return f"<Run {self.name!r} {self._supervisor.state} {running}/{len(stages)} stages>"
