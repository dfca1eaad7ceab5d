"""Stages that keep the rules pass; a mistake planted into one breaks the rule that it should."""

import logging

import pytest

from genstage import Consumer, Finish, Producer, ProducerConsumer
from genstage.testing import ConsumerConformance, ProducerConformance, ProducerConsumerConformance


class Counter(Producer):
    def __init__(self, end=25):
        self.next, self.end = 0, end

    def handle_demand(self, demand):
        first, self.next = self.next, min(self.next + demand, self.end)
        events = [{"n": n} for n in range(first, self.next)]
        return events if self.next < self.end else Finish(events)


class Late(Counter):
    """Brings its events by a timer, one at a time."""

    owed = 0

    def handle_demand(self, demand):
        self.owed += demand
        self.stage.send_after(0.01, "bring")
        return []

    def handle_info(self, _message):
        if not self.owed or self.next == self.end:
            return []
        self.owed -= 1
        self.stage.send_after(0.01, "bring")
        return super().handle_demand(1)


class Doubler(ProducerConsumer):
    def handle_events(self, events, _origin):
        return [{"n": event["n"], "doubled": 2 * event["n"]} for event in events]


class Filter(ProducerConsumer):
    def handle_events(self, events, _origin):
        return [event for event in events if event["n"] % 4 == 3]


class Expander(ProducerConsumer):
    def handle_events(self, events, _origin):
        return [{"n": event["n"], "copy": copy} for event in events for copy in range(3)]


class Collector(Consumer):
    def __init__(self):
        self.got = []

    def handle_events(self, events, _origin):
        self.got += events


class ByHand(Collector):
    def handle_subscribe(self, _role, _options, subscription):
        subscription.ask(1)
        return "manual"

    def handle_events(self, events, origin):
        super().handle_events(events, origin)
        origin.ask(len(events))


def events(count):
    return [{"n": n} for n in range(count)]


class TestCounter(ProducerConformance):
    def make_stage(self):
        return Counter()


class TestLate(ProducerConformance):
    def make_stage(self):
        return Late()


class TestEndless(ProducerConformance):
    def make_stage(self):
        return Counter(end=10**9)


class TestEmpty(ProducerConformance):
    def make_stage(self):
        return Counter(end=0)


class _Conforms(ProducerConsumerConformance):
    def make_events(self, count):
        return events(count)


class TestDoubler(_Conforms):
    def make_stage(self):
        return Doubler()


class TestFilter(_Conforms):
    def make_stage(self):
        return Filter()


class TestExpander(_Conforms):
    def make_stage(self):
        return Expander()


class TestCollector(ConsumerConformance):
    def make_stage(self):
        return Collector()

    def make_events(self, count):
        return events(count)


class TestByHand(ConsumerConformance):
    def make_stage(self):
        return ByHand()

    def make_events(self, count):
        return events(count)


# -- planted mistakes ------------------------------------------------------------------------------------


class Generous(Counter):
    def handle_demand(self, demand):
        return super().handle_demand(demand + 1)


class Stingy(Counter):
    def handle_demand(self, demand):
        return super().handle_demand(demand) if self.next < 5 else []


class Talkative(Counter):
    """Goes on after the end."""

    def handle_demand(self, demand):
        result = super().handle_demand(demand)
        if isinstance(result, Finish):
            self.stage.send("more")
        return result

    def handle_info(self, _message):
        return [{"n": -1}]


class Attached(Counter):
    def handle_cancel(self, _cancellation, _subscription):
        self.end = self.next
        return Finish([])


class Offended(Counter):
    """Serves nobody after somebody has left."""

    gone = False

    def handle_cancel(self, _cancellation, _subscription):
        self.gone = True

    def handle_demand(self, demand):
        return [] if self.gone else super().handle_demand(demand)


class Reuser(Counter):
    event = None

    def handle_demand(self, demand):
        if self.event is None:
            self.event = {"n": 0}
        self.event["n"] += demand
        return [self.event]


class Moody(Counter):
    def handle_demand(self, demand):
        return [{"n": demand}] * demand


class Sloppy(Counter):
    def terminate(self, _reason):
        raise OSError("it is closed already")


class Raising(Counter):
    def handle_demand(self, demand):
        if self.next > 6:
            raise ValueError("enough")
        return super().handle_demand(demand)


class Editing(Doubler):
    def handle_events(self, events, _origin):
        for event in events:
            event["doubled"] = 2 * event["n"]
        return [dict(event) for event in events]


class Sorting(Collector):
    def handle_events(self, events, _origin):
        events.reverse()


class Batching(ProducerConsumer):
    def handle_events(self, events, _origin):
        return [list(events)]


class Lazy(ByHand):
    def handle_events(self, events, _origin):
        self.got += events


class Clinging(Collector):
    """Does not survive the end of a subscription."""

    def handle_cancel(self, _cancellation, _subscription):
        raise KeyError("subscription")


class Returning(Collector):
    def handle_events(self, events, _origin):
        return events


SHARED = Counter()


def broken(kind, make, **attributes):
    """The rules that a stage breaks."""

    class Checks(kind):
        seeds = range(3)

        def make_stage(self):
            return make()

        if kind is not ProducerConformance:

            def make_events(self, count):
                return events(count)

    for name, value in attributes.items():
        setattr(Checks, name, value)
    rules = set()
    for name in dir(Checks):
        if name.startswith("test_"):
            try:
                getattr(Checks(), name)()
            except AssertionError as error:
                rule = str(error).split()[1]
                rules.add(rule if f"_{rule.lower()}_" in name or rule == "S3" else str(error))
    return rules


@pytest.fixture
def _quiet():
    loggers = [logging.getLogger(name) for name in ("genstage.runtime", "genstage.stage")]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    yield
    for logger in loggers:
        logger.setLevel(logging.NOTSET)


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize(
    ("kind", "make", "rule", "others"),
    [
        (ProducerConformance, Generous, "P1", set()),
        (ProducerConformance, Stingy, "P2", set()),
        (ProducerConformance, Talkative, "P3", set()),
        (ProducerConformance, Attached, "P4", set()),
        (ProducerConformance, Offended, "P4", set()),
        (ProducerConformance, Reuser, "P5", {"P2", "P4", "P6"}),
        (ProducerConformance, Moody, "P6", set()),
        (ProducerConformance, Sloppy, "S2", {"P3", "S3"}),
        (ProducerConformance, Raising, "S3", {"P2"}),
        (ProducerConsumerConformance, Editing, "C2", set()),
        (ProducerConsumerConformance, Batching, "P6", set()),
        (ConsumerConformance, Sorting, "C2", set()),
        (ConsumerConformance, Lazy, "C1", {"C3"}),
        (ConsumerConformance, Clinging, "S3", {"C3", "C4"}),
        (ConsumerConformance, Returning, "C5", set()),
    ],
)
def test_a_planted_mistake_breaks_its_rule(kind, make, rule, others):
    rules = broken(kind, make)
    assert rule in rules
    assert rules <= {rule, *others}


@pytest.mark.usefixtures("_quiet")
def test_a_stage_that_blocks_breaks_its_rule(gate):
    class Blocking(Counter):
        def handle_demand(self, demand):
            gate.wait(20)
            return super().handle_demand(demand)

    class Checks(ProducerConformance):
        patience_s = 0.1

        def make_stage(self):
            return Blocking()

    with pytest.raises(AssertionError, match=r"rule S4 is broken: .* busy for 0\.1 s"):
        Checks().test_stochastic_s4_no_callback_holds_its_thread()


@pytest.mark.usefixtures("_quiet")
def test_an_object_that_is_given_twice_breaks_its_rule():
    class Checks(ProducerConformance):
        def make_stage(self):
            return SHARED

    with pytest.raises(AssertionError, match="rule S1 is broken"):
        Checks().test_required_s1_each_stage_is_a_new_object()


def test_what_a_stage_does_not_promise_is_not_checked():
    assert broken(ProducerConformance, Generous, bounded=False) == set()
    assert broken(ProducerConformance, Attached, outlives_consumers=False) == set()
    assert broken(ProducerConformance, Moody, repeatable=False) == set()
