"""What a run does besides moving events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genstage.errors import StageFailure
    from genstage.pipeline.graph import Graph

__all__ = ["GraphJob", "Job"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Job(Protocol[R_co]):
    """One run's work, from its first attempt to its result.

    ``attempt``, ``complete`` and ``abandon`` are called one after the other, never two at a time, and may
    block: each call has a thread of its own. One of ``complete`` and ``abandon`` is called last; ``abandon``
    also after a ``complete`` that raised.
    """

    @property
    def whole_when_drained(self) -> bool:
        """Whether what a run has come to is a result, if it was drained before its data had ended.

        If not, a run that has been drained ends as cancelled: ``abandon`` is called, without failures.
        """

    def attempt(self, epoch: int) -> Graph:
        """Get ready to begin, or to begin anew, and tell the stages.

        Args:
            epoch: Number of the attempt, from 0.
        """

    def complete(self, restarts: int, results: Mapping[str, object]) -> R_co:
        """All stages have ended normally: make the result final.

        Args:
            restarts: How often they began anew.
            results: What each sink has set as its result, by name; ``None`` if it has set none.
        """

    def abandon(self, failures: Sequence[StageFailure]) -> None:
        """There will be no result; ``failures`` is empty after a cancel."""

    def records(self) -> int:
        """Source records that are done; called at any time from any thread, never blocks."""

    def expected(self) -> int | None:
        """Source records there are in all, if known; called like ``records``."""


class GraphJob(Generic[R]):
    """A job that is done when its stages are.

    Args:
        graph: The stages.
        result: What the run comes to, given the results of its sinks by name.
    """

    whole_when_drained = True

    def __init__(self, graph: Graph, result: Callable[[Mapping[str, object]], R]) -> None:
        self._graph = graph
        self._result = result

    def attempt(self, epoch: int) -> Graph:  # noqa: ARG002 - the same stages each time
        """The stages."""
        return self._graph

    def complete(self, restarts: int, results: Mapping[str, object]) -> R:  # noqa: ARG002 - however often
        """What the sinks' results come to."""
        return self._result(results)

    def abandon(self, failures: Sequence[StageFailure]) -> None:
        """Nothing is left behind."""

    def records(self) -> int:
        """They are not counted."""
        return 0

    def expected(self) -> int | None:
        """Nobody knows."""
        return None
