"""The stages of a run, looked at from outside: from any thread, without a lock, also when they have ended.

Each figure is right, but they are not all of the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from genstage._core.messages import Events
from genstage._core.snapshot import snapshot
from genstage._core.stage import StageCore
from genstage._runtime.frames import frames, place
from genstage.pipeline.health import Flow, Sample, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

    from genstage._core.consuming import Upstream
    from genstage._core.dispatchers.base import Kept
    from genstage._core.producing import Downstream, Producing
    from genstage._core.stage import Kind
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.frames import Place
    from genstage._runtime.lane import Turn

__all__ = ["Passage", "Sight", "StageState", "View", "busy_s", "turn_place", "view"]

T = TypeVar("T")

StageState = Literal["starting", "running", "paused", "finishing", "ended"]


@dataclass(frozen=True, slots=True)
class Passage:
    """A subscription between two stages of a run.

    Attributes:
        producer: Name of the one.
        consumer: Name of the other.
        sent: Events sent so far.
        handled: Those of them that have been handled.
        demand: Events asked for and not sent; ``None`` if the dispatcher cannot tell.
        manual: Whether the consumer asks by hand.
    """

    producer: str
    consumer: str
    sent: int
    handled: int
    demand: int | None
    manual: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """One stage.

    Attributes:
        state: What it is doing.
        kind: What it is; ``None`` before it has been made.
        events_in: Events it has taken.
        events_out: Events it has sent.
        queue: Messages that wait for it.
        owes: Events it has been asked for, has room for, and has not sent.
        buffered: Events that wait in its buffer and its dispatcher.
        kept: Those of them that wait for one consumer's ask.
        waiting: Messages of events that wait in a producer-consumer for demand.
        discarded: Events its buffer had no place for.
        consumers: How many subscriptions it has.
        turn: The turn it is in.
        place: Where that is, if it was looked for.
        busy_s: Seconds in callbacks.
    """

    state: StageState
    kind: Kind | None = None
    events_in: int = 0
    events_out: int = 0
    queue: int = 0
    owes: int = 0
    buffered: int = 0
    kept: Sequence[Kept] = ()
    waiting: int = 0
    discarded: int = 0
    consumers: int = 0
    turn: Turn | None = None
    place: Place | None = None
    busy_s: float = 0.0


@dataclass(frozen=True, slots=True)
class View:
    """All stages of a run.

    Attributes:
        at_s: When.
        stages: The stages, by name.
        passages: Their subscriptions.
    """

    at_s: float
    stages: Mapping[str, Sight]
    passages: Sequence[Passage]

    def demand(self, name: str) -> int:
        """What a stage's consumers have asked for and it has not sent; of a consumer, what it has not got."""
        stage = self.stages[name]
        if stage.kind == "consumer":
            into = [passage for passage in self.passages if passage.consumer == name]
            return sum((passage.demand or 0) + max(passage.sent - passage.handled, 0) for passage in into)
        out = [passage.demand for passage in self.passages if passage.producer == name]
        known = [demand for demand in out if demand is not None]
        return sum(known) if known else stage.owes

    def sample(self, progress: int) -> Sample:
        """The figures of this moment, for :class:`genstage.pipeline.health.Health`."""
        flows: dict[Hashable, Flow] = {}
        for passage in self.passages:
            key = (passage.producer, passage.consumer)
            sent, handled = flows.get(key, Flow(0, 0))
            flows[key] = Flow(sent + passage.sent, handled + passage.handled)
        for name, stage in self.stages.items():
            if stage.buffered and stage.state != "ended":
                left = stage.events_out + stage.discarded
                flows[name] = Flow(left + stage.buffered, left)
        work = {
            name: Work(stage.events_in + stage.events_out, stage.busy_s)
            for name, stage in self.stages.items()
        }
        return Sample(self.at_s, progress, work, flows)


def view(actors: Mapping[str, LaneActor], now_s: float, *, queues: bool = True, places: bool = False) -> View:
    """Look at the stages of a run.

    Args:
        actors: Their actors, by name.
        now_s: What time it is, on the runtime's clock.
        queues: Whether to count what waits for them, for which the lanes' queues have to be gone through.
        places: Whether to look where those are that are in a callback.
    """
    seen = {name: _sight(actor, now_s, queues=queues, places=places) for name, actor in actors.items()}
    return View(now_s, seen, _passages(actors))


def turn_place(actor: LaneActor) -> tuple[Turn | None, Place | None]:
    """The turn that an actor is in, and where it is there."""
    now = frames()  # before the look at the turn: one that has just begun is not mistaken for the last one
    turn = actor.lane.turn_of(actor)
    if turn is None or turn.began_s is None:
        return turn, None
    return turn, place(now.get(turn.thread_id or 0))


def busy_s(actor: LaneActor, now_s: float) -> float:
    """Seconds that an actor has spent in turns."""
    turn = actor.lane.turn_of(actor)
    under_way_s = 0.0 if turn is None or turn.began_s is None else max(now_s - turn.began_s, 0.0)
    return actor.timed_s + actor.sampled_s + under_way_s


def _sight(actor: LaneActor, now_s: float, *, queues: bool, places: bool) -> Sight:
    core = actor.behaviour
    turn, where = turn_place(actor) if places else (actor.lane.turn_of(actor), None)
    if not isinstance(core, StageCore):
        state: StageState = "starting" if actor.alive else "ended"
        return Sight(state, turn=turn, place=where, busy_s=busy_s(actor, now_s))
    consuming, producing, pending = core.consuming, core.producing, core.pending
    kept: Sequence[Kept] = () if producing is None else _asked(producing.dispatcher.kept, ())
    waiting = 0
    if pending is not None:
        waiting = sum(isinstance(entry, Events) for entry in snapshot(pending.entries))
    return Sight(
        _state(actor, core),
        core.kind,
        events_in=0 if consuming is None else consuming.events_in,
        events_out=0 if producing is None else producing.events_out,
        queue=actor.lane.queued(actor) + waiting if queues and actor.alive else 0,
        owes=0 if producing is None else _asked(producing.dispatcher.room, 0),
        buffered=0 if producing is None else len(producing.buffer) + sum(entry.events for entry in kept),
        kept=kept,
        waiting=waiting,
        discarded=0 if producing is None else producing.discarded,
        consumers=0 if producing is None else len(producing.consumers),
        turn=turn,
        place=where,
        busy_s=busy_s(actor, now_s),
    )


def _state(actor: LaneActor, core: StageCore) -> StageState:
    if not actor.alive:
        return "ended"
    if actor.starting:
        return "starting"
    if core.finishing:
        return "finishing"
    return "paused" if core.producing is not None and core.producing.mode == "accumulate" else "running"


def _asked(dispatcher: Callable[[], T], otherwise: T) -> T:
    try:
        return dispatcher()
    except Exception:  # noqa: BLE001 - it is a user's, perhaps, and looked at in the middle of its work
        return otherwise


def _passages(actors: Mapping[str, LaneActor]) -> list[Passage]:
    names = {actor: name for name, actor in actors.items()}
    passages = []
    for name, actor in actors.items():
        core = actor.behaviour
        if not isinstance(core, StageCore) or core.producing is None:
            continue
        demands: Mapping[Any, int] | None = _asked(core.producing.dispatcher.waiting, None)
        for tag, downstream in _subscriptions(core.producing):
            consumer = downstream.subscription.consumer
            upstream = _upstream(consumer, tag) if consumer in names else None
            if upstream is not None:
                passages.append(
                    Passage(
                        name,
                        names[consumer],
                        downstream.sent,
                        upstream.handled,
                        None if demands is None else demands.get(tag, 0),
                        upstream.window is None,
                    )
                )
    return passages


def _subscriptions(producing: Producing) -> Collection[tuple[Any, Downstream]]:
    return [*list(producing.consumers.items()), *list(producing.told.items())]


def _upstream(consumer: LaneActor, tag: Any) -> Upstream | None:
    core = consumer.behaviour
    if not consumer.alive or not isinstance(core, StageCore) or core.consuming is None:
        return None
    return core.consuming.upstreams.get(tag)
