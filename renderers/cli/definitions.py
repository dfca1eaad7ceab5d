"""Finding a user's report definition: ``MODULE:NAME`` or ``FILE.py:NAME``."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderers.cli.errors import InputError, described
from renderers.model import Report

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = ["Definition", "load_definition"]

_OPTION = "--report"


@dataclass(frozen=True, slots=True)
class Definition:
    """What a module says about a report.

    Attributes:
        report: The report.
        query: The module's ``QUERY``, if it has one.
        key: The module's ``KEY``, if it has one.
    """

    report: Report
    query: str | None
    key: tuple[str, ...] | None


def load_definition(spec: str) -> Definition:
    """Import a report definition, with the current folder on the path, and a file's own folder.

    Args:
        spec: ``MODULE:NAME`` or ``FILE.py:NAME``; NAME is a :class:`~renderers.model.Report` in it. Beside it
            the module may say what the report reads: ``QUERY``, a text, and ``KEY``, the names of the columns
            that order the records and tell them apart, as a list or as a text with commas.

    Raises:
        InputError: There is no such module, it does not import (with the reason and the line), or what it
            has under that name is no report.
    """
    place, colon, name = spec.rpartition(":")
    if not colon or not place or not name.isidentifier():
        raise InputError(_OPTION, f"must be MODULE:NAME or FILE.py:NAME, got {spec!r}")
    _put_on_path(Path.cwd())
    if place.endswith(".py") or os.sep in place:
        module = _imported(place, lambda: _load_file(Path(place)))
    else:
        module = _imported(place, lambda: _load_module(place))
    return Definition(_report(module, place, name), _query(module, place), _key(module, place))


def _put_on_path(folder: Path) -> None:
    text = str(folder)
    if text not in sys.path:
        sys.path.insert(0, text)


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # it was found, but imports something that is not there
        problem = f"no module {error.name!r} in the current folder or among the installed packages"
        raise InputError(_OPTION, problem) from error
    except (TypeError, ValueError) as error:  # a name such as "..reports" or "a..b"
        if error.__traceback__ is not None and _line_in_code(error) is not None:
            raise
        raise InputError(_OPTION, f"{name!r} is not the name of a module") from error


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(_OPTION, f"no file {str(path)!r}")
    _put_on_path(path.resolve().parent)
    # A name of its own: the file may be called like a package that is already there.
    name = f"_report_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(_OPTION, f"{str(path)!r} is not a Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _imported(place: str, load: Callable[[], ModuleType]) -> ModuleType:
    """Run the user's code; whatever it raises is the user's to read."""
    try:
        return load()
    except InputError:
        raise
    except SyntaxError as error:
        where = _where(error.filename or place, error.lineno)
        raise InputError(_OPTION, f"{where}: {type(error).__name__}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        line = _line_in_code(error)
        where = place if line is None else _where(*line)
        raise InputError(_OPTION, f"{where}: {described(error)}") from error


def _line_in_code(error: BaseException) -> tuple[str, int | None] | None:
    """The innermost line of the user's own code that an exception passed: none of ours, none of Python's."""
    passed = [
        (frame.filename, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and not _is_library(frame.filename)
    ]
    return passed[-1] if passed else None


def _is_library(filename: str) -> bool:
    ours = Path(__file__).parent.parent
    path = Path(filename).resolve()
    standard = Path(os.__file__).resolve().parent
    return ours in path.parents or standard in path.parents or "site-packages" in path.parts


def _where(filename: str, line: int | None) -> str:
    path = Path(filename)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return str(shown) if line is None else f"{shown}, line {line}"


def _report(module: ModuleType, place: str, name: str) -> Report:
    found: Any = getattr(module, name, None)
    if isinstance(found, Report):
        return found
    if hasattr(module, name):
        raise InputError(_OPTION, f"{name} in {place} is not a Report but of type {type(found).__name__}")
    reports = sorted(known for known, value in vars(module).items() if isinstance(value, Report))
    raise InputError(_OPTION, f"no {name} in {place}; its reports: {', '.join(reports) or 'none'}")


def _query(module: ModuleType, place: str) -> str | None:
    query: Any = getattr(module, "QUERY", None)
    if query is not None and not isinstance(query, str):
        raise InputError(_OPTION, f"QUERY in {place} must be a text, not of type {type(query).__name__}")
    return query


def _key(module: ModuleType, place: str) -> tuple[str, ...] | None:
    key: Any = getattr(module, "KEY", None)
    if key is None:
        return None
    names = key.split(",") if isinstance(key, str) else key
    if not isinstance(names, list | tuple) or not names or not all(isinstance(n, str) and n for n in names):
        raise InputError(_OPTION, f"KEY in {place} must be a list of column names")
    return tuple(name.strip() for name in names)
