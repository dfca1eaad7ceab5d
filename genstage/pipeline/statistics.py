"""What can be seen of a run, as frozen objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genstage._core.stage import StageCore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genstage._runtime.actor import LaneActor
    from genstage.pipeline.supervisor import RunState

__all__ = ["PipelineStatistics", "StageStatistics", "stage_statistics"]


@dataclass(frozen=True, slots=True)
class StageStatistics:
    """Figures of one stage, since it was last started.

    Attributes:
        state: ``"starting"``, ``"running"`` or ``"ended"``.
        events_in: Events it has taken.
        events_out: Events it has sent; an event sent to several consumers counts for each.
        buffered: Events that wait in its buffer.
        restarts: How often it was started again.
    """

    state: str
    events_in: int
    events_out: int
    buffered: int
    restarts: int


@dataclass(frozen=True, slots=True)
class PipelineStatistics:
    """Figures of a run.

    Attributes:
        state: What the run is doing; ``"completed"``, ``"failed"`` or ``"cancelled"`` at the end.
        records: Source records that have reached every sink.
        expected: Source records there are in all, if known.
        elapsed_s: Seconds since the run began, or that it took.
        restarts: How often its stages were started again.
        stages: Figures of each stage, by name.
    """

    state: RunState
    records: int
    expected: int | None
    elapsed_s: float
    restarts: int
    stages: Mapping[str, StageStatistics]


def stage_statistics(actor: LaneActor, restarts: int) -> StageStatistics:
    """Read a stage's figures, without a lock: each is right, but not all of the same moment."""
    core = actor.behaviour
    if not isinstance(core, StageCore):
        return StageStatistics("starting" if actor.alive else "ended", 0, 0, 0, restarts)
    consuming, producing = core.consuming, core.producing
    return StageStatistics(
        state="running" if actor.alive else "ended",
        events_in=consuming.events_in if consuming is not None else 0,
        events_out=producing.events_out if producing is not None else 0,
        buffered=len(producing.buffer) if producing is not None else 0,
        restarts=restarts,
    )
