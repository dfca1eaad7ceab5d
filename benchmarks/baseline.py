"""Peak memory of the demonstration on few rows: what the command compares its own peak with."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

__all__ = ["BASELINE", "ROWS", "measure"]

BASELINE = Path(__file__).with_name("results") / "demo_baseline.json"
"""Where the command looks for it."""

ROWS = 1_000
_ROUNDS = 5
_PEAK = re.compile(r"^Peak memory +(\d+(?:\.\d+)?) MB\b", re.MULTILINE)


def measure() -> dict[str, object]:
    """Run the command five times on a new sample each, and take the median of the peaks it prints."""
    peaks = [_peak_bytes() for _ in range(_ROUNDS)]
    return {
        "rows": ROWS,
        "peak_memory_bytes": median(peaks),
        "lowest": min(peaks),
        "highest": max(peaks),
        "rounds": _ROUNDS,
    }


def _peak_bytes() -> int:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "renderers", "demo", "--rows", str(ROWS), "--out", folder]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = _PEAK.search(told)
    if found is None:
        raise ValueError(f"the command does not tell its peak memory in MB: {told!r}")
    return round(float(found[1]) * 1_000_000)
