"""What is known of a failure besides its exception: whose it was, in which callback, with what at hand."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from genstage._core import messages as m
from genstage._core.reasons import BadReturn, Crash, shown
from genstage.errors import AtHand

if TYPE_CHECKING:
    from genstage._core.reasons import Reason

__all__ = ["blamed", "hand_of"]

_bounded = reprlib.Repr()
_bounded.maxlevel = 3
_bounded.maxlist = _bounded.maxtuple = 5
_bounded.maxdict = 10
_bounded.maxstring = _bounded.maxother = 100

_TEXTS = (str, bytes)

_CALLBACKS: dict[type, tuple[str, str | None]] = {
    m.Events: ("handle_events", "events"),
    m.Call: ("handle_call", "request"),
    m.Cast: ("handle_cast", "request"),
    m.Message: ("handle_info", "message"),
    m.Drain: ("handle_drain", None),
    m.Cancel: ("handle_cancel", None),
    m.Cancelled: ("handle_cancel", None),
    m.Finished: ("handle_cancel", None),
    m.Subscribe: ("handle_subscribe", "options"),
    m.SubscribeTo: ("handle_subscribe", "options"),
}
"""Which callback a message is for, and with what of it."""

_NOTHING = object()


def hand_of(message: Any) -> tuple[str, Any] | None:
    """The callback that a message is for, with what it is called with; ``None`` if that cannot be told."""
    if type(message) not in _CALLBACKS:
        return None
    callback, attribute = _CALLBACKS[type(message)]
    return callback, _NOTHING if attribute is None else getattr(message, attribute)


def blamed(reason: Reason, stage: str, hand: tuple[str, Any] | None) -> Reason:
    """The reason of a failure with what is known of it; any other reason as it is.

    Args:
        reason: Why the stage ends. One that has come from another stage is that stage's.
        stage: Name of the stage.
        hand: The callback in which it happened, and its argument.
    """
    if not isinstance(reason, Crash | BadReturn) or reason.stage is not None:
        return reason
    return replace(reason, stage=stage, at_hand=None if hand is None else _at_hand(*hand))


def _at_hand(callback: str, given: Any) -> AtHand:
    """As bounded text: it must not keep alive what it tells of."""
    if given is _NOTHING:
        return AtHand(callback)
    if isinstance(given, Mapping):
        given = dict(given)  # a read-only one shows itself as such
    is_batch = isinstance(given, Sequence) and not isinstance(given, _TEXTS)
    return AtHand(callback, shown(given, _bounded.repr), len(given) if is_batch else None)
