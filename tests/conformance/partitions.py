"""What can be known of a partition dispatcher from outside: the calls of the hash function, too."""

from collections import defaultdict, deque


class Numbered(int):
    """An event that knows the position at which a callback returned it; equal events can be told apart."""

    position: int

    @classmethod
    def at(cls, position, event):
        """The event returned at this position."""
        number = cls(event)
        number.position = position
        return number


class Partitions:
    """Follows one partition dispatcher.

    Attributes:
        open: The open demand: asked, less what remembered demand covers, plus backlog that was dropped, less
            events taken and not discarded by the hash function.
        taken: How many events were taken.
        may_starve: Whether the hash function discards events that nobody replaces.
    """

    def __init__(self, dispatcher):
        self.open = 0
        self.taken = 0
        self.may_starve = "drop" in dispatcher["hash"] and not dispatcher.get("replace_discarded")
        self._remembered = 0
        self._backlogs = defaultdict(deque)

    def watch(self, hash_function):
        """The hash function, with its calls noticed."""

        def watched(event):
            self.taken += 1
            hashed = hash_function(event)
            if hashed is None:
                return None
            to_deliver, name = hashed
            self.open -= 1
            self._backlogs[name].append(event.position)
            return Numbered.at(event.position, to_deliver), name

        return watched

    def asked(self, count):
        """Somebody asks."""
        covered = min(self._remembered, count)
        self._remembered -= covered
        self.open += count - covered

    def left(self, name, unserved):
        """The consumer of a partition leaves; what waits for it is dropped."""
        dropped = self._backlogs.pop(name, ())
        self.open += len(dropped)
        self._remembered += unserved

    def delivered(self, name, events):
        """A consumer gets events; returns whether they are the first of its backlog."""
        backlog = self._backlogs[name]
        first = [backlog.popleft() for _ in range(min(len(events), len(backlog)))]
        return first == [event.position for event in events]

    def backlog(self, name):
        """How many events wait in a partition."""
        return len(self._backlogs[name])
