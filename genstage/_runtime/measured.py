"""What telemetry is told of stages: put between a core and the user's object while somebody listens."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from genstage._core.reasons import BadReturn, Crash
from genstage._core.stage import StageCore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genstage._core.subscription import Subscription
    from genstage._runtime.actor import LaneActor

__all__ = ["emit_end", "emit_start", "measured"]


class _Measured:
    """Stands in for a stage, and tells of what it is called for; everything else is the stage's own."""

    __slots__ = ("_actor", "measured_stage")

    def __init__(self, stage: Any, actor: LaneActor) -> None:
        keep = super().__setattr__
        keep("measured_stage", stage)
        keep("_actor", actor)

    def handle_demand(self, demand: int) -> Any:
        started = perf_counter()
        result = self.measured_stage.handle_demand(demand)
        self._emit("stage.demand", {"demand": demand, "duration_s": perf_counter() - started})
        return result

    def handle_events(self, events: Sequence[Any], origin: Subscription) -> Any:
        started = perf_counter()
        result = self.measured_stage.handle_events(events, origin)
        self._emit("stage.batch", {"events": len(events), "duration_s": perf_counter() - started})
        return result

    def format_discarded(self, count: int) -> Any:
        self._emit("buffer.overflow", {"discarded": count})
        return self.measured_stage.format_discarded(count)

    def _emit(self, event: str, measurements: Mapping[str, float]) -> None:
        if self._actor.alive:  # nothing is heard of a callback whose stage has been killed
            self._actor.driver.emit(event, measurements, stage=self._actor.name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.measured_stage, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.measured_stage, name, value)


def measured(actor: LaneActor) -> Callable[[Any], Any]:
    """What to exchange an actor's stage for: something that measures it while somebody listens, or itself."""

    def exchange(stage: Any) -> Any:
        plain = stage.measured_stage if isinstance(stage, _Measured) else stage
        return _Measured(plain, actor) if actor.engine.telemetry.active else plain

    return exchange


def emit_start(actor: LaneActor) -> None:
    """A stage has started."""
    if actor.engine.telemetry.active and isinstance(actor.behaviour, StageCore):
        actor.exchange_stage(measured(actor))
        actor.driver.emit("stage.start", {}, stage=actor.name)


def emit_end(actor: LaneActor, in_callback: bool | None) -> None:  # noqa: FBT001 - as in the event
    """A stage has ended; if it was killed, whether it was in a callback then."""
    if not isinstance(actor.behaviour, StageCore):
        return
    emit, about = actor.driver.emit, {"stage": actor.name, "reason": actor.reason}
    if in_callback is not None:
        emit("stage.killed", {}, **about, in_callback=in_callback)
    else:
        emit("stage.crash" if isinstance(actor.reason, Crash | BadReturn) else "stage.stop", {}, **about)
