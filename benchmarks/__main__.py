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
from benchmarks.supervision.suite import measure

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
    _add_supervision(suites)
    options = parser.parse_args(arguments)

    if options.suite == "supervision":
        return _supervision(options)
    if options.suite == "protocol":
        _protocol(options.only or WORKLOADS, options.scale, options.json)
    else:
        _baseline(options.json)
    return 0


def _add_supervision(suites: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    options = suites.add_parser(
        "supervision", help="accidents in running pipelines; exit status 1 if one of them hangs"
    )
    options.add_argument("--pipelines", type=_count, default=50, metavar="N", help="default: %(default)s")
    options.add_argument(
        "--seconds", type=_scale, default=60.0, metavar="S", help="how long there are accidents (default: 60)"
    )
    options.add_argument("--seed", type=int, default=1, metavar="N", help="of the accidents (default: 1)")
    options.add_argument(
        "--rate", type=_scale, default=20.0, metavar="X", help="accidents a second (default: 20)"
    )
    options.add_argument(
        "--hang-after",
        type=_scale,
        default=15.0,
        metavar="S",
        help="seconds without an event until a pipeline is taken to hang (default: 15)",
    )
    options.add_argument(
        "--plant-hang", action="store_true", help="let a pipeline hang, to see that it is found"
    )
    options.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")


def _supervision(options: argparse.Namespace) -> int:
    result = measure(
        options.pipelines,
        options.seconds,
        options.seed,
        rate=options.rate,
        hang_after_s=options.hang_after,
        plant_hang=options.plant_hang,
    )
    print(result)
    if options.json is not None:
        figures = {
            "suite": "supervision",
            "machine": machine(),
            "commit": commit(),
            "result": result.to_json(),
        }
        _keep(options.json, figures)
    return 0 if result.good else 1


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


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count


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
