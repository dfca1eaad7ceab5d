"""Where a thread is, in words: the callback that it is in, and the line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

__all__ = ["Place", "frames", "place"]

_RUNTIME = (
    "genstage._core.",
    "genstage._runtime.",
    "genstage.pipeline.supervisor",
    "genstage.pipeline.work",
    "genstage.supervision.",
)
"""Modules that carry callbacks, and are not what anybody looks for."""


class Place(NamedTuple):
    """Where somebody is.

    Attributes:
        callback: The function that the runtime has called, or that a stage of this package has called.
        at: File and line: of the innermost function that is neither the runtime's nor the standard library's.
    """

    callback: str
    at: str


def frames() -> Mapping[int, FrameType]:
    """What each thread is doing at this moment. Not to be kept: a frame keeps all that is in it."""
    return sys._current_frames()  # noqa: SLF001 - the documented way to a thread's stack


def place(frame: FrameType | None) -> Place | None:
    """Where a thread is; ``None`` if it is nowhere that anybody would look for."""
    callback = outer = at = None
    while frame is not None:
        module = _module(frame)
        if not _is_passed_over(module):
            at = at or f"{_file(frame, module)}:{frame.f_lineno}"
            name = frame.f_code.co_name
            outer = name
            if not module.startswith("genstage.") and not name.startswith("<"):
                callback = name
        frame = frame.f_back
    return None if at is None else Place(callback or outer or "", at)


def _module(frame: FrameType) -> str:
    name: Any = dict.get(frame.f_globals, "__name__")  # whatever class of dict it is
    return name if type(name) is str else ""


def _is_passed_over(module: str) -> bool:
    return module.startswith(_RUNTIME) or module.partition(".")[0] in sys.stdlib_module_names


def _file(frame: FrameType, module: str) -> str:
    """The file's name with the folders that are packages: enough for a person."""
    path = frame.f_code.co_filename.replace("\\", "/")
    depth = 1 + module.count(".") + path.endswith("/__init__.py")
    return "/".join(path.split("/")[-depth:])
