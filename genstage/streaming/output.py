"""The files of a run: written aside, and given their final names when all of them are whole.

::

    out/
      .invoices.run/            locked while the run is on, removed at its end
        lock
        parts/0/                of the first attempt, one folder per sink
          0/main                what becomes out/invoices.html
          1/main                what becomes out/invoices.heex
          1/files/NAME          what becomes out/NAME
          2/scratch/NAME        never published

The streaming layer owns these files. Descriptors are raw: a buffered writer that is collected late would
write into what its successor has begun.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from genstage.errors import OptionError, OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Fence", "FileOutput", "FilePart", "RunFolder", "check_file_name", "check_final"]

_READ_BYTES = 1 << 20


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    """Turn what the operating system says into an :class:`OutputError` about the file's final name."""
    try:
        yield
    except OSError as error:
        raise OutputError(str(path), error.strerror or str(error)) from error


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
        with _mapped(final):
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
            with self._in_use, _mapped(self.final):
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
        with _mapped(final):
            for part in ("files", "scratch"):
                (folder / part).mkdir(parents=True)
        self._main = self._open(folder / "main", final)
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
        """Give all descriptors back; allowed more than once."""
        for file in (self._main, *self._parts.values(), *self._scratches.values()):
            file.close()

    def _open(self, path: Path, final: Path) -> FilePart:
        return FilePart(path, final, self._fence, self._on_write)


def check_file_name(name: str) -> str:
    """A file name without a folder, and none that starts with a dot: those are the run folders' own.

    Raises:
        OptionError: It is none.
    """
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise OptionError("name", name, "a file name without a folder, not starting with a dot")
    return name


class RunFolder:
    """The folder of a run, inside the output folder, and with it the right to write there.

    Args:
        out: The output folder; made if it is missing.
        name: Name of the run. Two runs of one name do not write to one folder at the same time.

    Raises:
        OutputError: The folder cannot be made or written to, or another run is writing to it.
    """

    def __init__(self, out: Path, name: str) -> None:
        self._out = out
        self._name = name
        self._path = out / f".{name}.run"
        self._made = _missing(out)
        try:
            with _mapped(out):
                while (lock := self._try_lock()) is None:
                    pass  # another run has just ended and has taken the folder away
        except OutputError:
            self._remove_made()
            raise
        self._lock = lock

    def _try_lock(self) -> int | None:
        """Lock the folder; ``None`` if it was removed meanwhile by the run that had it."""
        self._path.mkdir(parents=True, exist_ok=True)
        path = self._path / "lock"
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            return None
        except OSError:
            with suppress(OSError):  # it holds something
                self._path.rmdir()
            raise
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and path.stat().st_ino == os.fstat(lock).st_ino:
                return lock
        except FileNotFoundError:
            pass
        except BlockingIOError:
            os.close(lock)
            problem = f"another run of {self._name!r} is writing there"
            raise OutputError(str(self._out), problem) from None
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
        return None

    def renew(self, epoch: int) -> Path:
        """An empty folder for the parts of an attempt; what earlier ones wrote is removed.

        Args:
            epoch: Number of the attempt: each has a folder of its own, so that a stage of an earlier one
                cannot open this one's files.
        """
        parts = self._path / "parts"
        with _mapped(self._out):
            if parts.exists():
                shutil.rmtree(parts)
            (parts / str(epoch)).mkdir(parents=True)
        return parts / str(epoch)

    def publish(self, files: Mapping[str, Mapping[Path, Path]]) -> None:
        """Give the files of all sinks their final names.

        A main file with companions is only there together with its own companions: an older one is removed
        before they change.

        Args:
            files: Per sink, written file → final name; the main file last.

        Raises:
            OutputError: Two sinks want the same name, or a folder has it: nothing is renamed then. Or a file
                cannot be renamed.
        """
        self._check_finals(files)
        for sink in files.values():
            *companions, (main, final) = sink.items()
            if companions:
                with _mapped(final):
                    final.unlink(missing_ok=True)
                _sync_folder(self._out)
            for path, name in (*companions, (main, final)):
                with _mapped(name):
                    path.replace(name)
        _sync_folder(self._out)

    def _check_finals(self, files: Mapping[str, Mapping[Path, Path]]) -> None:
        owners: dict[Path, str] = {}
        for sink_name, sink in files.items():
            for final in sink.values():
                check_final(final)
                if final in owners:
                    both = f"{owners[final]!r} and {sink_name!r}"
                    raise OutputError(str(final), f"is written by two sinks, {both}")
                owners[final] = sink_name

    def remove(self) -> None:
        """End the run: remove its folder, and the output folder too if it was made for nothing."""
        with suppress(OSError):  # what cannot be removed is found and removed by the next run
            if (self._path / "parts").exists():
                shutil.rmtree(self._path / "parts")
            (
                self._path / "lock"
            ).unlink()  # last, and still locked: nobody is in the folder before it is gone
            self._path.rmdir()
        os.close(self._lock)
        self._remove_made()

    def _remove_made(self) -> None:
        for folder in self._made:
            with suppress(OSError):  # it holds something by now
                folder.rmdir()


def check_final(final: Path) -> None:
    """Refuse a final name that a folder has.

    Raises:
        OutputError: It has.
    """
    if final.is_dir():
        raise OutputError(str(final), "is a folder; remove it or choose another name")


def _missing(folder: Path) -> list[Path]:
    """The folders that would have to be made for ``folder``, the innermost first."""
    missing = []
    for each in (folder, *folder.parents):
        if each.exists():
            break
        missing.append(each)
    return missing


def _sync_folder(folder: Path) -> None:
    with _mapped(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
