"""A stage on the bench: in a simulation, under observation, with a probe on each of its sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from genstage._runtime.typed_refs import ConsumerRef, ProducerRef
from genstage.testing.observed import Observed
from genstage.testing.trial import broken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genstage.stage import AnyStage
    from genstage.testing.probes import DownstreamProbe, UpstreamProbe
    from genstage.testing.simulation import Simulation

__all__ = ["WINDOW", "Bench"]

WINDOW: dict[str, Any] = {"max_demand": 4, "min_demand": 2}
"""Options of the subscription of a stage under test."""


class Bench:
    """A stage under test in a simulation, with what it needs on its sides.

    Args:
        simulation: Where it runs.
        stage: A new stage.
        events: What its producer has, if it takes any.
        options: Of its subscription.
    """

    def __init__(
        self, simulation: Simulation, stage: AnyStage, events: Sequence[Any] = (), **options: Any
    ) -> None:
        self.simulation = simulation
        self.observed = Observed(stage)
        self.ref: Any = simulation.start(lambda: cast("Any", stage), name="stage under test")
        self.takes = isinstance(self.ref, ConsumerRef)
        self.emits = isinstance(self.ref, ProducerRef)
        self.upstream: UpstreamProbe[Any] | None = None
        self.downstream: DownstreamProbe[Any] | None = None
        if self.takes:
            self.upstream = simulation.upstream_of(self.ref, **(WINDOW | options))
        if self.emits:
            self.downstream = simulation.downstream_of(self.ref)
        self._left = list(events)
        self._finished = False

    def feed(self) -> bool:
        """Send what the stage has asked for; gives whether that was anything."""
        upstream = self.upstream
        self.simulation.run()
        if upstream is None or not self._left or not upstream.demand:
            return False
        now, self._left = self._left[: upstream.demand], self._left[upstream.demand :]
        upstream.emit(*now)
        self.simulation.run()
        return True

    def feed_all(self) -> None:
        """Send everything, then the end."""
        while self.feed():
            pass
        if self.upstream is not None and not self._left and not self._finished and self.ref.alive:
            self._finished = True
            self.upstream.finish()
            self.simulation.run()

    @property
    def unsent(self) -> int:
        """How many events the stage has not asked for yet."""
        return len(self._left)

    def get(self, count: int, patience_s: float) -> list[Any]:
        """Ask for events, and give what has come after some (simulated) time."""
        downstream = self.downstream
        assert downstream is not None  # noqa: S101 - it emits
        before = len(downstream.events)
        downstream.ask(count)
        self.feed_all()
        if len(downstream.events) - before < count and not downstream.ended:
            self.simulation.advance(patience_s)
            self.feed_all()
        return downstream.events[before:]

    def check_callbacks(self) -> None:
        """Rule S3."""
        for given in self.observed.returns:
            if given.error is not None:
                raise broken("S3", f"{given.callback} raised {given.error!r}") from given.error
