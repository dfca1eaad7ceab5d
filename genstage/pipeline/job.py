"""What a run does besides moving events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genstage.errors import StageFailure
    from genstage.pipeline.graph import Graph

__all__ = ["Job"]

R_co = TypeVar("R_co", covariant=True)


class Job(Protocol[R_co]):
    """One run's work, from its first attempt to its result.

    ``attempt``, ``complete`` and ``abandon`` are called one after the other, never two at a time, and may
    block: each call has a thread of its own. One of ``complete`` and ``abandon`` is called last; ``abandon``
    also after a ``complete`` that raised.
    """

    def attempt(self, epoch: int) -> Graph:
        """Get ready to begin, or to begin anew, and tell the stages.

        Args:
            epoch: Number of the attempt, from 0.
        """

    def complete(self, restarts: int) -> R_co:
        """All stages have ended normally: make the result final."""

    def abandon(self, failures: Sequence[StageFailure]) -> None:
        """There will be no result; ``failures`` is empty after a cancel."""

    def records(self) -> int:
        """Source records that are done; called at any time from any thread, never blocks."""

    def expected(self) -> int | None:
        """Source records there are in all, if known; called like ``records``."""
