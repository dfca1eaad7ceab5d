"""What came of it: figures, and how they are printed."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Recovery", "Result", "recoveries_of"]


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long it took from an accident until an event reached a new sink of that pipeline.

    Attributes:
        count: Of how many accidents.
        median_ms: The median.
        p99_ms: The 99th percentile.
        max_ms: The longest.
    """

    count: int
    median_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Recovery:
        """Of these times; at least one."""
        ordered = sorted(seconds)
        p99 = ordered[math.ceil(0.99 * len(ordered)) - 1]
        return cls(len(ordered), *(round(s * 1e3, 2) for s in (median(ordered), p99, ordered[-1])))

    def __str__(self) -> str:
        median_ms, p99_ms, max_ms = (f"{ms:,.1f} ms" for ms in (self.median_ms, self.p99_ms, self.max_ms))
        return f"median {median_ms}, p99 {p99_ms}, max {max_ms} ({self.count})"


def recoveries_of(times: Iterable[tuple[str, float]]) -> dict[str, Recovery]:
    """By the kind of accident; ``all`` of them first."""
    by_kind: defaultdict[str, list[float]] = defaultdict(list)
    for kind, seconds in times:
        by_kind["all"].append(seconds)
        by_kind[kind].append(seconds)
    return {
        kind: Recovery.of(by_kind[kind]) for kind in sorted(by_kind, key=lambda kind: (kind != "all", kind))
    }


@dataclass(frozen=True, slots=True)
class Result:
    """All figures.

    Attributes:
        pipelines: How many there were.
        seconds: For how long there were accidents.
        seed: Of the accidents.
        accidents: How many there were, by kind.
        missed: Accidents whose stage was not there at that moment.
        kills: Stages and supervisors that were killed, those that overstayed their time included.
        restarts: By pipelines, which begin their stages anew, and by the supervisors above them.
        recovery: By kind of accident.
        runs: How many incarnations have ended, by state.
        outcomes: How the pipelines have ended in the end, by state.
        reasons: Why those have failed that have, by pipeline.
        wrong: What sinks have come to that have ended in order with something wrong.
        events: Events that have reached sinks.
        threads: The most that there were.
        memory_mb: How much more the process had at its peak than before.
        hangs: Pipelines that neither moved nor ended.
        left: Threads and callbacks that were there after the end.
        first_hang: What there is to know of the first one.
    """

    pipelines: int
    seconds: float
    seed: int
    accidents: Mapping[str, int]
    missed: int
    kills: int
    restarts: Mapping[str, int]
    recovery: Mapping[str, Recovery]
    runs: Mapping[str, int]
    outcomes: Mapping[str, int]
    reasons: Mapping[str, str]
    wrong: tuple[str, ...]
    events: int
    threads: int
    memory_mb: float
    hangs: tuple[str, ...]
    left: tuple[str, ...]
    first_hang: str

    @property
    def good(self) -> bool:
        """Whether no promise was broken."""
        return not (self.hangs or self.wrong or self.left)

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"{self.pipelines} pipelines for {self.seconds:g} s, seed {self.seed}",
            f"    accidents: {_counts(self.accidents)}; missed {self.missed}; kills: {self.kills}",
            f"    restarts: {_counts(self.restarts)}",
            *(f"    recovery, {kind}: {recovery}" for kind, recovery in self.recovery.items()),
            f"    runs: {_counts(self.runs)}; events: {self.events:,}",
            f"    pipelines in the end: {_counts(self.outcomes)}",
            *(f"        {name}: {reason}" for name, reason in self.reasons.items()),
            f"    threads: {self.threads} at most; memory: {self.memory_mb:.1f} MB more",
            *(f"    wrong: {told}" for told in self.wrong),
            *(f"    left behind: {told}" for told in self.left),
            f"    hangs: {len(self.hangs)}",
        ]
        if self.first_hang:
            lines.append(self.first_hang)
        return "\n".join(lines)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
