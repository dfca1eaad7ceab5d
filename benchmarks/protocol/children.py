"""A child for each event: what it costs to start, supervise and end one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.measuring import interleaved, ratios
from benchmarks.protocol.result import Result
from genstage import ConsumerSupervisor, Runtime, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["consumer_supervisor"]

_EVENTS = 100_000
_MAX_DEMAND = 1_000
_PATIENCE_S = 600.0


def consumer_supervisor(scale: float) -> Iterator[Result]:
    """Each event's child calls a function; beside a loop, and a pool of threads, that call it."""
    events = max(1, int(_EVENTS * scale))
    costs = interleaved(
        {name: lambda way=way: _cost(events, way) for name, way in _WAYS.items()}  # type: ignore[misc] # mypy loses the default
    )
    figures = {
        "events": events,
        **{name: events / median(found) for name, found in costs.items()},
        "us_a_child": median(costs["ours"]) / events * 1e6,
        **ratios(costs["plain"], costs["ours"]),
        **ratios(costs["pool"], costs["ours"], "times_pool"),
    }
    yield Result("consumer_supervisor", "events/s", figures, max_demand=_MAX_DEMAND)


class _Work:
    """What is done for each event."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def do(self, event: int) -> None:
        """Note it."""
        self.done.append(event)


def _cost(events: int, way: Callable[[range, _Work], None]) -> float:
    work = _Work()
    began = perf_counter()
    way(range(events), work)
    took_s = perf_counter() - began
    expected = events * (events - 1) // 2
    if sum(work.done) != expected:
        raise RuntimeError(f"the sum is {sum(work.done)}, not {expected}")
    return took_s


def _children(events: range, work: _Work) -> None:
    with Runtime() as runtime:
        source = runtime.from_iterable(events)
        supervisor = runtime.supervise(ConsumerSupervisor(lambda event: Task(work.do, event)))
        supervisor.subscribe(source, max_demand=_MAX_DEMAND)
        supervisor.wait(timeout_s=_PATIENCE_S)


def _pool(events: range, work: _Work) -> None:
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(work.do, events):
            pass


def _loop(events: range, work: _Work) -> None:
    for event in events:
        work.do(event)


_WAYS: dict[str, Callable[[range, _Work], None]] = {"ours": _children, "plain": _loop, "pool": _pool}
