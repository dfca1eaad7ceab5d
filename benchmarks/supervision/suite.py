"""Runs it: pipelines under supervisors, accidents at random moments, and a look for those that hang."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from itertools import chain
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.supervision.accidents import schedule
from benchmarks.supervision.chaos import Chaos
from benchmarks.supervision.hangs import Hangs
from benchmarks.supervision.result import Result, recoveries_of
from benchmarks.supervision.subjects import make_subjects, runs_of, tree_of
from genstage import Runtime
from genstage.errors import CallTimeoutError, PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.supervision.subjects import Subject
    from genstage import Run, SupervisorRef
    from genstage.telemetry import TelemetryEvent

__all__ = ["measure"]

_TICK_S = 0.002
_COUNTED = ("supervisor.restart", "pipeline.restart", "pipeline.stop", "stage.killed")


def measure(
    pipelines: int,
    seconds: float,
    seed: int,
    *,
    rate: float = 20.0,
    hang_after_s: float = 15.0,
    plant_hang: bool = False,
) -> Result:
    """Run pipelines for a while, let accidents happen, and see what becomes of them.

    Args:
        pipelines: How many.
        seconds: How long accidents happen.
        seed: Of the accidents.
        rate: Accidents per second, all in all.
        hang_after_s: A pipeline hangs that has neither ended nor brought an event to a sink for so long.
        plant_hang: Whether one of them does hang, to see that it is found; it has no accidents.
    """
    before = set(threading.enumerate())
    subjects = make_subjects(pipelines, seconds, plant_hang=plant_hang)
    victims = [subject.stages for subject in subjects[: -1 if plant_hang else None]]
    accidents = schedule(victims, seconds=seconds, rate=rate, seed=seed)
    watched = _Watched()
    with _quiet():
        with Runtime(name="chaos", shutdown_s=hang_after_s) as runtime:
            runtime.telemetry.attach("benchmark", watched.count, events=_COUNTED)
            tree = runtime.supervise(tree_of(subjects))
            runs = runs_of(tree, subjects)
            outcomes: dict[str, PipelineError | None] = {}
            for subject, run in zip(subjects, runs, strict=True):
                run.on_end(lambda error, name=subject.name: outcomes.update({name: error}))  # type: ignore[misc] # mypy loses the default
            chaos, hangs = Chaos(subjects, runs), Hangs(subjects, runs, outcomes, hang_after_s)
            began_s = monotonic()
            for accident in chain(accidents, [None]):
                until_s = began_s + (seconds if accident is None else accident.at_s)
                while monotonic() < until_s:
                    watched.look()
                    chaos.go_on()
                    hangs.look()
                    sleep(_TICK_S)
                if accident is not None:
                    chaos.happen(accident)
            chaos.end()
            _settle(subjects, outcomes, hangs)
            _stop(tree, subjects, runs, hangs)
        left = [f"thread {thread.name}" for thread in threading.enumerate() if thread not in before]
        if runtime.abandoned:
            left.append(f"{runtime.abandoned} abandoned callbacks")
    return Result(
        pipelines,
        seconds,
        seed,
        accidents=dict(Counter(kind for subject in subjects for _, kind, _ in subject.meter.hits)),
        missed=chaos.missed,
        kills=watched.counts["stage.killed"],
        restarts={
            "by pipelines": watched.counts["pipeline.restart"],
            "by supervisors": watched.counts["supervisor.restart"],
        },
        recovery=recoveries_of(time for subject in subjects for time in subject.meter.recoveries),
        runs=dict(watched.states),
        outcomes=dict(Counter(map(_state, outcomes.values()))),
        reasons={
            name: _one_line(error) for name, error in sorted(outcomes.items()) if _state(error) == "failed"
        },
        wrong=tuple(f"{s.name}: {told}" for s in subjects for told in s.meter.wrong),
        events=sum(subject.meter.events for subject in subjects),
        threads=watched.threads,
        memory_mb=watched.memory_mb,
        hangs=tuple(hangs.found),
        left=tuple(left),
        first_hang=hangs.first,
    )


def _settle(subjects: Sequence[Subject], outcomes: dict[str, Any], hangs: Hangs) -> None:
    """Wait until all have moved once more, which shows that they have got over it all, or ended, or hang."""
    now_s = monotonic()
    while any(
        subject.meter.progressed_s < now_s and subject.name not in {*outcomes, *hangs.found}
        for subject in subjects
    ):
        hangs.look()
        sleep(_TICK_S)


def _stop(tree: SupervisorRef, subjects: Sequence[Subject], runs: Sequence[Run[Any]], hangs: Hangs) -> None:
    """Stop the tree; a run that does not end hangs too."""
    with suppress(CallTimeoutError):  # somebody's run has not ended
        tree.stop(timeout_s=hangs.after_s)
    for subject, run in zip(subjects, runs, strict=True):
        try:
            run.wait(timeout_s=0)
        except CallTimeoutError:
            hangs.add(subject, run, "does not end")
        except PipelineError as error:
            if _state(error) == "failed" and not error.failures:
                hangs.add(subject, run, "has failed without a reason")


def _state(error: PipelineError | None) -> str:
    if error is None:
        return "completed"
    return "failed" if error.failures else "cancelled"


def _one_line(error: PipelineError | None) -> str:
    return " ".join(str(error).split())


class _Watched:
    """What is seen of the process and of its telemetry meanwhile."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.threads = 0
        self.memory_mb = 0.0
        self._process = psutil.Process()
        self._memory = self._process.memory_info().rss
        self._lock = threading.Lock()

    def count(self, event: TelemetryEvent) -> None:
        """Of telemetry, from any thread."""
        with self._lock:
            self.counts[event.name] += 1
            if event.name == "pipeline.stop":
                self.states[event.metadata["state"]] += 1

    def look(self) -> None:
        """Look at the process."""
        self.threads = max(self.threads, threading.active_count())
        more = self._process.memory_info().rss - self._memory
        self.memory_mb = max(self.memory_mb, more / 1e6)


@contextmanager
def _quiet() -> Iterator[None]:
    """Print no record of what is meant to happen; they are made all the same."""
    logger, handler = logging.getLogger("genstage"), logging.NullHandler()
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = True
        logger.removeHandler(handler)
