"""Stages that tell what happens to them, and ways to wait for it: the tests here follow GenStage's own."""

import threading
from contextlib import suppress

import pytest

from genstage import Consumer, DeadStageError, Killed, Producer, ProducerConsumer, Reply, Runtime

DEADLINE_S = 30.0
QUIET_ROUNDS = 3


class Story:
    """What the stages of a test have told, in order: tuples of who, what and the facts."""

    def __init__(self):
        self.told = []
        self._taken = set()
        self._changed = threading.Condition()

    def tell(self, *record):
        with self._changed:
            self.told.append(record)
            self._changed.notify_all()

    def expect(self, *record):
        """Wait until it is told; the same one again has to be told again."""

        def found():
            for place, told in enumerate(self.told):
                if place not in self._taken and told == record:
                    self._taken.add(place)
                    return True
            return False

        with self._changed:
            assert self._changed.wait_for(found, DEADLINE_S), f"{record} not told, but {self.told[-20:]}"

    def of(self, who, what):
        """The facts of all that one has told of a kind; the fact itself where there is one."""
        facts = [told[2:] for told in self.told if told[:2] == (who, what)]
        return [fact[0] if len(fact) == 1 else fact for fact in facts]


class Telling:
    """What the stages have in common. Lists that they get as requests or messages are events to emit."""

    def __init__(self, name, story, options):
        self.name, self.story, self.options = name, story, options

    def tell(self, *facts):
        self.story.tell(self.name, *facts)

    def init(self):
        return self.options

    def handle_subscribe(self, role, options, subscription):
        self.tell("subscribed", role, subscription)
        return options.get("modes", {}).get(role)  # as in the core's tests: modes={"producer": "manual"}

    def handle_cancel(self, cancellation, subscription):
        self.tell("cancelled", cancellation.kind, cancellation.reason, subscription)

    def handle_call(self, request, reply_to):
        return request(self, reply_to) if callable(request) else Reply("queued", request)

    def handle_cast(self, request):
        return request

    def handle_info(self, message):
        if isinstance(message, list):
            return message
        self.tell("info", message)
        return []

    def terminate(self, reason):
        self.tell("terminated", reason)


class TellingProducer(Telling, Producer):
    """Counts up to ``end``, which can be moved; knows what it still owes."""

    def __init__(self, name, story, options, end):
        super().__init__(name, story, options)
        self.next, self.end, self.owed = 0, end, 0

    def handle_demand(self, demand):
        self.tell("demand", demand)
        self.owed += demand
        return self.count()

    def count(self):
        first = self.next
        self.next = min(first + self.owed, self.end)
        self.owed -= self.next - first
        return list(range(first, self.next))


class TellingConsumer(Telling, Consumer):
    def handle_events(self, events, _origin):
        self.tell("events", list(events))


class TellingMiddle(Telling, ProducerConsumer):
    """A producer-consumer; emits what ``work`` makes of a batch."""

    def __init__(self, name, story, options, work):
        super().__init__(name, story, options)
        self.work = work

    def handle_events(self, events, _origin):
        self.tell("events", list(events))
        return self.work(self, events)


def double(_stage, events):
    return [event for event in events for _ in range(2)]


class Stages:
    """The stages of a test: starts them, waits for them, and knows what they have told."""

    def __init__(self, runtime):
        self.runtime = runtime
        self.story = Story()
        self.expect, self.of = self.story.expect, self.story.of
        self._lively = []

    def start(self, make, name, *arguments, blocking=False, **options):
        ref = self.runtime.start(
            lambda: make(name, self.story, options, *arguments), name=name, blocking=blocking
        )
        if not blocking:
            self._lively.append(ref)
        return ref

    def producer(self, name="producer", *, end=0, make=TellingProducer, **options):
        """Start a producer, which counts up to ``end``."""
        return self.start(make, name, end, **options)

    def consumer(self, name="consumer", *, make=TellingConsumer, **options):
        """Start a consumer."""
        return self.start(make, name, **options)

    def middle(self, name="middle", *, work=double, **options):
        """Start a producer-consumer, which doubles every event."""
        return self.start(TellingMiddle, name, work, **options)

    def settle(self):
        """Wait until nothing happens any more: until rounds of calls to all stages tell nothing new.

        Whatever waits in a stage's inbox when a round begins is handled before the stage answers. Blocking
        stages are not waited for.
        """
        quiet = 0
        while quiet < QUIET_ROUNDS:
            before = len(self.story.told)
            for ref in self._lively:
                with suppress(DeadStageError):
                    ref.call(lambda _stage, _reply_to: Reply(None), timeout_s=DEADLINE_S)
            quiet = quiet + 1 if len(self.story.told) == before else 0

    def more(self, ref, count):
        """Let a producer count on."""

        def count_on(stage, _reply_to):
            stage.end += count
            return Reply(None, stage.count())

        ref.call(count_on, timeout_s=DEADLINE_S)

    def kill(self, ref):
        """Kill a stage."""
        self.runtime._engine.kill(ref._actor, Killed())

    def ended(self, ref):
        """Wait for the end of a stage; its reason."""
        assert ref._actor.actor_stopped.wait(DEADLINE_S)
        return ref._actor.reason


@pytest.fixture
def stages():
    with Runtime(name="parity", shutdown_s=20) as runtime:
        yield Stages(runtime)


class Link:
    """What a dispatcher alone does, step by step, and its consumers: ``A``, ``B`` …"""

    def __init__(self, dispatcher, consumers=""):
        self.dispatcher, self.delivered, self.asked_again, self.reports = dispatcher, [], [], []
        dispatcher.start(self)
        for tag in consumers:
            assert self.subscribe(tag) == 0

    def deliver(self, peer, tag, events):
        assert peer == f"stage of {tag}"
        self.delivered.append((tag, events))

    def ask_again(self, tag, count):
        self.asked_again.append((tag, count))

    def report(self, event, **fields):
        self.reports.append((event, fields))

    def subscribe(self, tag, **options):
        return self.dispatcher.subscribe(tag, f"stage of {tag}", options)

    def dispatch(self, events):
        """What is delivered, by consumer, and what is left over; events are letters."""
        self.delivered = []
        left = self.dispatcher.dispatch(list(events))
        return self.taken(), "".join(left)

    def taken(self):
        """What has been delivered, by consumer."""
        delivered, self.delivered = self.delivered, []
        return {tag: "".join(events) for tag, events in delivered}
