"""A slow consumer behind a fast producer: how far the producer gets ahead, and how much memory that takes.

The producer and the consumer count themselves what is in flight. As a module of its own it runs one stream in
its process: ``python -m benchmarks.protocol.slow EVENTS``.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring import in_fresh_process
from benchmarks.protocol import homes
from benchmarks.protocol.result import Result, Target
from benchmarks.protocol.streams import AddOne
from genstage import Consumer, Edge, Finish, Graph, Node, Producer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from genstage import Subscription

__all__ = ["slow_consumer"]

_FEW, _MANY = 100_000, 10_000_000
_WINDOW = 1_000
_WINDOWS = 2 * _WINDOW  # of the two subscriptions between producer and consumer
_PAUSE_S = 1e-4
_FLAT = 1.1  # the greatest growth of memory from few events to many


def slow_consumer(scale: float) -> Iterator[Result]:
    """Two streams in fresh processes, the second a hundred times longer."""
    few, many = (max(1, int(events * scale)) for events in (_FEW, _MANY))
    small, large = (in_fresh_process(__name__, events) for events in (few, many))
    figures = {
        "events": many,
        "in_flight": max(small["in_flight"], large["in_flight"]),
        "memory_mb": large["memory_mb"],
        "memory_mb_of_few": small["memory_mb"],
        "growth": large["memory_mb"] / small["memory_mb"],
    }
    targets = (Target("in_flight", _WINDOWS, at_most=True), Target("growth", _FLAT, at_most=True))
    yield Result("slow_consumer", f"at {few:,} events and at {many:,}", figures, targets, max_demand=_WINDOW)


class _Flight:
    """Events that have left the producer and have not been dealt with by the consumer."""

    def __init__(self) -> None:
        self.emitted = 0  # changed by the producer only
        self.taken = 0  # changed by the consumer only
        self.most = 0


class _Fast(Producer[int]):
    """Emits numbers as fast as they are asked for."""

    def __init__(self, end: int, flight: _Flight) -> None:
        self._end = end
        self._flight = flight

    def handle_demand(self, demand: int) -> Sequence[int] | Finish[int]:
        """Emit, and look how many are under way now."""
        flight = self._flight
        first = flight.emitted
        flight.emitted = min(first + demand, self._end)
        flight.most = max(flight.most, flight.emitted - flight.taken)
        made = list(range(first, flight.emitted))
        return made if flight.emitted < self._end else Finish(made)


class _Slow(Consumer[int]):
    """Takes a while for each batch, in a thread of its own."""

    def __init__(self, flight: _Flight) -> None:
        self._flight = flight

    def handle_events(self, events: Sequence[int], origin: Subscription) -> None:  # noqa: ARG002
        """Be slow; then they have been dealt with."""
        time.sleep(_PAUSE_S)
        self._flight.taken += len(events)


def _measured(events: int) -> dict[str, float]:
    flight = _Flight()
    options = {"max_demand": _WINDOW}
    homes.lanes(
        Graph(
            (
                Node("fast", lambda: _Fast(events, flight)),
                Node("add one", AddOne),
                Node("slow", lambda: _Slow(flight), blocking=True),
            ),
            (Edge("slow", "add one", options), Edge("add one", "fast", options)),
        )
    )
    if flight.taken != events:
        raise RuntimeError(f"{flight.taken} events of {events} came through")
    return {"in_flight": flight.most, "memory_mb": _peak_bytes() / 1_000_000}


def _peak_bytes() -> int:
    if sys.platform == "linux":  # where ru_maxrss begins with the memory of the parent process
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(int(sys.argv[1]))))
