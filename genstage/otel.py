"""What a runtime's telemetry tells, as metrics and spans of OpenTelemetry (extra ``otel``)."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from genstage._core.reasons import exception_of, shown
from genstage.telemetry import EVENTS

try:
    from opentelemetry import metrics, trace
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "genstage.otel needs OpenTelemetry: pip install 'genstage[otel]'", name="opentelemetry"
    ) from None

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import Histogram, Meter, MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from genstage.telemetry import Telemetry, TelemetryEvent

__all__ = ["attach_opentelemetry"]

_SECONDS = (0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 3600)
"""Bounds of the histograms: from a small batch to a long run."""

_LEVELS = frozenset({"restarts"})
"""Measurements that are no sums; the counter of their event is the sum."""


def attach_opentelemetry(
    telemetry: Telemetry,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    name: str = "opentelemetry",
) -> Callable[[], None]:
    """Turn what happens in a runtime from now on into metrics, and each run of a pipeline into a span.

    Every event is counted by ``genstage.EVENT.count``. Its durations are histograms in seconds, its other
    measurements are counters, both called ``genstage.EVENT.MEASUREMENT`` without the unit. They have the
    event's metadata as attributes, such as ``genstage.stage``; of a reason its kind as ``genstage.reason``,
    and of the exception in it the type as ``error.type``.

    A run is a span ``pipeline NAME``: restarts and drains are its events, exceptions are recorded on it, and
    its status is an error if it has failed.

    Args:
        telemetry: Of the runtime.
        tracer_provider: Makes the spans; by default the global one.
        meter_provider: Makes the metrics; by default the global one.
        name: Of the handler, as for :meth:`genstage.telemetry.Telemetry.attach`.

    Returns:
        A function that detaches it, and ends the spans of runs that have not ended.

    Raises:
        OptionError: A handler of that name is attached already.

    Example:
        ::

            with Runtime(name="billing") as runtime:
                attach_opentelemetry(runtime.telemetry)
                pipeline.run(runtime=runtime).wait()
    """
    instruments = _Instruments(metrics.get_meter("genstage", meter_provider=meter_provider))
    spans = _Spans(trace.get_tracer("genstage", tracer_provider=tracer_provider))

    def hear(event: TelemetryEvent) -> None:
        instruments.hear(event)
        spans.hear(event)

    def detach() -> None:
        telemetry.detach(name)
        spans.close()

    telemetry.attach(name, hear)
    return detach


class _Instruments:
    """The instruments, one or more for each kind of event."""

    def __init__(self, meter: Meter) -> None:
        self._counts = {
            event: meter.create_counter(f"genstage.{event}.count", "{event}", kind.told)
            for event, kind in EVENTS.items()
        }
        self._measures = {
            event: {
                measurement: _instrument(meter, event, measurement, unit)
                for measurement, unit in kind.measurements.items()
                if measurement not in _LEVELS
            }
            for event, kind in EVENTS.items()
        }

    def hear(self, event: TelemetryEvent) -> None:
        attributes = _attributes(event.metadata)
        attributes.pop("genstage.run", None)  # there is no end to its values
        self._counts[event.name].add(1, attributes)
        for name, record in self._measures[event.name].items():
            record(event.measurements[name], attributes)


def _instrument(meter: Meter, event: str, measurement: str, unit: str) -> Callable[..., None]:
    name = f"genstage.{event}.{measurement.removesuffix('_s')}"
    if unit == "seconds":
        histogram: Histogram = meter.create_histogram(
            name, "s", EVENTS[event].told, explicit_bucket_boundaries_advisory=_SECONDS
        )
        return histogram.record
    return meter.create_counter(name, f"{{{unit}}}", EVENTS[event].told).add


class _Spans:
    """The spans of the runs that have begun and not ended. Events come from any thread."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self._spans: dict[int, Span] = {}
        self._lock = threading.Lock()  # guards what begins when it is closed
        self._closed = False

    def hear(self, event: TelemetryEvent) -> None:
        run = event.metadata["run"]
        if event.name == "pipeline.start":
            self._begin(run, event)
        elif event.name == "pipeline.stop":
            span = self._spans.pop(run, None)
            if span is not None:  # else it had begun before anybody listened
                span.set_attributes(_attributes(event.metadata))
                span.set_attribute("genstage.records", event.measurements["records"])
                span.end()
        elif event.name in _SHOWN:
            span = self._spans.get(run)
            if span is not None:
                self._add(span, event)

    def _begin(self, run: int, event: TelemetryEvent) -> None:
        name, attributes = f"pipeline {event.metadata['pipeline']}", _attributes(event.metadata)
        with self._lock:
            if not self._closed:  # else it was on its way when the handler was detached
                self._spans[run] = self._tracer.start_span(name, attributes=attributes)

    def _add(self, span: Span, event: TelemetryEvent) -> None:
        figures = {f"genstage.{name}": value for name, value in event.measurements.items()}
        attributes = {**_attributes(event.metadata), **figures}
        span.add_event(event.name, attributes)
        reason = event.metadata.get("reason")
        exception = exception_of(reason)
        if exception is not None:
            with suppress(Exception):  # one that cannot be shown
                span.record_exception(exception, attributes)
        if event.name == "pipeline.exception":
            span.set_status(trace.StatusCode.ERROR, shown(reason))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            spans, self._spans = self._spans, {}
        for span in spans.values():
            span.end()


_SHOWN = frozenset({"pipeline.restart", "pipeline.exception", "pipeline.drain", "supervisor.restart"})
"""What is shown on the span of its run."""


def _attributes(metadata: Mapping[str, Any]) -> dict[str, str | bool | float]:
    attributes: dict[str, str | bool | float] = {
        f"genstage.{name}": value if isinstance(value, str | bool | int | float) else shown(value)
        for name, value in metadata.items()
        if value is not None
    }
    if "reason" in metadata:
        reason = metadata["reason"]
        attributes["genstage.reason"] = type(reason).__name__
        exception = exception_of(reason)
        if exception is not None:
            attributes["error.type"] = type(exception).__qualname__
    return attributes
