"""Where whole pipelines are replayed: on the runtime, and on the simulated network."""

from genstage import DeadStageError, Runtime
from genstage.testing import Simulation

_QUIET_ROUNDS = 5
"""The longest chain of messages that nobody notes down is shorter."""


class RealWorld:
    """The runtime. Its stages share a lane, which handles messages in the order of their arrival."""

    name = "on the runtime"

    def __init__(self, _identity):
        self.stages = Runtime(name="conformance")
        self._refs = []

    def start(self, factory, name):
        ref = self.stages.start(factory, name=name)
        self._refs.append(ref)
        return ref

    def settle(self, noted):
        """Wait until nothing moves: until rounds of requests to all stages leave ``noted()`` as it was.

        A request is handled behind the messages that wait already, so each round waits for those.
        """
        quiet, before = 0, noted()
        while quiet < _QUIET_ROUNDS:
            for ref in self._refs:
                self._ping(ref)
            now = noted()
            quiet, before = (quiet + 1 if now == before else 0), now

    @staticmethod
    def _ping(ref):
        try:
            if hasattr(ref, "estimate_buffered_count"):
                ref.estimate_buffered_count()
            else:
                ref.call("ping")
        except DeadStageError:
            pass

    def close(self):
        self.stages.close()


class SimulatedWorld:
    """The simulated network, under a schedule that the scenario's name chooses."""

    name = "on the simulated network"

    def __init__(self, identity):
        self.stages = Simulation(seed=sum(identity.encode()))

    def start(self, factory, name):
        return self.stages.start(factory, name=name)

    def settle(self, _noted):
        """Deliver messages until nothing moves."""
        self.stages.run()

    def close(self):
        self.stages.close()


WORLDS = (RealWorld, SimulatedWorld)
