"""The stage that carries a streaming consumer and its output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genstage.stage import Consumer
from genstage.streaming.chunk import Chunk
from genstage.streaming.drive import Drive, close_consumer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from genstage._core.reasons import Reason
    from genstage._core.subscription import Cancellation, Subscription
    from genstage.streaming.consumer import StreamingConsumer
    from genstage.streaming.output import FileOutput

__all__ = ["Sink"]


class Sink(Consumer[Chunk[Any]]):
    """Drives a consumer: ``begin``, ``consume_chunk`` per chunk, ``finalize`` at the end of the data.

    All of it in the stage's own thread. If the consumer has a method ``close``, it is called last, unless the
    stage was killed.

    Args:
        make_consumer: Makes the consumer.
        make_output: Opens its output.
        moved: Told the number of source records consumed, after each chunk.
        finished: Told the consumer's result and what is to be published, after everything was synced.
        is_cut_off: Whether the data has not ended, though no chunk follows: then nothing is to be published.
    """

    def __init__(
        self,
        make_consumer: Callable[[], StreamingConsumer[Any, Any, Any]],
        make_output: Callable[[], FileOutput],
        *,
        moved: Callable[[int], None],
        finished: Callable[[Any, dict[Path, Path]], None],
        is_cut_off: Callable[[], bool] = lambda: False,
    ) -> None:
        self._make_consumer = make_consumer
        self._make_output = make_output
        self._moved = moved
        self._finished = finished
        self._is_cut_off = is_cut_off
        self._consumer: StreamingConsumer[Any, Any, Any] | None = None
        self._output: FileOutput | None = None
        self._drive: Drive | None = None

    def init(self) -> None:
        """Open the output and write what comes before the first record."""
        self._output = self._make_output()
        try:
            self._consumer = self._make_consumer()
            self._drive = Drive(self._consumer, self._output)
        except BaseException:
            self._close()  # a stage that does not start is not terminated
            raise

    def handle_events(self, events: Sequence[Chunk[Any]], origin: Subscription) -> None:  # noqa: ARG002 - there is one
        """Write chunks, in order, each exactly once."""
        assert self._drive is not None  # noqa: S101 - made in init
        for chunk in events:
            self._drive.consume(chunk)
            self._moved(chunk.last)

    def handle_cancel(self, cancellation: Cancellation, subscription: Subscription) -> None:  # noqa: ARG002 - there is one
        """At the end of the data, finalize and sync."""
        drive, output = self._drive, self._output
        assert drive is not None and output is not None  # noqa: S101, PT018 - made in init
        if cancellation.kind == "finish":
            if self._is_cut_off() and not drive.ended:
                return
            result = drive.finalize()
            self._finished(result, output.finish())

    def terminate(self, reason: Reason) -> None:  # noqa: ARG002 - whatever it is
        """Give back what is held."""
        self._close()

    def _close(self) -> None:
        try:
            close_consumer(self._consumer)
        finally:
            if self._output is not None:
                self._output.close()
