"""How long one event takes through three warm stages, from the cast that makes it to the last stage.

On a lane that is awake, the last stage casts the next event itself. A lane that sleeps is woken by a thread
that has waited a little since the last event came out.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.protocol import homes
from benchmarks.protocol.result import Result, Target
from genstage import Consumer, Edge, Finish, Graph, Node, Producer, ProducerConsumer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from genstage import Subscription

__all__ = ["latency"]

_EVENTS = 3_000
_PAUSE_S = 0.002
_PATIENCE_S = 60.0
_MICRO = 1e6


def latency(scale: float) -> Iterator[Result]:
    """Median and 99th percentile, for both kinds of lane."""
    many = max(10, int(_EVENTS * scale))
    for name, drive, bound in (("awake", _from_within, 50.0), ("asleep", _from_outside, 150.0)):
        figures: dict[str, float] = {"events": many}
        for home, title in ((homes.lanes, "ours"), (homes.threads, "pykka_threads")):
            took = _measured(home, drive, many)
            figures |= {title: median(took), f"{title}_p99": took[len(took) * 99 // 100]}
        targets = (Target("ours", bound, at_most=True),)
        yield Result(f"first_event_{name}", "µs", figures, targets)


class _Trial:
    """One line of stages and the events that go through it, one at a time."""

    def __init__(self, drive: Callable[[_Trial], None], events: int) -> None:
        self.drive = drive
        self.left = events
        self.took: list[float] = []
        self.ready = threading.Event()
        self.came = threading.Event()
        self.cast: Callable[[float | None], None]


class _Source(Producer[float]):
    """Emits what is cast to it, and finishes at ``None``."""

    def __init__(self, trial: _Trial) -> None:
        self._trial = trial

    def handle_demand(self, demand: int) -> None:  # noqa: ARG002 - the dispatcher remembers it
        """Be ready: all have subscribed."""
        self._trial.cast = self.stage.cast
        self._trial.ready.set()

    def handle_cast(self, request: float | None) -> Sequence[float] | Finish[float]:  # type: ignore[override] # it finishes
        """Emit it."""
        return Finish() if request is None else [request]


class _Through(ProducerConsumer[float, float]):
    """Passes events on."""

    def handle_events(self, events: Sequence[float], origin: Subscription) -> Sequence[float]:  # noqa: ARG002
        """Pass them on."""
        return events


class _Sink(Consumer[float]):
    """Notes how long an event was on its way."""

    def __init__(self, trial: _Trial) -> None:
        self._trial = trial

    def handle_events(self, events: Sequence[float], origin: Subscription) -> None:  # noqa: ARG002
        """Note it, and let the next one come."""
        now = perf_counter()
        trial = self._trial
        trial.took.append((now - events[0]) * _MICRO)
        trial.left -= 1
        trial.drive(trial)


def _from_within(trial: _Trial) -> None:
    """Called in the last stage's turn: cast the next event at once."""
    trial.cast(perf_counter() if trial.left else None)


def _from_outside(trial: _Trial) -> None:
    """Called in the last stage's turn: let the thread outside go on."""
    trial.came.set()


def _measured(home: Callable[[Graph], None], drive: Callable[[_Trial], None], events: int) -> list[float]:
    """Microseconds of all events, sorted, without the first few."""
    warm_up = events // 10
    trial = _Trial(drive, events + warm_up)
    outside = threading.Thread(target=_outside, args=(trial,))
    outside.start()
    home(_line(trial))
    outside.join()
    return sorted(trial.took[warm_up:])


def _outside(trial: _Trial) -> None:
    """Cast the first event, and if nobody else does, all of them."""
    if not trial.ready.wait(_PATIENCE_S):
        raise RuntimeError("the stages do not start")
    if trial.drive is _from_within:
        trial.drive(trial)
        return
    while trial.left:
        trial.came.clear()
        time.sleep(_PAUSE_S)  # until the lane sleeps: what is measured is its waking
        trial.cast(perf_counter())
        if not trial.came.wait(_PATIENCE_S):
            raise RuntimeError("an event does not come out")
    trial.cast(None)


def _line(trial: _Trial) -> Graph:
    stages: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("source", partial(_Source, trial)),
        ("through", _Through),
        ("sink", partial(_Sink, trial)),
    )
    return Graph(
        tuple(Node(name, factory) for name, factory in stages),
        (Edge("sink", "through", {"min_demand": 0}), Edge("through", "source", {"min_demand": 0})),
    )
