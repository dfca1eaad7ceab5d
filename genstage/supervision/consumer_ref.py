"""What one holds of a running ``ConsumerSupervisor``, and what it asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from genstage._runtime.refs import CALL_TIMEOUT_S, StageRef
from genstage._runtime.typed_refs import ConsumerRef
from genstage.errors import OptionError
from genstage.supervision.census import CountChildren, WhichChildren

if TYPE_CHECKING:
    from genstage._runtime.actor import LaneActor
    from genstage.supervision.census import ChildCounts, ChildInfo

__all__ = ["ConsumerSupervisorRef", "StartChild", "TerminateChild"]

In_contra = TypeVar("In_contra", contravariant=True)


@dataclass(slots=True)
class StartChild:
    """Client to supervisor: start a child for an event that nobody has asked for."""

    event: Any
    reply: Any


@dataclass(slots=True)
class TerminateChild:
    """Client to supervisor: stop a child, for good."""

    actor: LaneActor
    reply: Any


class ConsumerSupervisorRef(ConsumerRef[In_contra], Generic[In_contra]):
    """A running ``ConsumerSupervisor``: a consumer that has children.

    All that wait here raise ``CallTimeoutError`` when no answer came in time, ``DeadStageError`` when the
    supervisor is not alive, and ``RuntimeError`` when the caller is the supervisor itself.
    """

    def start_child(self, event: In_contra, *, timeout_s: float | None = CALL_TIMEOUT_S) -> StageRef | None:
        """Start a child for an event that comes from no producer; it is in nobody's demand.

        Args:
            event: The event.
            timeout_s: Seconds to wait for its ``init``; ``None`` for ever.

        Returns:
            Its reference; ``None`` if its ``init`` returned ``Stop()``, for there is nothing to do.

        Raises:
            OptionError: No stage is made for the event.
            StartError: It did not start; ``__cause__`` is what it raised.

        Source:
            GenStage's ``ConsumerSupervisor.start_child/2``.
        """
        ref: StageRef | None = self._request(lambda answer: StartChild(event, answer), timeout_s)
        return ref

    def terminate_child(self, child: StageRef, *, timeout_s: float | None = None) -> None:
        """Stop a child by its shutdown rule, and wait until it has ended. It is not started again.

        Args:
            child: Its reference. While it is being started again, the old one will do.
            timeout_s: Seconds to wait; ``None``, the default, for ever.

        Raises:
            OptionError: It is no child of this supervisor, or none any more.

        Source:
            GenStage's ``ConsumerSupervisor.terminate_child/2``.
        """
        if not isinstance(child, StageRef):
            raise OptionError("child", child, "a reference to a child")
        actor = child._actor  # noqa: SLF001 - references belong together
        self._request(lambda answer: TerminateChild(actor, answer), timeout_s)

    def which_children(self, *, timeout_s: float | None = CALL_TIMEOUT_S) -> list[ChildInfo]:
        """The children that have started and have not ended for good, oldest first.

        Source:
            GenStage's ``ConsumerSupervisor.which_children/1``.
        """
        found: list[ChildInfo] = self._request(WhichChildren, timeout_s)
        return found

    def count_children(self, *, timeout_s: float | None = CALL_TIMEOUT_S) -> ChildCounts:
        """How many there are.

        Source:
            GenStage's ``ConsumerSupervisor.count_children/1``.
        """
        counts: ChildCounts = self._request(CountChildren, timeout_s)
        return counts
