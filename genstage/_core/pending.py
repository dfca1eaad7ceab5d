"""What waits inside a producer-consumer until somebody wants its output.

Events, and behind them infos and ends of subscriptions: nothing may overtake what came before it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genstage._core.consuming import Upstream
    from genstage._core.messages import Tag
    from genstage._core.subscription import Cancellation

__all__ = ["Pending", "PendingEnd", "PendingEvents", "PendingInfo"]


@dataclass(slots=True)
class PendingEvents:
    """A message of events."""

    tag: Tag
    events: Sequence[Any]


@dataclass(slots=True)
class PendingInfo:
    """An info."""

    message: Any


@dataclass(slots=True)
class PendingEnd:
    """A subscription that has ended."""

    upstream: Upstream
    cancellation: Cancellation


Pending = deque[PendingEvents | PendingInfo | PendingEnd]
