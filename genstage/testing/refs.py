"""References to simulated stages: the runtime's, for which the simulation runs when they wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from genstage._core.reasons import Killed
from genstage._runtime.refs import StageRef
from genstage._runtime.typed_refs import ConsumerRef, ProducerConsumerRef, ProducerRef
from genstage.testing.actor import SimulatedAnswer

if TYPE_CHECKING:
    from genstage._core.reasons import Reason
    from genstage._runtime.calls import Answer
    from genstage.testing.actor import SimulatedActor

__all__ = ["REFS", "SimulatedRef"]

In = TypeVar("In")
Out = TypeVar("Out")


class SimulatedRef(StageRef):
    """A simulated stage."""

    @property
    def reason(self) -> Reason | None:
        """Why it ended; ``None`` while it is alive."""
        return self._actor.reason

    @property
    def pykka(self) -> NoReturn:
        """There is none: no pykka actor carries a simulated stage."""
        raise TypeError(f"stage {self.name!r} is simulated: it has no pykka reference")

    def kill(self, reason: Reason | None = None) -> None:
        """Declare it dead at once; ``terminate`` does not run."""
        actor = cast("SimulatedActor", cast("Any", self._actor))
        actor.network.kill(actor, reason or Killed())

    def _answer(self) -> Answer:
        return SimulatedAnswer(cast("SimulatedActor", cast("Any", self._actor)).network)


class SimulatedProducerRef(SimulatedRef, ProducerRef[Out]):
    """A simulated producer."""


class SimulatedConsumerRef(SimulatedRef, ConsumerRef[In]):
    """A simulated consumer."""


class SimulatedProducerConsumerRef(SimulatedRef, ProducerConsumerRef[In, Out]):
    """A simulated producer-consumer."""


REFS: dict[str, type[SimulatedRef]] = {
    "producer": SimulatedProducerRef,
    "producer_consumer": SimulatedProducerConsumerRef,
    "consumer": SimulatedConsumerRef,
}
"""By the kind of the stage."""
