"""Who looks at the stages of a run, about once a second, and answers for what it has seen.

It belongs to the run's supervisor, which tells it what begins and ends. Questions come from any thread: what
they need is replaced, never changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from genstage._core.reasons import Normal, Shutdown
from genstage.pipeline.explain import explain, in_callback
from genstage.pipeline.health import Health
from genstage.pipeline.sight import turn_place, view
from genstage.pipeline.statistics import LastError, StageStatistics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage.pipeline.health import Sample
    from genstage.pipeline.sight import View

__all__ = ["Figures", "Look", "Observer"]

_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """It is time to look again.

    Attributes:
        attempt: Number of the attempt that is meant.
    """

    attempt: int


class Figures(NamedTuple):
    """What can be said of a run at a moment.

    Attributes:
        stages: Figures of each stage.
        progress: Records or events that it has done.
        throughput: How many of these it does per second.
        oldest_in_flight_s: Age of the oldest event on its way, at least; ``None`` when there is none.
    """

    stages: Mapping[str, StageStatistics]
    progress: int
    throughput: float
    oldest_in_flight_s: float | None


class Observer:
    """Looks at the stages of one run.

    Args:
        port: The supervisor's port.
        records: Records that the run has done; 0 for a run that does not count them.
    """

    def __init__(self, port: Driver, records: Callable[[], int]) -> None:
        self._port = port
        self._records = records
        self._attempt = 0
        self._looking = False
        self._actors: Callable[[], Mapping[str, LaneActor]] = dict
        self._sinks: tuple[str, ...] = ()
        self._began_s = 0.0
        self._health = Health()
        self._ended: Mapping[str, StageStatistics] = MappingProxyType({})
        self._errors: Mapping[str, LastError] = MappingProxyType({})
        self._task: LaneActor | None = None

    # -- the supervisor's side ------------------------------------------------------------------------

    def begin(self, actors: Callable[[], Mapping[str, LaneActor]], sinks: Iterable[str]) -> None:
        """The stages begin, or begin anew.

        Args:
            actors: Gives the actors of those that have been started, by name.
            sinks: Names of those that nobody subscribes to.
        """
        self._attempt += 1
        self._looking = True
        self._actors, self._sinks = actors, tuple(sinks)
        self._began_s = self._port.now_s
        self._ended, self._task = MappingProxyType({}), None
        self._health = Health()
        self._look()

    def handle(self, message: Look) -> None:
        """Look, and see to it that the next look follows."""
        if self._looking and message.attempt == self._attempt:
            self._look()

    def child_ended(self, name: str, actor: LaneActor, reason: Reason) -> None:
        """A stage has ended: keep what it has come to."""
        if not isinstance(reason, Normal | Shutdown):
            self._errors = MappingProxyType({**self._errors, name: LastError.of(reason)})
        now_s = self._port.now_s
        seen = view({name: actor}, now_s, queues=False)
        life_s = now_s - self._began_s
        busy = min(seen.stages[name].busy_s / life_s, 1.0) if life_s > 0 else 0.0
        self._ended = MappingProxyType({**self._ended, name: self._of(name, seen, busy)})

    def stages_ended(self) -> None:
        """There is nothing to look at any more."""
        self._looking = False

    def task_began(self, task: LaneActor) -> None:
        """A step of the run's own work is done by a thread of its own."""
        self._task = task

    def _look(self) -> None:
        seen = view(self._actors(), self._port.now_s, queues=False)
        self._health = self._health.after(self._sample(seen))
        self._port.schedule(_INTERVAL_S, Look(self._attempt))

    # -- any thread's side ----------------------------------------------------------------------------

    def figures(self, restarts: int) -> Figures:
        """What can be said at this moment.

        Args:
            restarts: How often the stages have begun anew.
        """
        health, ended = self._health, self._ended
        seen = view(self._actors(), self._port.now_s)
        sample = self._sample(seen)
        stages = {name: self._of(name, seen, health.busy(name, sample)) for name in seen.stages} | dict(ended)
        stages = {name: replace(stage, restarts=restarts) for name, stage in stages.items()}
        return Figures(
            MappingProxyType(stages), sample.progress, health.rate(sample), health.oldest_s(sample)
        )

    def explain(self) -> list[str]:
        """What everybody is doing, and who holds up whom; a line each."""
        now_s = self._port.now_s
        task = self._task
        if task is not None and task.alive:
            turn, where = turn_place(task)
            return ["its thread is about to begin" if turn is None else in_callback(turn, where, now_s)]
        return explain(view(self._actors(), now_s, places=True), self._health)

    def _sample(self, seen: View) -> Sample:
        return seen.sample(self._records() or sum(self._taken(name, seen) for name in self._sinks))

    def _taken(self, name: str, seen: View) -> int:
        stage: Any = self._ended.get(name) or seen.stages.get(name)
        return 0 if stage is None else stage.events_in

    def _of(self, name: str, seen: View, busy: float) -> StageStatistics:
        stage = seen.stages[name]
        return StageStatistics(
            state=stage.state,
            events_in=stage.events_in,
            events_out=stage.events_out,
            queue=stage.queue,
            demand=seen.demand(name) if stage.state != "ended" else 0,
            buffered=stage.buffered,
            discarded=stage.discarded,
            busy=busy,
            last_error=self._errors.get(name),
        )
