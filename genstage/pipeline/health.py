"""How a run is doing over time: its rates, and how old what is on its way is. Pure: it is fed samples.

A sample says what has come and gone so far; between two samples nothing is known. So ages are *lower bounds*:
what had been sent at the time of a sample, and has not been handled now, is at least that old. Nothing is
assumed about the order in which events overtake each other: if more had been sent by then than has been
handled by now, some event of that time is still on its way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

__all__ = ["Flow", "Health", "Sample", "Work"]

_WINDOW_S = 5.0
"""Rates are those of about so long."""

_MARKS = 64
"""Most marks of one flow. When there are more, every other one is forgotten: that makes no age greater."""


class Flow(NamedTuple):
    """Events that have gone into something, and those of them that have come out, since it began."""

    entered: int
    left: int


class Work(NamedTuple):
    """What a stage has done since it began.

    Attributes:
        events: Events it has handled and sent.
        busy_s: Seconds in callbacks.
    """

    events: int
    busy_s: float


_NOTHING = Work(0, 0.0)


class _Since(NamedTuple):
    figure: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Sample:
    """The figures of one moment.

    Attributes:
        at_s: When.
        progress: What the run has done, in records or events.
        work: What each stage has done.
        flows: Everything where events can be on their way.
    """

    at_s: float
    progress: int = 0
    work: Mapping[str, Work] = field(default_factory=dict)
    flows: Mapping[Hashable, Flow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """What is known from the samples so far. Immutable, so anybody can ask it at any time.

    Each question takes a sample of its own moment, later than those before.

    Attributes:
        samples: The latest ones, oldest first; enough for the window.
        marks: Per flow, how much had entered at which samples, as far as it has not left.
        since: Per stage, what it has done, and since when it has done no more.

    Example:
        >>> health = Health().after(Sample(0.0)).after(Sample(1.0, flows={"a": Flow(10, 4)}))
        >>> health.oldest_s(Sample(7.5, flows={"a": Flow(12, 9)}))
        6.5
        >>> health.oldest_s(Sample(7.5, flows={"a": Flow(12, 12)})) is None
        True
    """

    samples: tuple[Sample, ...] = ()
    marks: Mapping[Hashable, tuple[_Since, ...]] = field(default_factory=dict)
    since: Mapping[str, _Since] = field(default_factory=dict)

    def after(self, sample: Sample) -> Health:
        """What is known after one more sample."""
        kept = [*self.samples, sample]
        while len(kept) > 2 and sample.at_s - kept[1].at_s >= _WINDOW_S:  # noqa: PLR2004 - a span has two ends
            del kept[0]
        return Health(
            tuple(kept),
            {key: self._marks(key, flow, sample.at_s) for key, flow in sample.flows.items()},
            {name: self._since(name, work, sample.at_s) for name, work in sample.work.items()},
        )

    def rate(self, now: Sample) -> float:
        """Progress per second over the window."""
        if not self.samples:
            return 0.0
        first = self.samples[0]
        took_s = now.at_s - first.at_s
        return max(now.progress - first.progress, 0) / took_s if took_s > 0 else 0.0

    def busy(self, name: str, now: Sample) -> float:
        """The share of the window that a stage has spent in callbacks, from 0.0 to 1.0."""
        if not self.samples or now.at_s <= self.samples[0].at_s:
            return 0.0
        first = self.samples[0]
        before = first.work.get(name, _NOTHING)  # one that had not begun
        share = (now.work[name].busy_s - before.busy_s) / (now.at_s - first.at_s)
        return min(max(share, 0.0), 1.0)

    def oldest_s(self, now: Sample) -> float | None:
        """How old the oldest event on its way is at least, in seconds; ``None`` if there is none."""
        ages = [
            now.at_s - self._sent_by(key, flow.left, now.at_s)
            for key, flow in now.flows.items()
            if flow.entered > flow.left
        ]
        return max(ages, default=None)

    def still_s(self, name: str, now: Sample) -> float | None:
        """For how long, at least, a stage has neither handled nor sent an event; ``None`` if it just has."""
        since = self.since.get(name)
        if since is None or name not in now.work or since.figure != now.work[name].events:
            return None
        return now.at_s - since.at_s

    def _sent_by(self, key: Hashable, left: int, now_s: float) -> float:
        """By when an event had entered that has not left."""
        return next((mark.at_s for mark in self.marks.get(key, ()) if mark.figure > left), now_s)

    def _marks(self, key: Hashable, flow: Flow, at_s: float) -> tuple[_Since, ...]:
        marks = [mark for mark in self.marks.get(key, ()) if mark.figure > flow.left]
        if marks and marks[-1].figure > flow.entered:
            marks = []  # some were dropped, nobody knows which
        if flow.entered > (marks[-1].figure if marks else flow.left):
            marks.append(_Since(flow.entered, at_s))
        return tuple(marks if len(marks) <= _MARKS else marks[::2])

    def _since(self, name: str, work: Work, at_s: float) -> _Since:
        before = self.since.get(name)
        return before if before is not None and before.figure == work.events else _Since(work.events, at_s)
