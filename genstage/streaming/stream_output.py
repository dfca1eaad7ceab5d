"""An output whose bytes go on as events: to an HTTP response, for example."""

from __future__ import annotations

import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from genstage.errors import OutputError
from genstage.streaming.files import check_file_name, mapped
from genstage.streaming.output import Fence, FilePart

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["StreamOutput"]

_BLOCK_BYTES = 1 << 16


class StreamOutput:
    """Keeps what is written until it is taken; satisfies :class:`genstage.streaming.Output`.

    What has been taken is gone: it is never given out again. So it has no companion files, and its main file
    cannot be read. Scratch files have no name in the file system; they end with the output.

    Args:
        name: For errors.

    Example:
        >>> output = StreamOutput("page.html")
        >>> output.write(b"<p>"), output.write(b"Hello"), output.take()
        (3, 5, [b'<p>Hello'])
        >>> output.size, output.take()
        (8, [])
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: list[bytes] = []
        self._size = 0
        self._scratches: dict[str, FilePart] = {}
        self._fence = Fence()
        self._end = weakref.finalize(self, _close, self._scratches, self._fence)  # a killed stage cannot

    def write(self, data: bytes, /) -> int:
        """Append."""
        if data:
            self._waiting.append(data)
            self._size += len(data)
        return len(data)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def take(self) -> list[bytes]:
        """What has been written since it was called last, in pieces of some size."""
        blocks: list[bytes] = []
        block: list[bytes] = []
        size = 0
        for piece in self._waiting:
            block.append(piece)
            size += len(piece)
            if size >= _BLOCK_BYTES:
                blocks.append(b"".join(block))
                block, size = [], 0
        if block:
            blocks.append(b"".join(block))
        self._waiting.clear()
        return blocks

    def read(self, size: int = -1, chunk_bytes: int = 0) -> NoReturn:  # noqa: ARG002 - of the protocol
        """Refused.

        Raises:
            OutputError: What was written has gone on.
        """
        raise OutputError(self._name, "is a stream: what was written cannot be read again")

    def part(self, name: str) -> NoReturn:
        """Refused.

        Raises:
            OutputError: There is one stream.
        """
        raise OutputError(self._name, f"is a stream, and has no place for the file {name!r}")

    def scratch(self, name: str) -> FilePart:
        """A file without a name in the file system, for what would grow in memory; made at the first call.

        Raises:
            OptionError: ``name`` is no plain file name.
            OutputError: It cannot be made.
        """
        found = self._scratches.get(name)
        if found is None:
            final = Path(check_file_name(name))
            with mapped(final):
                folder = Path(tempfile.mkdtemp(prefix="genstage-"))
                try:
                    found = FilePart(folder / name, final, self._fence, _nothing)
                    found.path.unlink()
                finally:
                    folder.rmdir()
            self._scratches[name] = found
        return found

    def close(self) -> None:
        """Give scratch files back; allowed more than once."""
        self._end()


def _close(scratches: Mapping[str, FilePart], fence: Fence) -> None:
    fence.drop()
    for scratch in scratches.values():
        scratch.close()


def _nothing() -> None:
    """Nobody wants to know of the first bytes."""
