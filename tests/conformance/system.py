"""Replays family ``system``: whole pipelines, on the runtime and again on the simulated network.

The recordings hold what is left when nothing moves any more. All consumers of this family ask by themselves,
so each of them still waits for something then. Where events were left in a buffer nevertheless, or a producer
that answers all demand was not asked for the rest, one of the original's stalls shows: then only the
invariants bind, as in scenarios that are marked.
"""

from itertools import islice

from genstage import Consumer, Producer, ProducerConsumer, Reply
from genstage.iterable import IterableProducer
from tests.conformance.behaviour import emitted, made
from tests.conformance.scenario import Outcome, difference
from tests.conformance.vocabulary import SELECTORS, spell_reason, to_dispatcher, to_hash, to_options
from tests.conformance.worlds import WORLDS


class Counter(Producer):
    """Counts from 0 to ``total``, as asked; afterwards it returns nothing."""

    def __init__(self, emit, total, dispatcher):
        self.demands = []
        self.cancels = []
        self.emitted = 0
        self._emit = emit
        self._total = total
        self._dispatcher = dispatcher

    def init(self):
        return {"demand": "accumulate", "dispatcher": self._dispatcher}

    def handle_demand(self, demand):
        self.demands.append(demand)
        first = self.emitted
        self.emitted = min(first + emitted(self._emit, demand), self._total)
        return range(first, self.emitted)

    def handle_cancel(self, cancellation, _subscription):
        self.cancels.append(spell_cancellation(cancellation))


class Taking:
    """What a stage that takes events remembers."""

    def __init__(self):
        self.batches = []
        self.events = []
        self.cancels = []
        self.exit = None

    def take(self, events):
        self.batches.append(len(events))
        self.events.extend(events)

    def handle_cancel(self, cancellation, _subscription):
        self.cancels.append(spell_cancellation(cancellation))

    def handle_call(self, _request, _reply_to):
        return Reply(None)

    def terminate(self, reason):
        self.exit = spell_reason(reason)


class Step(Taking, ProducerConsumer):
    """A stage in the middle."""

    def __init__(self, on_events):
        super().__init__()
        self._on_events = on_events

    def handle_events(self, events, _origin):
        self.take(events)
        return made(self._on_events, events)


class Sink(Taking, Consumer):
    """A stage at the end."""

    def handle_events(self, events, _origin):
        self.take(events)


def spell_cancellation(cancellation):
    """As the traces spell it. The original has no end of data: there, it is the end of the producer."""
    kind = "down" if cancellation.kind == "finish" else cancellation.kind
    return {"kind": kind, "reason": spell_reason(cancellation.reason)}


class Sequence(IterableProducer):
    """The numbers from 0 to ``total``, as a producer over an iterable."""

    def __init__(self, total):
        super().__init__(range(total), demand="accumulate")
        self.exit = None

    def terminate(self, reason):
        super().terminate(reason)
        self.exit = spell_reason(reason)


class _Pipeline:
    """The shapes with a counter: ``linear``, ``broadcast`` and ``partition``."""

    def __init__(self, given, world):
        self._given = given
        self._world = world
        self._dispatcher = {"name": {"linear": "demand"}.get(given["shape"], given["shape"])}
        if given["shape"] == "partition":
            self._dispatcher |= {"partitions": len(given["consumers"]), "hash": given["hash"]}
        self.counter = Counter(given["emit"], given["total"], to_dispatcher(self._dispatcher))
        self.steps = [Step(stage["on_events"]) for stage in given["stages"]]
        self.sinks = [Sink() for _ in given["consumers"]]

    def run(self):
        """Run to rest; returns what can be observed."""
        world = self._world
        producers = [world.start(lambda: self.counter, "producer")]
        for number, (step, options) in enumerate(zip(self.steps, self._given["stages"], strict=True), 1):
            ref = world.start(lambda step=step: step, f"stage{number}")
            window = {name: options[name] for name in ("max_demand", "min_demand")}
            ref.subscribe(producers[-1], cancel="temporary", **window)
            producers.append(ref)
        for number, (sink, options) in enumerate(zip(self.sinks, self._given["consumers"], strict=True), 1):
            ref = world.start(lambda sink=sink: sink, f"consumer{number}")
            ref.subscribe(producers[-1], cancel="temporary", **to_options(options))
            world.settle(self._noted)
        producers[0].set_demand("forward")
        world.settle(self._noted)
        got = {
            "producer_demands": self.counter.demands,
            "buffered": [producer.estimate_buffered_count() for producer in producers],
        }
        for kind, stages in (("stage", self.steps), ("consumer", self.sinks)):
            for number, stage in enumerate(stages, 1):
                got |= {f"{kind}{number}_batches": stage.batches, f"{kind}{number}_events": stage.events}
        return got

    def _noted(self):
        return len(self.counter.demands), [len(stage.batches) for stage in (*self.steps, *self.sinks)]

    def problems(self, observed):
        """Which invariants do not hold (README of the traces, section "Deviations")."""
        found = []
        if any(observed["buffered"]):
            found.append(f"nothing stays behind: {observed['buffered']} are buffered")
        emitted_all = self._given["emit"]["emit"] in {"exact", "extra", "double"} and (
            self._given.get("hash") != "mod_drop_mult3"  # which starves consumers, as documented
        )
        count = self._given["total"] if emitted_all else self.counter.emitted
        for number, expected in enumerate(self._expected(count), 1):
            events = observed[f"consumer{number}_events"]
            if events != expected:
                found.append(f"nothing lost, doubled, reordered or starved: consumer{number} got {events}")
        return found

    def _expected(self, count):
        """What each consumer must have got of so many numbers."""
        events = list(range(count))
        for stage in self._given["stages"]:
            events = made(stage["on_events"], events)
        if self._given["shape"] == "partition":
            names = list(range(len(self.sinks)))
            placed = [to_hash(self._given["hash"], names)(event) for event in events]
            yield from ([pair[0] for pair in placed if pair and pair[1] == name] for name in names)
        else:
            for options in self._given["consumers"]:
                yield list(filter(SELECTORS[options.get("selector", "everything")], events))


class _Enumerable:
    """A producer over a finite sequence, and one consumer."""

    def __init__(self, given, world):
        self._given = given
        self._world = world
        self._producer = Sequence(given["total"])
        self._sink = Sink()

    def run(self):
        """Run to rest; returns what can be observed."""
        world, (options,) = self._world, self._given["consumers"]
        producer = world.start(lambda: self._producer, "producer")
        world.start(lambda: self._sink, "consumer").subscribe(producer, **options)
        producer.set_demand("forward")
        world.settle(lambda: (len(self._sink.batches), self._producer.exit))
        return {
            "consumer1_batches": self._sink.batches,
            "consumer1_events": self._sink.events,
            "consumer1_cancels": self._sink.cancels,
            "consumer1_exit": self._sink.exit,
            "producer_exit": self._producer.exit,
        }

    def problems(self, observed):
        """Which invariants do not hold."""
        events = observed["consumer1_events"]
        return (
            [] if events == list(range(self._given["total"])) else [f"nothing lost: consumer1 got {events}"]
        )


class _Stream:
    """Iterating over a producer."""

    def __init__(self, given, world):
        self._given = given
        self._world = world
        self._counter = Counter({"emit": "exact"}, float("inf"), to_dispatcher({"name": "demand"}))
        total, take = given["total"], given["take"]
        if given["source"] == "counter":  # which has no end
            self._producer = self._counter
            self._stop = self._count = total if take == "all" else take
        else:
            self._producer = Sequence(total)
            self._stop, self._count = (None, total) if take == "all" else (take, min(take, total))

    def run(self):
        """Iterate; returns what can be observed."""
        world = self._world
        producer = world.start(lambda: self._producer, "producer")
        with world.stages.stream([(producer, self._given["subscription"])]) as events:
            result = list(islice(events, self._stop))
        world.settle(lambda: len(self._counter.cancels))
        return {
            "result": result,
            "producer_demands": self._counter.demands,
            "producer_cancels": self._counter.cancels,
        }

    def problems(self, observed):
        """Which invariants do not hold."""
        expected = list(range(self._count))
        return [] if observed["result"] == expected else [f"nothing lost: it took {observed['result']}"]


_SHAPES = {
    "linear": _Pipeline,
    "broadcast": _Pipeline,
    "partition": _Pipeline,
    "enumerable": _Enumerable,
    "stream": _Stream,
}


def replay(scenario):
    """Replay one scenario in each world."""
    given, (step,) = scenario["given"], scenario["steps"]
    outcome = Outcome(scenario["id"])
    for kind in WORLDS:
        world = kind(scenario["id"])
        try:
            pipeline = _SHAPES[given["shape"]](given, world)
            got = pipeline.run()
        finally:
            world.close()
        problems = [f"invariant broken: {problem}" for problem in pipeline.problems(got)]
        outcome.deviation = next(iter(pipeline.problems(step["expect"])), None)
        if outcome.deviation is None:
            recorded = {name: value for name, value in got.items() if name in step["expect"]}
            problems += difference(0, step, recorded)
        outcome.problems += [f"{world.name}: {problem}" for problem in problems]
    return outcome
