"""Links and monitors: how a stage learns of another's end because its user wants it to.

The watches of the protocol are kept apart from these: their ``Down`` goes to the core, never to the user.

A link has two ends and no direction. It is made, taken back and dissolved under one lock for all of them,
where only sets change; what follows is done outside. A stage that ends sets its reason first and then takes
its links; whoever links it in between finds the reason. So each end hears of the other's end exactly once.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from genstage._core.messages import Down, Message, Stop
from genstage._core.reasons import NoProc, Normal
from genstage._runtime.typed_refs import ref_to

if TYPE_CHECKING:
    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.refs import StageRef

__all__ = ["Exited", "Monitor", "Watcher", "end_links", "link", "unlink"]

_lock = threading.Lock()
if hasattr(os, "register_at_fork"):  # the child of a fork links stages of its own: it has to get it free
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@dataclass(frozen=True, slots=True)
class Exited:
    """A linked stage has ended; comes to ``handle_info`` of a stage that traps exits.

    Attributes:
        stage: The stage that has ended.
        reason: Why.

    Source:
        OTP's ``{'EXIT', Pid, Reason}``.
    """

    stage: StageRef
    reason: Reason


class Watcher(Protocol):
    """Who is told of an end."""

    def notify(self, number: int, reason: Reason) -> None:
        """The actor of watch ``number`` has ended. Must not block or raise."""


class Monitor:
    """Tells the user of an actor, by a message, where a watch of the protocol tells the core."""

    def __init__(self, actor: LaneActor) -> None:
        self._actor = actor

    def notify(self, number: int, reason: Reason) -> None:
        """As :class:`Watcher`."""
        self._actor.driver.watched.pop(number, None)
        self._actor.tell(Message(Down(number, reason)))


def link(actor: LaneActor, peer: LaneActor) -> None:
    """Link two actors, once: linking them again changes nothing. One that has ended is an end at once."""
    if actor is peer:
        return
    with _lock:
        dead = [end for end in (actor, peer) if end.reason is not None]
        if not dead:
            actor.links.add(peer)
            peer.links.add(actor)
    if actor in dead:
        _tell_exit(peer, actor, NoProc())
    if peer in dead:
        _tell_exit(actor, peer, NoProc())


def unlink(actor: LaneActor, peer: LaneActor) -> None:
    """Take a link back. No end is passed on any more, unless it is on its way already."""
    with _lock:
        actor.links.discard(peer)
        peer.links.discard(actor)


def end_links(actor: LaneActor, reason: Reason) -> None:
    """Pass the end of an actor on to all that are linked with it; its reason is set."""
    with _lock:
        peers, actor.links = actor.links, set()
        for peer in peers:
            peer.links.discard(actor)
    for peer in peers:
        _tell_exit(peer, actor, reason)


def _tell_exit(actor: LaneActor, ended: Any, reason: Reason) -> None:
    if actor.traps_exits:
        actor.tell(Message(Exited(ref_to(ended), reason)))
    elif not isinstance(reason, Normal):
        actor.tell(Stop(reason))
