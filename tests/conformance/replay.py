"""Finds the replay for a scenario's family."""

import traceback

from tests.conformance import buffer, dispatchers, stage, system
from tests.conformance.scenario import Outcome

_REPLAYS = {
    "buffer": buffer.replay,
    "demand_dispatcher": dispatchers.replay,
    "broadcast_dispatcher": dispatchers.replay,
    "partition_dispatcher": dispatchers.replay,
    "stage": stage.replay,
    "system": system.replay,
}


def replay(scenario):
    """Replay one scenario of any family."""
    try:
        return _REPLAYS[scenario["family"]](scenario)
    except Exception:  # noqa: BLE001 - one scenario that cannot be replayed must not hide the others
        return Outcome(scenario["id"], [traceback.format_exc()])
