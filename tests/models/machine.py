"""State machines whose rules are what can happen to a network, one message at a time."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from genstage._core import messages as m
from genstage._core.reasons import Killed, Named, Normal, Shutdown
from tests.models.stages import WORK, Middle, Sink, Source
from tests.models.world import World

CHOICES = st.lists(st.integers(0, 6), min_size=1, max_size=12)
INDEX = st.integers(0, 11)
ACCIDENTS = st.sampled_from([None, None, None, None, "kill", "crash", "fail", "stop"])
RARELY = st.sampled_from([False, False, False, True])
REASONS = st.sampled_from([Normal(), Shutdown(), Named("odd")])


@st.composite
def subscriptions(draw):
    most = draw(st.integers(1, 6))
    return {
        "from": draw(st.integers(0, 4)),
        "max_demand": most,
        "min_demand": draw(st.integers(0, most - 1)),
        "cancel": draw(st.sampled_from(["permanent", "transient", "temporary"])),
        "selector": draw(st.booleans()),
    }


def producing(kinds, **more):
    return st.fixed_dictionaries(
        {
            "dispatcher": st.sampled_from(kinds),
            "buffer_size": st.sampled_from([None, 1, 3, 20]),
            "buffer_keep": st.sampled_from(["first", "last"]),
            **more,
        }
    )


def sources(kinds):
    return producing(
        kinds,
        total=st.integers(0, 60),
        at_once=st.integers(0, 4),
        late=st.booleans(),
        accumulate=RARELY,
        goodbye=RARELY,
    )


def sinks():
    return st.fixed_dictionaries(
        {"manual": st.booleans(), "upstreams": st.lists(subscriptions(), min_size=1, max_size=2)}
    )


def flat(*kinds, least=1):
    """One source and up to four sinks."""
    return st.fixed_dictionaries(
        {
            "sources": st.tuples(sources(kinds)),
            "middles": st.just(()),
            "sinks": st.lists(sinks(), min_size=least, max_size=4),
        }
    )


def trees():
    """Up to six stages: chains, trees, diamonds."""
    kinds = ["demand", "broadcast", "partition", "replacing"]
    middles = producing(
        kinds,
        work=st.sampled_from(sorted(WORK)),
        enough=st.sampled_from([None, None, 8]),
        upstreams=st.lists(subscriptions(), min_size=1, max_size=2),
    )
    return st.fixed_dictionaries(
        {
            "sources": st.lists(sources(kinds), min_size=1, max_size=2),
            "middles": st.lists(middles, min_size=1, max_size=2),
            "sinks": st.lists(sinks(), min_size=1, max_size=2),
        }
    )


class Happenings(RuleBasedStateMachine):
    """What can happen."""

    world = None

    def pick(self, kind, index):
        names = self.world.alive(kind)
        return names[index % len(names)] if names else None

    def pick_sub(self, index):
        subs = [sub for sub in self.world.subs.values() if not sub.over]
        return subs[index % len(subs)] if subs else None

    @rule(choices=CHOICES)
    def deliver(self, choices):
        for choice in choices:
            if not self.world.step(choice):
                break

    @rule()
    def rest(self):
        self.world.rest()

    @rule(index=INDEX, most=st.integers(1, 8))
    def bring(self, index, most):
        if name := self.pick(Source, index):
            self.world.tell(name, m.Cast(most))

    @rule(index=INDEX, count=st.integers(1, 6))
    def push(self, index, count):
        if name := self.pick(Source, index):
            self.world.tell(name, m.Cast(("push", count)))

    @precondition(lambda self: self.world and self.world.manual)
    @rule(index=INDEX, count=st.integers(1, 6))
    def ask(self, index, count):
        manual = list(self.world.manual.values())
        manual[index % len(manual)].ask(count)

    @rule(index=INDEX, reason=REASONS, above=st.booleans())
    def cancel(self, index, reason, above):
        if sub := self.pick_sub(index):
            world = self.world
            if above:
                world.tell(sub.producer, m.Cancel(world.refs[sub.consumer]._actor, sub.tag, reason))
            else:
                world.tell(sub.consumer, m.CancelUpstream(sub.tag, reason))

    @rule(index=INDEX, options=subscriptions(), again=st.booleans(), other=INDEX)
    def subscribe(self, index, options, again, other):
        world = self.world
        consumer = self.pick((Middle, Sink), index)
        order = list(world.stages)
        above = [
            name
            for name in world.alive((Source, Middle))
            if consumer and order.index(name) < order.index(consumer)
        ]
        if not above:
            return
        producer = above[options["from"] % len(above)]
        old = self.pick_sub(other) if again else None
        if old is not None and (old.consumer, old.producer) != (consumer, producer):
            old = None
        world.subscribe(consumer, producer, options, None if old is None else old.tag)

    @rule(index=INDEX, kind=st.sampled_from([Source, Middle]))
    def inform(self, index, kind):
        if name := self.pick(kind, index):
            self.world.tell(name, m.Info("news"))

    @rule(index=INDEX, accumulate=RARELY)
    def set_demand(self, index, accumulate):
        if name := self.pick(Source, index):
            if accumulate:
                self.world.accumulated.add(name)
            self.world.tell(name, m.SetDemand("accumulate" if accumulate else "forward"))

    @rule(index=INDEX, really=RARELY)
    def drain(self, index, really):
        if really and (name := self.pick(Source, index)):
            self.world.tell(name, m.Drain())

    @rule(
        index=INDEX,
        how=ACCIDENTS,
        after=st.integers(1, 3),
    )
    def end(self, index, how, after):
        world = self.world
        name = self.pick(object, index)
        if name is None or how is None:  # accidents are rare, or nothing else ever happens
            return
        if how == "kill":
            world.network.kill(world.refs[name]._actor, Killed())
            world.settle_turn()
        elif how == "fail":
            world.stages[name].fails_in = after
        elif how == "crash":
            world.tell(name, m.Stop(Named("crash")))
        else:
            world.tell(name, m.Stop(Shutdown()))

    def teardown(self):
        if self.world is not None:
            try:
                if not self.world.problems:
                    self.world.finish()
            finally:
                self.world.simulation.close()


def machine(plans):
    """A state machine over the networks that a strategy draws."""

    class Machine(Happenings):
        @initialize(plan=plans)
        def begin(self, plan):
            self.world = World(plan)

    return Machine
