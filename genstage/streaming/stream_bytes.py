"""One loader, one streaming consumer, and its bytes as they are made: a flow instead of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genstage._core.checks import check_count
from genstage.pipeline import Flow
from genstage.pipeline.steps import Prepared, Step
from genstage.stage import ProducerConsumer
from genstage.streaming.chunk import Chunk
from genstage.streaming.drive import Drive, close_consumer
from genstage.streaming.loader import Loader
from genstage.streaming.stream_output import StreamOutput
from genstage.streaming.transform import TransformStage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genstage._core.reasons import Reason
    from genstage._core.subscription import Cancellation, Subscription
    from genstage.sources import Source
    from genstage.streaming.consumer import StreamingConsumer
    from genstage.streaming.transform import Transform

__all__ = ["BytesPlan", "BytesStage", "stream_bytes"]

_DEMAND = {"max_demand": 2, "min_demand": 1}  # in chunks, and in what became of them


@dataclass(frozen=True, slots=True)
class BytesPlan:
    """What a run of :func:`stream_bytes` needs, once its input has been checked.

    Attributes:
        source: Where the records come from.
        make_transform: Makes the transform between loader and consumer, in its stage's thread.
        make_consumer: Makes the streaming consumer, which writes one file and reads none of it.
    """

    source: Source
    make_transform: Callable[[], Transform[Any, Any]]
    make_consumer: Callable[[], StreamingConsumer[Any, Any, Any]]


class BytesStage(ProducerConsumer[Chunk[Any], bytes]):
    """Drives a consumer and emits what it writes: at most some pieces per chunk, and the rest at the end.

    Args:
        make_consumer: Makes the consumer.
        name: Name of the output, for errors.
    """

    def __init__(self, make_consumer: Callable[[], StreamingConsumer[Any, Any, Any]], name: str) -> None:
        self._consumer = make_consumer()
        self._output = StreamOutput(name)
        self._drive: Drive | None = None

    def init(self) -> None:
        """Write what comes before the first record; it leaves with the first chunk."""
        try:
            self._drive = Drive(self._consumer, self._output)
        except BaseException:
            self._close()  # a stage that does not start is not terminated
            raise

    def handle_events(self, events: Sequence[Chunk[Any]], origin: Subscription) -> Sequence[bytes]:  # noqa: ARG002 - there is one
        """Write chunks, in order, each exactly once."""
        assert self._drive is not None  # noqa: S101 - made in init
        for chunk in events:
            self._drive.consume(chunk)
        return self._output.take()

    def handle_cancel(self, cancellation: Cancellation, subscription: Subscription) -> Sequence[bytes]:  # noqa: ARG002 - there is one
        """At the end of the data, write what comes after the last record."""
        assert self._drive is not None  # noqa: S101 - made in init
        if cancellation.kind != "finish":
            return ()
        self._drive.finalize()
        return self._output.take()

    def terminate(self, reason: Reason) -> None:  # noqa: ARG002 - whatever it is
        """Give back what is held."""
        self._close()

    def _close(self) -> None:
        try:
            close_consumer(self._consumer)
        finally:
            self._output.close()


def stream_bytes(
    name: str,
    prepare: Callable[[], BytesPlan],
    *,
    chunk_records: int = 1_000,
    chunk_bytes: int = 4 << 20,
) -> Flow[bytes]:
    """A flow from one source to the bytes of one file, made as fast as they are taken.

    No byte is made twice: a stage that fails ends the run, and with it the stream.

    Args:
        name: Name of the file, for errors.
        prepare: Checks the input of a run and tells what it needs; called when a run begins.
        chunk_records: Most records in a chunk, 1 or more.
        chunk_bytes: A chunk ends with the record that brings it to this size, roughly.

    Raises:
        OptionError: An option is out of range.
    """
    check_count("chunk_records", chunk_records, 1)
    check_count("chunk_bytes", chunk_bytes, 1)
    prepared = Prepared(prepare)

    def loader(plan: BytesPlan) -> Loader:
        return Loader(plan.source, chunk_records=chunk_records, chunk_bytes=chunk_bytes)

    def transform(plan: BytesPlan) -> TransformStage:
        return TransformStage(plan.make_transform())

    def writer(plan: BytesPlan) -> BytesStage:
        return BytesStage(plan.make_consumer, name)

    load = Step("loader", "loader", prepared.stage(loader), blocking=True)
    change = Step("transform", "transform", prepared.stage(transform), demand=_DEMAND, above=(load,))
    write = Step("writer", "writer", prepared.stage(writer), demand=_DEMAND, above=(change,), asked=_DEMAND)
    return Flow((write,))
