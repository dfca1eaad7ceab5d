"""Options, each with its default and its range; wrong ones raise with name, value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, get_args

from genstage._core.checks import check_choice, check_count
from genstage._core.dispatchers.base import Dispatcher
from genstage.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CancelMode",
    "DemandMode",
    "StageOptions",
    "SubscriptionOptions",
    "stage_options",
    "subscription_options",
]

CancelMode = Literal["permanent", "transient", "temporary"]
DemandMode = Literal["forward", "accumulate"]
BufferKeep = Literal["first", "last"]

PRODUCER_BUFFER = 10_000
MAX_DEMAND = 1_000

_ALLOWED = {
    "producer": ("dispatcher", "buffer_size", "buffer_keep", "demand"),
    "producer_consumer": ("dispatcher", "subscribe_to", "buffer_size", "buffer_keep"),
    "consumer": ("subscribe_to",),
}

_SUBSCRIPTION = ("max_demand", "min_demand", "cancel", "partition", "selector")

_DISPATCHER_METHODS = [
    name for name, member in vars(Dispatcher).items() if callable(member) and not name.startswith("_")
]


@dataclass(frozen=True, slots=True)
class SubscriptionOptions:
    """Validated options of one subscription.

    Attributes:
        max_demand: Most events in flight, 1 or more.
        min_demand: Ask for more when this few are in flight, 0 to ``max_demand - 1``.
        cancel: Which ends of the producer end the consumer too: ``permanent`` all, ``transient`` the
            abnormal ones, ``temporary`` none.
    """

    max_demand: int
    min_demand: int
    cancel: CancelMode


@dataclass(frozen=True, slots=True)
class StageOptions:
    """Validated options of a stage, from its ``init``."""

    dispatcher: Dispatcher | None
    subscribe_to: Sequence[Any]
    buffer_size: int | None
    buffer_keep: BufferKeep
    demand: DemandMode


_NONE_OF_A_CONSUMER = StageOptions(
    dispatcher=None, subscribe_to=(), buffer_size=None, buffer_keep="last", demand="forward"
)


def subscription_options(given: Mapping[str, Any]) -> SubscriptionOptions:
    """Validate subscription options; ones the protocol does not know are for dispatcher and callbacks.

    One whose name looks like a slip is refused: nobody else would notice it.

    Raises:
        OptionError: In the order ``max_demand``, ``min_demand``, ``cancel``, slips.
    """
    max_demand = check_count("max_demand", given.get("max_demand", MAX_DEMAND), 1)
    min_demand = check_count("min_demand", given.get("min_demand", max_demand // 2), 0, max_demand - 1)
    cancel: CancelMode = check_choice("cancel", given.get("cancel", "permanent"), get_args(CancelMode))
    for name, value in given.items():
        meant = name not in _SUBSCRIPTION and get_close_matches(str(name), _SUBSCRIPTION, 1, cutoff=0.85)
        if meant:
            raise OptionError(name, value, f"written {meant[0]}")
    return SubscriptionOptions(max_demand, min_demand, cancel)


def stage_options(kind: str, given: Mapping[str, Any] | None, default_dispatcher: type) -> StageOptions:
    """Validate what ``init`` returned.

    Raises:
        OptionError: The first option that is wrong, of a subscription too, or unknown for this kind of stage.
    """
    if not given and kind == "consumer":
        return _NONE_OF_A_CONSUMER  # many of them live for a moment only
    given = {} if given is None else given
    allowed = _ALLOWED[kind]
    own = {name: value for name, value in given.items() if name in allowed}
    dispatcher = None
    if kind != "consumer":
        dispatcher = own.get("dispatcher")
        if dispatcher is None:
            dispatcher = default_dispatcher()
        else:
            _check_dispatcher(dispatcher)
    subscribe_to = own.get("subscribe_to", ())
    if not isinstance(subscribe_to, list | tuple) or not all(map(_can_be_subscribed_to, subscribe_to)):
        raise OptionError("subscribe_to", subscribe_to, "a list of stages or (stage, options) pairs")
    for entry in subscribe_to:
        if isinstance(entry, tuple):
            subscription_options(entry[1])
    buffer_size = own.get("buffer_size", PRODUCER_BUFFER if kind == "producer" else None)
    if buffer_size is not None:
        buffer_size = check_count("buffer_size", buffer_size, 1)
    keep: BufferKeep = check_choice("buffer_keep", own.get("buffer_keep", "last"), get_args(BufferKeep))
    demand: DemandMode = check_choice("demand", own.get("demand", "forward"), get_args(DemandMode))
    for name, value in given.items():
        if name not in allowed:
            raise OptionError(name, value, f"one of {', '.join(allowed)} for a {kind}")
    return StageOptions(dispatcher, subscribe_to, buffer_size, keep, demand)


def _can_be_subscribed_to(entry: Any) -> bool:
    return not isinstance(entry, tuple) or (len(entry) == 2 and isinstance(entry[1], Mapping))  # noqa: PLR2004 - a pair


def _check_dispatcher(value: Any) -> None:
    missing = [name for name in _DISPATCHER_METHODS if not callable(getattr(value, name, None))]
    if isinstance(value, type) or "dispatch" in missing:
        raise OptionError("dispatcher", value, "a dispatcher, such as BroadcastDispatcher()")
    if missing:
        raise OptionError("dispatcher", value, f"a subclass of Dispatcher, or have {', '.join(missing)} too")
    if getattr(value, "in_use", False):
        raise OptionError("dispatcher", value, "a new one, made in init: this one belongs to a stage already")
