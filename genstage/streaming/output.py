"""What a sink writes to. The streaming layer owns these files.

Descriptors are raw: a buffered writer that is collected late would write into what its successor has begun.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genstage.errors import OptionError, OutputError
from genstage.streaming.files import check_file_name, mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Fence", "FileOutput", "FilePart"]

_READ_BYTES = 1 << 20


class Fence:
    """Divides the living from the dead: once it is down, nothing that belongs to it opens or writes files.

    It does not wait for a write that is under way; that one goes to a file nobody will look at.
    """

    def __init__(self) -> None:
        self._down = False

    def drop(self) -> None:
        """Let no further write begin."""
        self._down = True

    def check(self, final: Path) -> None:
        """Refuse to go on with a file.

        Raises:
            OutputError: The fence is down.
        """
        if self._down:
            raise OutputError(str(final), "this attempt is over, its files are closed")


class FilePart:
    """One file. Written by one thread; satisfies :class:`genstage.streaming.Part`.

    Args:
        path: The file; it must not exist.
        final: The name it will have, for errors.
        fence: Divides this attempt from later ones.
        wrote: Called after the first write.

    Raises:
        OutputError: The file cannot be made.
    """

    def __init__(self, path: Path, final: Path, fence: Fence, wrote: Callable[[], None]) -> None:
        self.final = final
        self.path = path
        self._fence = fence
        self._wrote = wrote
        self._size = 0
        self._in_use = threading.Lock()
        self._closing = False
        fence.check(final)
        with mapped(final):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def write(self, data: bytes, /) -> int:
        """Append.

        Raises:
            OutputError: The bytes could not be written, or this attempt is over.
        """
        if not data:
            return 0
        rest = memoryview(data)
        with self._use() as descriptor:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        if not self._size:
            self._wrote()
        self._size += len(data)
        return len(data)

    def read(self, size: int = -1, chunk_bytes: int = _READ_BYTES) -> Iterator[bytes]:
        """Yield what was written, from the beginning."""
        end = self._size if size < 0 else min(size, self._size)
        start = 0
        while start < end:
            with self._use() as descriptor:
                piece = os.pread(descriptor, min(chunk_bytes, end - start), start)
            if not piece:
                raise OutputError(str(self.final), "the file is shorter than what was written to it")
            yield piece
            start += len(piece)

    def sync(self) -> None:
        """Wait until the bytes are on the disk.

        Raises:
            OutputError: They cannot be written.
        """
        with self._use() as descriptor:
            os.fsync(descriptor)

    def close(self) -> None:
        """Give the descriptor back, or let a call that is under way in another thread do so at its end.

        Allowed more than once, from any thread.
        """
        self._closing = True
        if self._in_use.acquire(blocking=False):
            try:
                descriptor, self._descriptor = self._descriptor, -1
                if descriptor >= 0:
                    os.close(descriptor)
            finally:
                self._in_use.release()

    @contextmanager
    def _use(self) -> Iterator[int]:
        """The descriptor, which stays open and in this attempt's hands meanwhile."""
        try:
            with self._in_use, mapped(self.final):
                self._fence.check(self.final)
                if self._descriptor < 0:
                    raise OSError(errno.EBADF, "the file is closed")
                yield self._descriptor
        finally:
            if self._closing:
                self.close()


class FileOutput:
    """What a sink writes to: a main file, companions and scratch files.

    Args:
        folder: Where its files are written; it must not exist.
        final: Final name of the main file; companions stand beside it.
        fence: Divides this attempt from later ones.
        wrote: Called once per file, after its first write.
    """

    def __init__(self, folder: Path, final: Path, fence: Fence, wrote: Callable[[], None]) -> None:
        self._folder = folder
        self._final = final
        self._fence = fence
        self._on_write = wrote
        fence.check(final)
        with mapped(final):
            for part in ("files", "scratch"):
                (folder / part).mkdir(parents=True)
        self._main = self._open(folder / "main", final)
        self._closed = False
        self._parts: dict[str, FilePart] = {}
        self._scratches: dict[str, FilePart] = {}

    def write(self, data: bytes, /) -> int:
        """Append to the main file."""
        return self._main.write(data)

    @property
    def size(self) -> int:
        """Bytes in the main file so far."""
        return self._main.size

    def read(self, size: int = -1, chunk_bytes: int = _READ_BYTES) -> Iterator[bytes]:
        """Yield the main file, from the beginning."""
        return self._main.read(size, chunk_bytes)

    def part(self, name: str) -> FilePart:
        """The companion file ``name``, published beside the main one; made at the first call.

        Raises:
            OptionError: ``name`` is no plain file name, or the main file's own.
            OutputError: It cannot be made.
        """
        found = self._parts.get(name)
        if found is None:
            if name == self._final.name:
                raise OptionError("name", name, "another name than the main file's")
            final = self._final.with_name(check_file_name(name))
            found = self._parts[name] = self._open(self._folder / "files" / name, final)
            self._close_if_late(found)
        return found

    def scratch(self, name: str) -> FilePart:
        """A file that lives as long as the run and is never published; made at the first call.

        Raises:
            OptionError: ``name`` is no plain file name.
            OutputError: It cannot be made.
        """
        found = self._scratches.get(name)
        if found is None:
            path = self._folder / "scratch" / check_file_name(name)
            found = self._scratches[name] = self._open(path, self._final)
            self._close_if_late(found)
        return found

    def finish(self) -> dict[Path, Path]:
        """Sync everything that will be published.

        Returns:
            Written file → final name; companions first, the main file last.
        """
        files = [*self._parts.values(), self._main]
        for file in files:
            file.sync()
        return {file.path: file.final for file in files}

    def close(self) -> None:
        """Give all descriptors back; allowed more than once, from any thread."""
        self._closed = True
        for file in (self._main, *list(self._parts.values()), *list(self._scratches.values())):
            file.close()

    def _close_if_late(self, file: FilePart) -> None:
        """Close a file that was opened while another thread closed the others."""
        if self._closed:
            file.close()

    def _open(self, path: Path, final: Path) -> FilePart:
        return FilePart(path, final, self._fence, self._on_write)
