"""Lets the accidents happen."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from benchmarks.supervision.meter import Trap
from genstage._runtime.typed_refs import ref_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.supervision.accidents import Accident
    from benchmarks.supervision.meter import Meter
    from benchmarks.supervision.subjects import Subject
    from genstage import Run

__all__ = ["Chaos"]

_HELD_S = 2.0
"""How long a stuck callback is held at most after its stage has been killed."""


class Chaos:
    """Carries out accidents; belongs to one thread.

    Args:
        subjects: The pipelines.
        runs: Their runs.

    Attributes:
        missed: How many had nobody to happen to: the stage was not there at that moment.
    """

    def __init__(self, subjects: Sequence[Subject], runs: Sequence[Run[Any]]) -> None:
        self._subjects = subjects
        self._runs = runs
        self._set: list[tuple[Trap, int]] = []  # traps, with the number of their pipeline
        self._held: list[tuple[Trap, Meter, float]] = []  # stuck callbacks of the dead, and until when
        self.missed = 0

    def happen(self, accident: Accident) -> None:
        """An accident happens, or begins to."""
        number, meter = accident.pipeline, self._subjects[accident.pipeline].meter
        if accident.kind == "kill":
            self._kill(number, accident.stage, accident)
        elif accident.kind == "crash":
            meter.let_crash(accident.stage)
        elif accident.kind == "kill_run":
            actor = self._runs[number]._actor  # noqa: SLF001 - a run hands out no reference to its supervisor
            self._kill_actor(number, actor, accident)
        else:
            trap = Trap(accident)
            meter.set_trap(trap)
            self._set.append((trap, number))

    def go_on(self) -> None:
        """Kill whose stage is stuck by now, and free callbacks whose pipeline has got over it."""
        for trap, number in list(self._set):
            if trap.inside.is_set():
                self._set.remove((trap, number))
                accident = trap.accident
                victim = accident.stage if accident.kind == "stuck" else accident.other
                self._kill(number, victim, accident)
                self._held.append((trap, self._subjects[number].meter, monotonic() + _HELD_S))
        for held in list(self._held):
            trap, meter, until_s = held
            if not meter.recovering or monotonic() > until_s:
                trap.gate.set()
                self._held.remove(held)

    def end(self) -> None:
        """Free all that are stuck."""
        for trap, _ in self._set:
            trap.gate.set()
        for trap, _, _ in self._held:
            trap.gate.set()

    def _kill(self, number: int, stage: str, accident: Accident) -> None:
        children = self._runs[number]._supervisor.children()  # noqa: SLF001 - nor to its stages
        for actor in children:
            if actor.name == stage:
                self._kill_actor(number, actor, accident)
                return
        self.missed += 1

    def _kill_actor(self, number: int, actor: Any, accident: Accident) -> None:
        if not actor.alive:
            self.missed += 1
            return
        self._subjects[number].meter.hit(accident.kind, actor.name)
        ref_to(actor).kill()
