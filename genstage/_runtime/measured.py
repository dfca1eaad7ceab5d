"""What telemetry is told of stages: put between a core and the user's object while somebody listens."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from genstage._core.reasons import Crash
from genstage._core.stage import StageCore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genstage._core.subscription import Subscription
    from genstage._runtime.actor import LaneActor
    from genstage.telemetry import Telemetry

__all__ = ["emit_end", "emit_start", "measured"]


class _Measured:
    """Stands in for a stage, and tells of what it is called for; everything else is the stage's own."""

    __slots__ = ("_name", "_telemetry", "measured_stage")

    def __init__(self, stage: Any, name: str, telemetry: Telemetry) -> None:
        keep = super().__setattr__
        keep("measured_stage", stage)
        keep("_name", name)
        keep("_telemetry", telemetry)

    def handle_demand(self, demand: int) -> Any:
        started = perf_counter()
        result = self.measured_stage.handle_demand(demand)
        figures = {"demand": demand, "duration_s": perf_counter() - started}
        self._telemetry.emit("stage.demand", figures, stage=self._name)
        return result

    def handle_events(self, events: Sequence[Any], origin: Subscription) -> Any:
        started = perf_counter()
        result = self.measured_stage.handle_events(events, origin)
        figures = {"events": len(events), "duration_s": perf_counter() - started}
        self._telemetry.emit("stage.batch", figures, stage=self._name)
        return result

    def format_discarded(self, count: int) -> Any:
        self._telemetry.emit("buffer.overflow", {"discarded": count}, stage=self._name)
        return self.measured_stage.format_discarded(count)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.measured_stage, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.measured_stage, name, value)


def measured(name: str, telemetry: Telemetry) -> Callable[[Any], Any]:
    """What to exchange a stage for: something that measures it while somebody listens, or itself again."""

    def exchange(stage: Any) -> Any:
        plain = stage.measured_stage if isinstance(stage, _Measured) else stage
        return _Measured(plain, name, telemetry) if telemetry.active else plain

    return exchange


def emit_start(actor: LaneActor, telemetry: Telemetry) -> None:
    """A stage has started."""
    if telemetry.active and isinstance(actor.behaviour, StageCore):
        actor.exchange_stage(measured(actor.name, telemetry))
        telemetry.emit("stage.start", {}, stage=actor.name)


def emit_end(actor: LaneActor, telemetry: Telemetry) -> None:
    """A stage has ended."""
    if telemetry.active and isinstance(actor.behaviour, StageCore):
        event = "stage.crash" if isinstance(actor.reason, Crash) else "stage.stop"
        telemetry.emit(event, {}, stage=actor.name, reason=actor.reason)
