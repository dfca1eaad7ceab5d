"""Ways to do the same work, timed in turn, so that all meet the same machine; and which machine that is."""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["commit", "in_fresh_process", "interleaved", "machine", "ratios"]

ROUNDS = 9

_ROOT = Path(__file__).parents[1]


def interleaved(ways: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Measure each way once to warm up, then all in turn, round by round.

    Args:
        ways: What to measure, by name; each returns what it costs.

    Returns:
        The costs of each way, one a round.
    """
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for measure in ways.values():
        measure()
    for _ in range(ROUNDS):
        for name, measure in ways.items():
            gc.collect()
            costs[name].append(measure())
    return costs


def ratios(anchor: Sequence[float], ours: Sequence[float], name: str = "ratio") -> dict[str, float]:
    """How many times cheaper ours is than the anchor: the median of the rounds' ratios, and their span."""
    found = [other / own for other, own in zip(anchor, ours, strict=True)]
    return {name: median(found), f"{name}_low": min(found), f"{name}_high": max(found)}


def in_fresh_process(module: str, *arguments: object) -> dict[str, Any]:
    """Run a module that prints one JSON object, and read it."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    told = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(told)
    return found


def machine() -> dict[str, object]:
    """What the figures depend on."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],  # far more than 1: other programs took part
    }


def commit() -> str | None:
    """The commit that is checked out, with a mark if files differ from it; ``None`` outside a checkout."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607 - the reader's own git
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return told.strip()
