"""Typed values as JSON texts, a whole column at a time.

A figure is written with its own digits and never becomes a float, so it is exact. Readers that want it
exact too ask for it, as in Python's ``json.loads(text, parse_float=Decimal)``. Days are ISO 8601 texts,
months texts such as ``"2024-03"``, a missing value is ``null``.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["json_object", "json_texts"]

_FIGURES = frozenset({int, Decimal})
_SURROGATES = re.compile("[\ud800-\udfff]")


def json_texts(values: Sequence[Any]) -> list[str]:
    """Write values, each by itself, none of the texts with a line break.

    Half of a surrogate pair has no place in UTF-8: U+FFFD stands for it.

    Args:
        values: Texts, integers, decimals, days or ``None``.

    Example:
        >>> json_texts(["Zoë", None, Decimal("1.50")])
        ['"Zoë"', 'null', '1.50']
    """
    types = set(map(type, values))
    if types <= _FIGURES:
        return list(map(str, values))
    if types & _FIGURES:
        values = [orjson.Fragment(str(value)) if type(value) in _FIGURES else value for value in values]
    try:
        return _each(values)
    except orjson.JSONEncodeError:
        return _each(
            [_SURROGATES.sub("\ufffd", value) if isinstance(value, str) else value for value in values]
        )


def _each(values: Sequence[Any]) -> list[str]:
    # One call for the column, indented, so that the values stand on lines of their own: a line break
    # within a text is written as \n, so the lines are where the text can be cut.
    return orjson.dumps(values, option=orjson.OPT_INDENT_2)[4:-2].decode().split(",\n  ")


def json_object(fields: Mapping[str, str]) -> str:
    """Put an object together.

    Args:
        fields: Name, and value as JSON text.

    Example:
        >>> json_object({"city": '"Ulm"', "sum": "3"})
        '{"city":"Ulm","sum":3}'
    """
    pairs = zip(json_texts(list(fields)), fields.values(), strict=True)
    return "{" + ",".join(f"{name}:{text}" for name, text in pairs) + "}"
