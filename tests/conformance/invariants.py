"""What must hold whatever the implementation, checked from the outside after every step.

Only what can be observed is used: inputs, messages, callbacks with what they returned, and how much is
buffered. Each check names its rule in the README of the traces (section "Deviations").
"""

from tests.conformance.partitions import Numbered, Partitions
from tests.conformance.vocabulary import SELECTORS


class _Order:
    """Which positions have been delivered, and the last of them."""

    def __init__(self):
        self.last = -1
        self.seen = set()

    def add(self, position):
        self.last = position
        self.seen.add(position)


class _Consumer:
    def __init__(self, peer, options):
        self.peer = peer
        self.selector = options.get("selector")
        self.partition = options.get("partition")
        self.unserved = 0
        self.order = _Order()


class Invariants:
    """Follows one scenario.

    Args:
        given: The scenario's configuration.
        buffered: Says how much is buffered at this moment.

    Attributes:
        partitions: What is known of the partition dispatcher, if it has that one.
    """

    def __init__(self, given, buffered):
        self._kind = given["kind"]
        options = given["options"]
        dispatcher = options.get("dispatcher", {})
        self._broadcast = dispatcher.get("name") == "broadcast"
        self.partitions = Partitions(dispatcher) if dispatcher.get("name") == "partition" else None
        self._buffered = buffered
        self._accumulating = options.get("demand") == "accumulate"
        self._accumulated = self._accumulating
        self._infinite = options.get("buffer_size", "infinity") == "infinity" and (
            self._kind == "producer_consumer" or "buffer_size" in options
        )
        self._info_seen = False
        self._consumers = {}
        self._upstreams = {}
        self._returned = 0
        self._discarded = 0
        self._given_out = 0
        self._owed = 0
        self._order = _Order()
        self._dispatch = {}
        self._rejected = {}
        self._queue = []
        self._remaining = 0
        self._problems = []

    # -- what happens ---------------------------------------------------------------------------------

    def before_step(self, do):
        """An input is about to be given."""
        op = do["op"]
        if op == "ask" and do["sub"] in self._consumers:
            self._consumers[do["sub"]].unserved += do["count"]
            if self.partitions:
                self.partitions.asked(do["count"])
        elif op == "demand_mode" and self._kind == "producer":
            self._accumulating = do["mode"] == "accumulate"
            self._accumulated = self._accumulated or self._accumulating
        elif op in {"async_info", "sync_info"}:
            self._info_seen = True
        elif op == "events" and do["sub"] in self._upstreams and self._kind == "producer_consumer":
            if do["events"]:  # an empty message gives at most an empty batch
                self._queue.append((do["sub"], len(do["events"])))
        elif op == "producer_cancel":
            self._upstreams.pop(do["sub"], None)
        elif op == "peer_exit":
            self._upstreams = {sub: peer for sub, peer in self._upstreams.items() if peer != do["peer"]}

    def returned(self, events):
        """A callback returns these events; gives them back numbered."""
        numbered = []
        for event in events:
            numbered.append(Numbered.at(self._returned, event))
            self._returned += 1
        self._owed = max(self._owed - len(numbered), 0)
        return numbered

    def effect(self, effect):
        """The stage does something."""
        if effect.get("send") == "events":
            self._on_delivery(effect)
            return
        if effect.get("send") == "ask" and effect["to"] == "self":
            self._rejected[effect["sub"]] = effect["count"]
            return
        self._end_dispatch()
        call = effect.get("call")
        if call == "handle_cancel" or (
            effect.get("send") == "cancel" and effect["reason"]["kind"] != "duplicated_subscription"
        ):
            left = self._consumers.pop(effect["sub"], None)
            if self.partitions and left:
                self.partitions.left(left.partition, left.unserved)
        elif call == "handle_subscribe" and effect["role"] == "consumer":
            self._consumers[effect["sub"]] = _Consumer(effect["peer"], effect["options"])
        elif call == "handle_subscribe":
            self._upstreams[effect["sub"]] = effect["peer"]
        elif call == "handle_demand":
            self._owed += effect["demand"]
        elif call == "format_discarded":
            self._discarded += effect["count"]
        elif call == "handle_events" and self._kind == "producer_consumer" and effect["events"]:
            self._on_handling(effect)

    def _on_handling(self, effect):
        if self._remaining == 0:
            if not self._queue:
                self._problem("events were handled that nobody sent")
                return
            sub, self._remaining = self._queue.pop(0)
            if sub != effect["sub"]:
                self._problem(f"handled on demand: events of {effect['sub']} overtook those of {sub}")
            if self._buffered():
                self._problem("handled on demand: queued events were handled with others in the buffer")
            if not self._somebody_waits():
                self._problem("handled on demand: queued events were handled though nobody waited")
        self._remaining -= len(effect["events"])

    def _on_delivery(self, effect):
        sub, events = effect["sub"], effect["events"]
        consumer = self._consumers.get(sub)
        if consumer is None:
            self._problem(f"right receiver: events were sent to {sub}, which is not subscribed")
            return
        if effect["to"] != consumer.peer:
            self._problem(f"right receiver: events of {sub} were sent to {effect['to']}")
        consumer.unserved -= len(events)
        if consumer.unserved < 0:
            self._problem(f"nothing beyond demand: {sub} got {-consumer.unserved} more than it asked for")
        order = consumer.order if self._broadcast or self.partitions else self._order
        for event in events:
            if event.position in order.seen:
                self._problem(f"nothing doubled: {sub} got {event} again")
            if event.position < order.last and not self._accumulated:
                self._problem(f"order: {sub} got {event} after a later event")
            order.add(event.position)
        self._count(sub, consumer, events)

    def _count(self, sub, consumer, events):
        if self._broadcast:
            if sub in self._dispatch:
                self._end_dispatch()
            self._dispatch[sub] = (events, self._rejected.pop(sub, 0))
        elif self.partitions:
            if not self.partitions.delivered(consumer.partition, events):
                self._problem(f"nothing lost: {sub} got {events}, not the next of its partition")
        else:
            self._given_out += len(events)

    def _end_dispatch(self):
        """All messages of one broadcast have been seen."""
        if not self._dispatch:
            return
        dispatch, self._dispatch = self._dispatch, {}
        if dispatch.keys() != self._consumers.keys():
            self._problem(f"nothing lost: only {sorted(dispatch)} got a broadcast")
            return
        sizes = {len(events) + rejected for events, rejected in dispatch.values()}
        if len(sizes) != 1:
            self._problem(f"nothing lost: a broadcast gave out {sorted(sizes)} events")
        self._given_out += max(sizes)
        everything = {event.position: event for events, _ in dispatch.values() for event in events}
        for sub, (events, _) in dispatch.items():
            selector = SELECTORS.get(self._consumers[sub].selector, SELECTORS["everything"])
            expected = {position for position, event in everything.items() if selector(event)}
            if {event.position for event in events} != expected:
                self._problem(f"nothing lost: a broadcast gave {sub} {events}, not all that it selects")

    # -- what must hold -------------------------------------------------------------------------------

    def after_step(self, *, alive):
        """Everything that an input set off has ended; returns what is wrong."""
        self._end_dispatch()
        if alive and self._kind != "consumer" and not self._accumulating:
            self._check_rest()
        problems, self._problems = self._problems, []
        return problems

    def _check_rest(self):
        buffered = self._buffered()
        room = self._room()
        if self._remaining:
            self._problem("handled on demand: a message was handled in part")
        if room and (buffered or (self._queue and self._somebody_waits())):
            self._problem(f"nothing stays behind: {buffered} buffered, {self._queue} queued, room for {room}")
        may_starve = self.partitions and self.partitions.may_starve
        if self._kind == "producer" and room > buffered + self._owed and not may_starve:
            self._problem(f"no starvation: room for {room}, only {self._owed} owed by the producer")
        accounted = self._given_out + buffered + self._discarded
        if self.partitions:
            accounted += self.partitions.taken
            self._check_backlogs()
        if accounted != self._returned and not (self._infinite and self._info_seen):
            self._problem(f"nothing lost: {self._returned} events were returned, {accounted} accounted for")
        if self._given_out + self._discarded > self._returned:
            self._problem(f"nothing doubled: {self._returned} were returned, {self._given_out} given out")

    def _room(self):
        """How many events the dispatcher could take."""
        if self.partitions:
            return self.partitions.open
        return (min if self._broadcast else sum)([c.unserved for c in self._consumers.values()] or [0])

    def _somebody_waits(self):
        return any(consumer.unserved > 0 for consumer in self._consumers.values())

    def _check_backlogs(self):
        for sub, consumer in self._consumers.items():
            waiting = self.partitions.backlog(consumer.partition)
            if waiting and consumer.unserved:
                self._problem(f"nothing stays behind: {waiting} wait in the partition of {sub}")

    def _problem(self, text):
        self._problems.append(text)
