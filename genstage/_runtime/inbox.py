"""What pykka's references put their messages into, translated for a lane actor."""

from __future__ import annotations

from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from pykka import messages as pykka_messages

from genstage._core.messages import Apply, Call, Message, Stop
from genstage._core.reasons import Normal
from genstage._runtime.calls import Foreign, ForeignFuture

if TYPE_CHECKING:
    from pykka._envelope import Envelope

    from genstage._runtime.actor import LaneActor

__all__ = ["Inbox"]


class Inbox:
    """The inbox of one actor: what pykka promises its users holds for messages that come through here."""

    def __init__(self, actor: LaneActor) -> None:
        self._actor = actor

    def put(self, envelope: Envelope[Any], /) -> None:
        """Hand a message to the actor; if the actor ends before it answers, that is the answer."""
        actor, content, future = self._actor, envelope.message, envelope.reply_to
        if future is None:
            actor.post(self._translated(content, None))
            return
        if isinstance(future, ForeignFuture):
            future.actor = actor
        is_stop = isinstance(content, pykka_messages._ActorStop)  # noqa: SLF001 - implementors need it
        reply = Foreign(future, actor.forget_request, is_stop=is_stop)
        actor.request(self._translated(content, reply), reply)

    @staticmethod
    def _translated(content: Any, reply: Foreign | None) -> Any:
        if isinstance(content, pykka_messages._ActorStop):  # noqa: SLF001 - implementors need it
            return Stop(Normal())
        if isinstance(content, _PROXIED):
            return Apply(partial(_access, content), reply)
        return Message(content) if reply is None else Call(content, reply)

    def get(self) -> Envelope[Any]:
        """Never called: a lane hands messages to the actor."""
        raise TypeError("a lane actor's messages are handed to it, not fetched")

    def empty(self) -> bool:
        """As in pykka; nothing waits in here."""
        return True


_PROXIED = (pykka_messages.ProxyCall, pykka_messages.ProxyGetAttr, pykka_messages.ProxySetAttr)


def _access(message: Any, stage: Any) -> Any:
    """Do to the user's object what a proxy was told to do."""
    *parents, name = message.attr_path
    holder = reduce(getattr, parents, stage)
    if isinstance(message, pykka_messages.ProxySetAttr):
        return setattr(holder, name, message.value)
    attribute = getattr(holder, name)
    if isinstance(message, pykka_messages.ProxyCall):
        return attribute(*message.args, **message.kwargs)
    return attribute
