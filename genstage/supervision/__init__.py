"""Supervision: starting children in order, ending them in reverse, and deciding what a failure means."""

from genstage.supervision.backoff import Backoff
from genstage.supervision.census import ChildCounts, ChildInfo
from genstage.supervision.children import Child, ChildEnded, Children, ChildStarted
from genstage.supervision.consumer_ref import ConsumerSupervisorRef
from genstage.supervision.consumer_supervisor import ConsumerSupervisor
from genstage.supervision.dynamic import DynamicSupervisor
from genstage.supervision.group import ChildrenStarted, Group
from genstage.supervision.intensity import FailedToStart, GaveUp, Intensity
from genstage.supervision.plan import RestartPlan
from genstage.supervision.spec import ChildSpec, StageLaunch, child_spec
from genstage.supervision.supervisor import Supervisor
from genstage.supervision.supervisor_ref import DynamicSupervisorRef, SupervisorRef
from genstage.supervision.task import Task

__all__ = [
    "Backoff",
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
    "DynamicSupervisor",
    "DynamicSupervisorRef",
    "FailedToStart",
    "GaveUp",
    "Group",
    "Intensity",
    "RestartPlan",
    "StageLaunch",
    "Supervisor",
    "SupervisorRef",
    "Task",
    "child_spec",
]
