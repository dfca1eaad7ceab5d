"""Why a run does not move, in words: who waits for whom, since when, at which line. Pure.

Each living stage is in a callback, or waits for others, or has a reason of its own not to go on. Whoever
waits for somebody is not to blame. Following the waiting from stage to stage leads to those that are: they
hold up the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from genstage._core.reasons import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from genstage._runtime.frames import Place
    from genstage._runtime.lane import Turn
    from genstage.pipeline.health import Health
    from genstage.pipeline.sight import Passage, Sight, View

__all__ = ["explain", "in_callback"]


class _Standing(NamedTuple):
    """What a stage is doing.

    Attributes:
        text: In words.
        waits_for: Names of those it waits for; none if it is the one that others wait for.
    """

    text: str
    waits_for: Sequence[str] = ()


def explain(view: View, health: Health) -> list[str]:
    """Tell what each stage is doing, and what holds them up.

    Args:
        view: The stages, with their places.
        health: What is known of the time before.

    Returns:
        A line for each stage, in the order of the view, and then one that says what holds up the others.
    """
    standings = {name: _standing(name, view) for name in view.stages}
    sample = view.sample(0)
    lines = []
    for name, standing in standings.items():
        since = ""
        if standing.waits_for and (still_s := health.still_s(name, sample)):
            since = f", for {_seconds(still_s)}"
        lines.append(f"{_quoted(name)} {standing.text}{since}")
    return [*lines, _verdict(standings, view)] if lines else []


def in_callback(turn: Turn, place: Place | None, now_s: float) -> str:
    """That somebody is in a callback, in words.

    Args:
        turn: The turn.
        place: Where that is.
        now_s: What time it is.
    """
    if turn.began_s is None:
        return "in a callback, just now"
    took = _seconds(now_s - turn.began_s)
    return f"in a callback for {took}" if place is None else f"in {place.callback} for {took} at {place.at}"


def _standing(name: str, view: View) -> _Standing:
    stage = view.stages[name]
    reason = _own_reason(stage, view.at_s)
    if reason is not None:
        return _Standing(reason)
    if stage.buffered or stage.waiting:
        return _with_output(name, stage, view)
    if stage.kind == "producer":
        return _producer(name, stage, view)
    return _taker(name, view)


def _own_reason(stage: Sight, now_s: float) -> str | None:
    """Why it does not wait for anybody."""
    if stage.turn is not None:
        return f"is {in_callback(stage.turn, stage.place, now_s)}"
    if stage.queue > stage.waiting:
        return f"has {_counted(stage.queue - stage.waiting, 'message')} to handle"
    states = {
        "ended": "has ended",
        "starting": "is starting",
        "paused": "is paused: demand accumulates",
    }
    return states.get(stage.state)


def _with_output(name: str, stage: Sight, view: View) -> _Standing:
    """It holds events that nobody has asked for."""
    held = _counted(stage.buffered, "event") if stage.buffered else _counted(stage.waiting, "message")
    if not stage.consumers:
        return _Standing(f"holds {held}, but has no consumer")
    orphans = [entry for entry in stage.kept if not entry.taken]
    if orphans and sum(entry.events for entry in orphans) == stage.buffered and not stage.waiting:
        names = ", ".join(_quoted(entry.partition) for entry in orphans)
        noun = "partition" if len(orphans) == 1 else "partitions"
        return _Standing(f"holds {held} for {noun} {names}, where nobody has subscribed")
    return _for_demand(name, view, f" with {held} at hand")


def _producer(name: str, stage: Sight, view: View) -> _Standing:
    if not stage.consumers:
        return _Standing("has no consumer")
    if stage.owes and stage.state != "finishing":
        askers = _names(_consumers(name, view, lambda passage: passage.demand != 0))
        owes = f"owes {_counted(stage.owes, 'event')} to {askers}"
        return _Standing(f"{owes}: it was asked, and none of its callbacks has returned them")
    return _for_demand(name, view, "")


def _for_demand(name: str, view: View, having: str) -> _Standing:
    idle = _consumers(name, view, lambda passage: not passage.demand)
    if not idle:
        return _Standing(f"waits for demand from stages of others{having}")
    return _Standing(f"waits for demand from {_names(idle)}{having}", idle)


def _taker(name: str, view: View) -> _Standing:
    """A consumer or producer-consumer that holds nothing."""
    into = [passage for passage in view.passages if passage.consumer == name]
    if not into:
        return _Standing("is subscribed to no stage of this run")
    if all(passage.manual and passage.demand == 0 and passage.sent <= passage.handled for passage in into):
        return _Standing("asks by hand, and has asked for nothing more")
    producers = list(dict.fromkeys(passage.producer for passage in into))
    return _Standing(f"waits for events from {_names(producers)}", producers)


def _consumers(name: str, view: View, wanted: Callable[[Passage], bool]) -> list[str]:
    out = (passage for passage in view.passages if passage.producer == name and wanted(passage))
    return list(dict.fromkeys(passage.consumer for passage in out))


def _verdict(standings: dict[str, _Standing], view: View) -> str:
    living = [name for name in standings if view.stages[name].state != "ended"]
    if not living:
        return "all stages have ended"
    roots = [name for name in living if not standings[name].waits_for]
    if not roots:
        return "nobody holds it up: what they wait for is on its way"
    blamed = (f"{_quoted(name)}, which {standings[name].text}" for name in roots)
    return f"held up by {', and by '.join(blamed)}"


def _names(names: Iterable[str]) -> str:
    quoted = [_quoted(name) for name in dict.fromkeys(names)]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1]))) if quoted else "nobody"


def _quoted(name: object) -> str:
    return one_line(name, repr)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _seconds(seconds: float) -> str:
    return f"{max(seconds, 0.0):.1f} s"
