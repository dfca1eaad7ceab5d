"""The protocol core alone, without a runtime: what demand costs beside a plain loop.

Workload ``identity``: count, add one, sum; three stages with automatic subscriptions and the default
``min_demand``, so that events travel in batches of half the ``max_demand``. The anchor makes, maps and sums
the same batches in a loop. The port is a queue of messages, handled in their order.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import paired
from genstage import Consumer, Finish, Producer, ProducerConsumer
from genstage._core.messages import SubscribeTo
from genstage._core.stage import StageCore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from genstage._core.stage import Kind

__all__ = ["FULL", "core_identity", "plain_identity", "run"]

FULL = 2_000_000
"""Events at the greatest demand; smaller demands get fewer, because each message carries fewer."""

_SHARES = {1000: 1.0, 10: 0.1, 1: 0.02}


def run(scale: float = 1.0) -> Iterator[dict[str, Any]]:
    """Measure each demand in turn."""
    for max_demand, share in _SHARES.items():
        events = max(1, int(FULL * share * scale))
        figures = paired(
            events,
            lambda events=events, max_demand=max_demand: core_identity(events, max_demand),
            lambda events=events, max_demand=max_demand: plain_identity(events, max(1, max_demand // 2)),
        )
        yield {
            "workload": "core identity",
            "max_demand": max_demand,
            "events": events,
            "core": round(figures.ours),
            "plain": round(figures.plain),
            "ratio": round(figures.ratio, 4),
            "ratio_low": round(figures.low, 4),
            "ratio_high": round(figures.high, 4),
        }


def plain_identity(events: int, batch: int) -> int:
    """The anchor: the same batches without stages."""
    total = 0
    for first in range(0, events, batch):
        made = list(range(first, min(first + batch, events)))
        total += sum([number + 1 for number in made])  # the list is the middle stage
    return total


def core_identity(events: int, max_demand: int) -> int:
    """The sum that the last of three stages comes to."""
    network = _Network()
    total = _Sum()
    network.add(_Count(events), "producer", "count")
    network.add(_AddOne(), "producer_consumer", "add one")
    network.add(total, "consumer", "sum")
    options = {"max_demand": max_demand}
    network.queue.append(("sum", SubscribeTo("add one", options)))
    network.queue.append(("add one", SubscribeTo("count", options)))
    network.run()
    return total.total


class _Count(Producer[int]):
    def __init__(self, end: int) -> None:
        self.next, self.end = 0, end

    def handle_demand(self, demand: int) -> Sequence[int] | Finish[int]:
        first, self.next = self.next, min(self.next + demand, self.end)
        made = list(range(first, self.next))
        return made if self.next < self.end else Finish(made)


class _AddOne(ProducerConsumer[int, int]):
    def handle_events(self, events: Sequence[int], origin: object) -> Sequence[int]:  # noqa: ARG002
        return [number + 1 for number in events]


class _Sum(Consumer[int]):
    total = 0

    def handle_events(self, events: Sequence[int], origin: object) -> None:  # noqa: ARG002
        self.total += sum(events)


class _Network:
    """Cores and the messages on their way, in one queue."""

    def __init__(self) -> None:
        self.cores: dict[str, StageCore] = {}
        self.queue: deque[tuple[str, Any]] = deque()
        self.numbers = count(1)

    def add(self, stage: Any, kind: Kind, name: str) -> None:
        core = StageCore(stage, kind, _Port(self, name), name)
        reason = core.start()
        if reason is not None:
            raise RuntimeError(f"{name} does not start: {reason}")
        self.cores[name] = core

    def run(self) -> None:
        queue, cores = self.queue, self.cores
        while queue:
            to, message = queue.popleft()
            core = cores.get(to)
            if core is not None:
                core.handle(message)


class _Port:
    """A port whose deaths nobody watches: the data ends, and so does the run."""

    def __init__(self, network: _Network, name: str) -> None:
        self.me = name
        self.network = network
        self.queue = network.queue

    def send(self, to: str, message: Any) -> None:
        self.queue.append((to, message))

    def watch(self, peer: str) -> int:  # noqa: ARG002
        return next(self.network.numbers)

    def unwatch(self, watch: int) -> None:
        """There is nothing to take back."""

    def reply(self, to: object, value: object) -> None:  # noqa: ARG002
        if isinstance(value, Exception):
            raise value

    def resolve(self, target: str) -> str | None:
        return target if target in self.network.cores else None

    def new_tag(self) -> int:
        return next(self.network.numbers)

    def report(self, event: str, **fields: Any) -> None:
        raise RuntimeError(f"unexpected: {event} {fields}")

    def stop(self, reason: object) -> None:
        del self.network.cores[self.me]
        if repr(reason) != "Normal()":
            raise RuntimeError(f"{self.me} ended: {reason!r}")
