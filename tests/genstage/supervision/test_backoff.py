"""The waits before restarts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genstage import Backoff, OptionError
from genstage.supervision.backoff import Delays


def test_they_grow_up_to_a_bound():
    delays = Delays(Backoff(first_s=1, factor=3, max_s=10, jitter=0))
    assert [delays.next_s("a", 0) for _ in range(5)] == [1, 3, 9, 10, 10]


def test_each_child_has_its_own():
    delays = Delays(Backoff(first_s=1, jitter=0))
    assert [delays.next_s(child, 0) for child in "aabab"] == [1, 2, 1, 4, 2]


def test_a_child_that_has_run_for_long_begins_anew():
    delays = Delays(Backoff(first_s=1, factor=2, max_s=8, jitter=0))
    assert delays.next_s("a", 0) == 1  # it runs from 1
    assert delays.next_s("a", 8.9) == 2  # it runs from 10.9
    assert delays.next_s("a", 19) == 1


def test_a_child_that_is_no_more_leaves_nothing():
    delays = Delays(Backoff(first_s=1, jitter=0))
    delays.next_s("a", 0)
    delays.forget("a")
    delays.forget("b")
    assert delays.next_s("a", 0) == 1


def test_without_one_there_is_no_wait():
    assert Delays(None).next_s("a", 0) == 0


@given(st.integers(), st.floats(0, 1), st.lists(st.floats(0, 20), max_size=20))
def test_chance_shortens_them_and_comes_from_the_seed(seed, jitter, pauses):
    backoff = Backoff(first_s=0.5, max_s=8, jitter=jitter, seed=seed)
    plain = Backoff(first_s=0.5, max_s=8, jitter=0)
    first, second, whole = Delays(backoff), Delays(backoff), Delays(plain)
    now_s = 0.0
    for pause in pauses:
        chosen = first.next_s("a", now_s)
        assert chosen == second.next_s("a", now_s)
        assert 0 <= chosen <= 8
        if jitter == 0:
            assert chosen == whole.next_s("a", now_s)
        now_s += chosen + pause


def test_chance_takes_its_share_and_no_more():
    waits = [Delays(Backoff(first_s=10, jitter=0.5, seed=seed)).next_s("a", 0) for seed in range(100)]
    assert 5 <= min(waits) < 5.5
    assert 9.5 < max(waits) <= 10


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"first_s": -1}, "first_s"),
        ({"first_s": "1s"}, "first_s"),
        ({"first_s": 2, "max_s": 1}, "max_s"),
        ({"factor": 0.5}, "factor"),
        ({"factor": None}, "factor"),
        ({"jitter": 1.5}, "jitter"),
        ({"jitter": True}, "jitter"),
    ],
)
def test_what_is_wrong_is_refused(options, option):
    with pytest.raises(OptionError) as raised:
        Backoff(**options)
    assert raised.value.option == option
