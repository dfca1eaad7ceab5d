"""The stages of the models: as lazy as the protocol permits, and they write down what they do."""

from typing import NamedTuple

from genstage import BroadcastDispatcher, Consumer, DemandDispatcher, Finish, Producer, ProducerConsumer
from genstage.dispatchers import PartitionDispatcher

PARTITIONED = ("partition", "dropping", "replacing")
"""The hash function of the last two drops events; the last has them replaced."""
PARTITIONS = 2
WORK = {"identity": 1, "twice": 2, "odd": 0}
"""How many events a producer-consumer makes of one; none of every other one for ``odd``."""


class PlannedError(Exception):
    """What a stage raises that is told to."""


class Event(NamedTuple):
    """An event, with who made it and how many that had made before."""

    maker: str
    number: int


def selects(event):
    """The selector that some consumers of a broadcast have."""
    return event.number % 3 != 0


def dispatcher_of(kind, stage):
    if kind == "demand":
        return DemandDispatcher()
    if kind == "broadcast":
        return BroadcastDispatcher()

    def place(event):
        if kind != "partition" and event.number % 7 == 3:
            stage.dropped += 1
            return None
        return event, (event.number // 2) % PARTITIONS

    return PartitionDispatcher(PARTITIONS, hash=place, replace_discarded=kind == "replacing")


class Noting:
    """What the stages have in common. ``world`` is told what happens; ``fails_in`` counts to a crash."""

    def __init__(self, world, name, plan):
        self.world = world
        self.name = name
        self.plan = plan
        self.fails_in = 0
        self.made = 0
        self.discarded = 0
        self.dropped = 0
        self.unasked = False  # whether it has ever made what it was not asked for
        self.done = False
        self.marks = []  # of each info on its way: how much had been made before it, and whether that was all
        self.ended_tags = set()

    def number(self, count):
        """Make events."""
        first = self.made
        self.made += count
        return [Event(self.name, number) for number in range(first, self.made)]

    def may_fail(self):
        if self.fails_in:
            self.fails_in -= 1
            if not self.fails_in:
                raise PlannedError

    def options(self):
        plan = self.plan
        options = {"dispatcher": dispatcher_of(plan["dispatcher"], self)}
        if plan.get("buffer_size"):
            options |= {"buffer_size": plan["buffer_size"], "buffer_keep": plan["buffer_keep"]}
        return options

    def take(self, events, origin):
        """Note a batch of events."""
        self.world.on_handled(self, events, origin)
        self.may_fail()

    def handle_cancel(self, cancellation, subscription):
        self.world.on_cancel_handled(self, cancellation, subscription)
        return self.say_goodbye()

    def say_goodbye(self):
        return []

    def handle_info(self, message):
        self.world.on_info(self, message)
        return []

    def format_discarded(self, count):
        self.discarded += count
        return False


class Source(Noting, Producer):
    """Owes what it was asked for, and brings it when the model says so."""

    def __init__(self, world, name, plan):
        super().__init__(world, name, plan)
        self.left = plan["total"]
        self.at_once = plan["at_once"]
        self.owed = 0
        self.asked = 0

    def init(self):
        return self.options() | {"demand": "accumulate" if self.plan["accumulate"] else "forward"}

    def handle_demand(self, demand):
        if demand <= 0:
            self.world.problem(f"{self.name}: handle_demand({demand})")
        if self.done:
            self.world.problem(f"{self.name}: demand after the end")
        self.owed += demand
        self.asked += demand
        self.may_fail()
        return self.bring(self.at_once)

    def handle_cast(self, most):
        """Bring some of what is owed; with ``push``, also what nobody has asked for."""
        if isinstance(most, tuple):
            return self.push(most[1])
        return [] if self.done else self.bring(most)

    def push(self, count):
        count = min(count, self.left)
        if self.done or not count:
            return []
        self.left -= count
        self.unasked = self.unasked or count > self.owed
        self.owed = max(self.owed - count, 0)
        return self.number(count)

    def say_goodbye(self):
        """Some have a last event when a consumer goes."""
        self.unasked = self.unasked or self.plan["goodbye"]
        return self.push(1) if self.plan["goodbye"] else []

    def handle_drain(self):
        """Some of what is owed comes last."""
        events = self.bring(self.at_once)
        self.done = True
        return events

    def bring(self, most):
        count = min(most, self.owed, self.left)
        self.left -= count
        self.owed -= count
        events = self.number(count)
        if not self.left and (most or not self.plan["late"]):
            self.done = True
            return Finish(events)
        return events


class Middle(Noting, ProducerConsumer):
    """Makes none, one or two events of each; some have enough before their producers do."""

    def init(self):
        return self.options()

    def handle_events(self, events, origin):
        self.take(events, origin)
        each = WORK[self.plan["work"]]
        made = self.number(each * len(events) if each else sum(event.number % 2 for event in events))
        if self.plan["enough"] and self.made >= self.plan["enough"] and not self.done:
            self.done = True
            return Finish(made)
        return made


class Sink(Noting, Consumer):
    """Asks by itself, or when the model says so."""

    def handle_subscribe(self, _role, _options, subscription):
        if not self.plan["manual"]:
            return None
        self.world.manual[subscription.tag] = subscription
        return "manual"

    def handle_events(self, events, origin):
        self.take(events, origin)
