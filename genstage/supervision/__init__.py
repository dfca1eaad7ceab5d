"""Supervision: starting children in order, ending them in reverse, and deciding what a failure means."""

from genstage.supervision.group import ChildEnded, ChildrenStarted, Group
from genstage.supervision.plan import RestartPlan
from genstage.supervision.spec import ChildSpec
from genstage.supervision.task import Task

__all__ = ["ChildEnded", "ChildSpec", "ChildrenStarted", "Group", "RestartPlan", "Task"]
