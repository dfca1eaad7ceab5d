"""The demand and the broadcast dispatcher alone: demand for the producer, deliveries, leftovers."""

import pytest

from genstage import BroadcastDispatcher, DemandDispatcher

from .conftest import Link


def pending(dispatcher):
    """What the producer owes to consumers that have left."""
    return dispatcher.owed() - dispatcher.room()


# -- demand -------------------------------------------------------------------------------------------


def test_demand_a_consumer_that_has_not_asked_leaves_nothing_behind():
    dispatcher = DemandDispatcher()
    link = Link(dispatcher, "A")
    assert dispatcher.cancel("A") == 0
    assert (dispatcher.owed(), dispatcher.room()) == (0, 0)
    link.subscribe("B")
    assert dispatcher.ask("B", 7) == 7


def test_demand_of_a_consumer_that_leaves_is_pending():
    dispatcher = DemandDispatcher()
    link = Link(dispatcher, "A")
    assert dispatcher.ask("A", 10) == 10
    assert dispatcher.cancel("A") == 0
    assert pending(dispatcher) == 10
    link.subscribe("B")
    assert dispatcher.ask("B", 5) == 0
    assert pending(dispatcher) == 5
    assert dispatcher.cancel("B") == 0
    assert pending(dispatcher) == 10
    assert link.dispatch("abc") == ({}, "abc")
    assert pending(dispatcher) == 7
    assert link.dispatch("abcdefghij") == ({}, "abcdefghij")
    assert pending(dispatcher) == 0


def test_demand_events_for_a_consumer_that_left_go_to_the_other_and_the_rest_is_left_over():
    dispatcher = DemandDispatcher()
    link = Link(dispatcher, "AB")
    assert [dispatcher.ask(tag, 3) for tag in "AB"] == [3, 3]
    assert dispatcher.cancel("A") == 0
    assert pending(dispatcher) == 3
    assert link.dispatch("abcde") == ({"B": "abc"}, "de")
    assert (pending(dispatcher), dispatcher.room()) == (1, 0)


def test_demand_adds_up():
    dispatcher = DemandDispatcher()
    link = Link(dispatcher, "A")
    assert dispatcher.ask("A", 3) == 3
    assert link.dispatch("a") == ({"A": "a"}, "")
    assert dispatcher.room() == 2
    assert dispatcher.ask("A", 3) == 3
    assert dispatcher.room() == 5
    assert link.dispatch("bcdefgh") == ({"A": "bcdef"}, "gh")
    assert link.dispatch("ij") == ({}, "ij")
    assert dispatcher.room() == 0


def test_demand_the_greatest_comes_first_after_every_ask():
    dispatcher = DemandDispatcher()
    link = Link(dispatcher, "ABC")
    assert [dispatcher.ask(*asked) for asked in (("A", 4), ("B", 2), ("C", 3))] == [4, 2, 3]
    assert dispatcher.ask("C", 2) == 2
    assert dispatcher.ask("B", 4) == 4
    assert link.reports == []  # none was larger than the first
    delivered, left = link.dispatch("abcdefghijklmno")
    assert list(delivered.items()) == [("B", "abcdef"), ("C", "ghijk"), ("A", "lmno")]
    assert left == ""


def test_demand_is_shared_out_in_turns():
    dispatcher = DemandDispatcher()
    link = Link(dispatcher, "AB")
    assert [dispatcher.ask("A", 3), dispatcher.ask("B", 2)] == [3, 2]
    assert link.dispatch("abcde") == ({"A": "abc", "B": "de"}, "")
    assert link.dispatch("abc") == ({}, "abc")
    assert [dispatcher.ask("A", 3), dispatcher.ask("B", 3)] == [3, 3]
    assert link.dispatch("ab") == ({"A": "ab"}, "")
    assert link.dispatch("cd") == ({"B": "cd"}, "")
    assert link.dispatch("efg") == ({"A": "e", "B": "f"}, "g")


def test_demand_above_the_expected_is_warned_of_and_honoured():
    dispatcher = DemandDispatcher(max_demand=3)
    link = Link(dispatcher, "AB")
    assert dispatcher.ask("A", 3) == 3
    assert link.reports == []
    assert dispatcher.ask("B", 4) == 4
    assert link.reports == [("demand_above_max", {"expected": 3, "got": 4})]


# -- broadcast ----------------------------------------------------------------------------------------


def test_broadcast_a_consumer_that_has_not_asked_leaves_nothing_behind():
    dispatcher = BroadcastDispatcher()
    link = Link(dispatcher, "A")
    assert dispatcher.cancel("A") == 0
    assert (dispatcher.room(), dispatcher.owed()) == (0, 0)
    assert link.dispatch("a") == ({}, "a")


def test_broadcast_without_consumers_everything_is_left_over():
    dispatcher = BroadcastDispatcher()
    link = Link(dispatcher, "A")
    assert dispatcher.ask("A", 10) == 10
    assert dispatcher.cancel("A") == 0
    assert (dispatcher.room(), dispatcher.owed()) == (0, 10)
    assert link.dispatch("abc") == ({}, "abc")
    assert dispatcher.owed() == 10


def test_broadcast_what_was_requested_early_is_not_requested_for_the_one_who_stays():
    dispatcher = BroadcastDispatcher()
    link = Link(dispatcher, "A")
    assert dispatcher.ask("A", 10) == 10
    link.subscribe("B")
    assert (dispatcher.room(), dispatcher.owed()) == (0, 10)
    assert dispatcher.cancel("A") == 0
    assert dispatcher.ask("B", 10) == 0
    assert (dispatcher.room(), dispatcher.owed()) == (10, 10)


def test_broadcast_a_consumer_that_never_asked_sets_the_others_free_when_it_leaves():
    dispatcher = BroadcastDispatcher()
    Link(dispatcher, "AB")
    assert dispatcher.ask("A", 10) == 0
    assert dispatcher.cancel("B") == 10
    assert dispatcher.ask("A", 10) == 10
    assert (dispatcher.room(), dispatcher.owed()) == (20, 20)


def test_broadcast_goes_at_the_pace_of_the_slowest():
    dispatcher = BroadcastDispatcher()
    link = Link(dispatcher, "AB")
    assert [dispatcher.ask("A", 3), dispatcher.ask("B", 2)] == [0, 2]
    assert link.dispatch("ab") == ({"A": "ab", "B": "ab"}, "")

    assert dispatcher.ask("B", 2) == 1
    assert link.dispatch("cd") == ({"A": "c", "B": "c"}, "d")
    assert link.dispatch("d") == ({}, "d")

    assert dispatcher.ask("A", 1) == 1
    link.subscribe("C")
    assert link.dispatch("de") == ({}, "de")
    assert dispatcher.owed() == 1

    assert [dispatcher.ask("A", 2), dispatcher.ask("B", 2), dispatcher.ask("C", 3)] == [0, 0, 2]
    assert link.dispatch("def") == (dict.fromkeys("ABC", "def"), "")
    assert (dispatcher.room(), dispatcher.owed()) == (0, 0)


def test_broadcast_a_late_consumer_joins_what_is_still_owed():
    dispatcher = BroadcastDispatcher()
    link = Link(dispatcher, "A")
    assert dispatcher.ask("A", 10) == 10
    assert link.dispatch("abc") == ({"A": "abc"}, "")
    link.subscribe("B")
    assert dispatcher.ask("B", 20) == 0
    assert (dispatcher.room(), dispatcher.owed()) == (7, 7)
    assert link.dispatch("defghij") == (dict.fromkeys("AB", "defghij"), "")
    assert dispatcher.ask("A", 20) == 13  # what the other had in surplus


def test_broadcast_what_is_owed_to_one_that_left_goes_to_the_next():
    dispatcher = BroadcastDispatcher()
    link = Link(dispatcher, "A")
    assert dispatcher.ask("A", 10) == 10
    assert dispatcher.cancel("A") == 0
    link.subscribe("B")
    assert dispatcher.ask("B", 5) == 0
    assert (dispatcher.room(), dispatcher.owed()) == (5, 10)
    assert link.dispatch("abc") == ({"B": "abc"}, "")
    assert (dispatcher.room(), dispatcher.owed()) == (2, 7)


def test_broadcast_only_what_is_not_owed_yet_is_requested_when_a_blocking_consumer_leaves():
    dispatcher = BroadcastDispatcher()
    link = Link(dispatcher, "A")
    assert dispatcher.ask("A", 10) == 10
    link.subscribe("B")
    assert dispatcher.ask("A", 5) == 0
    assert dispatcher.cancel("B") == 5
    assert (dispatcher.room(), dispatcher.owed()) == (15, 15)


def test_broadcast_to_selectors():
    dispatcher = BroadcastDispatcher()
    link = Link(dispatcher)
    link.subscribe("A", selector=lambda event: event in "abc")
    link.subscribe("B", selector=lambda event: event in "ab")
    assert [dispatcher.ask("B", 4), dispatcher.ask("A", 4)] == [0, 4]
    assert link.dispatch("abcx") == ({"A": "abc", "B": "ab"}, "")
    assert sorted(link.asked_again) == [("A", 1), ("B", 2)]


@pytest.mark.parametrize("make", [DemandDispatcher, BroadcastDispatcher])
def test_infos_go_at_once_and_change_nothing(make):
    dispatcher = make()
    link = Link(dispatcher, "AB")
    dispatcher.ask("A", 3)
    before = (dispatcher.room(), dispatcher.owed())
    sent = []
    dispatcher.info(lambda: sent.append("info"))
    assert sent == ["info"]
    assert (dispatcher.room(), dispatcher.owed(), link.delivered) == (*before, [])
