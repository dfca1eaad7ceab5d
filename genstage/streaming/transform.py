"""A stage that turns chunks into chunks, with a JSON value as state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from genstage._core.checks import check_methods
from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage.stage import ProducerConsumer
from genstage.streaming.chunk import Chunk, at_chunk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genstage._core.subscription import Subscription

__all__ = ["Transform", "TransformStage"]


In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


class Transform(Protocol[In_contra, Out_co]):
    """A function of records that may need a state. It keeps each chunk's interval, epoch and ``end``."""

    def begin(self) -> Any:
        """The state before the first chunk, a JSON value."""

    def apply(self, chunk: Chunk[In_contra], state: Any, /) -> tuple[Chunk[Out_co], Any]:
        """The chunk that becomes of ``chunk``, and the new state."""


class TransformStage(ProducerConsumer[Chunk[Any], Chunk[Any]]):
    """Carries a transform; all its consumers get all its chunks.

    Args:
        transform: What is done to each chunk.

    Raises:
        OptionError: A method of the transform is asynchronous, or a generator.
    """

    def __init__(self, transform: Transform[Any, Any]) -> None:
        check_methods(transform, "begin", "apply")
        self._transform = transform
        self._state = transform.begin()

    def init(self) -> Mapping[str, Any]:
        """Choose the dispatcher."""
        return {"dispatcher": BroadcastDispatcher()}

    def handle_events(self, events: Sequence[Chunk[Any]], origin: Subscription) -> Sequence[Chunk[Any]]:  # noqa: ARG002 - there is one
        """Transform chunks, in order."""
        transformed = []
        for chunk in events:
            with at_chunk(chunk):
                after, self._state = self._transform.apply(chunk, self._state)
            transformed.append(after)
        return transformed
