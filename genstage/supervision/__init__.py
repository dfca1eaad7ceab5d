"""Supervision: starting children in order, ending them in reverse, and deciding what a failure means."""

from genstage.supervision.children import Child, ChildEnded, Children, ChildStarted
from genstage.supervision.group import ChildrenStarted, Group
from genstage.supervision.plan import RestartPlan
from genstage.supervision.spec import ChildSpec, StageLaunch, child_spec
from genstage.supervision.task import Task

__all__ = [
    "Child",
    "ChildEnded",
    "ChildSpec",
    "ChildStarted",
    "Children",
    "ChildrenStarted",
    "Group",
    "RestartPlan",
    "StageLaunch",
    "Task",
    "child_spec",
]
