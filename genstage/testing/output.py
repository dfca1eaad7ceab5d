"""An output in memory, to test a streaming consumer without actors and files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RecordingOutput", "RecordingPart"]


class RecordingPart:
    """One file of a recorded output.

    Attributes:
        data: What was written.
        writes: How many times.
    """

    def __init__(self) -> None:
        self.data = b""
        self.writes = 0

    def write(self, data: bytes, /) -> int:
        """Append."""
        self.data += data
        self.writes += 1
        return len(data)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return len(self.data)

    def read(self, size: int = -1, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """Yield what was written, from the beginning."""
        data = self.data if size < 0 else self.data[:size]
        for start in range(0, len(data), chunk_bytes):
            yield data[start : start + chunk_bytes]


class RecordingOutput(RecordingPart):
    """An output that keeps everything in memory.

    Attributes:
        parts: The companion files by name.
        scratches: The unpublished files by name.

    Example:
        >>> out = RecordingOutput()
        >>> out.write(b"a"), out.part("b.txt").write(b"bc"), out.data, out.parts["b.txt"].data
        (1, 2, b'a', b'bc')
    """

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, RecordingPart] = {}
        self.scratches: dict[str, RecordingPart] = {}

    def part(self, name: str) -> RecordingPart:
        """The companion file ``name``."""
        return self.parts.setdefault(name, RecordingPart())

    def scratch(self, name: str) -> RecordingPart:
        """The unpublished file ``name``."""
        return self.scratches.setdefault(name, RecordingPart())
