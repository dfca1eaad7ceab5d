"""What a supervisor tells of its children, and how it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genstage._runtime.launch import ChildType

__all__ = ["ChildCounts", "ChildInfo", "CountChildren", "WhichChildren"]


@dataclass(slots=True)
class WhichChildren:
    """Client to supervisor: which children are there?"""

    reply: Any


@dataclass(slots=True)
class CountChildren:
    """Client to supervisor: how many are there?"""

    reply: Any


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """A child.

    Attributes:
        id: Its name among the children of its supervisor.
        ref: What one holds of it, such as a reference; ``None`` while it does not run.
        type: ``"supervisor"`` if it has children of its own, else ``"worker"``.
        restarting: Whether it is being started again.
    """

    id: str
    ref: Any
    type: ChildType
    restarting: bool


@dataclass(frozen=True, slots=True)
class ChildCounts:
    """How many children there are.

    Attributes:
        specs: Specifications of children.
        active: Children that run.
        supervisors: Children that have children of their own, whether they run or are being started again.
        workers: All others, in the same way.
    """

    specs: int
    active: int
    supervisors: int
    workers: int
