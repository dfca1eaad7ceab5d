"""Cores on a simulated network: Hypothesis picks the shape, the laziness and the order of every message.

Each pair of stages has a queue of its own, first in, first out; nothing else is promised about order. The
environment is as lazy as the protocol permits: a source emits less than was asked for and the rest later,
consumers ask by hand and late, subscribe late, and leave.
"""

from collections import deque
from itertools import count, cycle
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genstage._core import messages as m
from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage._core.dispatchers.demand import DemandDispatcher
from genstage._core.reasons import NoProc, Normal
from genstage._core.results import Finish
from genstage._core.stage import StageCore

CLOCK, USER = OUTSIDE = ("clock", "user")


class Network:
    """Queues between stages; one step delivers one message."""

    def __init__(self):
        self.queues = {}
        self.nodes = {}
        self.numbers = count(1)
        self.asked = {}
        self.sent = {}

    def post(self, source, target, message):
        self.queues.setdefault((source, target), deque()).append(message)

    def later(self, target, message):
        """A message that comes when the schedule says so."""
        self.post(CLOCK, target, message)

    def ready(self):
        return [pair for pair, queue in self.queues.items() if queue]

    def step(self, pair):
        message = self.queues[pair].popleft()
        node = self.nodes[pair[1]]
        if node.stopped is None:
            if isinstance(message, m.Ask) and message.tag in node.core.producing.consumers:
                self.asked[message.tag] = self.asked.get(message.tag, 0) + message.count
            node.core.handle(message)

    def in_flight(self, target, kind):
        return [
            message
            for (_, to), queue in self.queues.items()
            for message in queue
            if to == target and isinstance(message, kind)
        ]

    def resting(self):
        """Whether only the outside could move anything."""
        return all(source in OUTSIDE for source, _ in self.ready())


class Node:
    """A stage on the network, and its core's port."""

    def __init__(self, network, name, kind, stage):
        self.me = name
        self.network = network
        self.stopped = None
        self.watchers = {}
        self.stage = stage
        stage.node = self
        network.nodes[name] = self
        self.core = StageCore(stage, kind, self, name)
        assert self.core.start() is None

    def send(self, to, message):
        if isinstance(message, m.Events):
            sent = self.network.sent
            sent[message.tag] = sent.get(message.tag, 0) + len(message.events)
            asked = self.network.asked.get(message.tag, 0)
            assert sent[message.tag] <= asked, f"{self.me} sends more than was asked for"
        assert self.stopped is None, f"{self.me} sends after its end"
        self.network.post(self.me, to, message)

    def watch(self, peer):
        watch = next(self.network.numbers)
        watched = self.network.nodes[peer]
        if watched.stopped is None:
            watched.watchers[watch] = self.me
        else:
            self.network.post(peer, self.me, m.Down(watch, NoProc()))
        return watch

    def unwatch(self, watch):
        for node in self.network.nodes.values():
            node.watchers.pop(watch, None)

    def reply(self, _to, value):
        if isinstance(value, Exception):
            raise value

    def resolve(self, target):
        return target

    def new_tag(self):
        return next(self.network.numbers)

    def report(self, event, **fields):
        assert event in {"demand_above_max", "stopping_after_cancel"}, (event, fields)

    def stop(self, reason):
        assert self.stopped is None, f"{self.me} ends twice"
        self.stopped = reason
        for watch, watcher in self.watchers.items():
            self.network.post(self.me, watcher, m.Down(watch, reason))


def number(stage, events):
    """Write down what a stage makes; the last before the consumers numbers it, so that equals differ."""
    numbered = list(enumerate(events, len(stage.made)))
    stage.made += numbered
    return numbered if stage.last else events


class Source:
    """Counts to ``total``, a few events at a time, and finishes."""

    def __init__(self, total, portions, dispatcher, *, late_finish):
        self.dispatcher = dispatcher
        self.made = []
        self.left = deque(range(total))
        self.portions = cycle(portions)
        self.late_finish = late_finish
        self.asked = self.emitted = self.owed = 0
        self.done = False
        self.ticking = False

    def init(self):
        return {"demand": "accumulate", "dispatcher": self.dispatcher}

    def handle_subscribe(self, _role, _options, _subscription):
        return "automatic"

    def handle_demand(self, demand):
        assert demand > 0
        assert not self.done, "demand after the finish"
        self.asked += demand
        self.owed += demand
        return self.emit(next(self.portions))

    def handle_cast(self, _request):
        self.ticking = False
        return [] if self.done else self.emit(max(next(self.portions), 1))

    def emit(self, most):
        events = [self.left.popleft() for _ in range(min(most, self.owed, len(self.left)))]
        self.owed -= len(events)
        self.emitted += len(events)
        events = number(self, events)
        if not self.left and not self.late_finish:
            self.done = True
            return Finish(events)
        if not self.left:
            self.late_finish = False  # the end is noticed only at the next look
        if (self.owed or not self.left) and not self.ticking:
            self.ticking = True
            self.node.network.later(self.node.me, m.Cast("more"))
        return events

    def handle_cancel(self, _cancellation, _subscription):
        return []

    def format_discarded(self, count):
        raise AssertionError(f"{count} events discarded")

    def terminate(self, reason):
        pass


class Middle:
    """A producer-consumer: what it made, in order."""

    def __init__(self, work, dispatcher):
        self.work = work
        self.dispatcher = dispatcher
        self.taken = 0
        self.made = []
        self.ends = []

    def init(self):
        return {"dispatcher": self.dispatcher}

    def handle_subscribe(self, _role, _options, _subscription):
        return "automatic"

    def queued(self):
        return sum(len(getattr(entry, "events", ())) for entry in self.node.core.pending.entries)

    def handle_events(self, events, origin):
        assert len(events) <= self.max_demand - self.min_demand
        assert origin.producer is not None
        self.taken += len(events)
        return number(self, [out for event in events for out in self.work(event)])

    def handle_cancel(self, cancellation, subscription):
        if subscription.consumer == self.node.me:
            self.ends.append(cancellation)
        return []

    def format_discarded(self, count):
        raise AssertionError(f"{count} events discarded")

    def terminate(self, reason):
        pass


class Sink:
    """A consumer, which may ask by hand and late."""

    def __init__(self, *, manual):
        self.manual = manual
        self.got = []
        self.ends = []

    def init(self):
        return {}

    def handle_subscribe(self, _role, options, subscription):
        if not self.manual:
            return "automatic"
        self.ask(subscription.tag, options["max_demand"])
        return "manual"

    def ask(self, tag, count):
        if count:
            self.node.network.later(self.node.me, m.AskUpstream(tag, count))

    def handle_events(self, events, origin):
        assert not self.ends, "events after the end"
        self.got += events
        if self.manual:
            self.ask(origin.tag, len(events))
        return []

    def handle_cancel(self, cancellation, _subscription):
        self.ends.append(cancellation)
        return []

    def terminate(self, reason):
        pass


WORK = {
    "identity": lambda event: [event],
    "duplicate": lambda event: [event, event],
    "filter": lambda event: [event] if event % 3 else [],
    "drop": lambda _event: [],
}


@st.composite
def windows(draw):
    most = draw(st.integers(1, 6))
    return {"max_demand": most, "min_demand": draw(st.integers(0, most - 1))}


PLANS = st.fixed_dictionaries(
    {
        "total": st.integers(0, 40),
        "portions": st.lists(st.integers(0, 4), min_size=1, max_size=4),
        "late_finish": st.booleans(),
        "middles": st.lists(st.tuples(st.sampled_from(sorted(WORK)), windows()), max_size=2),
        "broadcast": st.booleans(),
        "sinks": st.lists(
            st.fixed_dictionaries({"window": windows(), "manual": st.booleans(), "leaves": st.booleans()}),
            min_size=1,
            max_size=4,
        ),
        "early": st.booleans(),
    }
)


class World:
    """A chain on a network, and what must hold of it."""

    def __init__(self, plan):
        self.plan = plan
        self.network = network = Network()
        self.broadcast = plan["broadcast"]
        dispatchers = [DemandDispatcher() for _ in plan["middles"]]
        dispatchers.append(BroadcastDispatcher() if self.broadcast else DemandDispatcher())
        self.source = Source(plan["total"], plan["portions"], dispatchers[0], late_finish=plan["late_finish"])
        self.middles = []
        self.sinks = []
        upstream = Node(network, "source", "producer", self.source)
        for index, (work, window) in enumerate(plan["middles"]):
            middle = Middle(WORK[work], dispatchers[index + 1])
            middle.max_demand, middle.min_demand = window["max_demand"], window["min_demand"]
            self.middles.append(middle)
            node = Node(network, f"middle{index}", "producer_consumer", middle)
            node.core.handle(m.SubscribeTo(upstream.me, window))
            upstream = node
        for stage in [self.source, *self.middles]:
            stage.last = stage is upstream.stage
        self.last = upstream.stage
        for index, sink in enumerate(plan["sinks"]):
            self.sinks.append(Sink(manual=sink["manual"]))
            node = Node(network, f"sink{index}", "consumer", self.sinks[-1])
            leaves = sink["leaves"] and index > 0  # somebody has to stay
            cancel = {"cancel": "temporary" if leaves else "permanent"}
            network.later(node.me, m.SubscribeTo(upstream.me, {**sink["window"], **cancel}))
            if leaves:
                network.post(USER, node.me, m.Cast("leave"))
                self.sinks[-1].handle_cast = self._leaver(self.sinks[-1])
        self.opened = False

    def _leaver(self, sink):
        def leave(_request):
            for upstream in list(sink.node.core.consuming.upstreams.values()):
                upstream.subscription.cancel()
            return []

        return leave

    def open(self):
        """Let the source begin: at once, or when all have subscribed."""
        subscribed = len(self.last.node.core.producing.consumers)
        if not self.opened and (not self.plan["early"] or subscribed == len(self.sinks)):
            self.opened = True
            self.network.post(CLOCK, "source", m.SetDemand("forward"))

    def run(self, seed):
        """Run to the end; the seed decides which of the waiting messages is next."""
        choices = Random(seed)
        for _ in range(5_000):
            self.open()
            ready = self.network.ready()
            if not ready:
                if self.opened:
                    return
                self.plan = {**self.plan, "early": False}  # somebody left before all were there
                continue
            self.network.step(choices.choice(ready))
            self.check()
        raise AssertionError("the network does not come to rest")

    # -- invariants -------------------------------------------------------------------------------------

    def check(self):
        self.check_conservation()
        self.check_order()
        if self.network.resting():
            self.check_rest()

    def check_conservation(self):
        network = self.network
        made = self.source.emitted
        self.check_debt()
        below = self.source.node
        for middle in self.middles:
            flying = sum(len(message.events) for message in network.in_flight(middle.node.me, m.Events))
            queued = sum(
                len(entry.events) for entry in middle.node.core.pending.entries if hasattr(entry, "events")
            )
            producing = below.core.producing
            logged = sum(len(entry) for entry in producing._log or () if not isinstance(entry, int))
            assert len(middle.node.core.producing.buffer) <= 2 * middle.max_demand, "the buffer grows"
            assert made == middle.taken + flying + queued + len(producing.buffer) + logged
            made, below = len(middle.made), middle.node
        if self.broadcast or any(sink.ends for sink in self.sinks):
            return
        flying = sum(
            len(message.events)
            for sink in self.sinks
            for message in network.in_flight(sink.node.me, m.Events)
        )
        assert made == sum(len(sink.got) for sink in self.sinks) + flying + len(below.core.producing.buffer)

    def check_debt(self):
        """The source owes exactly what its dispatcher counts on: nothing is asked for twice, or never."""
        producing = self.source.node.core.producing
        if producing.mode == "accumulate" or self.source.done:
            return
        dispatcher = self.source.dispatcher
        if isinstance(dispatcher, BroadcastDispatcher):
            assert dispatcher._requested == self.source.owed
        else:
            assert dispatcher._pending + dispatcher.room() == self.source.owed

    def check_order(self):
        made = self.last.made
        for sink in self.sinks:
            if self.broadcast and sink.got:
                first = sink.got[0][0]
                assert sink.got == made[first : first + len(sink.got)]
            else:
                numbers = [number for number, _ in sink.got]
                assert sorted(set(numbers)) == numbers

    def check_rest(self):
        """Nothing moves: whoever waits finds no buffer full, and is owed what it waits for."""
        for stage in [self.source, *self.middles]:
            core = stage.node.core
            producing = core.producing
            if stage.node.stopped is not None or producing.mode == "accumulate":
                continue
            room = producing.dispatcher.room()
            assert not room or not len(producing.buffer), f"{stage.node.me} keeps what is waited for"
            assert not room or not core.pending, f"{stage.node.me} does not work"
            if stage is self.source and not self.source.done:
                assert room <= self.source.owed, "nobody owes what is waited for"
        for stage in [*self.middles, *self.sinks]:
            if stage.node.stopped is None:
                self.check_windows(stage)

    def check_windows(self, stage):
        """Each window counts as outstanding exactly what was asked for and has not been handled."""
        network = self.network
        for tag, upstream in stage.node.core.consuming.upstreams.items():
            if upstream.window is None or upstream.finished or tag not in network.asked:
                continue
            unhandled = stage.queued() if isinstance(stage, Middle) else 0
            asked, sent = network.asked[tag], network.sent.get(tag, 0)
            assert upstream.window.outstanding == asked - sent + unhandled

    def check_end(self):
        assert self.source.done
        assert self.source.node.stopped == Normal()
        for middle in self.middles:
            assert middle.node.stopped == Normal()
            assert [end.kind for end in middle.ends] == ["finish"]
        outputs = self.last.made
        expected = list(range(self.plan["total"]))
        for middle in self.middles:
            expected = [out for event in expected for out in middle.work(event)]
        assert [event for _, event in outputs] == expected
        for sink in self.sinks:
            assert len(sink.ends) == 1
            (end,) = sink.ends
            if end.kind == "finish":
                assert not self.broadcast or sink.got == outputs[len(outputs) - len(sink.got) :]
            if self.plan["early"] and self.broadcast and end.kind == "finish":
                assert sink.got == outputs
            if end.kind != "cancel" and sink.node.core.consuming is not None:
                permanent = sink.node.stopped is not None
                assert not permanent or sink.node.stopped == end.reason
        if not self.broadcast and all(sink.ends[0].kind == "finish" for sink in self.sinks):
            assert sorted(entry for sink in self.sinks for entry in sink.got) == outputs


@given(PLANS, st.integers(0, 2**32))
@settings(
    max_examples=2 * settings.default.max_examples,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_every_event_arrives_once_in_order_and_everything_ends(plan, seed):
    world = World(plan)
    world.run(seed)
    world.check_end()
