"""Figures in text that runs from right to left."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["marked_figures"]

_LEFT_TO_RIGHT, _RIGHT_TO_LEFT = "\u200e", "\u200f"
# A sign that no mark holds before its figure would be shown behind it. Locales know that mark as a part of
# their sign, but the patterns of their formats do not have it.
_SIGN = re.compile(f"(?<!{_LEFT_TO_RIGHT})[-\u2212]")
# A currency in Latin letters, such as US$, would be taken apart, and joined with a figure that has a sign.
_CURRENCY = re.compile(f"(?<=[0-9])([\\s{_RIGHT_TO_LEFT}]+)([A-Za-z][^\\s{_LEFT_TO_RIGHT}]*)$")
_MARKED_CURRENCY = f"{_RIGHT_TO_LEFT}\\1\\2{_LEFT_TO_RIGHT}"


def marked_figures(texts: Sequence[str]) -> list[str]:
    r"""Put marks of direction into figures, so that they can be read where text runs from right to left.

    Args:
        texts: From the format of a column of figures.

    Example:
        >>> marked_figures(["-1", "2"])
        ['\u200e-1', '2']
    """
    return [
        _CURRENCY.sub(_MARKED_CURRENCY, _SIGN.sub(f"{_LEFT_TO_RIGHT}\\g<0>", text, count=1)) for text in texts
    ]
