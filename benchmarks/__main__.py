"""The command ``python -m benchmarks``."""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.measuring import machine
from benchmarks.smoke import FULL, run


def main(arguments: list[str] | None = None) -> int:
    """Run a suite, print its figures and keep them if a file is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure this checkout.")
    suites = parser.add_subparsers(dest="suite", required=True, metavar="SUITE")
    smoke = suites.add_parser("smoke", help="the protocol core beside a plain loop, in seconds")
    smoke.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    smoke.add_argument(
        "--scale", type=float, default=1.0, metavar="X", help=f"X times {FULL:,} events (default: 1)"
    )
    options = parser.parse_args(arguments)

    results = []
    for result in run(options.scale):
        results.append(result)
        print(
            f"{result['workload']:<14} max_demand {result['max_demand']:>5}"
            f"   core {result['core']:>12,.0f} /s   plain loop {result['plain']:>12,.0f} /s"
            f"   ratio {result['ratio']:.3f} ({result['ratio_low']:.3f} to {result['ratio_high']:.3f})",
            flush=True,
        )
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(
            json.dumps({"suite": "smoke", "machine": machine(), "results": results}, indent=2) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
