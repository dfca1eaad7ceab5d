"""A stage under observation: its own object, whose callbacks tell what they were given and gave back."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genstage._core.results import Finish, Reply, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage.stage import AnyStage

__all__ = ["Observed", "Return"]

_OBSERVED = (
    "handle_subscribe",
    "handle_cancel",
    "handle_demand",
    "handle_events",
    "handle_call",
    "handle_cast",
    "handle_info",
    "terminate",
)


@dataclass(slots=True)
class Return:
    """What a callback has given back.

    Attributes:
        callback: Its name.
        result: What it returned.
        error: What it raised.
    """

    callback: str
    result: Any = None
    error: BaseException | None = None

    @property
    def events(self) -> list[Any]:
        """The events in it."""
        result = self.result
        if isinstance(result, Finish | Reply | Unanswered):
            result = result.events
        plain = isinstance(result, list | tuple | range)
        return list(result) if plain else []


class Observed:
    """Watches one stage.

    Args:
        stage: A new stage.

    Attributes:
        stage: The stage.
        returns: What its callbacks gave back, in order.
        changed: What it has done to events that it was given, in words.
    """

    def __init__(self, stage: AnyStage) -> None:
        self.stage = stage
        self.returns: list[Return] = []
        self.changed: list[str] = []
        self._emitted: list[tuple[str, Any, Any]] = []
        for name in _OBSERVED:
            callback = getattr(stage, name, None)
            if callback is not None:
                setattr(stage, name, self._watched(name, callback))

    @property
    def finished_at(self) -> int | None:
        """The place in ``returns`` where it has said that its data ends."""
        places = (place for place, given in enumerate(self.returns) if isinstance(given.result, Finish))
        return next(places, None)

    def changed_later(self) -> list[str]:
        """What has become of events since it has emitted them, in words."""
        return [
            f"{name} emitted {before!r}, and it became {event!r}"
            for name, event, before in self._emitted
            if event != before
        ]

    def _watched(self, name: str, callback: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any) -> Any:
            given = list(arguments[0]) if name == "handle_events" else []
            before = _copied(given)
            outcome = Return(name)
            self.returns.append(outcome)
            try:
                outcome.result = result = callback(*arguments)
            except BaseException as error:
                outcome.error = error
                raise
            self._compare(name, given, before)
            if name == "handle_events" and list(arguments[0]) != given:
                self.changed.append(f"{name} changed the sequence of events that it was given")
            if name not in ("handle_subscribe", "terminate"):
                self._emitted.extend((name, event, _copied(event)) for event in outcome.events)
            return result

        return watched

    def _compare(self, name: str, given: list[Any], before: list[Any]) -> None:
        for event, was in zip(given, before, strict=True):
            if event != was:
                self.changed.append(f"{name} was given {was!r}, and made {event!r} of it")


def _copied(value: Any) -> Any:
    """A copy to compare with later; the value itself if it cannot be copied."""
    try:
        copied = copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - a lock, a file, anything
        return value
    return copied if copied == value else value
