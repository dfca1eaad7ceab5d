"""Replays families ``demand_``, ``broadcast_`` and ``partition_dispatcher``: a dispatcher alone."""

from genstage._core.dispatchers.base import Refused
from tests.conformance.scenario import Outcome, difference
from tests.conformance.vocabulary import per_peer, spell_reason, to_dispatcher, to_options


class RecordingLink:
    """The stage's side of a dispatcher: writes down what it does."""

    def __init__(self):
        self.effects = []

    def deliver(self, peer, tag, events):
        self.effects.append({"send": "events", "to": peer, "sub": tag, "events": list(events)})

    def ask_again(self, tag, count):
        self.effects.append({"send": "ask", "to": "self", "sub": tag, "count": count})

    def report(self, event, **fields):
        fields.pop("peer", None)
        self.effects.append({"log": event, **fields})


def replay(scenario):
    """Replay one scenario."""
    link = RecordingLink()
    dispatcher = to_dispatcher(scenario["given"]["dispatcher"])
    dispatcher.start(link)
    order = list if scenario["family"] == "demand_dispatcher" else per_peer
    outcome = Outcome(scenario["id"])
    for index, step in enumerate(scenario["steps"]):
        link.effects = []
        got = _do(dispatcher, link, step["do"])
        expected = {**step, "expect": dict(step["expect"])}
        if "effects" in step["expect"]:
            expected["expect"]["effects"] = order(step["expect"]["effects"])
            got["effects"] = order(link.effects)
        outcome.problems += difference(index, expected, got)
    return outcome


def _do(dispatcher, link, do):
    try:
        return _METHODS[do["op"]](dispatcher, link, do)
    except Refused as refused:
        return {"error": spell_reason(refused.reason)["kind"]}
    except Exception:  # noqa: BLE001 - the traces only say that there was one
        return {"raises": True}


def _subscribe(dispatcher, _link, do):
    return {"demand": dispatcher.subscribe(do["sub"], do["peer"], to_options(do["options"]))}


def _cancel(dispatcher, _link, do):
    return {"demand": dispatcher.cancel(do["sub"])}


def _ask(dispatcher, _link, do):
    return {"demand": dispatcher.ask(do["sub"], do["count"])}


def _dispatch(dispatcher, _link, do):
    return {"leftover": list(dispatcher.dispatch(do["events"]))}


def _info(dispatcher, link, do):
    info = {"send": "info", "to": "self", "message": do["message"]}
    dispatcher.info(lambda: link.effects.append(info))
    return {}


_METHODS = {
    "subscribe": _subscribe,
    "cancel": _cancel,
    "ask": _ask,
    "dispatch": _dispatch,
    "info": _info,
}
