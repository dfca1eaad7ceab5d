"""The checks pass for our dispatchers and for one of a user's own; with a bug in it, the rule is named."""

import pytest

from genstage.dispatchers import BroadcastDispatcher, DemandDispatcher, Dispatcher, PartitionDispatcher
from genstage.testing import DispatcherConformance


class TestDemand(DispatcherConformance):
    def make_dispatcher(self):
        return DemandDispatcher(max_demand=1_000)


class TestShuffled(DispatcherConformance):
    def make_dispatcher(self):
        return DemandDispatcher(shuffle_demands_on_first_dispatch=True, seed=1)


class TestBroadcast(DispatcherConformance):
    def make_dispatcher(self):
        return BroadcastDispatcher()


class TestPartition(DispatcherConformance):
    def make_dispatcher(self):
        return PartitionDispatcher(3)

    def subscription_options(self, place):
        return {"partition": place}


class TestPartitionThatReplaces(TestPartition):
    consumers = 2

    def make_dispatcher(self):
        return PartitionDispatcher(
            2, hash=lambda event: (event, event % 2) if event % 3 else None, replace_discarded=True
        )

    drops = True


class TestOddEvents(TestPartition):
    def make_event(self, number):
        return {"number": number}


class RoundRobin(Dispatcher):
    """One event each in turn, to those who wait."""

    def start(self, link):
        self.link = link
        self.waiting = {}
        self.peers = {}

    def subscribe(self, tag, peer, _options):
        self.waiting[tag] = 0
        self.peers[tag] = peer
        return 0

    def ask(self, tag, count):
        self.waiting[tag] += count
        return count

    def cancel(self, tag):
        del self.waiting[tag], self.peers[tag]
        return 0

    def dispatch(self, events):
        shares = {}
        events = list(events)
        while events and any(self.waiting.values()):
            tag = next(tag for tag, count in self.waiting.items() if count)
            self.waiting[tag] = self.waiting.pop(tag) - 1
            shares.setdefault(tag, []).append(events.pop(0))
        for tag, share in shares.items():
            self.link.deliver(self.peers[tag], tag, share)
        return events

    def room(self):
        return sum(self.waiting.values())


class TestRoundRobin(DispatcherConformance):
    def make_dispatcher(self):
        return RoundRobin()


# -- with a bug ---------------------------------------------------------------------------------------


class TakesEarly(RoundRobin):
    def dispatch(self, events):
        return super().dispatch(events) if self.room() else ()


class AsksOnce(RoundRobin):
    asked = 0

    def ask(self, tag, count):
        super().ask(tag, count)
        self.asked += 1
        return count if self.asked == 1 else 0


class AsksTwice(RoundRobin):
    def ask(self, tag, count):
        return 2 * super().ask(tag, count)


class AsksForNothing(RoundRobin):
    def ask(self, tag, count):
        super().ask(tag, count)


class Generous(RoundRobin):
    def ask(self, tag, count):
        super().ask(tag, count + 1)
        return count


class Faithful(RoundRobin):
    """Does not forget who has left."""

    def cancel(self, _tag):
        return 0


class Mixed(RoundRobin):
    def subscribe(self, tag, _peer, options):
        super().subscribe(tag, "somebody else", options)
        return 0


class Backwards(RoundRobin):
    def dispatch(self, events):
        return super().dispatch(events)[::-1]


class LastFirst(RoundRobin):
    def dispatch(self, events):
        count = min(len(events), self.room())
        return [*super().dispatch(events[:count][::-1]), *events[count:]]


class Proud(RoundRobin):
    """Says it has more room than it has."""

    def room(self):
        return super().room() + 1


class Modest(RoundRobin):
    def room(self):
        room = super().room()
        return room - 1 if room > 3 else room

    def dispatch(self, events):
        return self._take(events) if self.room() else events

    def _take(self, events):
        count = len(events)
        return super().dispatch(events[: count - 1]) or events[count - 1 :]


class Moody(RoundRobin):
    mood = 0

    def room(self):
        self.mood += 1
        return super().room() + self.mood % 2


class Loses(RoundRobin):
    def dispatch(self, events):
        for tag in [tag for tag, count in self.waiting.items() if count and events]:
            self.waiting[tag] -= 1
            events = events[1:]
        return super().dispatch(events) if events else ()


class Waits(RoundRobin):
    """Serves nobody after a cancel."""

    left = False

    def cancel(self, tag):
        self.left = True
        return super().cancel(tag)

    def ask(self, tag, count):
        return 0 if self.left else super().ask(tag, count)


class ForgetsDemand(RoundRobin):
    """Takes a leaver's demand for that of the next, though the producer has delivered on it."""

    remembered = 0

    def cancel(self, tag):
        self.remembered += self.waiting[tag]
        return super().cancel(tag)

    def ask(self, tag, count):
        covered = min(self.remembered, count)
        self.remembered -= covered
        return super().ask(tag, count) - covered


class Idle(RoundRobin):
    """Never has room."""

    def room(self):
        return 0

    def dispatch(self, events):
        return events


class Restless(RoundRobin):
    """Asks again for what it has been asked for."""

    def ask(self, tag, count):
        self.link.ask_again(tag, count)
        return super().ask(tag, count)


class Endless(RoundRobin):
    def settle(self):
        return False


class Silent(RoundRobin):
    def info(self, send):
        pass


class Hasty(PartitionDispatcher):
    """Says that all is delivered while something is queued."""

    def settle(self):
        return True


BUGS = [
    (TakesEarly, "D1"),
    (AsksOnce, "D2"),
    (AsksTwice, "D2"),
    (AsksForNothing, "D2"),
    (Generous, "D3"),
    (Faithful, "D3"),
    (Mixed, "D3"),
    (Backwards, "D4"),
    (LastFirst, "D4"),
    (Proud, "D5"),
    (Modest, "D5"),
    (Moody, "D5"),
    (Loses, "D6"),
    (Waits, "D7"),
    (ForgetsDemand, "D8"),
    (Idle, "D5"),
    (Restless, "D2"),
    (Endless, "D6"),
    (Silent, "D9"),
]


def broken_rules(conformance):
    rules = set()
    for name in dir(conformance):
        if name.startswith("test_"):
            try:
                getattr(conformance, name)()
            except AssertionError as error:
                rules.add(str(error).split()[1])
    return rules


@pytest.mark.parametrize(("dispatcher", "rule"), BUGS, ids=lambda value: getattr(value, "__name__", value))
def test_a_bug_breaks_the_rule_for_it(dispatcher, rule):
    class Checks(DispatcherConformance):
        def make_dispatcher(self):
            return dispatcher()

    assert rule in broken_rules(Checks())


def test_an_early_end_breaks_the_rule_for_it():
    class Checks(TestPartition):
        def make_dispatcher(self):
            return Hasty(3)

    assert broken_rules(Checks()) == {"D6"}


def test_a_failing_script_says_its_seed_and_its_steps():
    class Checks(DispatcherConformance):
        def make_dispatcher(self):
            return ForgetsDemand()

    with pytest.raises(AssertionError) as error:
        Checks().test_stochastic_d3_d4_d5_d8_any_script()
    (note,) = error.value.__notes__
    assert note.startswith("seed ")
    assert "subscribe at " in note


def test_an_exception_of_the_dispatcher_comes_through():
    class Broken(RoundRobin):
        def ask(self, _tag, _count):
            raise ZeroDivisionError

    class Checks(DispatcherConformance):
        def make_dispatcher(self):
            return Broken()

    with pytest.raises(ZeroDivisionError):
        Checks().test_required_d2_what_is_asked_for_comes_to_be_demand()
