"""Replays family ``stage``: one core on a recording port, all other parties played by the script."""

from collections import deque

from genstage._core import messages as m
from genstage._core.reasons import Named, NoProc, Normal
from genstage._core.results import Reply, Stop
from genstage._core.stage import StageCore
from genstage.errors import NotAConsumerError, OptionError
from tests.conformance.behaviour import emitted, made
from tests.conformance.invariants import Invariants
from tests.conformance.scenario import Outcome, binding_steps, difference
from tests.conformance.vocabulary import (
    per_peer,
    spell_options,
    spell_reason,
    to_dispatcher,
    to_options,
    to_reason,
)

_LOGS = {
    "already_registered": (),
    "consumer_cannot_emit": (),
    "demand_above_max": ("expected", "got"),
    "demand_mode_not_supported": (),
    "duplicated_subscription": (),
    "excess_events": ("count",),
    "invalid_subscription_option": (),
    "not_a_consumer": (),
    "stopping_after_cancel": (),
    "subscribe_target_not_alive": (),
    "wrong_kind_message": (),
}
"""The log entries that the recordings hold, with their fields."""

_ME = "self"

_RESTLESS = 10_000
"""More messages than any step of a trace can set off."""


class RecordingPort:
    """Writes down what the core does; what it sends to itself waits in ``mailbox``."""

    def __init__(self, observe):
        self.me = _ME
        self.mailbox = deque()
        self.effects = []
        self.replies = []
        self.exit = None
        self.tags = deque()
        self.dead = set()
        self._observe = observe
        self._watches = {}
        self._last_watch = 0

    def record(self, effect):
        self.effects.append(effect)
        self._observe(effect)

    def send(self, to, message):
        if to == _ME:
            self.mailbox.append(message)
            if isinstance(message, m.Ask):
                self._observe({"send": "ask", "to": _ME, "sub": message.tag, "count": message.count})
            return
        kind = type(message).__name__.lower()
        effect = {"send": {"cancelled": "cancel", "finished": "finish"}.get(kind, kind), "to": to}
        effect["sub"] = message.tag
        if isinstance(message, m.Events):
            effect["events"] = list(message.events)
        elif isinstance(message, m.Ask):
            effect["count"] = message.count
        elif isinstance(message, m.Cancel | m.Cancelled):
            effect["reason"] = spell_reason(message.reason)
        elif isinstance(message, m.Subscribe):
            effect["options"] = spell_options(message.options)
            if message.replaces is not None:
                old, reason = message.replaces
                effect["replaces"] = {"sub": old, "reason": spell_reason(reason)}
        self.record(effect)

    def watch(self, peer):
        self._last_watch += 1
        if peer in self.dead:
            self.mailbox.append(m.Down(self._last_watch, NoProc()))
        else:
            self._watches[self._last_watch] = peer
        return self._last_watch

    def unwatch(self, watch):
        self._watches.pop(watch, None)

    def kill(self, peer, reason):
        """A peer ends: everybody who watches it hears of it."""
        self.dead.add(peer)
        for watch in [watch for watch, watched in self._watches.items() if watched == peer]:
            del self._watches[watch]
            self.mailbox.append(m.Down(watch, reason))

    def reply(self, to, value):
        self.replies.append((to, value))

    def resolve(self, target):
        return target

    def new_tag(self):
        return self.tags.popleft()

    def report(self, event, **fields):
        if event in _LOGS:
            self.record({"log": event, **{name: fields[name] for name in _LOGS[event]}})

    def stop(self, reason):
        assert self.exit is None, "a stage ends once"
        self.exit = reason


class _ToldToError(Exception):
    """What a callback raises that is told to."""


class ScriptedStage:
    """A stage whose callbacks do what the scenario's ``behaviour`` says, and are written down."""

    def __init__(self, given, port, invariants):
        self._given = given
        self._port = port
        self._returned = invariants.returned
        self._partitions = invariants.partitions
        self._behaviour = given["behaviour"]
        self._fail = self._behaviour.get("fail")
        self._calls = 0
        self._counter = 0
        self._cancels = 0
        self.producers = {}

    def _enter(self, name, **arguments):
        """Write a call down; returns what it must return instead of its normal result, if anything."""
        self._port.record({"call": name, **arguments})
        fail = self._fail
        if fail is None or fail["callback"] != name:
            return None
        self._calls += 1
        if self._calls != fail["at"]:
            return None
        if fail["how"] == "raise":
            raise _ToldToError
        if fail["how"] == "stop":
            return Stop(to_reason(fail["reason"]))
        return "bad"

    def _return(self, events):
        return self._returned(list(events))

    def init(self):
        options = dict(self._given["options"])
        if "dispatcher" in options:
            watch = () if self._partitions is None else (self._partitions.watch,)
            options["dispatcher"] = to_dispatcher(options["dispatcher"], *watch)
        if options.get("buffer_size") == "infinity":
            options["buffer_size"] = None
        if "subscribe_to" in self._given:
            wanted = self._given["subscribe_to"]
            self._port.tags.extend(entry["sub"] for entry in wanted)
            options["subscribe_to"] = [(entry["peer"], to_options(entry["options"])) for entry in wanted]
        return options

    def handle_subscribe(self, role, options, subscription):
        peer = subscription.consumer if role == "consumer" else subscription.producer
        spelled = spell_options(options)
        instead = self._enter("handle_subscribe", peer=peer, sub=subscription.tag, options=spelled, role=role)
        if role == "producer":
            self.producers[subscription.tag] = subscription
        mode = options.get("mode")
        if instead is None and mode == "stop":
            return Stop(Named("refused"))
        return mode if instead is None else instead

    def handle_cancel(self, cancellation, subscription):
        peer = subscription.producer if subscription.consumer == _ME else subscription.consumer
        instead = self._enter(
            "handle_cancel",
            peer=peer,
            sub=subscription.tag,
            kind=cancellation.kind,
            reason=spell_reason(cancellation.reason),
        )
        self._cancels += 1
        if instead is not None:
            return instead
        emits = self._behaviour.get("on_cancel") == "emit_one"
        return self._return([90000 + self._cancels] if emits else [])

    def handle_demand(self, demand):
        instead = self._enter("handle_demand", demand=demand)
        if instead is not None:
            return instead
        count = emitted(self._behaviour["on_demand"], demand)
        start = self._counter
        self._counter += count
        return self._return(range(start, start + count))

    def handle_events(self, events, origin):
        instead = self._enter("handle_events", peer=origin.producer, sub=origin.tag, events=list(events))
        if instead is not None:
            return instead
        return self._return(made(self._behaviour["on_events"], events))

    def handle_call(self, request, _sender):
        instead = self._enter("handle_call", emit=request)
        return Reply("done", self._return(request)) if instead is None else instead

    def handle_cast(self, request):
        if isinstance(request, list):
            instead = self._enter("handle_cast", emit=request)
            return self._return(request) if instead is None else instead
        subscription, count = request
        instead = self._enter("handle_cast", ask=count, peer=subscription.producer, sub=subscription.tag)
        if instead is None:
            subscription.ask(count)
            return []
        return instead

    def handle_info(self, message):
        if isinstance(message, list):
            instead = self._enter("handle_info", emit=message)
            return self._return(message) if instead is None else instead
        instead = self._enter("handle_info", message=message)
        return [] if instead is None else instead

    def format_discarded(self, count):
        self._port.record({"call": "format_discarded", "count": count})
        return True

    def terminate(self, reason):
        self._port.record({"call": "terminate", "reason": spell_reason(reason)})


class _Replay:
    def __init__(self, scenario):
        given = scenario["given"]
        self.scenario = scenario
        self.invariants = Invariants(given, self._buffered)
        self.port = RecordingPort(self.invariants.effect)
        self.stage = ScriptedStage(given, self.port, self.invariants)
        self.core = StageCore(self.stage, given["kind"], self.port, "stage")
        self.owners = {}

    def _buffered(self):
        producing = self.core.producing
        return 0 if producing is None else producing.estimate_buffered()

    def run(self):
        outcome = Outcome(self.scenario["id"])
        binding = binding_steps(self.scenario)
        if binding < len(self.scenario["steps"]):
            outcome.deviation = self.scenario["deviation"]
        dispatcher = self.scenario["given"]["options"].get("dispatcher", {"name": "demand"})
        order = list if dispatcher["name"] == "demand" else per_peer
        for index, step in enumerate(self.scenario["steps"]):
            do = step["do"]
            got = self._step(do)
            outcome.problems += [
                f"step {index}: {do}: invariant broken: {problem}"
                for problem in self.invariants.after_step(alive=self.port.exit is None)
            ]
            if index < binding:
                got["effects"] = order(got["effects"])
                expect = {**step["expect"], "effects": order(step["expect"]["effects"])}
                outcome.problems += difference(index, {"do": do, "expect": expect}, got)
            if outcome.problems or self.port.exit is not None:
                break
        return outcome

    def _step(self, do):
        port = self.port
        port.effects, port.replies = [], []
        self.invariants.before_step(do)
        asked = getattr(self, "_" + do["op"])(do)
        handled = 0
        while port.mailbox and port.exit is None:
            self.core.handle(port.mailbox.popleft())
            handled += 1
            if handled > _RESTLESS:
                raise RuntimeError("the stage does not come to rest")
        got = {"effects": port.effects}
        if asked:
            got["reply"] = self._reply()
        if port.exit is not None:
            got["exit"] = spell_reason(port.exit)
        elif self.core.kind != "consumer":
            got["buffered"] = self._buffered()
        return got

    def _reply(self):
        if not self.port.replies:
            return {"call_failed": spell_reason(self.port.exit)}
        ((_, value),) = self.port.replies
        if isinstance(value, OptionError):
            return {"error": {"kind": "bad_opts"}}
        if isinstance(value, NotAConsumerError):
            return {"error": {"kind": "not_a_consumer"}}
        return value if isinstance(value, dict) else {"ok": value.tag}

    # One method per input; those with an answer return True.

    def _tell(self, message):
        self.port.mailbox.append(message)

    def _start(self, _do):
        reason = self.core.start()
        self.port.reply("caller", {"ok": True} if reason is None else {"error": spell_reason(reason)})
        return True

    def _subscribe(self, do):
        replaces = do.get("replaces")
        if replaces is not None:
            replaces = (replaces["sub"], to_reason(replaces["reason"]))
        self.owners.setdefault(do["sub"], do["peer"])
        self._tell(m.Subscribe(do["peer"], do["sub"], to_options(do["options"]), replaces))

    def _sender(self, do):
        return do.get("peer") or self.owners[do["sub"]]

    def _ask(self, do):
        self._tell(m.Ask(self._sender(do), do["sub"], do["count"]))

    def _cancel(self, do):
        self._tell(m.Cancel(self._sender(do), do["sub"], to_reason(do["reason"])))

    def _peer_exit(self, do):
        self.port.kill(do["peer"], to_reason(do["reason"]))

    def _stage_subscribe(self, do, replaces=None):
        tag = do.get("new_sub", do["sub"])
        self.port.tags = deque([tag])
        self.owners[tag] = do["peer"]
        self._tell(m.SubscribeTo(do["peer"], to_options(do["options"]), "caller", replaces))
        return True

    def _stage_resubscribe(self, do):
        return self._stage_subscribe(do, (do["sub"], to_reason(do["reason"])))

    def _events(self, do):
        self._tell(m.Events(self._upstream(do), do["sub"], do["events"]))

    def _producer_cancel(self, do):
        self._tell(m.Cancelled(self._upstream(do), do["sub"], to_reason(do["reason"])))

    def _upstream(self, do):
        subscribed = {entry["sub"]: entry["peer"] for entry in self.scenario["given"].get("subscribe_to", ())}
        return do.get("peer") or self.owners.get(do["sub"]) or subscribed[do["sub"]]

    def _cast_ask(self, do):
        self._tell(m.Cast((self.stage.producers[do["sub"]], do["count"])))

    def _cast(self, do):
        self._tell(m.Cast(do["events"]))

    def _info(self, do):
        self._tell(m.Message(do["events"]))

    def _call(self, do):
        self.core.handle(m.Call(do["events"], "caller"))
        self.port.replies = [(to, {"value": value}) for to, value in self.port.replies]
        return True

    def _async_info(self, do):
        self._tell(m.Info(do["message"]))

    def _sync_info(self, do):
        self.core.handle(m.Info(do["message"], "caller"))
        self.port.replies = [(to, {"value": "ok"}) for to, _ in self.port.replies]
        return True

    def _message(self, do):
        self._tell(m.Message(do["message"]))

    def _demand_mode(self, do):
        self._tell(m.SetDemand(do["mode"]))

    def _get_demand_mode(self, _do):
        self.core.handle(m.GetDemand("caller"))
        self.port.replies = [(to, {"value": value}) for to, value in self.port.replies]
        return True

    def _stop(self, do):
        self._tell(m.Stop(to_reason(do["reason"]) if "reason" in do else Normal()))


def replay(scenario):
    """Replay one scenario."""
    return _Replay(scenario).run()
