"""Creating the sample database, with progress."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from genstage import sources
from genstage.errors import OutputError, SourceError
from genstage.logger import get_logger
from renderers.cli.errors import InputError, RunError
from renderers.cli.progress import showing_progress
from renderers.demo.sample import DEFAULT_ROWS, DEFAULT_SEED, create_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from renderers.cli.session import Session

__all__ = ["make_sample", "sample_database"]

_log = get_logger("renderers.cli.sampling")


def make_sample(file: Path, *, rows: int, seed: int, option: str, here: Session) -> None:
    """Create a sample database.

    Args:
        file: Where; it does not exist yet.
        rows: How many invoice lines.
        seed: Same seed, same data.
        option: What the place comes from, as the user typed it.
        here: The command's surroundings.

    Raises:
        InputError: Its folder cannot be written to.
        RunError: It could not be finished.
    """
    _log.debug("creating sample", file=str(file), rows=rows, seed=seed)
    written = 0
    with showing_progress(here.console, live=here.live) as show:

        def progress(done: int) -> None:
            nonlocal written
            written = done
            show("creating sample", done, rows)

        try:
            with _folder_of(file):
                create_sample(file, rows=rows, seed=seed, progress=progress)
        except OutputError as error:
            if written:
                raise RunError(str(error)) from error
            raise InputError(option, f"{error.path}: {error.problem}") from error


@contextmanager
def _folder_of(file: Path) -> Iterator[None]:
    """Make the folder of a file; if the file is not made, neither is the folder.

    Raises:
        OutputError: It cannot be made.
    """
    missing = [folder for folder in file.parents if not folder.exists()]
    try:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(str(file.parent), error.strerror or str(error)) from error
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):  # it was not made, or somebody else uses it by now
                folder.rmdir()
        raise


def sample_database(out: Path, *, rows: int | None, seed: int | None, here: Session) -> str:
    """The URL of the sample database of an output folder; it is created if it is missing.

    Args:
        out: The folder.
        rows: As the user wants it; as many as there are by default, or the usual number.
        seed: The same.
        here: The command's surroundings.

    Raises:
        InputError: The folder cannot be written to, or holds another sample than the one asked for.
        RunError: The sample could not be finished.
    """
    file = out / "sample.sqlite"
    if file.exists():
        _check(file, rows, seed)
    else:
        make_sample(
            file,
            rows=DEFAULT_ROWS if rows is None else rows,
            seed=DEFAULT_SEED if seed is None else seed,
            option="--out",
            here=here,
        )
    return f"sqlite:///{file}"


def _check(file: Path, rows: int | None, seed: int | None) -> None:
    """Refuse to run on another sample than the one asked for; to replace it is the user's decision."""
    if seed is not None:
        raise InputError("--seed", f"{file} exists already: remove it, or choose another --out")
    if rows is None:
        return
    try:
        there = sources.sqlite(file, "SELECT id FROM invoice_lines", key=["id"]).count()
    except SourceError as error:
        raise InputError("--out", f"{error.source}: {error.problem}") from error
    if there != rows:
        found = "another number of" if there is None else f"{there:,}"
        raise InputError("--rows", f"{file} has {found} lines: remove it, or choose another --out")
