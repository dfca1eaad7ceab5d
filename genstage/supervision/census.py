"""What a supervisor tells of its children."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genstage._runtime.launch import ChildType
    from genstage._runtime.refs import StageRef

__all__ = ["ChildCounts", "ChildInfo"]


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """A child.

    Attributes:
        id: Its name among the children of its supervisor.
        ref: What one holds of it; ``None`` while it is being started again.
        type: ``"supervisor"`` if it has children of its own, else ``"worker"``.
        restarting: Whether it is being started again.
    """

    id: str
    ref: StageRef | None
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
