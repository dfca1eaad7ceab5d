"""Streaming above the demand protocol: one loader, many sinks, each record in each output once."""

from genstage.streaming.chunk import Chunk
from genstage.streaming.consumer import Output, Part, StreamingConsumer
from genstage.streaming.job import SinkSpec, StreamPlan, Summary, stream
from genstage.streaming.loader import START, Loader, Position
from genstage.streaming.sink import GapError, Sink
from genstage.streaming.transform import Transform, TransformStage

__all__ = [
    "START",
    "Chunk",
    "GapError",
    "Loader",
    "Output",
    "Part",
    "Position",
    "Sink",
    "SinkSpec",
    "StreamPlan",
    "StreamingConsumer",
    "Summary",
    "Transform",
    "TransformStage",
    "stream",
]
