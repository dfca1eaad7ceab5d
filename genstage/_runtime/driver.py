"""The port of a core on the runtime: what a core does, done."""

from __future__ import annotations

import logging
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from genstage._core.messages import Down, Message
from genstage._core.reasons import Killed, NoProc, shown
from genstage._runtime.watch import Monitor, link, unlink
from genstage.errors import OptionError
from genstage.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from genstage._core.messages import Tag
    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.engine import Engine
    from genstage._runtime.launch import Behaviour
    from genstage._runtime.timers import Timer
    from genstage._runtime.watch import Watcher

__all__ = ["Driver"]

_numbers = count(1)  # of subscriptions and watches: unique in the process, so in every runtime too

_LEVELS = {
    "stopping_after_cancel": logging.DEBUG,
    "discarded": logging.WARNING,
    "demand_above_max": logging.WARNING,
}
"""What is not an error of the user's program; the rest of the core's reports is."""


class Driver:
    """Satisfies the core's ``Port``, and lets supervisors start and kill actors.

    Once its actor has ended, nothing leaves through it.

    Args:
        actor: The actor it belongs to.
        engine: Where the actor lives.

    Attributes:
        me: The address of the actor itself.
        control: Whether it is a supervisor.
        run: Name of the pipeline and number of the run to which it belongs: those of whoever has started it,
            or its own, see :meth:`begin_run`.
        watched: What the actor watches, by the numbers of the watches.
        children: What the actor has started and has not ended; ``None`` if it has never started any.
        result: What its stage has set as its result.
    """

    __slots__ = ("_actor", "_engine", "_open", "children", "control", "me", "result", "run", "watched")

    def __init__(self, actor: LaneActor, engine: Engine) -> None:
        self.me = self._actor = actor
        self._engine = engine
        self._open = True
        self.control = False
        self.run: tuple[str, int] | None = None
        self.watched: dict[int, LaneActor] = {}
        self.children: dict[LaneActor, None] | None = None
        self.result: Any = None

    def send(self, to: LaneActor | None, message: Any) -> None:
        """Deliver a message."""
        if to is None:
            return
        pair = (to, message)  # before the look: its making can start the garbage collector, and so a kill
        if self._open:  # from here to the end of the append no other thread gets its turn
            to.append(pair)  # as in LaneActor.tell; most of a small message's cost is calls
            lane = to.lane
            if lane.sleeping:
                lane.wake()

    @property
    def now_s(self) -> float:
        """What time it is, on the clock of the timers."""
        return self._engine.now_s

    def watch(self, peer: LaneActor) -> int:
        """Ask for a ``Down`` with the returned number when the peer ends."""
        return self._watch(peer, self._actor)

    def _watch(self, peer: LaneActor, watcher: Watcher) -> int:
        number = next(_numbers)
        self.watched[number] = peer
        peer.add_watcher(number, watcher)
        if not self._actor.alive:  # killed meanwhile: nobody else would take it back
            self.unwatch(number)
        return number

    def unwatch(self, watch: int) -> None:
        """Take a watch back."""
        peer = self.watched.pop(watch, None)
        if peer is not None:
            peer.remove_watcher(watch)

    def close(self) -> None:
        """Let nothing out any more: the actor has ended. Takes all watches back, and ends all children."""
        self._open = False
        for child in reversed(list(self.children or ())):
            self.kill(child, Killed())
        while self.watched:
            with suppress(KeyError):  # a kill can meet the actor's own thread here
                number, peer = self.watched.popitem()
                peer.remove_watcher(number)

    def reply(self, to: Any, value: Any) -> None:
        """Answer a request."""
        if to is not None and self._actor.alive:
            to.deliver(value)

    def resolve(self, target: Any) -> LaneActor | None:
        """The address behind a name."""
        return self._engine.resolve(target)

    def new_tag(self) -> Tag:
        """A tag that no other subscription has."""
        return next(_numbers)

    def report(self, event: str, **fields: Any) -> None:
        """Tell the log, unless the actor has been killed: what its callback does is nobody's concern."""
        if not self._actor.alive:
            return
        level = _LEVELS.get(event, logging.ERROR)
        logger = get_logger("genstage.stage", **self.log_fields)
        shown_fields = {key: shown(value, repr) for key, value in fields.items()}
        logger.log(level, event.replace("_", " "), **shown_fields)

    @property
    def log_fields(self) -> dict[str, str]:
        """What log records about the actor carry."""
        pipeline = {} if self.run is None else {"pipeline": self.run[0]}
        own = "supervisor" if self.control else "stage"
        return {"runtime": self._engine.name, **pipeline, own: self._actor.name}

    def emit(self, event: str, measurements: Mapping[str, float], **metadata: Any) -> None:
        """Tell telemetry, if anybody listens.

        Args:
            event: One of :data:`genstage.telemetry.EVENTS`.
            measurements: Its measurements.
            metadata: Its metadata but for ``runtime``, ``pipeline`` and ``run``.
        """
        telemetry = self._engine.telemetry
        if telemetry.active:
            pipeline, run = self.run or (None, None)
            telemetry.emit(event, measurements, pipeline=pipeline, run=run, **metadata)

    def stop(self, reason: Reason) -> None:
        """End the actor."""
        self._actor.end(reason)

    # -- for the user of a stage ----------------------------------------------------------------------

    def monitor(self, target: Any) -> int:
        """As :meth:`watch`, but the user hears of the end, and the target may be a name."""
        peer = self.resolve(target)
        if peer is not None:
            return self._watch(peer, Monitor(self._actor))
        number = next(_numbers)
        self.send(self._actor, Message(Down(number, NoProc())))
        return number

    def link(self, target: Any) -> None:
        """Link the actor with another.

        Raises:
            OptionError: The target is no stage's reference, or a name that no running stage has.
        """
        peer = self.resolve(target)
        if peer is None:
            raise OptionError("to", target, "a stage's reference, or the name of a running stage")
        if self._actor.alive:  # it would end the peer
            link(self._actor, peer)

    def unlink(self, target: Any) -> None:
        """Take a link back."""
        peer = self.resolve(target)
        if peer is not None:
            unlink(self._actor, peer)

    # -- for supervisors ------------------------------------------------------------------------------

    def begin_run(self, pipeline: str) -> None:
        """From now on the actor, and whom it starts, is a new run of a pipeline."""
        self.run = pipeline, self.new_tag()

    def adopt(self, child: LaneActor) -> None:
        """The actor has a new child, which has not begun yet."""
        if self.children is None:
            self.children = {}
        self.children[child] = None

    def disown(self, child: LaneActor) -> None:
        """A child has ended."""
        if self.children is not None:
            self.children.pop(child, None)

    def started(self) -> None:
        """The behaviour, whose ``start`` has returned ``STARTING``, has started."""
        self._actor.started()

    def spawn(
        self,
        make: Callable[[Driver], Behaviour],
        *,
        name: str,
        own_lane: bool,
        control: bool = False,
        listed: bool = False,
        outlives: bool = False,
        on_started: Callable[[Reason | None], None],
    ) -> LaneActor:
        """Start an actor without waiting for it. Unless it ``outlives`` this one, it ends with it.

        Raises:
            OptionError: It is to be listed, and the name is taken.
        """
        child = self._engine.spawn(
            make,
            name=name,
            own_lane=own_lane,
            control=control,
            listed=listed,
            parent=self._actor,
            outlives=outlives,
            near=self._actor,
            on_started=on_started,
        )
        if not self._actor.alive and not outlives:  # killed meanwhile: nobody else would end it
            self.kill(child, Killed())
        return child

    def kill(self, peer: LaneActor, reason: Reason) -> None:
        """Declare an actor dead, whatever it is doing."""
        self._engine.kill(peer, reason)

    def schedule(self, delay_s: float, message: Any) -> Timer:
        """Send a message to the actor itself, later; unless it has ended by then."""
        actor = self._actor
        timer = self._engine.timers.after(delay_s, lambda: actor.tell(message), owner=actor)
        if not actor.alive:  # killed meanwhile: nobody else would take it back
            timer.cancel()
        return timer
