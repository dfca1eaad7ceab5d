"""Finds pipelines that hang: that neither end nor move."""

from __future__ import annotations

import sys
import threading
import traceback
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from benchmarks.supervision.subjects import Subject
    from genstage import Run

__all__ = ["Hangs"]


class Hangs:
    """Those that were found.

    Args:
        subjects: The pipelines.
        runs: Their runs.
        outcomes: By name, of those that have ended.
        after_s: A run hangs that has neither ended nor brought an event to a sink for so long.

    Attributes:
        found: Their names.
        first: What there is to know of the first one.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        runs: Sequence[Run[Any]],
        outcomes: Container[str],
        after_s: float,
    ) -> None:
        self._subjects = subjects
        self._runs = runs
        self._outcomes = outcomes
        self.after_s = after_s
        self.found: dict[str, None] = {}
        self.first = ""

    def look(self) -> None:
        """Find those that do not move."""
        for subject, run in zip(self._subjects, self._runs, strict=True):
            still_s = monotonic() - subject.meter.progressed_s
            if still_s > self.after_s and subject.name not in self._outcomes:
                self.add(subject, run, f"has not moved for {still_s:.1f} s")

    def add(self, subject: Subject, run: Run[Any], why: str) -> None:
        """One hangs."""
        if subject.name in self.found:
            return
        self.found[subject.name] = None
        if not self.first:
            now = monotonic()
            hits = [
                f"  {now - at_s:.3f} s ago: {kind}, {stage}" for at_s, kind, stage in subject.meter.hits[-8:]
            ]
            self.first = "\n".join(
                [f"pipeline {subject.name!r} {why}", "its last accidents:", *hits, run.explain(), _stacks()]
            )


def _stacks() -> str:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()  # noqa: SLF001 - the documented way to other threads' stacks
    )
