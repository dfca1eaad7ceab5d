"""Live progress on standard error: a bar on a terminal, log lines elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from genstage.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import ProgressColumn, TaskID

    from renderers.cli.console import StreamConsole

__all__ = ["STOPPING", "Bar", "Lines", "Show", "showing_progress"]

STOPPING = "stopping"
"""The activity of what will come to nothing."""

_EVERY_S = 5.0  # between two log lines
_REFRESH_S = 0.1
_WIDE = 72  # columns of a terminal on which all of the bar has room
_HALF = 48  # columns on which it has room without the rate


class Show(Protocol):
    """Shows how far something has come."""

    def __call__(self, activity: str, done: int, total: int | None) -> None:
        """Show it.

        Args:
            activity: What is being done: a word or two.
            done: How many records of it are done.
            total: How many there are, if known.
        """


@contextmanager
def showing_progress(console: StreamConsole, *, live: bool) -> Iterator[Show]:
    """Show progress until left.

    Args:
        console: Standard error.
        live: Whether a bar may be drawn there; otherwise there are log lines.
    """
    if not live:
        yield Lines()
        return
    bar = Bar(console)
    try:
        yield bar
    finally:
        bar.close()


class Lines:
    """A log line every few seconds.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._log = get_logger("renderers.cli.progress")
        self._start = self._last = clock()
        self._activity = ""

    def __call__(self, activity: str, done: int, total: int | None) -> None:
        """Write a line if it is time for one, or something else is being done.

        That it is being stopped is told by what stops it, and by the last line of all.
        """
        if activity == STOPPING:
            return
        now = self._clock()
        if activity == self._activity and now - self._last < _EVERY_S:
            return
        self._last, self._activity = now, activity
        fields = {} if total is None else {"total": total}
        self._log.info(activity, records=done, seconds=round(now - self._start, 1), **fields)


class Bar:
    """A bar that stays below what is logged, and is gone when it is closed.

    Args:
        console: A terminal.
        clock: Seconds, monotonic.
    """

    def __init__(self, console: StreamConsole, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._last = float("-inf")
        self._activity = ""
        self._progress = Progress(
            *_columns(console.width), console=console, auto_refresh=False, transient=True, expand=False
        )
        self._task: TaskID | None = None
        self._gone = False

    def __call__(self, activity: str, done: int, total: int | None) -> None:
        """Draw it, at most ten times a second and when the activity changes.

        Once nobody can see it any more, never.
        """
        now = self._clock()
        if self._gone or (activity == self._activity and now - self._last < _REFRESH_S):
            return
        self._last, self._activity = now, activity
        count, rate = _facts(done, total, now - self._start)
        try:
            if self._task is None:
                self._progress.start()
                self._progress.console.show_cursor(show=True)  # a hidden one stays hidden if we are killed
                self._task = self._progress.add_task(activity, total=total, count=count, rate=rate)
            self._progress.update(
                self._task, description=activity, completed=done, total=total, count=count, rate=rate
            )
            self._progress.refresh()
        except OSError:  # the terminal has gone; the run goes on
            self._gone = True

    def close(self) -> None:
        """Remove the bar."""
        try:
            self._progress.stop()
        except OSError:
            self._progress.console.quiet = True


def _columns(width: int) -> list[ProgressColumn]:
    """What has room on a terminal of this width, in one line."""
    activity, count, rate = (
        TextColumn(text, table_column=Column(no_wrap=True))
        for text in ("{task.description}", "{task.fields[count]}", "{task.fields[rate]}")
    )
    if width < _HALF:
        return [activity, count]
    if width < _WIDE:
        return [activity, BarColumn(bar_width=width - 40), count]
    return [activity, BarColumn(bar_width=min(40, width - 60)), count, rate]


def _facts(done: int, total: int | None, seconds: float) -> tuple[str, str]:
    """The texts of the bar: how many, and how fast.

    Example:
        >>> _facts(2500, 10000, 1.0)
        ('2,500 of 10,000', '2,500/s, 3 s left')
    """
    count = f"{done:,}" if total is None else f"{done:,} of {total:,}"
    rate = done / seconds if seconds > 0 else 0.0
    left = f", {(total - done) / rate:,.0f} s left" if rate and total is not None and done < total else ""
    return count, f"{rate:,.0f}/s{left}"
