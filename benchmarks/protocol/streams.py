"""Events a second through pipelines, beside the plain loop that does the same work.

What is timed is the streaming: from the first ``handle_demand`` to the last consumer's end of data. Starting
and stopping the stages is not. A plain loop makes, maps and sums the same batches: half the ``max_demand``,
which is what the default ``min_demand`` cuts a stream into.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.measuring import interleaved, ratios
from benchmarks.protocol import homes
from benchmarks.protocol.result import Result, Target
from genstage import BroadcastDispatcher, Consumer, Edge, Finish, Graph, Node, Producer, ProducerConsumer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from genstage import Cancellation, Dispatcher, Subscription

__all__ = ["AddOne", "Count", "Passage", "Sum", "core", "fan_out", "identity"]

FULL = 2_000_000
"""Events at the greatest demand; smaller demands get fewer, because each message carries fewer."""

_SHARES = {1000: 1.0, 10: 0.1, 1: 0.02}
_IDENTITY_TARGETS = {1000: 0.75, 10: 0.15, 1: 0.09}
_THREADS_SHARE = 0.1
_CONSUMERS = 4


class Passage:
    """One stream's way through its stages: when it began and ended, and what came out."""

    def __init__(self) -> None:
        self.began = self.ended = 0.0
        self.total = 0


class Count(Producer[int]):
    """Emits the numbers from 0 to ``end`` - 1."""

    def __init__(
        self, end: int, passage: Passage, dispatcher: Callable[[], Dispatcher] | None = None
    ) -> None:
        self.next, self.end = 0, end
        self._passage = passage
        self._dispatcher = dispatcher

    def init(self) -> Mapping[str, object]:
        """Choose the dispatcher."""
        return {} if self._dispatcher is None else {"dispatcher": self._dispatcher()}

    def handle_demand(self, demand: int) -> Sequence[int] | Finish[int]:
        """Emit what is asked for; the first time, note when."""
        first = self.next
        if not first:
            self._passage.began = perf_counter()
        self.next = min(first + demand, self.end)
        made = list(range(first, self.next))
        return made if self.next < self.end else Finish(made)


class AddOne(ProducerConsumer[int, int]):
    """The work in the middle."""

    def handle_events(self, events: Sequence[int], origin: Subscription) -> Sequence[int]:  # noqa: ARG002
        """Add one to each."""
        return [number + 1 for number in events]


class Sum(Consumer[int]):
    """Adds up what comes in."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._total = 0

    def handle_events(self, events: Sequence[int], origin: Subscription) -> None:  # noqa: ARG002
        """Add them up."""
        self._total += sum(events)

    def handle_cancel(self, cancellation: Cancellation, subscription: Subscription) -> None:  # noqa: ARG002
        """Note what came to, and when."""
        self._passage.ended = perf_counter()
        self._passage.total += self._total


def identity(scale: float) -> Iterator[Result]:
    """Count, add one, sum: under a supervisor on the runtime, and on a thread for each stage."""
    for max_demand, share in _SHARES.items():
        events = max(1, int(FULL * share * scale))
        figures = _beside(
            events,
            partial(_plain_identity, batch=max(1, max_demand // 2)),
            {"ours": homes.lanes, "pykka_threads": homes.threads},
            partial(_line, max_demand=max_demand),
            lambda end: end * (end + 1) // 2,
        )
        targets = (Target("ratio", _IDENTITY_TARGETS[max_demand]),)
        yield Result("identity", "events/s", figures, targets, max_demand=max_demand)


def core(scale: float) -> Iterator[Result]:
    """The same on the core alone: what is missing to it, the runtime costs."""
    for max_demand, share in _SHARES.items():
        figures = _beside(
            max(1, int(FULL * share * scale)),
            partial(_plain_identity, batch=max(1, max_demand // 2)),
            {"ours": homes.core_alone},
            partial(_line, max_demand=max_demand),
            lambda end: end * (end + 1) // 2,
        )
        yield Result("core", "events/s", figures, max_demand=max_demand)


def fan_out(scale: float) -> Iterator[Result]:
    """One source and four consumers; events of the source are counted, once."""
    for name, dispatcher, copies in (("demand", None, 1), ("broadcast", BroadcastDispatcher, _CONSUMERS)):
        figures = _beside(
            max(1, int(FULL * scale)),
            partial(_plain_fan_out, batch=500, copies=copies),
            {"ours": homes.lanes, "pykka_threads": homes.threads},
            partial(_fan, dispatcher=dispatcher),
            partial(_total_of, copies=copies),
        )
        yield Result(f"fan_out_{name}", "events/s", figures, (Target("ratio", 0.6),), max_demand=1000)


def _total_of(end: int, copies: int) -> int:
    return copies * (end * (end - 1) // 2)


def _line(end: int, passage: Passage, max_demand: int) -> Graph:
    options = {"max_demand": max_demand}
    return Graph(
        (
            Node("count", lambda: Count(end, passage)),
            Node("add one", AddOne),
            Node("sum", lambda: Sum(passage)),
        ),
        (Edge("sum", "add one", options), Edge("add one", "count", options)),
    )


def _fan(end: int, passage: Passage, dispatcher: Callable[[], Dispatcher] | None) -> Graph:
    names = [f"sum {number}" for number in range(_CONSUMERS)]
    return Graph(
        (
            Node("count", lambda: Count(end, passage, dispatcher)),
            *(Node(name, lambda: Sum(passage)) for name in names),
        ),
        tuple(Edge(name, "count", {"max_demand": 1000}) for name in names),
    )


def _beside(
    events: int,
    plain: Callable[[int], int],
    ways: Mapping[str, Callable[[Graph], None]],
    graph: Callable[[int, Passage], Graph],
    expected: Callable[[int], int],
) -> dict[str, float]:
    """Events a second of all ways and of the plain loop, and the ratios to it.

    Raises:
        RuntimeError: A way comes to another sum than expected.
    """
    few = max(1, int(events * _THREADS_SHARE))
    sizes = {name: few if home is homes.threads else events for name, home in ways.items()}
    costs = interleaved(
        {"plain": lambda: _plain_cost(events, plain, expected)}
        | {name: partial(_cost, home, graph, sizes[name], expected) for name, home in ways.items()}
    )
    rates = {name: 1 / median(costs[name]) for name in (*ways, "plain")}
    found = {"events": events, **rates, **ratios(costs["plain"], costs["ours"])}
    if "pykka_threads" in costs:
        found |= ratios(costs["pykka_threads"], costs["ours"], "times_threads")
    return found


def _cost(
    home: Callable[[Graph], None],
    graph: Callable[[int, Passage], Graph],
    events: int,
    expected: Callable[[int], int],
) -> float:
    passage = Passage()
    home(graph(events, passage))
    _check(passage.total, expected(events))
    return (passage.ended - passage.began) / events


def _plain_cost(events: int, plain: Callable[[int], int], expected: Callable[[int], int]) -> float:
    began = perf_counter()
    total = plain(events)
    took_s = perf_counter() - began
    _check(total, expected(events))
    return took_s / events


def _check(total: int, expected: int) -> None:
    if total != expected:
        raise RuntimeError(f"the sum is {total}, not {expected}")


def _plain_identity(end: int, batch: int) -> int:
    total = 0
    for first in range(0, end, batch):
        made = list(range(first, min(first + batch, end)))
        total += sum([number + 1 for number in made])  # the list is the middle stage
    return total


def _plain_fan_out(end: int, batch: int, copies: int) -> int:
    total = 0
    for first in range(0, end, batch):
        made = list(range(first, min(first + batch, end)))
        for _ in range(copies):
            total += sum(made)
    return total
