"""What files of a run have in common: errors of the operating system, and names."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from genstage.errors import OptionError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["check_file_name", "check_final", "mapped"]


@contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Turn what the operating system says into an :class:`OutputError` about the file's final name."""
    try:
        yield
    except OSError as error:
        raise OutputError(str(path), error.strerror or str(error)) from error


def check_file_name(name: str) -> str:
    """A file name without a folder, and none that starts with a dot: those are the run folders' own.

    Raises:
        OptionError: It is none.
    """
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise OptionError("name", name, "a file name without a folder, not starting with a dot")
    return name


def check_final(final: Path) -> None:
    """Refuse a final name that a folder has.

    Raises:
        OutputError: It has.
    """
    if final.is_dir():
        raise OutputError(str(final), "is a folder; remove it or choose another name")
