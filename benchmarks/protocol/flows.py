"""A flow of plain functions, beside the same stages written by hand and beside the plain loop.

All three call the same functions, once per event; what differs is what is around the calls. A whole run is
timed, starting and stopping the stages included.
"""

from __future__ import annotations

from functools import partial
from operator import add
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.measuring import interleaved, ratios
from benchmarks.protocol.result import Result, Target
from genstage import Consumer, Edge, Finish, Flow, Graph, Node, Pipeline, Producer, ProducerConsumer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from genstage import Subscription

__all__ = ["flow"]

FULL = 1_000_000

_BATCH = 500  # half of the default max_demand, which is what the default min_demand cuts a stream into
_PATIENCE_S = 600.0


def flow(scale: float) -> Iterator[Result]:
    """Count, add one, double and sum: functions called by a flow, by stages written by hand, by a loop."""
    events = max(1, int(FULL * scale))
    costs = interleaved(
        {
            "plain": partial(_cost, _plain, events),
            "by_hand": partial(_cost, _by_hand, events),
            "ours": partial(_cost, _flow, events),
        }
    )
    rates = {name: events / median(costs[name]) for name in ("ours", "by_hand", "plain")}
    figures = {"events": events, **rates, **ratios(costs["plain"], costs["ours"])}
    figures |= ratios(costs["by_hand"], costs["ours"], "times_by_hand")
    yield Result("flow", "events/s", figures, (Target("times_by_hand", 0.95),), max_demand=1000)


def _cost(way: Callable[[int], int], events: int) -> float:
    began = perf_counter()
    total = way(events)
    took_s = perf_counter() - began
    if total != events * (events + 1):
        raise RuntimeError(f"the sum is {total}, not {events * (events + 1)}")
    return took_s


def _add_one(number: int) -> int:
    return number + 1


def _double(number: int) -> int:
    return 2 * number


def _flow(end: int) -> int:
    pipeline = Flow.from_iterable(range(end)).map(_add_one).map(_double).reduce(add, 0)
    with pipeline.run() as run:
        return run.wait(_PATIENCE_S)


class _Count(Producer[int]):
    def __init__(self, end: int) -> None:
        self.next, self.end = 0, end

    def handle_demand(self, demand: int) -> Sequence[int] | Finish[int]:
        first, self.next = self.next, min(self.next + demand, self.end)
        made = list(range(first, self.next))
        return made if self.next < self.end else Finish(made)


class _AddOne(ProducerConsumer[int, int]):
    def handle_events(self, events: Sequence[int], origin: Subscription) -> Sequence[int]:  # noqa: ARG002
        return [_add_one(number) for number in events]


class _Double(ProducerConsumer[int, int]):
    def handle_events(self, events: Sequence[int], origin: Subscription) -> Sequence[int]:  # noqa: ARG002
        return [_double(number) for number in events]


class _Sum(Consumer[int]):
    def __init__(self) -> None:
        self.total = 0

    def handle_events(self, events: Sequence[int], origin: Subscription) -> None:  # noqa: ARG002
        total = self.total
        for number in events:
            total = add(total, number)
        self.total = total
        self.stage.set_result(total)


def _by_hand(end: int) -> int:
    nodes = (
        Node("count", lambda: _Count(end)),
        Node("one", _AddOne),
        Node("double", _Double),
        Node("sum", _Sum),
    )
    edges = (Edge("one", "count"), Edge("double", "one"), Edge("sum", "double"))
    with Pipeline.of("by hand", Graph(nodes, edges)).run() as run:
        total = run.wait(_PATIENCE_S)["sum"]
    assert isinstance(total, int)  # noqa: S101 - what the stage sets
    return total


def _plain(end: int) -> int:
    total = 0
    for first in range(0, end, _BATCH):
        made = list(range(first, min(first + _BATCH, end)))
        plus_one = [_add_one(number) for number in made]
        for number in [_double(number) for number in plus_one]:
            total = add(total, number)
    return total
