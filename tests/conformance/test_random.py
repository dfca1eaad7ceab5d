"""Scenarios that nobody recorded: random inputs, no expectations, only the invariants.

The same parties, inputs and behaviours as in the traces, in orders of Hypothesis' choice.
"""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.replay import replay

SELECTORS = ["even", "odd", "mult3", "everything", "mod5lt2"]


class Script:
    """Writes a scenario, input by input; knows who is subscribed, as far as a script can."""

    def __init__(self, seed, kind, dispatcher, *, accumulates=True):
        self.random = Random(seed)
        self.kind = kind
        self.dispatcher = dispatcher
        self.accumulates = accumulates
        self.steps = [{"op": "start"}]
        self.subscribed = {}
        self.upstreams = {}
        self.numbers = dict.fromkeys("csup", 0)
        self.selects = False
        self.free = []
        self.partitions = {}

    def next(self, letter):
        self.numbers[letter] += 1
        return f"{letter}{self.numbers[letter]}"

    def given(self):
        pick = self.random.choice
        self.selects = self.dispatcher == "broadcast"
        dispatcher = {"name": self.dispatcher}
        if self.dispatcher == "partition":
            self.free = pick([[0], [0, 1], ["a", "b", "c"]])
            dispatcher["partitions"] = list(self.free)
            dispatcher["hash"] = pick(["mod", "mod_plus_10000", "mod_drop_mult3", "skewed", "div3"])
            dispatcher["replace_discarded"] = pick([False, True])
        options = {"dispatcher": dispatcher, "buffer_keep": pick(["first", "last"])}
        options["buffer_size"] = pick([1, 3, 8, "infinity"])
        if self.kind == "producer":
            emit = {"emit": pick(["exact", "extra", "at_most", "none", "double"]), "k": pick([1, 2, 3])}
            # selectors that reject each event a surplus leaves over would keep the stage busy for ever
            self.selects = self.selects and emit["emit"] not in {"extra", "double"}
            behaviour = {"on_demand": emit}
        else:
            behaviour = {"on_events": pick(["identity", "duplicate", "triple", "even", "drop", "plus_10000"])}
        if self.random.random() < 0.4:
            behaviour["on_cancel"] = "emit_one"
        return {"kind": self.kind, "options": options, "behaviour": behaviour}

    def events(self, most):
        first = 5000 + 20 * len(self.steps)
        return list(range(first, first + self.random.randint(0, most)))

    def subscribe(self):
        peers = set(self.subscribed.values())
        again = sorted(peers) if self.random.random() < 0.1 else []
        peer = self.random.choice(again) if again else self.next("c")
        do = {"op": "subscribe", "peer": peer, "sub": self.next("s"), "options": {}}
        if self.selects and self.random.random() < 0.3:
            do["options"] = {"selector": self.random.choice(SELECTORS)}
        if self.subscribed and self.random.random() < 0.15:
            old = self.random.choice(sorted(self.subscribed))
            self.forget(old)
            do["replaces"] = {"sub": old, "reason": {"kind": "normal"}}
        if self.dispatcher == "partition":
            self.random.shuffle(self.free)
            do["options"]["partition"] = self.partitions[do["sub"]] = self.free.pop()
        self.subscribed[do["sub"]] = peer
        return do

    def forget(self, sub):
        del self.subscribed[sub]
        if sub in self.partitions:
            self.free.append(self.partitions.pop(sub))

    def ask(self):
        sub = self.random.choice(sorted(self.subscribed))
        do = {"op": "ask", "sub": sub, "count": self.random.randint(1, 7)}
        return {**do, "peer": "x1"} if self.random.random() < 0.05 else do

    def cancel(self):
        sub = self.random.choice(sorted(self.subscribed))
        self.forget(sub)
        return {"op": "cancel", "sub": sub, "reason": {"kind": "normal"}}

    def peer_exit(self):
        peer = self.random.choice(sorted(self.subscribed.values()))
        for sub in [sub for sub, owner in self.subscribed.items() if owner == peer]:
            self.forget(sub)
        return {"op": "peer_exit", "peer": peer, "reason": {"kind": "killed"}}

    def emit(self):
        return {"op": self.random.choice(["cast", "info", "call"]), "events": self.events(6)}

    def info(self):
        return {"op": self.random.choice(["async_info", "sync_info"]), "message": f"i{len(self.steps)}"}

    def mode(self):
        return {"op": "demand_mode", "mode": self.random.choice(["forward", "forward", "accumulate"])}

    def stage_subscribe(self):
        most = self.random.randint(1, 8)
        options = {"max_demand": most, "min_demand": self.random.randrange(most), "cancel": "temporary"}
        do = {"op": "stage_subscribe", "peer": self.next("p"), "sub": self.next("u"), "options": options}
        self.upstreams[do["sub"]] = do["peer"]
        return do

    def upstream_events(self):
        return {"op": "events", "sub": self.random.choice(sorted(self.upstreams)), "events": self.events(9)}

    def producer_cancel(self):
        sub = self.random.choice(sorted(self.upstreams))
        del self.upstreams[sub]
        return {"op": "producer_cancel", "sub": sub, "reason": {"kind": "normal"}}

    def step(self):
        choices = [(self.emit, 3), (self.info, 1)]
        if self.dispatcher != "partition" or self.free:
            choices.append((self.subscribe, 2))
        if self.subscribed:
            choices += [(self.ask, 9), (self.cancel, 1), (self.peer_exit, 1)]
        if self.kind == "producer" and self.accumulates:
            choices.append((self.mode, 1))
        if self.kind == "producer_consumer":
            choices.append((self.stage_subscribe, 1))
        if self.upstreams:
            choices += [(self.upstream_events, 9), (self.producer_cancel, 1)]
        ways, weights = zip(*choices, strict=True)
        self.steps.append(self.random.choices(ways, weights)[0]())

    def scenario(self, length):
        given = self.given()
        for _ in range(length):
            self.step()
        return {
            "id": "random",
            "family": "stage",
            "given": given,
            "steps": [{"do": do} for do in self.steps],
            "deviation": "nothing is recorded",
            "deviation_step": 0,
        }


@pytest.mark.parametrize("dispatcher", ["demand", "broadcast", "partition"])
@pytest.mark.parametrize("kind", ["producer", "producer_consumer"])
@given(st.integers(0, 2**32), st.integers(5, 40), st.booleans())
@settings(max_examples=2 * settings.default.max_examples, deadline=None)
def test_the_invariants_hold_for_any_inputs(kind, dispatcher, seed, length, accumulates):
    scenario = Script(seed, kind, dispatcher, accumulates=accumulates).scenario(length)
    assert replay(scenario).problems == [], scenario["given"]
