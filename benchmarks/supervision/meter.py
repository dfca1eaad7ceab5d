"""One pipeline as its stages tell of it: how far it has come, and how long it took after an accident.

A stage also asks here, in each callback, whether an accident waits for it.
"""

from __future__ import annotations

import threading
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.supervision.accidents import Accident, Kind

__all__ = ["InjectedError", "Meter", "Trap"]


class InjectedError(Exception):
    """A crash that is meant."""


class Trap:
    """A callback that is to block.

    Args:
        accident: Why.

    Attributes:
        inside: Set when a callback is in it.
        gate: Set to let it go on.
    """

    def __init__(self, accident: Accident) -> None:
        self.accident = accident
        self.inside = threading.Event()
        self.gate = threading.Event()


class Meter:
    """What is known of one pipeline. Its stages and the benchmark use it, from any thread.

    Attributes:
        events: Events that have reached a sink, all in all.
        progressed_s: When the last one did.
        recoveries: How long it took from an accident until events came again, and of which kind that was.
        wrong: Sinks that have ended in order with something else than they should have come to.
        hits: The accidents that have happened, the latest last.
    """

    def __init__(self) -> None:
        self.events = 0
        self.progressed_s = monotonic()
        self.recoveries: list[tuple[Kind, float]] = []
        self.wrong: Counter[str] = Counter()
        self.hits: list[tuple[float, Kind, str]] = []
        self._lock = threading.Lock()
        self._hit_s = 0.0
        self._unrecovered: list[tuple[Kind, float]] = []
        self._crashes: set[str] = set()
        self._traps: dict[str, Trap] = {}

    @property
    def recovering(self) -> bool:
        """Whether no event has come since the last accident."""
        return bool(self._unrecovered)

    # -- the benchmark's side -------------------------------------------------------------------------

    def hit(self, kind: Kind, stage: str) -> None:
        """An accident happens now."""
        with self._lock:
            self._hit_s = monotonic()
            self._unrecovered.append((kind, self._hit_s))
            self.hits.append((self._hit_s, kind, stage))

    def let_crash(self, stage: str) -> None:
        """The next callback of a stage is to raise."""
        self._crashes.add(stage)

    def set_trap(self, trap: Trap) -> None:
        """The next callback of a stage is to block; one trap at a time."""
        self._traps.setdefault(trap.accident.stage, trap)

    # -- the stages' side -----------------------------------------------------------------------------

    def passing(self, stage: str) -> None:
        """A callback of a stage has begun.

        Raises:
            InjectedError: It is to crash.
        """
        if stage in self._crashes:
            self._crashes.discard(stage)
            self.hit("crash", stage)
            raise InjectedError(stage)
        trap = self._traps.pop(stage, None)
        if trap is not None:
            trap.inside.set()
            trap.gate.wait()

    def took(self, events: int, made_s: float) -> None:
        """A sink has taken events.

        Args:
            events: How many.
            made_s: When the sink was made: one that was there before the accident shows no recovery.
        """
        with self._lock:
            self.events += events
            if made_s > self._hit_s:
                self.progressed_s = now = monotonic()
                self.recoveries += [(kind, now - hit_s) for kind, hit_s in self._unrecovered]
                self._unrecovered.clear()
