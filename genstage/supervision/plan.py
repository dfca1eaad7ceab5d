"""What a failure means: begin anew, or give up. A pure decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genstage.errors import GenstageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genstage.errors import StageFailure

__all__ = ["RestartPlan"]


@dataclass(frozen=True, slots=True)
class RestartPlan:
    """When the stages of a run are started again after a failure.

    1. Not after an error of this package's own tree: it is a verdict on the input or the surroundings
       (wrong SQL, a full disk), which will not change.
    2. Not when the same stage has failed in the same way twice in a row: it would fail for ever.
    3. Otherwise ``max_restarts`` times.

    Attributes:
        max_restarts: Restarts in one run, 0 or more.

    Example:
        >>> from genstage import Killed
        >>> from genstage.errors import StageFailure
        >>> RestartPlan(max_restarts=1).restarts([StageFailure("rows", Killed())])
        True
    """

    max_restarts: int

    def restarts(self, failures: Sequence[StageFailure]) -> bool:
        """Whether to start again.

        Args:
            failures: The first failure of each attempt so far, oldest first; at least one.
        """
        if isinstance(failures[-1].exception, GenstageError) or len(failures) > self.max_restarts:
            return False
        return len(failures) < 2 or _looks(failures[-1]) != _looks(failures[-2])  # noqa: PLR2004 - a pair


def _looks(failure: StageFailure) -> tuple[str, object]:
    """What makes two failures the same: exceptions have no equality of their own."""
    exception = failure.exception
    return failure.stage, failure.reason if exception is None else (type(exception), str(exception))
