"""What the callbacks of recorded stages do."""


def emitted(emit, demand):
    """How many numbers ``handle_demand`` returns."""
    k = emit.get("k", 0)
    return {
        "exact": demand,
        "extra": demand + k,
        "none": 0,
        "at_most": min(demand, k),
        "double": 2 * demand,
    }[emit["emit"]]


def made(on_events, events):
    """The events that ``handle_events`` returns."""
    if on_events in {"drop", "consume"}:
        return []
    if on_events == "plus_10000":
        return [event + 10000 for event in events]
    if on_events == "even":
        return [event for event in events if event % 2 == 0]
    times = {"identity": 1, "duplicate": 2, "triple": 3}[on_events]
    return [event for event in events for _ in range(times)]
