"""Two ways to do the same work, timed in turn, so that both meet the same machine."""

from __future__ import annotations

import gc
import os
import platform
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Paired", "machine", "paired"]

ROUNDS = 5


@dataclass(frozen=True)
class Paired:
    """Medians of a paired measurement.

    Attributes:
        ours: Events a second of what is measured.
        plain: Events a second of the anchor.
        ratio: Median of the ratios of the rounds.
        low: The smallest of them.
        high: The greatest.
    """

    ours: float
    plain: float
    ratio: float
    low: float
    high: float


def paired(events: int, ours: Callable[[], object], plain: Callable[[], object]) -> Paired:
    """Time both in turn, five times after one warm-up each.

    Args:
        events: How many events one call handles.
        ours: What is measured.
        plain: The anchor; has to come to the same result.

    Raises:
        ValueError: The results differ.
    """
    if (got := ours()) != (expected := plain()):
        raise ValueError(f"the results differ: {got!r} and {expected!r}")
    ours_s, plain_s = [], []
    for _ in range(ROUNDS):
        plain_s.append(_timed(plain))
        ours_s.append(_timed(ours))
    ratios = [anchor / own for anchor, own in zip(plain_s, ours_s, strict=True)]
    return Paired(events / median(ours_s), events / median(plain_s), median(ratios), min(ratios), max(ratios))


def machine() -> dict[str, object]:
    """What the figures depend on."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
    }


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    start = perf_counter()
    work()
    return perf_counter() - start
