"""What one holds of a running ``ConsumerSupervisor``, and what it asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from genstage._runtime.refs import CALL_TIMEOUT_S
from genstage._runtime.typed_refs import ConsumerRef
from genstage.supervision.supervisor_ref import IndependentChildrenRef

if TYPE_CHECKING:
    from genstage._runtime.refs import StageRef

__all__ = ["ConsumerSupervisorRef", "StartChild"]

In_contra = TypeVar("In_contra", contravariant=True)


@dataclass(slots=True)
class StartChild:
    """Client to supervisor: start a child for an event that nobody has asked for."""

    event: Any
    reply: Any


class ConsumerSupervisorRef(IndependentChildrenRef, ConsumerRef[In_contra], Generic[In_contra]):
    """A running ``ConsumerSupervisor``: a consumer that has children."""

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
            CallTimeoutError: It has not started in time; it goes on starting.
            DeadStageError: The supervisor is not alive.
            RuntimeError: The caller is the supervisor itself.

        Source:
            GenStage's ``ConsumerSupervisor.start_child/2``.
        """
        ref: StageRef | None = self._request(lambda answer: StartChild(event, answer), timeout_s)
        return ref
