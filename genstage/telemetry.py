"""Telemetry: what happens in a runtime, as named events with measurements, for handlers of a program.

Handlers belong to one runtime; nothing is global. An event that no handler wants costs nothing: stages are
measured only while somebody listens.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from genstage.errors import OptionError
from genstage.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["EVENTS", "Telemetry", "TelemetryEvent"]

EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "stage.start": "a stage has started; no measurements",
        "stage.stop": "a stage has ended, with metadata reason; no measurements",
        "stage.crash": "a stage has ended by an exception, with metadata reason; no measurements",
        "stage.demand": "handle_demand has run; demand (events), duration_s (seconds)",
        "stage.batch": "handle_events has run; events (events), duration_s (seconds)",
        "buffer.overflow": "a full buffer has discarded; discarded (events)",
    }
)
"""The events, each with what it tells and its measurements with their units. All have metadata stage."""


@dataclass(frozen=True, slots=True)
class TelemetryEvent:
    """Something that has happened.

    Attributes:
        name: One of ``EVENTS``.
        measurements: Figures, by name.
        metadata: What they belong to, by name: the runtime's and the stage's name, a reason.
    """

    name: str
    measurements: Mapping[str, float]
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Attached:
    handler: Callable[[TelemetryEvent], object]
    events: frozenset[str]


class Telemetry:
    """The handlers of one runtime. All methods can be called from any thread.

    Args:
        runtime: The runtime's name, in every event's metadata.
        on_change: Called when there begins to be a handler, and when there is none any more.
    """

    def __init__(self, runtime: str, on_change: Callable[[], None]) -> None:
        self._runtime = runtime
        self._on_change = on_change
        self._lock = threading.Lock()
        self._handlers: Mapping[str, _Attached] = {}  # replaced, never changed: it is read without the lock

    @property
    def active(self) -> bool:
        """Whether anybody listens."""
        return bool(self._handlers)

    def attach(
        self, name: str, handler: Callable[[TelemetryEvent], object], *, events: Iterable[str] | None = None
    ) -> None:
        """Let ``handler`` hear of events from now on.

        It is called in the thread where they happen, between the stage's callbacks, so it has to be quick. If
        it raises, it is detached, and the log says so.

        Args:
            name: To detach it by.
            handler: Takes one ``TelemetryEvent``.
            events: Which ones, of ``EVENTS``; by default all.

        Raises:
            OptionError: The name is taken, or there is no such event.

        Example:
            >>> from genstage import Producer, Runtime
            >>> seen = []
            >>> with Runtime() as runtime:
            ...     runtime.telemetry.attach("list", lambda event: seen.append(event.name))
            ...     numbers = runtime.start(Producer, name="numbers")
            >>> seen
            ['stage.start', 'stage.stop']

        Source:
            ``:telemetry.attach/4`` of the BEAM; here the handlers belong to a runtime.
        """
        wanted = frozenset(EVENTS if events is None else events)
        if unknown := wanted - EVENTS.keys():
            raise OptionError("events", sorted(unknown), f"some of {', '.join(EVENTS)}")
        if not callable(handler):
            raise OptionError("handler", handler, "a function of one event")
        with self._lock:
            if name in self._handlers:
                raise OptionError("name", name, "a name that no handler of this runtime has")
            self._handlers = {**self._handlers, name: _Attached(handler, wanted)}
        self._on_change()

    def detach(self, name: str) -> bool:
        """Let a handler hear no more; gives whether there was one of that name."""
        with self._lock:
            kept = {other: attached for other, attached in self._handlers.items() if other != name}
            found = len(kept) < len(self._handlers)
            self._handlers = kept
        if found:
            self._on_change()
        return found

    def emit(self, event: str, measurements: Mapping[str, float], **metadata: Any) -> None:
        """Tell whoever listens."""
        told: TelemetryEvent | None = None
        for name, attached in self._handlers.items():
            if event not in attached.events:
                continue
            if told is None:
                told = TelemetryEvent(event, measurements, {"runtime": self._runtime, **metadata})
            try:
                attached.handler(told)
            except BaseException:  # noqa: BLE001 - a handler must not hurt what it looks at
                if self.detach(name):
                    get_logger("genstage.telemetry", runtime=self._runtime).exception(
                        "telemetry handler detached: it raised", handler=name, event_name=event
                    )
