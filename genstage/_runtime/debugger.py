"""Deadlines while a debugger is at work: none. A person who looks at a stage takes longer than a program."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from genstage._runtime.frames import frames

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["debugged", "patiently"]

_STEP_S = 0.5
"""How often somebody who waits beyond a deadline looks whether the debugger is still there."""

_MODULES = ("bdb", "pdb", "pydevd", "_pydevd_bundle", "debugpy")


def debugged() -> bool:
    """Whether a debugger traces this program, or has stopped one of its threads. For when it is late."""
    monitoring = getattr(sys, "monitoring", None)  # from Python 3.12 on
    if monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None:
        return True
    if any(map(_is_debugger, (sys.gettrace(), threading.gettrace()))):
        return True
    return any(map(_is_stopped, frames().values()))


def patiently(wait: Callable[[float | None], bool], timeout_s: float | None) -> bool:
    """Wait with a deadline, or beyond it as long as a debugger is at work.

    Args:
        wait: Waits for so many seconds, and gives whether it has what it waits for.
        timeout_s: For how long.
    """
    while not wait(timeout_s):
        if timeout_s is None or not debugged():
            return False
        timeout_s = _STEP_S
    return True


def _is_debugger(trace: Any) -> bool:
    """Not every trace function is one: coverage has one, too."""
    owner = getattr(trace, "__self__", trace)
    return any(_is_debuggers(kind.__module__) for kind in type(owner).__mro__) or _is_debuggers(
        getattr(trace, "__module__", None)
    )


def _is_stopped(frame: Any) -> bool:
    while frame is not None:
        if _is_debuggers(dict.get(frame.f_globals, "__name__")):
            return True
        frame = frame.f_back
    return False


def _is_debuggers(module: Any) -> bool:
    return type(module) is str and module.partition(".")[0] in _MODULES
