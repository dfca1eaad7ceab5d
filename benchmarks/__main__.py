"""The command ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import baseline
from benchmarks.measuring import commit, machine
from benchmarks.protocol.suite import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def main(arguments: list[str] | None = None) -> int:
    """Run a suite, print its figures and keep them if a file is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure this checkout.")
    suites = parser.add_subparsers(dest="suite", required=True, metavar="SUITE")
    protocol_options = suites.add_parser("protocol", help="stages and actors, beside plain loops and threads")
    protocol_options.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    protocol_options.add_argument(
        "--only", nargs="+", choices=WORKLOADS, metavar="WORKLOAD", help=f"some of: {', '.join(WORKLOADS)}"
    )
    protocol_options.add_argument(
        "--scale", type=_scale, default=1.0, metavar="X", help="X times the events (default: 1)"
    )
    baseline_options = suites.add_parser(
        "baseline", help=f"peak memory of the demonstration on {baseline.ROWS:,} rows; the command compares"
    )
    baseline_options.add_argument(
        "--json", type=Path, metavar="FILE", default=baseline.BASELINE, help="by default: %(default)s"
    )
    options = parser.parse_args(arguments)

    if options.suite == "protocol":
        _protocol(options.only or WORKLOADS, options.scale, options.json)
    else:
        _baseline(options.json)
    return 0


def _protocol(names: Iterable[str], scale: float, file: Path | None) -> None:
    results = []
    for name in names:
        for result in WORKLOADS[name](scale):
            print(result, flush=True)
            results.append(result.to_json())
    if file is not None:
        _keep(file, {"suite": "protocol", "machine": machine(), "commit": commit(), "results": results})


def _baseline(file: Path) -> None:
    figures = baseline.measure()
    print(
        f"peak memory of {figures['rows']:,} rows: {figures['peak_memory_bytes']:,} bytes"
        f" ({figures['lowest']:,} to {figures['highest']:,})"
    )
    _keep(file, figures | {"machine": machine()})


def _scale(text: str) -> float:
    scale = float(text)
    if not scale > 0:
        raise ValueError
    return scale


def _keep(file: Path, figures: Mapping[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
