"""One run, followed to its end: progress, signals, failure."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from genstage.errors import GenstageError
from genstage.logger import get_logger
from renderers import render
from renderers.cli.errors import Interrupted, RunError, reason_of, refusal
from renderers.cli.progress import STOPPING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from genstage.pipeline import PipelineStatistics, Run
    from genstage.sources import Source
    from renderers import Report, Summary
    from renderers.cli.progress import Show
    from renderers.cli.signals import Signals

__all__ = ["run_report"]

_GLANCE_S = 0.1  # between two looks at the statistics

_log = get_logger("renderers.cli.running")


def run_report(
    report: Report,
    source: Source,
    *,
    formats: Sequence[str],
    out: Path,
    origin: str,
    show: Show,
    signals: Signals,
) -> Summary:
    """Run a report to its end.

    Args:
        report: The definition.
        source: Its data.
        formats: What to write.
        out: The folder for it.
        origin: What the definition came from, as the user knows it.
        show: Told how far the run is, some times a second.
        signals: Entered; the first one stops the run in order, and SIGUSR1 tells what it is doing.

    Raises:
        InputError: The run could not begin; nothing was written.
        RunError: It failed; no final file was written.
        Interrupted: A signal ended it; no final file was written.
    """
    signals.hold()
    signals.leaves = f"{out / f'.{report.name}.run'}/"
    with ExitStack() as stack:
        try:
            run = stack.enter_context(render(report, source, out=out, formats=formats).run())
        except GenstageError as error:
            raise refusal(error, report=origin) from error
        signals.explain = run.explain
        _log.debug("started", report=report.name, formats=list(formats))
        return _followed(run, show, signals)


def _followed(run: Run[Summary], show: Show, signals: Signals) -> Summary:
    while True:
        try:
            with signals.awaited():
                return run.wait(timeout_s=_GLANCE_S)
        except TimeoutError:
            statistics = run.statistics()
            show(_activity(statistics), statistics.records, statistics.expected)
        except GenstageError as error:
            raise RunError(reason_of(error)) from error
        except Interrupted as interrupted:
            _log.info("stopping", signal=interrupted.name)
            statistics = run.statistics()
            show(STOPPING, statistics.records, statistics.expected)
            _stop(run)
            if run.statistics().state == "completed":  # it came too late: the outputs are whole
                return run.wait()
            raise


def _stop(run: Run[Summary]) -> None:
    """Stop a run, in short waits: a second signal must not wait for the end of a long one."""
    while True:
        try:
            run.stop(timeout_s=_GLANCE_S)
        except TimeoutError:
            continue
        else:
            return


def _activity(statistics: PipelineStatistics) -> str:
    """What a run is doing, for a person; records count when they have reached every output."""
    match statistics.state:
        case "finalizing" if statistics.records != statistics.expected:
            return "writing"  # all is read, but some outputs are behind
        case "finalizing" | "publishing":
            return "finishing"
        case "stopping" | "abandoning" | "failed" | "cancelled":
            return STOPPING
        case _:
            return "reading"
