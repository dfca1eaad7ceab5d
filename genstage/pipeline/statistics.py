"""What can be seen of a run, as frozen objects."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from genstage._core.reasons import Crash, one_line, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genstage._core.reasons import Reason
    from genstage.pipeline.sight import StageState
    from genstage.pipeline.supervisor import RunState

__all__ = ["LastError", "PipelineStatistics", "StageStatistics"]


@dataclass(frozen=True, slots=True)
class LastError:
    """What a stage has failed with: text, because an exception would keep alive what its frames hold.

    Attributes:
        kind: Name of the exception's class, or of the reason's if there was no exception.
        message: What it said.
        text: The traceback as Python prints it, without local variables; empty if there was no exception.
    """

    kind: str
    message: str
    text: str = ""

    @classmethod
    def of(cls, reason: Reason) -> LastError:
        """What is kept of an exit reason."""
        if not isinstance(reason, Crash):
            return cls(type(reason).__name__, shown(reason))
        error = reason.exception
        told = traceback.TracebackException.from_exception(error)
        return cls(type(error).__name__, shown(error), "".join(told.format()))

    def __repr__(self) -> str:
        return f"<LastError {self.kind}: {one_line(self.message)}>"


@dataclass(frozen=True, slots=True)
class StageStatistics:
    """Figures of one stage, since it was last started.

    Attributes:
        state: ``"starting"``, ``"running"``, ``"paused"`` (it takes no demand), ``"finishing"`` (its own data
            has ended, and what it holds is leaving) or ``"ended"``.
        events_in: Events it has taken.
        events_out: Events it has sent; an event sent to several consumers counts for each.
        queue: Messages that wait for it.
        demand: Events its consumers have asked for and it has not sent; of a consumer, those it has asked for
            and has not handled.
        buffered: Events it has made that wait for demand, in its buffer and in its dispatcher.
        discarded: Events its buffer had no place for.
        busy: The share of time that it spends in callbacks, from 0.0 to 1.0: over the last seconds, and of a
            stage that has ended, over its life. Short callbacks are sampled, so it is an estimate.
        restarts: How often it was started again.
        last_error: What it has failed with last, also before it was started again.
    """

    state: StageState
    events_in: int = 0
    events_out: int = 0
    queue: int = 0
    demand: int = 0
    buffered: int = 0
    discarded: int = 0
    busy: float = 0.0
    restarts: int = 0
    last_error: LastError | None = None

    def __repr__(self) -> str:
        error = "" if self.last_error is None else f" last_error={self.last_error!r}"
        return (
            f"<StageStatistics {self.state} in={self.events_in} out={self.events_out} queue={self.queue} "
            f"demand={self.demand} buffered={self.buffered} discarded={self.discarded} busy={self.busy:.2f} "
            f"restarts={self.restarts}{error}>"
        )


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
        throughput: Records per second over the last seconds, and after the end over the whole run. Of a run
            that does not count records, events that its sinks have taken.
        oldest_in_flight_s: How old the oldest event on its way is at least: since a stage has sent it to the
            next, which has not handled it, or has put it into its buffer. It is looked for about once a
            second, so it may be a second older. ``None`` when no event is on its way.
    """

    state: RunState
    records: int
    expected: int | None
    elapsed_s: float
    restarts: int
    stages: Mapping[str, StageStatistics]
    throughput: float = 0.0
    oldest_in_flight_s: float | None = None

    def __repr__(self) -> str:
        expected = "" if self.expected is None else f"/{self.expected}"
        age = "" if self.oldest_in_flight_s is None else f" oldest_in_flight_s={self.oldest_in_flight_s:.1f}"
        return (
            f"<PipelineStatistics {self.state} records={self.records}{expected} "
            f"elapsed_s={self.elapsed_s:.1f} restarts={self.restarts} throughput={self.throughput:.1f}{age} "
            f"stages={len(self.stages)}>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        figures = {field.name: getattr(self, field.name) for field in fields(self)}
        return _restored, (figures | {"stages": dict(self.stages)},)


def _restored(figures: dict[str, Any]) -> PipelineStatistics:
    return PipelineStatistics(**(figures | {"stages": MappingProxyType(figures["stages"])}))
