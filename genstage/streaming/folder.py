"""The folder of a run: files are written aside, and get their final names when all of them are whole.

::

    out/
      .invoices.run/            locked while the run is on, removed at its end
        lock
        parts/0/                of the first attempt, one folder per sink
          0/main                what becomes out/invoices.html
          1/main                what becomes out/invoices.heex
          1/files/NAME          what becomes out/NAME
          2/scratch/NAME        never published
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from genstage.errors import OutputError
from genstage.streaming.files import check_final, mapped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["RunFolder"]


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
            with mapped(out):
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
        with mapped(self._out):
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
                with mapped(final):
                    final.unlink(missing_ok=True)
                _sync_folder(self._out)
            for path, name in (*companions, (main, final)):
                with mapped(name):
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


def _missing(folder: Path) -> list[Path]:
    """The folders that would have to be made for ``folder``, the innermost first."""
    missing = []
    for each in (folder, *folder.parents):
        if each.exists():
            break
        missing.append(each)
    return missing


def _sync_folder(folder: Path) -> None:
    with mapped(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
