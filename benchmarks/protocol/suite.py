"""The workloads of the suite ``protocol``, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.protocol import actors, children, flows, idle, latency, slow, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.protocol.result import Result

__all__ = ["WORKLOADS"]

WORKLOADS: Mapping[str, Callable[[float], Iterator[Result]]] = {
    "identity": streams.identity,
    "core": streams.core,
    "fan_out": streams.fan_out,
    "flow": flows.flow,
    "tell": actors.tell,
    "call": actors.call,
    "start": actors.start,
    "consumer_supervisor": children.consumer_supervisor,
    "idle": idle.idle,
    "latency": latency.latency,
    "slow_consumer": slow.slow_consumer,
}
"""What can be measured, by name; each is given the scale and yields its results."""
