"""Supervision: starting children in order, ending them in reverse, and deciding what a failure means."""

from genstage.supervision.census import ChildCounts, ChildInfo
from genstage.supervision.children import Child, ChildEnded, Children, ChildStarted
from genstage.supervision.consumer_ref import ConsumerSupervisorRef
from genstage.supervision.consumer_supervisor import ConsumerSupervisor
from genstage.supervision.group import ChildrenStarted, Group
from genstage.supervision.intensity import GaveUp, Intensity
from genstage.supervision.plan import RestartPlan
from genstage.supervision.spec import ChildSpec, StageLaunch, child_spec
from genstage.supervision.task import Task

__all__ = [
    "Child",
    "ChildCounts",
    "ChildEnded",
    "ChildInfo",
    "ChildSpec",
    "ChildStarted",
    "Children",
    "ChildrenStarted",
    "ConsumerSupervisor",
    "ConsumerSupervisorRef",
    "GaveUp",
    "Group",
    "Intensity",
    "RestartPlan",
    "StageLaunch",
    "Task",
    "child_spec",
]
