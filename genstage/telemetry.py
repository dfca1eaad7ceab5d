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

__all__ = ["EVENTS", "EventKind", "Telemetry", "TelemetryEvent"]


@dataclass(frozen=True, slots=True)
class EventKind:
    """What an event of one name tells.

    Attributes:
        told: What has happened.
        measurements: The names of its measurements, each with its unit. A name that ends in ``_s`` is a
            duration in seconds.
        metadata: The names of its metadata, besides ``runtime``, ``pipeline`` and ``run``, which every event
            has.
    """

    told: str
    measurements: Mapping[str, str]
    metadata: tuple[str, ...]


def _kind(told: str, *metadata: str, **measurements: str) -> EventKind:
    return EventKind(told, MappingProxyType(measurements), metadata)


EVENTS: Mapping[str, EventKind] = MappingProxyType(
    {
        "stage.start": _kind("a stage has started", "stage"),
        "stage.stop": _kind("a stage has ended", "stage", "reason"),
        "stage.crash": _kind("a stage has ended by an exception or a wrong return", "stage", "reason"),
        "stage.killed": _kind("a stage has been declared dead", "stage", "reason", "in_callback"),
        "stage.demand": _kind("handle_demand has run", "stage", demand="events", duration_s="seconds"),
        "stage.batch": _kind("handle_events has run", "stage", events="events", duration_s="seconds"),
        "buffer.overflow": _kind("a full buffer has discarded events", "stage", discarded="events"),
        "supervisor.restart": _kind(
            "a child is started again, after its delay",
            *("supervisor", "child", "reason"),
            restarts="restarts in the window",
            delay_s="seconds",
        ),
        "supervisor.gave_up": _kind(
            "a supervisor's restarts are used up", "supervisor", "child", "reason", restarts="restarts"
        ),
        "pipeline.start": _kind("a run has begun"),
        "pipeline.restart": _kind("all stages of a run begin anew", "reason", restarts="restarts"),
        "pipeline.stop": _kind("a run has ended", "state", duration_s="seconds", records="records"),
        "pipeline.exception": _kind("a run has failed", "stage", "reason"),
        "pipeline.drain": _kind("the drain of a run has ended", "outcome", duration_s="seconds"),
    }
)
"""The events, by name."""


@dataclass(frozen=True, slots=True)
class TelemetryEvent:
    """Something that has happened.

    Attributes:
        name: One of ``EVENTS``.
        measurements: Figures, by name.
        metadata: What they belong to, by name: always ``runtime`` and ``pipeline``, the names of both, and
            ``run``, a number that no other run of a pipeline has in this process; the latter two are ``None``
            outside of a pipeline. The others as ``EVENTS`` has them.
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

    def emit(
        self,
        event: str,
        measurements: Mapping[str, float],
        *,
        pipeline: str | None = None,
        run: int | None = None,
        **metadata: Any,
    ) -> None:
        """Tell whoever listens."""
        told: TelemetryEvent | None = None
        for name, attached in self._handlers.items():
            if event not in attached.events:
                continue
            if told is None:
                metadata = {"runtime": self._runtime, "pipeline": pipeline, "run": run, **metadata}
                told = TelemetryEvent(event, measurements, metadata)
            try:
                attached.handler(told)
            except BaseException:  # noqa: BLE001 - a handler must not hurt what it looks at
                if self.detach(name):
                    get_logger("genstage.telemetry", runtime=self._runtime).exception(
                        "telemetry handler detached: it raised", handler=name, event_name=event
                    )
