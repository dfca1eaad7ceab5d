"""What a supervisor knows of a child before it exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._runtime.actor import Behaviour
    from genstage._runtime.driver import Driver

__all__ = ["ChildSpec"]


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A child: a recipe, because a restarted child is a new object.

    Attributes:
        id: Its name, unique among the children of a supervisor.
        make: Makes its behaviour, in its own thread.
        own_lane: Whether it blocks by nature, and so gets a thread of its own.
    """

    id: str
    make: Callable[[Driver], Behaviour]
    own_lane: bool = False
