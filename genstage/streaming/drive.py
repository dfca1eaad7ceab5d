"""Driving a streaming consumer: its calls in their order, each chunk exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genstage._core.checks import check_methods
from genstage.errors import GenstageError
from genstage.streaming.chunk import at_chunk

if TYPE_CHECKING:
    from genstage.streaming.chunk import Chunk
    from genstage.streaming.consumer import Output, StreamingConsumer

__all__ = ["Drive", "GapError", "close_consumer"]


class GapError(GenstageError):
    """A chunk is missing, or came twice: records would be lost or doubled.

    Args:
        position: Source records consumed so far.
        problem: What came instead of the chunk behind them.
    """

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(f"after record {position} {problem}")
        self.position = position
        self.problem = problem


class Drive:
    """Calls a consumer: ``begin`` when it is made, ``consume_chunk`` per chunk, ``finalize`` at the end.

    Args:
        consumer: The consumer.
        output: What it writes to.

    Raises:
        OptionError: A method of the consumer is asynchronous, or a generator.
    """

    def __init__(self, consumer: StreamingConsumer[Any, Any, Any], output: Output) -> None:
        check_methods(consumer, "begin", "consume_chunk", "finalize")
        self._consumer = consumer
        self._output = output
        self._state = consumer.begin(output)
        self._position = 0
        self._end = False

    def consume(self, chunk: Chunk[Any]) -> None:
        """Have a chunk written.

        Raises:
            GapError: It is not the one that comes next.
        """
        if self._end:
            raise GapError(self._position, "the data had ended, but another chunk came")
        if chunk.first != self._position:
            raise GapError(self._position, f"came the chunk after record {chunk.first}")
        with at_chunk(chunk):
            self._state = self._consumer.consume_chunk(chunk, self._state, self._output)
        self._position = chunk.last
        self._end = chunk.end

    @property
    def ended(self) -> bool:
        """Whether the last chunk has come."""
        return self._end

    def finalize(self) -> Any:
        """Have the end written.

        Returns:
            The consumer's result.

        Raises:
            GapError: The data has not ended.
        """
        if not self._end:
            raise GapError(self._position, "the stream ended, but no chunk said that the data had ended")
        return self._consumer.finalize(self._state, self._output)


def close_consumer(consumer: StreamingConsumer[Any, Any, Any] | None) -> None:
    """Let a consumer give back what it holds, if it has a way to."""
    close = getattr(consumer, "close", None)
    if close is not None:
        close()
