"""A look, from outside, at a queue that its owner goes on changing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections import deque

__all__ = ["snapshot"]

T = TypeVar("T")


def snapshot(queue: deque[T]) -> list[T]:
    """What is in a queue at one moment, without a lock.

    With a global interpreter lock this is one step. Without one, a change in the middle of it is noticed, and
    it is tried again: whoever looks on must not fail, and must not hold up anybody.
    """
    while True:
        try:
            return list(queue)
        except RuntimeError:
            pass
