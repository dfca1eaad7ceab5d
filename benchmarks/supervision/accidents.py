"""Which accidents happen, when and where: decided before anything runs, from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["KINDS", "Accident", "Kind", "schedule"]

Kind = Literal["kill", "crash", "stuck", "overstay", "kill_run"]

KINDS: tuple[Kind, ...] = get_args(Kind)

_WEIGHTS = {"kill": 10, "crash": 5, "stuck": 2, "overstay": 2, "kill_run": 1}


@dataclass(frozen=True, slots=True)
class Accident:
    """What is to happen.

    Attributes:
        at_s: When, in seconds from the beginning.
        pipeline: Number of the pipeline.
        stage: Name of the stage.
        other: Name of another of its stages.
        kind: ``"kill"``: the stage is killed, wherever it is. ``"crash"``: its next callback raises.
            ``"stuck"``: its next callback blocks, and then it is killed. ``"overstay"``: its next callback
            blocks, and then the other stage is killed, so that this one overstays its time to stop.
            ``"kill_run"``: the supervisor of the run is killed.
    """

    at_s: float
    pipeline: int
    stage: str
    other: str
    kind: Kind


def schedule(
    pipelines: Sequence[Sequence[str]], *, seconds: float, rate: float, seed: int
) -> Iterator[Accident]:
    """All accidents, in order: as many a second on average as ``rate`` says, at random moments.

    Args:
        pipelines: The names of each pipeline's stages, two or more.
        seconds: When the last one happens at the latest.
        rate: Accidents per second, all in all.
        seed: Another one, other accidents.
    """
    random = Random(seed)
    at_s = random.expovariate(rate)
    while at_s < seconds:
        pipeline = random.randrange(len(pipelines))
        stage, other = random.sample(pipelines[pipeline], 2)
        (kind,) = random.choices(KINDS, [_WEIGHTS[kind] for kind in KINDS])
        yield Accident(at_s, pipeline, stage, other, kind)
        at_s += random.expovariate(rate)
