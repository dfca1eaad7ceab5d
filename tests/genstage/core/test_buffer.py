import pytest

from genstage._core.buffer import Buffer, Stored, Taken


def filled(size, keep, *events):
    buffer = Buffer(size, keep)
    buffer.store(events)
    return buffer


def drained(buffer):
    """Everything that is in a buffer, message by message."""
    everything = []
    while (taken := buffer.take(100)) is not None:
        everything.append((taken.events, taken.infos))
    return everything


@pytest.mark.parametrize("size", [5, None])
def test_events_leave_in_the_order_they_came(size):
    buffer = filled(size, "last", 1, 2)
    buffer.store([3])
    assert buffer.take(2) == Taken([1, 2], [], 0)
    assert buffer.take(5) == Taken([3], [], 4)
    assert buffer.take(1) is None


def test_a_take_of_nothing_takes_nothing():
    buffer = filled(3, "last", 1)
    assert buffer.take(0) is None
    assert len(buffer) == 1


@pytest.mark.parametrize(
    ("keep", "first", "second", "discarded", "kept"),
    [
        ("first", [1, 2, 3], [4, 5], 2, [1, 2, 3]),
        ("first", [1, 2], [3, 4, 5], 2, [1, 2, 3]),
        ("last", [1, 2, 3], [4, 5], 2, [3, 4, 5]),
        ("last", [1, 2], [3, 4, 5, 6, 7], 4, [5, 6, 7]),
    ],
)
def test_overflow(keep, first, second, discarded, kept):
    buffer = filled(3, keep, *first)
    assert buffer.store(second) == Stored(discarded, [])
    assert drained(buffer) == [(kept, [])]


def test_an_infinite_buffer_discards_nothing():
    buffer = filled(None, "last", *range(20_000))
    assert buffer.store([1]) == Stored(0, [])
    assert len(buffer) == 20_001


@pytest.mark.parametrize("size", [5, None])
def test_an_info_does_not_wait_in_an_empty_buffer(size):
    buffer = Buffer(size)
    assert not buffer.store_info("i")
    assert len(buffer) == 0


def test_in_a_finite_buffer_infos_leave_with_the_event_before_them():
    buffer = filled(5, "last", 1, 2)
    assert buffer.store_info("i")
    assert buffer.store_info("j")
    buffer.store([3])
    assert len(buffer) == 3
    assert buffer.take(3) == Taken([1, 2], ["i", "j"], 1)
    assert buffer.take(1) == Taken([3], [], 0)


def test_events_and_infos_leave_in_turns():
    buffer = filled(10, "last", 1, 2)
    for info in "ij":
        buffer.store_info(info)
    buffer.store([3, 4, 5])
    for info in "kl":
        buffer.store_info(info)
    buffer.store([6])
    buffer.store_info("m")
    assert [buffer.take(count) for count in (3, 4, 2)] == [
        Taken([1, 2], ["i", "j"], 1),
        Taken([3, 4, 5], ["k", "l"], 1),
        Taken([6], ["m"], 1),
    ]
    assert buffer.take(1) is None


def test_in_an_infinite_buffer_an_info_is_an_entry_and_ends_a_take():
    buffer = filled(None, "last", 1, 2)
    buffer.store_info("i")
    buffer.store_info("j")
    buffer.store([3])
    assert len(buffer) == 5
    assert buffer.take(2) == Taken([1, 2], [], 0)
    assert buffer.take(2) == Taken([], ["i"], 2)
    assert buffer.take(2) == Taken([], ["j"], 2)
    assert buffer.take(2) == Taken([3], [], 1)


def test_a_displaced_event_lets_its_infos_go():
    buffer = filled(3, "last", 1, 2, 3)
    buffer.store_info("i")
    assert buffer.store([4, 5]) == Stored(2, [])
    assert buffer.store([6]) == Stored(1, ["i"])
    assert drained(buffer) == [([4, 5, 6], [])]


def test_keeping_the_first_lets_no_info_go():
    buffer = filled(2, "first", 1, 2)
    buffer.store_info("i")
    assert buffer.store([3]) == Stored(1, [])
    assert drained(buffer) == [([1, 2], ["i"])]


def test_leading_infos_can_be_taken_alone():
    buffer = filled(None, "last", 1)
    buffer.store_info("i")
    buffer.store_info("j")
    buffer.store([2])
    assert buffer.take_infos() == []
    buffer.take(1)
    assert buffer.take_infos() == ["i", "j"]
    assert drained(buffer) == [([2], [])]


@pytest.mark.parametrize("size", [5, None])
def test_what_is_put_back_is_taken_first_and_its_infos_behind_it(size):
    buffer = filled(size, "last", 1, 2)
    buffer.store_info("i")
    buffer.store([3])
    taken = buffer.take(3)
    if size is None:
        assert taken == Taken([1, 2], ["i"], 1)
    buffer.put_back(taken.events[1:], taken.infos)
    assert drained(buffer) == [([2], ["i"]), ([3], [])]
