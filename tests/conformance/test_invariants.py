"""The invariants notice what they are for: each is broken once, by hand."""

import pytest

from tests.conformance.invariants import Invariants


class Watched:
    """An imagined stage whose every effect the test writes down."""

    def __init__(self, kind="producer", dispatcher=None, consumers=2):
        self.buffered = 0
        options = {} if dispatcher is None else {"dispatcher": {"name": dispatcher, "hash": "mod"}}
        self.invariants = Invariants({"kind": kind, "options": options}, lambda: self.buffered)
        self.made = {}
        for number in range(1, consumers + 1):
            self.effect(
                call="handle_subscribe",
                role="consumer",
                peer=f"c{number}",
                sub=f"s{number}",
                options={"partition": number - 1} if dispatcher == "partition" else {},
            )

    def effect(self, **effect):
        self.invariants.effect(effect)

    def do(self, op, **fields):
        self.invariants.before_step({"op": op, **fields})

    def ask(self, sub, count, *, demand=None):
        self.do("ask", sub=sub, count=count)
        if demand:
            self.effect(call="handle_demand", demand=demand)

    def make(self, *events):
        self.made.update(zip(events, self.invariants.returned(events), strict=True))

    def sort(self, *events):
        """The dispatcher takes events and hashes them: odd ones are for the second consumer."""
        watched = self.invariants.partitions.watch(lambda event: (event, event % 2))
        for event in events:
            watched(self.made[event])

    def send(self, number, *events, to=None):
        made = [self.made[event] for event in events]
        self.effect(send="events", to=to or f"c{number}", sub=f"s{number}", events=made)

    def problems(self, *, alive=True):
        return self.invariants.after_step(alive=alive)


@pytest.fixture
def demand():
    stage = Watched()
    stage.ask("s1", 3, demand=3)
    stage.make(1, 2, 3)
    return stage


@pytest.fixture
def broadcast():
    stage = Watched(dispatcher="broadcast")
    stage.ask("s1", 3)
    stage.ask("s2", 3, demand=3)
    stage.make(1, 2, 3)
    return stage


def test_nothing_is_wrong_with_what_is_right(demand, broadcast):
    demand.send(1, 1, 2, 3)
    assert demand.problems() == []
    broadcast.send(1, 1, 2, 3)
    broadcast.send(2, 1, 2, 3)
    assert broadcast.problems() == []


@pytest.mark.parametrize(
    ("sends", "problem"),
    [
        ([(1, 2, 1, 3)], "order"),
        ([(1, 1, 1, 2)], "nothing doubled"),
        ([(1, 1, 2)], "nothing lost"),
        ([(1, 1), (2, 2), (1, 3)], "nothing beyond demand"),
        ([(9, 1), (1, 2, 3)], "right receiver"),
    ],
)
def test_demand(demand, sends, problem):
    for number, *events in sends:
        demand.send(number, *events)
    assert any(found.startswith(problem) for found in demand.problems())


@pytest.mark.parametrize(
    ("sends", "problem"),
    [
        ([(1, 1, 2, 3)], "nothing lost"),
        ([(1, 1, 2), (2, 1, 2, 3)], "nothing lost"),
        ([(1, 1, 2), (2, 1, 3)], "nothing lost"),
        ([(1, 1, 3), (2, 1, 3), (1, 2), (2, 2)], "order"),
        ([(1, 1, 2), (2, 1, 2)], "nothing lost"),
    ],
)
def test_broadcast(broadcast, sends, problem):
    for number, *events in sends:
        broadcast.send(number, *events)
    assert any(found.startswith(problem) for found in broadcast.problems())


@pytest.fixture
def partition():
    stage = Watched(dispatcher="partition")
    stage.ask("s1", 2, demand=2)
    stage.ask("s2", 2, demand=2)
    stage.make(1, 2, 3, 4)
    return stage


def test_nothing_is_wrong_with_partitions_that_are_right(partition):
    partition.sort(1, 2, 3, 4)
    partition.send(1, 2, 4)
    partition.send(2, 1, 3)
    assert partition.problems() == []


@pytest.mark.parametrize(
    ("sorts", "sends", "buffered", "problem"),
    [
        ((1, 2, 3, 4), [(1, 2, 4), (2, 1)], 0, "nothing stays behind: 1 wait in the partition of s2"),
        ((1, 2, 3, 4), [(1, 4, 2), (2, 1, 3)], 0, "nothing lost: s1"),
        ((1, 2, 3, 4), [(1, 2, 1), (2, 3)], 0, "nothing lost: s1"),
        ((1, 2, 3, 4), [(1, 2), (2, 1, 3)], 0, "nothing stays behind"),
        ((1, 2, 3), [(1, 2), (2, 1, 3)], 1, "nothing stays behind: 1 buffered"),
        ((1, 2, 3), [(1, 2), (2, 1, 3)], 0, "no starvation: room for 1"),
        ((1, 2, 3), [(1, 2), (2, 1, 3)], 0, "nothing lost: 4 events were returned, 3 accounted for"),
    ],
)
def test_partition(partition, sorts, sends, buffered, problem):
    partition.buffered = buffered
    partition.sort(*sorts)
    for number, *events in sends:
        partition.send(number, *events)
    assert any(found.startswith(problem) for found in partition.problems())


def test_what_a_departed_consumer_leaves_is_open_again_or_remembered():
    stage = Watched(dispatcher="partition")
    stage.ask("s2", 2, demand=2)
    stage.make(0, 2)
    stage.sort(0, 2)  # nobody has asked for them
    stage.effect(send="cancel", to="c1", sub="s1", reason={"kind": "normal"})
    assert stage.problems() == ["no starvation: room for 2, only 0 owed by the producer"]
    stage.effect(call="handle_demand", demand=2)
    assert stage.problems() == []
    stage.effect(send="cancel", to="c2", sub="s2", reason={"kind": "normal"})
    stage.effect(call="handle_subscribe", role="consumer", peer="c3", sub="s3", options={"partition": 1})
    stage.ask("s3", 3, demand=1)  # two are owed already
    assert stage.problems() == []


def test_events_of_a_subscription_go_to_its_owner(demand):
    demand.send(1, 1, 2, 3, to="c2")
    assert demand.problems() == ["right receiver: events of s1 were sent to c2"]


def test_what_is_buffered_must_not_be_waited_for(demand):
    demand.buffered = 3
    assert demand.problems() == ["nothing stays behind: 3 buffered, [] queued, room for 3"]


def test_what_is_waited_for_must_be_owed():
    stage = Watched()
    stage.ask("s1", 3, demand=2)
    assert stage.problems() == ["no starvation: room for 3, only 2 owed by the producer"]


def test_nothing_is_checked_at_rest_while_demand_accumulates():
    stage = Watched()
    stage.do("demand_mode", mode="accumulate")
    stage.ask("s1", 3)
    assert stage.problems() == []


@pytest.mark.parametrize(("waits", "buffered", "problem"), [(0, 0, "nobody waited"), (1, 1, "in the buffer")])
def test_a_queued_message_is_handled_only_on_demand(waits, buffered, problem):
    stage = Watched(kind="producer_consumer")
    stage.effect(call="handle_subscribe", role="producer", peer="p1", sub="u1", options={})
    stage.ask("s1", waits)
    stage.buffered = buffered
    stage.do("events", sub="u1", events=[1, 2])
    stage.effect(call="handle_events", sub="u1", events=[1, 2])
    (found,) = stage.problems(alive=False)
    assert problem in found


def test_a_message_is_handled_whole():
    stage = Watched(kind="producer_consumer")
    stage.effect(call="handle_subscribe", role="producer", peer="p1", sub="u1", options={})
    stage.ask("s1", 1)
    stage.do("events", sub="u1", events=[1, 2])
    stage.effect(call="handle_events", sub="u1", events=[1])
    assert stage.problems() == ["handled on demand: a message was handled in part"]
