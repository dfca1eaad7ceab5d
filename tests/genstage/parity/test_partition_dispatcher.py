"""The partition dispatcher alone: demand for the producer, deliveries, what it keeps and what it refuses."""

import pytest

from genstage import OptionError, PartitionDispatcher

from .conftest import Link


def to_zero(event):
    return event, 0


def in_words(event):
    """Consonants and vowels; a ``y`` is neither."""
    return None if event == "y" else (event, "vowel" if event in "aeiou" else "consonant")


def started(partitions=2, consumers="", **options):
    """A dispatcher and its link; consumer ``A`` has partition 0, ``B`` partition 1."""
    dispatcher = PartitionDispatcher(partitions, **options)
    link = Link(dispatcher)
    for tag in consumers:
        assert link.subscribe(tag, partition="AB".index(tag)) == 0
    return dispatcher, link


def test_demand_of_consumers_that_left_is_pending_and_events_are_taken_without_any():
    dispatcher, link = started(consumers="A")
    assert dispatcher.ask("A", 10) == 10
    assert dispatcher.cancel("A") == 0
    assert link.subscribe("B", partition=1) == 0
    assert dispatcher.ask("B", 5) == 0
    assert dispatcher.cancel("B") == 0
    assert dispatcher.room() == 10

    assert link.dispatch("abcd") == ({}, "")
    assert dispatcher.room() == 6
    link.subscribe("A", partition=0)
    assert dispatcher.ask("A", 12) == 2  # ten are pending still


def test_one_partition_gets_everything():
    dispatcher, link = started(1, "A")
    assert dispatcher.ask("A", 3) == 3
    assert link.dispatch("a") == ({"A": "a"}, "")
    assert dispatcher.room() == 2
    assert dispatcher.ask("A", 3) == 3
    assert dispatcher.room() == 5
    assert link.dispatch("bcdefgh") == ({"A": "bcdef"}, "gh")
    assert dispatcher.room() == 0


def test_partitions_of_ones_own():
    dispatcher, link = started(["consonant", "vowel"], hash=in_words)
    assert link.subscribe("C", partition="consonant") == 0
    assert dispatcher.ask("C", 3) == 3
    assert link.dispatch("b") == ({"C": "b"}, "")
    assert dispatcher.ask("C", 3) == 3
    assert dispatcher.room() == 5
    assert link.dispatch("cdfghjk") == ({"C": "cdfgh"}, "jk")
    assert dispatcher.room() == 0


def test_what_the_hash_drops_uses_up_no_demand():
    dispatcher, link = started(["consonant", "vowel"], hash=in_words)
    link.subscribe("C", partition="consonant")
    link.subscribe("V", partition="vowel")
    assert [dispatcher.ask("V", 4), dispatcher.ask("C", 4)] == [4, 4]
    assert link.dispatch("abycdeyfioyu") == ({"C": "bcdf", "V": "aeio"}, "yu")
    assert dispatcher.room() == 0


def test_events_wait_for_a_consumer_that_subscribes_later():
    dispatcher, link = started(consumers="B", hash=to_zero)
    assert dispatcher.ask("B", 5) == 5
    assert link.dispatch("abcde") == ({}, "")
    assert dispatcher.room() == 0
    assert link.dispatch("fg") == ({}, "fg")

    link.subscribe("A", partition=0)
    assert dispatcher.ask("A", 5) == 5
    assert link.taken() == {"A": "abcde"}
    assert dispatcher.room() == 5
    assert link.dispatch("hi") == ({}, "")  # it has what it asked for
    assert dispatcher.room() == 3
    dispatcher.ask("A", 2)
    assert link.taken() == {"A": "hi"}


def test_events_wait_for_the_next_ask_of_their_consumer():
    dispatcher, link = started(consumers="AB", hash=to_zero)
    assert [dispatcher.ask("A", 5), dispatcher.ask("B", 5)] == [5, 5]
    assert dispatcher.room() == 10
    assert link.dispatch("ab") == ({"A": "ab"}, "")
    assert link.dispatch("cdefghij") == ({"A": "cde"}, "")
    assert dispatcher.room() == 0
    assert dispatcher.ask("A", 5) == 5
    assert link.taken() == {"A": "fghij"}
    assert dispatcher.room() == 5


def test_what_waits_for_a_consumer_that_leaves_is_dropped_and_asked_for_again():
    dispatcher, link = started(consumers="AB", hash=to_zero)
    assert dispatcher.ask("B", 5) == 5
    assert link.dispatch("abcde") == ({}, "")
    sent = []
    dispatcher.info(lambda: sent.append("info"))
    assert sent == []
    assert dispatcher.cancel("A") == 5  # the info is no event
    assert (dispatcher.room(), sent) == (5, ["info"])


@pytest.mark.parametrize("consumers", ["AB", ""], ids=["nobody is backed up", "nobody has subscribed"])
def test_infos_go_at_once(consumers):
    dispatcher, _ = started(consumers=consumers)
    if consumers:
        assert dispatcher.ask("B", 3) == 3
    sent = []
    dispatcher.info(lambda: sent.append("info"))
    assert sent == ["info"]
    assert dispatcher.room() == (3 if consumers else 0)


def test_infos_wait_behind_the_events_of_a_consumer_that_is_backed_up():
    dispatcher, link = started(consumers="AB", hash=to_zero)
    assert dispatcher.ask("B", 3) == 3
    assert link.dispatch("abc") == ({}, "")
    sent = []
    dispatcher.info(lambda: sent.append(link.taken()))
    assert dispatcher.ask("B", 1) == 1
    assert sent == []
    assert dispatcher.ask("A", 5) == 5
    assert sent == [{"A": "abc"}]


@pytest.mark.parametrize("hashed", [("a", "elsewhere"), "elsewhere", 7, ("a", 0, 0)], ids=repr)
def test_a_hash_that_names_no_partition_raises(hashed):
    dispatcher, link = started(consumers="A", hash=lambda _: hashed)
    assert dispatcher.ask("A", 3) == 3
    with pytest.raises(OptionError, match=r"option 'hash'.*the partition one of 0, 1, also for 'a'"):
        link.dispatch("abc")


def test_partitions_have_to_be_said():
    with pytest.raises(TypeError, match="'partitions'"):
        PartitionDispatcher()
    with pytest.raises(OptionError, match=r"option 'hash'.*whose names are no integers"):
        PartitionDispatcher(["even", "odd"])


@pytest.mark.parametrize("options", [{}, {"partition": -1}, {"partition": 2}, {"partition": "x"}], ids=str)
def test_a_subscription_says_a_partition_that_there_is(options):
    _, link = started()
    with pytest.raises(OptionError, match="option 'partition': must be one of 0, 1"):
        link.subscribe("A", **options)


def test_a_partition_has_one_consumer_at_a_time():
    dispatcher, link = started(consumers="A")
    with pytest.raises(OptionError, match="option 'partition': must be a free one; stage of A has it"):
        link.subscribe("B", partition=0)
    dispatcher.cancel("A")
    assert link.subscribe("B", partition=0) == 0
