"""Checks of single options."""

from __future__ import annotations

from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from math import inf
from typing import Any

from genstage._core.reasons import Normal, Reason
from genstage.errors import OptionError

__all__ = [
    "LONGEST_S",
    "check_choice",
    "check_count",
    "check_flag",
    "check_methods",
    "check_reason",
    "check_seconds",
]

LONGEST_S = 1_000_000_000


def check_count(name: str, value: object, low: int, high: int | None = None) -> int:
    """An integer, ``low`` or more, ``high`` or less.

    Raises:
        OptionError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise OptionError(name, value, "an integer")
    if value < low:
        raise OptionError(name, value, f"{low} or more")
    if high is not None and value > high:
        raise OptionError(name, value, f"{high} or less")
    return value


def check_flag(name: str, value: object) -> bool:
    """``True`` or ``False``.

    Raises:
        OptionError: It is none.
    """
    if not isinstance(value, bool):
        raise OptionError(name, value, "True or False")
    return value


def check_choice(name: str, value: Any, allowed: tuple[str, ...]) -> Any:
    """One of the allowed words.

    Raises:
        OptionError: It is none of them.
    """
    if value not in allowed:
        raise OptionError(name, value, "one of " + ", ".join(allowed))
    return value


def check_methods(owner: object, *names: str) -> None:
    """Methods that do their work when they are called; those that there are not may be missing.

    Raises:
        OptionError: One only makes a coroutine or a generator, which nobody would run.
    """
    for name in names:
        method = getattr(owner, name, None)
        if any(is_kind(method) for is_kind in (iscoroutinefunction, isasyncgenfunction, isgeneratorfunction)):
            raise OptionError(name, owner, "a plain method, without async and yield: nobody would run it")


def check_reason(value: object) -> Reason:
    """An exit reason; ``Normal()`` for ``None``.

    Raises:
        OptionError: It is none: text, for instance, which nobody could tell from a failure.
    """
    if value is None:
        return Normal()
    if not isinstance(value, Reason):
        raise OptionError("reason", value, "an exit reason, such as Shutdown('enough') or Named('done')")
    return value


def check_seconds(name: str, value: object) -> float:
    """A duration in seconds, 0 or more and no longer than a thread can wait.

    Raises:
        OptionError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < inf:
        raise OptionError(name, value, "a number of seconds, 0 or more")
    if value > LONGEST_S:
        raise OptionError(name, value, f"{LONGEST_S} or less, about 30 years")
    return float(value)
