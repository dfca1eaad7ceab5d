"""Reads what the real SDK of OpenTelemetry exports."""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from genstage.otel import attach_opentelemetry


class Begun(SpanProcessor):
    """Counts the spans that begin."""

    count = 0

    def on_start(self, *_, **__):
        self.count += 1


class Exported:
    """Attaches the bridge, and reads what the real SDK exports."""

    def __init__(self):
        self._spans = InMemorySpanExporter()
        self._tracers = TracerProvider(shutdown_on_exit=False)
        self._tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.begun = Begun()
        self._tracers.add_span_processor(self.begun)
        self._reader = InMemoryMetricReader()
        self._meters = MeterProvider([self._reader], shutdown_on_exit=False)

    def attach(self, telemetry, **options):
        return attach_opentelemetry(
            telemetry, tracer_provider=self._tracers, meter_provider=self._meters, **options
        )

    def spans(self):
        return self._spans.get_finished_spans()

    def metrics(self):
        """The instruments that have figures, by name."""
        data = self._reader.get_metrics_data()
        scopes = [] if data is None else data.resource_metrics[0].scope_metrics
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def sums(self):
        """What has been counted: name → attributes and sum."""
        return {
            name: [(dict(point.attributes), point.value) for point in metric.data.data_points]
            for name, metric in self.metrics().items()
            if metric.unit != "s"
        }
