"""Streaming with exactly-once output, above the demand protocol."""

from genstage.streaming.chunk import Chunk
from genstage.streaming.consumer import Output, Part, StreamingConsumer

__all__ = ["Chunk", "Output", "Part", "StreamingConsumer"]
