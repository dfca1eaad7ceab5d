"""A memo of bounded size, for texts that recur."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Memo"]


class Memo(dict[Any, Any]):
    """A dictionary that fills itself, and starts anew when it is full.

    Args:
        compute: Pure function of the key.
        size: Most entries held at a time, at least 1.

    Example:
        >>> squares = Memo(lambda n: n * n)
        >>> squares[7], squares[7], len(squares)
        (49, 49, 1)
    """

    def __init__(self, compute: Callable[[Any], Any], size: int = 16_384) -> None:
        super().__init__()
        self._compute = compute
        self._size = size

    def __missing__(self, key: Any) -> Any:
        value = self._compute(key)
        if len(self) >= self._size:
            self.clear()
        self[key] = value
        return value
