"""What the options' texts mean. Pure: text in, values or an :class:`InputError` out."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from renderers.cli.errors import InputError
from renderers.registry import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Parameter", "parse_formats", "parse_key", "parse_parameters"]

Parameter = str | int | float | None

_FORMAT_HINT = f"use one or more of {', '.join(FORMATS)}, separated by commas"
_INTEGER = range(-(2**63), 2**63)


def parse_formats(texts: Iterable[str]) -> list[str]:
    """Read the formats to write.

    Args:
        texts: Of each ``--format``: names separated by commas.

    Returns:
        The names, in the order given, each once.

    Raises:
        InputError: A name is no format, or there is none.

    Example:
        >>> parse_formats(["pdf,html", "pdf"])
        ['pdf', 'html']
    """
    names = _names(texts)
    for name in names:
        if name not in FORMATS:
            raise InputError("--format", f"unknown format {name!r}: {_FORMAT_HINT}")
    if not names:
        raise InputError("--format", f"no format given: {_FORMAT_HINT}")
    return names


def parse_key(texts: Iterable[str]) -> list[str]:
    """Read the key columns.

    Args:
        texts: Of each ``--key``: names separated by commas.

    Returns:
        The names, in order.

    Raises:
        InputError: There is none.

    Example:
        >>> parse_key(["region, month,line_id"])
        ['region', 'month', 'line_id']
    """
    names = _names(texts)
    if not names:
        raise InputError("--key", "no column given: name one or more, separated by commas")
    return names


def parse_parameters(texts: Iterable[str]) -> dict[str, Parameter]:
    """Read the values for the query's parameters.

    A value that is a JSON number, string, ``true``, ``false`` or ``null`` is that; any other is text as it
    stands. So a text that looks like a number is given in quotes.

    Args:
        texts: Of each ``--param``: ``NAME=VALUE``.

    Returns:
        The value of each name.

    Raises:
        InputError: One is not of that form, a name comes twice, or a number is out of range.

    Example:
        >>> parse_parameters(["year=2024", "state=paid", 'code="007"', "until=null"])
        {'year': 2024, 'state': 'paid', 'code': '007', 'until': None}
    """
    parameters: dict[str, Parameter] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise InputError("--param", f"must be NAME=VALUE, such as year=2024, got {text!r}")
        if name in parameters:
            raise InputError("--param", f"{name!r} is given twice")
        parameters[name] = _checked(name, _value(name, value))
    return parameters


def _names(texts: Iterable[str]) -> list[str]:
    """The names in texts separated by commas, each once."""
    return list(dict.fromkeys(name.strip() for text in texts for name in text.split(",") if name.strip()))


def _value(name: str, text: str) -> Parameter:
    try:
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text
    match value:
        case bool():
            return int(value)
        case int() if value not in _INTEGER:
            raise InputError("--param", f"{name!r} has more than 64 bits: put it in quotes as text")
        case float() if not math.isfinite(value):
            raise InputError("--param", f"{name!r} is too large a number: put it in quotes as text")
        case str() | int() | float() | None:
            return value
        case _:  # an object or an array: the query's own matter, as text
            return text


def _checked(name: str, value: Parameter) -> Parameter:
    """Refuse what no database takes: a text with halves of characters, or bytes that were not UTF-8."""
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        raise InputError("--param", f"{name!r} is not valid UTF-8 text")
    return value


def _no_number(constant: str) -> None:
    """Refuse what JSON does not know: ``NaN`` and ``Infinity`` are texts."""
    raise ValueError(constant)
