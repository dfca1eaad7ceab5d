"""Replays family ``buffer``."""

from genstage._core.buffer import Buffer
from tests.conformance.scenario import Outcome, difference


def replay(scenario):
    """Replay one scenario."""
    given = scenario["given"]
    buffer = Buffer(None if given["size"] == "infinity" else given["size"], given["keep"])
    outcome = Outcome(scenario["id"])
    for index, step in enumerate(scenario["steps"]):
        outcome.problems += difference(index, step, {**_do(buffer, step["do"]), "size": len(buffer)})
    return outcome


def _do(buffer, do):
    if do["op"] == "store":
        stored = buffer.store(do["events"])
        return {"discarded": stored.discarded, "infos": stored.infos}
    if do["op"] == "store_info":
        return {"stored": buffer.store_info(do["info"])}
    taken = buffer.take(do["count"])
    if taken is None:
        return {"empty": True}
    return {"events": taken.events, "infos": taken.infos, "unserved": taken.unserved}
