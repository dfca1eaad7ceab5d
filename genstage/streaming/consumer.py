"""What a sink is: three functions over an output, with a JSON value as state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genstage.streaming.chunk import Chunk

__all__ = ["Output", "Part", "StreamingConsumer"]

T_contra = TypeVar("T_contra", contravariant=True)
S = TypeVar("S")
R_co = TypeVar("R_co", covariant=True)


class Part(Protocol):
    """One file of an output. The streaming layer owns the file; a consumer only appends to it."""

    def write(self, data: bytes, /) -> int:
        """Append; returns ``len(data)``, so that a part can stand where a writable file is expected.

        Raises:
            OutputError: The bytes could not be written (disk full, for example).
        """

    @property
    def size(self) -> int:
        """Bytes written so far."""

    def read(self, size: int = ..., chunk_bytes: int = ...) -> Iterator[bytes]:
        """Yield what was written, from the beginning, in pieces of at most ``chunk_bytes``.

        Args:
            size: Yield this many bytes; all by default.
            chunk_bytes: Size of a piece.
        """


class Output(Part, Protocol):
    """Where a consumer writes: a main file, with companions where the format needs them."""

    def part(self, name: str) -> Part:
        """The companion file ``name``, published beside the main one; made at the first call."""

    def scratch(self, name: str) -> Part:
        """A file that lives as long as the run and is never published, for what would grow in memory."""


class StreamingConsumer(Protocol[T_contra, S, R_co]):
    """A sink: ``begin``, then ``consume_chunk`` per chunk in order, then ``finalize``.

    The state that travels from call to call is a JSON value, and all there is: a consumer keeps
    nothing on itself that a chunk changes, because a resumed run hands the stored state to a new
    object. All calls happen in one thread, the sink's own.

    Example:
        >>> class Count:
        ...     def begin(self, output): return 0
        ...     def consume_chunk(self, chunk, state, output): return state + len(chunk.records)
        ...     def finalize(self, state, output): output.write(b"%d" % state)
    """

    def begin(self, output: Output, /) -> S:
        """Write what comes before the first record; once per output, not again on a resume."""

    def consume_chunk(self, chunk: Chunk[T_contra], state: S, output: Output, /) -> S:
        """Write one chunk (it may be empty) and return the new state."""

    def finalize(self, state: S, output: Output, /) -> R_co:
        """Write what comes after the last record and return the sink's result."""


AnyConsumer = StreamingConsumer[Any, Any, Any]
