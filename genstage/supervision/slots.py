"""The slots of one subscription: each of its events takes one, for as long as the event's child lives.

1. All ``max_demand`` slots are asked for at first, and an event that comes takes one that was.
2. A child that ends for good finishes its slot, and so does one that never came to life. A child that is
   started again keeps its slot.
3. Finished slots add up. When there are ``min_demand`` of them, or at once if it is 0, they are all asked for
   again. So the children can become as few as ``max_demand - min_demand`` before there are more.
4. Events that nobody asked for are in excess. They get their children; but as many slots as that finish
   without being asked for again, or the children would be too many from then on.

Until something is in excess: slots in use + finished slots + asked for = ``max_demand``.
"""

from __future__ import annotations

__all__ = ["Slots"]


class Slots:
    """What the children of one subscription take and give back.

    Args:
        max_demand: How many slots there are, 1 or more.
        min_demand: How many must have finished to be asked for again, 0 to ``max_demand - 1``.

    Attributes:
        in_use: Slots that children have, those of events in excess too.
        finished: Slots that wait for more to finish.
        excess: Events in excess whose slots have not been made up for.

    Example:
        >>> slots = Slots(3, 2)
        >>> slots.take(3), slots.finish(), slots.finish(), slots.finish()
        (0, 0, 2, 0)

    Source:
        GenStage's ``ConsumerSupervisor``; there, a slot in excess is asked for again (rule 4).
    """

    __slots__ = ("excess", "finished", "in_use", "max_demand", "min_demand")

    def __init__(self, max_demand: int, min_demand: int) -> None:
        self.max_demand = max_demand
        self.min_demand = min_demand
        self.in_use = 0
        self.finished = 0
        self.excess = 0

    @property
    def asked(self) -> int:
        """How many events have been asked for and have not come."""
        return self.max_demand - (self.in_use - self.excess) - self.finished

    def take(self, count: int) -> int:
        """Events have come: each takes a slot.

        Returns:
            How many of them are in excess.
        """
        excess = max(0, count - self.asked)
        self.in_use += count
        self.excess += excess
        return excess

    def finish(self) -> int:
        """The child of an event has ended for good, or has not come to life.

        Returns:
            How many events to ask for (0: none).
        """
        self.in_use -= 1
        if self.excess:
            self.excess -= 1
            return 0
        finished = self.finished + 1
        if finished < self.min_demand:
            self.finished = finished
            return 0
        self.finished = 0
        return finished
