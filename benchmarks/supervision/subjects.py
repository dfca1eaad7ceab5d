"""Who has the accidents: many pipelines, of all shapes and with all ways to be started again, in one tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.supervision.meter import Meter
from benchmarks.supervision.shapes import SHAPES, Silent, make_pipeline, nodes_of
from genstage import Supervisor, child_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genstage import ChildSpec, Run, SupervisorRef
    from genstage.supervision.spec import Restart

__all__ = ["Subject", "make_subjects", "runs_of", "tree_of"]

SHUTDOWN_S = 0.25
"""What a stage gets to stop before it is abandoned."""

_GROUP = 10
_EVENTS_A_SECOND = 10_000  # of a source that goes at its own pace


class _Life(NamedTuple):
    restart: Restart
    max_restarts: int
    share: float | None  # how long its data are, as a share of the benchmark's time; None: without end
    paced: bool = True


_LIVES = (
    _Life("permanent", 0, None),
    _Life("transient", 3, None),
    _Life("permanent", 0, 1 / 50),  # is completed, and begins again
    _Life("transient", 0, None, paced=False),
    _Life("transient", 100, 1 / 4),  # is completed some time
    _Life("permanent", 100, None),
    _Life("temporary", 2, None),  # fails some time
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A pipeline in the tree.

    Attributes:
        name: Its name.
        spec: The pipeline as a child.
        meter: What its stages tell.
        stages: The names of its stages.
    """

    name: str
    spec: ChildSpec[Run[Any]]
    meter: Meter
    stages: tuple[str, ...]


def make_subjects(count: int, seconds: float, *, plant_hang: bool = False) -> list[Subject]:
    """The pipelines.

    Args:
        count: How many.
        seconds: How long the benchmark takes; data that end do so within this time.
        plant_hang: Whether the last one falls silent after a while.
    """
    subjects = []
    for number in range(count):
        shape, life = SHAPES[number % len(SHAPES)], _LIVES[number % len(_LIVES)]
        name, meter = f"{shape} {number + 1}", Meter()
        source = {"source": Silent} if plant_hang and number == count - 1 else {}
        end = None if life.share is None or source else int(life.share * seconds * _EVENTS_A_SECOND)
        pipeline = make_pipeline(shape, name, meter, end, paced=life.paced, **source).with_options(
            max_restarts=life.max_restarts, shutdown_s=SHUTDOWN_S
        )
        spec = pipeline.child_spec(restart=life.restart)
        subjects.append(Subject(name, spec, meter, tuple(nodes_of(pipeline))))
    return subjects


def tree_of(subjects: Sequence[Subject]) -> Supervisor:
    """All of them under supervisors that never give up, under one."""
    groups = [
        child_spec(
            f"group {number + 1}",
            Supervisor(*(subject.spec for subject in group), max_restarts=1_000_000, restart_window_s=1),
        )
        for number, group in enumerate(_groups(subjects))
    ]
    return Supervisor(*groups)


def runs_of(tree: SupervisorRef, subjects: Sequence[Subject]) -> list[Run[Any]]:
    """Their runs, in the same order."""
    return [
        tree.child(f"group {number + 1}").child(subject.spec)
        for number, group in enumerate(_groups(subjects))
        for subject in group
    ]


def _groups(subjects: Sequence[Subject]) -> list[Sequence[Subject]]:
    return [subjects[start : start + _GROUP] for start in range(0, len(subjects), _GROUP)]
