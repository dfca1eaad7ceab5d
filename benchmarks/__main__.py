"""The command ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import baseline, smoke
from benchmarks.measuring import machine

if TYPE_CHECKING:
    from collections.abc import Mapping


def main(arguments: list[str] | None = None) -> int:
    """Run a suite, print its figures and keep them if a file is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure this checkout.")
    suites = parser.add_subparsers(dest="suite", required=True, metavar="SUITE")
    smoke_options = suites.add_parser("smoke", help="the protocol core beside a plain loop, in seconds")
    smoke_options.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    smoke_options.add_argument(
        "--scale", type=float, default=1.0, metavar="X", help=f"X times {smoke.FULL:,} events (default: 1)"
    )
    baseline_options = suites.add_parser(
        "baseline", help=f"peak memory of the demonstration on {baseline.ROWS:,} rows; the command compares"
    )
    baseline_options.add_argument(
        "--json", type=Path, metavar="FILE", default=baseline.BASELINE, help="by default: %(default)s"
    )
    options = parser.parse_args(arguments)

    if options.suite == "smoke":
        _smoke(options.scale, options.json)
    else:
        _baseline(options.json)
    return 0


def _smoke(scale: float, file: Path | None) -> None:
    results = []
    for result in smoke.run(scale):
        results.append(result)
        print(
            f"{result['workload']:<14} max_demand {result['max_demand']:>5}"
            f"   core {result['core']:>12,.0f} /s   plain loop {result['plain']:>12,.0f} /s"
            f"   ratio {result['ratio']:.3f} ({result['ratio_low']:.3f} to {result['ratio_high']:.3f})",
            flush=True,
        )
    if file is not None:
        _keep(file, {"suite": "smoke", "machine": machine(), "results": results})


def _baseline(file: Path) -> None:
    figures = baseline.measure()
    print(
        f"peak memory of {figures['rows']:,} rows: {figures['peak_memory_bytes']:,} bytes"
        f" ({figures['lowest']:,} to {figures['highest']:,})"
    )
    _keep(file, figures | {"machine": machine()})


def _keep(file: Path, figures: Mapping[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
