"""Streaming above the demand protocol: one loader, many sinks, each record in each output once."""

from genstage.streaming.chunk import Chunk
from genstage.streaming.consumer import Output, Part, StreamingConsumer
from genstage.streaming.drive import GapError
from genstage.streaming.job import SinkSpec, StreamPlan, Summary, stream
from genstage.streaming.loader import START, Loader, Position
from genstage.streaming.sink import Sink
from genstage.streaming.stream_bytes import BytesPlan, BytesStage, stream_bytes
from genstage.streaming.stream_output import StreamOutput
from genstage.streaming.transform import Transform, TransformStage

__all__ = [
    "START",
    "BytesPlan",
    "BytesStage",
    "Chunk",
    "GapError",
    "Loader",
    "Output",
    "Part",
    "Position",
    "Sink",
    "SinkSpec",
    "StreamOutput",
    "StreamPlan",
    "StreamingConsumer",
    "Summary",
    "Transform",
    "TransformStage",
    "stream",
    "stream_bytes",
]
