"""A job's calls, one at a time, and the one outcome of its run, whoever ends it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from genstage._core.reasons import Crash
from genstage.errors import PipelineError, StageFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from genstage.pipeline.graph import Graph
    from genstage.pipeline.job import Job

__all__ = ["OrphanedError", "Outcome", "Work"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """How a run ended.

    Attributes:
        state: ``"completed"``, ``"failed"`` or ``"cancelled"``.
        value: The result of a completed run.
        failures: All failures of the last attempt, the first one first; then the first failure of each
            earlier attempt, latest first. Empty for a cancelled run.
        together: How many of these, the first ones, are of stages of the last attempt.
    """

    state: Literal["completed", "failed", "cancelled"]
    value: R | None = None
    failures: tuple[StageFailure, ...] = ()
    together: int = 1

    def error(self, name: str) -> PipelineError | None:
        """What a run of the pipeline of this name raises then; ``None`` if it is completed."""
        if self.state == "completed":
            return None
        error = PipelineError(name, self.failures)
        failed = [one.exception for one in self.failures[: self.together] if one.exception is not None]
        if len(failed) > 1:
            error.__cause__ = BaseExceptionGroup(f"{len(failed)} stages failed", failed)
        else:
            error.__cause__ = failed[0] if failed else None
        return error


class OrphanedError(Exception):
    """A call of the job comes too late: its supervisor has gone, and the work has been brought to an end."""


class Work(Generic[R]):
    """Carries out a job.

    The supervisor's tasks call it. When the supervisor is gone before its time, the work is an *orphan*: it
    is brought to an end by whoever finds out, or, if a call is under way just then, by the thread of that
    call when it returns. What has been published by then stays the outcome.

    Args:
        open_job: Begins the run's work; called before its first attempt.
        ended: Told the outcome, once.
        job: The run's work, if it has begun already.

    Attributes:
        completed: The outcome, once the result has been made final.
    """

    def __init__(
        self,
        open_job: Callable[[], Job[R]],
        ended: Callable[[Outcome[R]], None],
        job: Job[R] | None = None,
    ) -> None:
        self._open_job = open_job
        self._job = job
        self._tell = ended
        self._busy = threading.Lock()  # held during each call of the job
        self._deciding = threading.Lock()  # the supervisor and who kills it may come to an outcome at once
        self.completed: Outcome[R] | None = None
        self._orphaned: tuple[StageFailure, ...] | None = None
        self._abandoned = False
        self._ended = False

    def records(self) -> int:
        """As :meth:`genstage.pipeline.Job.records`."""
        return 0 if self._job is None else self._job.records()

    def expected(self) -> int | None:
        """As :meth:`genstage.pipeline.Job.expected`."""
        return None if self._job is None else self._job.expected()

    @property
    def whole_when_drained(self) -> bool:
        """As :attr:`genstage.pipeline.Job.whole_when_drained`."""
        return self._begun_job.whole_when_drained

    def attempt(self, epoch: int) -> Graph:
        """As :meth:`genstage.pipeline.Job.attempt`."""
        with self._call():
            if self._job is None:
                self._job = self._open_job()
            return self._job.attempt(epoch)

    def complete(self, restarts: int, results: Mapping[str, object]) -> R:
        """As :meth:`genstage.pipeline.Job.complete`."""
        with self._call():
            value = self._begun_job.complete(restarts, results)
            self.completed = Outcome("completed", value)
            return value

    def abandon(self, failures: tuple[StageFailure, ...]) -> None:
        """As :meth:`genstage.pipeline.Job.abandon`."""
        with self._call():
            self._abandon(failures)

    def end(self, outcome: Outcome[R]) -> None:
        """Tell the outcome; only the first one counts."""
        with self._deciding:
            first, self._ended = not self._ended, True
        if first:
            self._tell(outcome)

    def orphan(self, failures: tuple[StageFailure, ...]) -> None:
        """Bring the work to an end without its supervisor. Does not wait for a call that is under way."""
        self._orphaned = failures
        if self._busy.acquire(blocking=False):
            try:
                self._conclude(failures)
            finally:
                self._busy.release()

    def _abandon(self, failures: tuple[StageFailure, ...]) -> None:
        if self._job is not None and self.completed is None and not self._abandoned:
            self._abandoned = True
            self._job.abandon(failures)

    @property
    def _begun_job(self) -> Job[R]:
        assert self._job is not None  # noqa: S101 - there has been an attempt
        return self._job

    @contextmanager
    def _call(self) -> Iterator[None]:
        try:
            with self._busy:
                if self._orphaned is not None:
                    raise OrphanedError("the run has ended without this")
                yield
        finally:
            if self._orphaned is not None:
                self.orphan(self._orphaned)

    def _conclude(self, failures: tuple[StageFailure, ...]) -> None:
        if self._ended:
            return
        if self.completed is not None:
            self.end(self.completed)
            return
        try:
            self._abandon(failures)
        except Exception as error:  # noqa: BLE001 - there is nobody to raise to but the run's user
            failures = (*failures, StageFailure("abandoning", Crash(error), error))
        self.end(Outcome("failed", None, failures))
