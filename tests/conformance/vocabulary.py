"""How the traces spell reasons, selectors and options, and what they are here."""

from genstage._core import reasons as r
from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage._core.dispatchers.demand import DemandDispatcher
from genstage._core.dispatchers.partition import PartitionDispatcher

_BY_KIND = {
    "normal": r.Normal(),
    "killed": r.Killed(),
    "noproc": r.NoProc(),
    "already_subscribed": r.AlreadySubscribed(),
    "unknown_subscription": r.UnknownSubscription(),
    "duplicated_subscription": r.DuplicatedSubscription(),
}
_KINDS = {type(reason): kind for kind, reason in _BY_KIND.items()}


def to_reason(spelled):
    """The reason that a trace spells."""
    kind = spelled["kind"]
    if kind == "shutdown":
        return r.Shutdown(spelled.get("detail"))
    if kind == "other":
        return r.Named(spelled["name"])
    return _BY_KIND[kind]


def spell_reason(reason):
    """A reason as the traces spell it; what an exception was is not recorded."""
    if isinstance(reason, r.Shutdown):
        return (
            {"kind": "shutdown"} if reason.detail is None else {"kind": "shutdown", "detail": reason.detail}
        )
    if isinstance(reason, r.Named):
        return {"kind": "other", "name": reason.name}
    if isinstance(reason, r.Crash):
        return {"kind": "crash"}
    if isinstance(reason, r.BadReturn):
        return {"kind": "bad_return_value"}
    return {"kind": _KINDS[type(reason)]}


class Selector:
    """A selector that remembers its name."""

    def __init__(self, name, accepts):
        self.name = name
        self.accepts = accepts

    def __call__(self, event):
        return self.accepts(event)


SELECTORS = {
    name: Selector(name, accepts)
    for name, accepts in {
        "even": lambda e: e % 2 == 0,
        "odd": lambda e: e % 2 == 1,
        "mult3": lambda e: e % 3 == 0,
        "nothing": lambda _: False,
        "everything": lambda _: True,
        "mod5lt2": lambda e: e % 5 < 2,
    }.items()
}


def to_options(spelled):
    """Subscription options: selectors become functions; ``invalid`` stays the text it is."""
    if "selector" not in spelled:
        return spelled
    return {**spelled, "selector": SELECTORS.get(spelled["selector"], spelled["selector"])}


def spell_options(options):
    """Subscription options as the traces spell them."""
    return {name: value.name if isinstance(value, Selector) else value for name, value in options.items()}


def to_hash(name, names):
    """The hash function that a trace names, over the partitions ``names``."""
    count = len(names)

    def spread(event):
        return event, names[event % count]

    return {
        "mod": spread,
        "mod_plus_10000": lambda e: (e + 10000, names[e % count]),
        "mod_drop_mult3": lambda e: spread(e) if e % 3 else None,
        "skewed": lambda e: (e, names[0] if e % 4 < 3 else names[-1]),
        "div3": lambda e: (e, names[e // 3 % count]),
        "mod_unknown_at_4": lambda e: (e, "bogus") if e % 5 == 4 else spread(e),
    }[name]


def to_dispatcher(spelled, watch=lambda hash_function: hash_function):
    """The dispatcher that a trace names; without one, the default.

    ``watch`` may put something around the hash function of a partition dispatcher.
    """
    if spelled["name"] == "broadcast":
        return BroadcastDispatcher()
    if spelled["name"] == "partition":
        partitions = spelled["partitions"]
        names = list(range(partitions)) if isinstance(partitions, int) else partitions
        return PartitionDispatcher(
            partitions,
            hash=watch(to_hash(spelled["hash"], names)),
            replace_discarded=spelled.get("replace_discarded", False),  # not in the traces
        )
    return DemandDispatcher(max_demand=spelled.get("max_demand"))


def per_peer(effects):
    """Effects with the messages of one dispatch in an order of their own.

    Which of several consumers is served first is an accident in a broadcast: within each run of messages
    only the order per receiver counts.
    """
    arranged, run = [], []
    for effect in [*effects, None]:
        if (
            effect is not None
            and effect.get("send") in {"events", "ask"}
            and not effect["to"].startswith("p")
        ):
            run.append(effect)
            continue
        arranged.extend(sorted(run, key=lambda e: (e["to"], e["sub"])))
        run = []
        if effect is not None:
            arranged.append(effect)
    return arranged
