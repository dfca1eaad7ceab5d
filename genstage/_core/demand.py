"""The demand window of an automatic subscription.

1. It starts with ``max_demand`` events asked for and outstanding.
2. A message of events is cut, in order, into batches of at most ``max_demand - min_demand``; batches never
   span two messages.
3. Each batch is credited against what is outstanding. When no more than ``min_demand`` is left, the window
   is filled up again to ``max_demand``: that much is asked for after the batch has been handled, and before
   the next batch is.
4. Events beyond what was outstanding when the message came are handled but earn no credit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Window"]


class Window:
    """Demand accounting of one subscription.

    Args:
        max_demand: Most events in flight.
        min_demand: Fill up when this few are in flight.
    """

    __slots__ = ("limit", "max_demand", "min_demand", "outstanding")

    def __init__(self, max_demand: int, min_demand: int) -> None:
        self.max_demand = max_demand
        self.min_demand = min_demand
        self.limit = max_demand - min_demand
        self.outstanding = max_demand

    def credit(self, count: int) -> int:
        """Credit a batch of ``count`` events, at most what is outstanding.

        Returns:
            How much to ask for after it (0: nothing).
        """
        outstanding = self.outstanding - count
        if outstanding > self.min_demand:
            self.outstanding = outstanding
            return 0
        self.outstanding = self.max_demand
        return self.max_demand - outstanding

    def split(self, events: Sequence[Any]) -> tuple[Sequence[tuple[Sequence[Any], int]], Sequence[int]]:
        """Cut a message into batches.

        Returns:
            The batches, each with how much to ask for after it (0: nothing), and the sizes of what came in
            excess, per batch that held any.
        """
        limit = self.limit
        owed = self.outstanding
        count = len(events)
        batches: list[tuple[Sequence[Any], int]] = []
        excesses: list[int] = []
        for start in range(0, count, limit):
            batch = events if count <= limit else events[start : start + limit]
            credit = len(batch)
            if credit > owed:
                excesses.append(credit - owed)
                credit = owed
            owed -= credit
            batches.append((batch, self.credit(credit)))
        return batches, excesses
