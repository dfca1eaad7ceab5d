"""The test kit: what a user needs to test stages and sinks of their own."""

from genstage.testing.clock import ManualClock
from genstage.testing.conformance import (
    ConsumerConformance,
    ProducerConformance,
    ProducerConsumerConformance,
)
from genstage.testing.dispatchers import DispatcherConformance
from genstage.testing.output import RecordingOutput, RecordingPart
from genstage.testing.probes import DownstreamProbe, UpstreamProbe
from genstage.testing.probing import RuntimeProbes
from genstage.testing.simulation import Simulation

__all__ = [
    "ConsumerConformance",
    "DispatcherConformance",
    "DownstreamProbe",
    "ManualClock",
    "ProducerConformance",
    "ProducerConsumerConformance",
    "RecordingOutput",
    "RecordingPart",
    "RuntimeProbes",
    "Simulation",
    "UpstreamProbe",
]
