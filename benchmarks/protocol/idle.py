"""Many idle stages under a supervisor, and what they cost: memory, and time of the garbage collector.

As a module of its own it starts them in its process: ``python -m benchmarks.protocol.idle STAGES``.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.measuring import in_fresh_process
from benchmarks.protocol.result import Result, Target
from genstage import Consumer, Normal, Runtime
from genstage._core.messages import Stop
from genstage.supervision import Child, ChildrenStarted, Group, StageLaunch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genstage._runtime.driver import Driver

__all__ = ["idle", "start_idle"]

_STAGES = 100_000
_PATIENCE_S = 600.0


def idle(scale: float) -> Iterator[Result]:
    """Start idle stages in a fresh process and look at it."""
    figures = in_fresh_process(__name__, max(1, int(_STAGES * scale)))
    targets = (Target("memory_mb", 1_000, at_most=True),)
    yield Result("idle_stages", "MB, bytes and ms", figures, targets)


def start_idle(runtime: Runtime, number: int) -> float:
    """Let a supervisor start idle consumers one after the other; returns the seconds until all have."""
    started = threading.Event()
    children = [
        Child(f"idle {n}", StageLaunch(Consumer, f"idle {n}"), shutdown_s=_PATIENCE_S) for n in range(number)
    ]
    began = perf_counter()
    runtime._engine.spawn(  # noqa: SLF001 - supervisors are no public part of the runtime yet
        lambda port: _Supervisor(port, children, started),
        name="idle",
        control=True,
        on_started=lambda _: None,
    )
    if not started.wait(_PATIENCE_S):
        raise RuntimeError("the stages do not start")
    return perf_counter() - began


class _Supervisor:
    """A behaviour that does nothing but start its children and tell when they have."""

    def __init__(self, port: Driver, children: list[Child[Any]], started: threading.Event) -> None:
        self._group = Group(port, children)
        self._port = port
        self._started = started

    def start(self) -> None:
        """Start the first child."""
        self._group.start()

    def handle(self, message: Any) -> None:
        """Start the next one; at the end, stop them all."""
        if isinstance(message, Stop):
            self._group.stop()
        elif isinstance(self._group.handle(message), ChildrenStarted):
            self._started.set()
        if self._group.ended:
            self._port.stop(Normal())


def _memory_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def _collection_ms() -> float:
    began = perf_counter()
    gc.collect()
    return (perf_counter() - began) * 1_000


def _measured(number: int) -> dict[str, float]:
    with Runtime(shutdown_s=_PATIENCE_S) as runtime:
        gc.collect()
        before = _memory_bytes()
        took_s = start_idle(runtime, number)
        full_ms = _collection_ms()
        memory = _memory_bytes()
        gc.freeze()
        frozen_ms = _collection_ms()
        gc.unfreeze()
        return {
            "stages": number,
            "memory_mb": memory / 1_000_000,
            "bytes_a_stage": (memory - before) / number,
            "start_us": took_s / number * 1e6,
            "full_collection_ms": full_ms,
            "after_freeze_ms": frozen_ms,
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(int(sys.argv[1]))))
    sys.stdout.flush()
