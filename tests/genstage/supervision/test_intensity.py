import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genstage import Crash, GaveUp, Named, OptionError, Shutdown
from genstage._core.reasons import exception_of
from genstage.supervision.intensity import Intensity, check_intensity


@pytest.mark.parametrize(
    ("max_restarts", "window_s", "times", "allowed"),
    [
        (0, 5, [0, 10], [False, False]),
        (1, 5, [0, 1, 5, 5.1], [True, False, False, True]),  # one that is as old as the window counts
        (3, 5, [0, 0, 0, 0], [True, True, True, False]),
        (3, 5, [0, 1, 2, 5.5, 6.5, 6.6], [True, True, True, True, True, False]),
        (2, 0.5, [0, 0.4, 0.6, 0.7], [True, True, True, False]),
    ],
)
def test_restarts_within_the_window(max_restarts, window_s, times, allowed):
    intensity = Intensity(max_restarts, window_s)
    assert [intensity.allows(now_s) for now_s in times] == allowed


@given(
    max_restarts=st.integers(0, 4),
    window_s=st.integers(1, 6),
    pauses_s=st.lists(st.integers(0, 4), max_size=30),
)
def test_no_window_ever_holds_more_and_none_is_refused_without_need(max_restarts, window_s, pauses_s):
    intensity, now_s, allowed = Intensity(max_restarts, window_s), 0, []
    for pause_s in pauses_s:
        now_s += pause_s
        in_window = [then_s for then_s in allowed if now_s - then_s <= window_s]
        assert intensity.allows(now_s) == (len(in_window) < max_restarts)
        allowed += [now_s] if len(in_window) < max_restarts else []
        assert intensity.restarts == len([then_s for then_s in allowed if now_s - then_s <= window_s])


@pytest.mark.parametrize(
    ("max_restarts", "window_s", "option"),
    [
        (-1, 5, "max_restarts"),
        (1.5, 5, "max_restarts"),
        (None, 5, "max_restarts"),
        (3, 0, "restart_window_s"),
        (3, -1, "restart_window_s"),
        (3, None, "restart_window_s"),
    ],
)
def test_wrong_options_are_refused(max_restarts, window_s, option):
    with pytest.raises(OptionError) as raised:
        check_intensity(max_restarts, window_s)
    assert raised.value.option == option
    assert check_intensity(0, 0.5) == (0, 0.5)


def test_giving_up_tells_the_whole_chain():
    error = ValueError("oops")
    inner = GaveUp("inner", "job", 3, 5.0, Crash(error))
    outer = GaveUp("outer", "inner", 1, 0.5, Shutdown(inner))
    assert str(outer) == (
        "'outer' gave up, after 1 restarts within 0.5 s, because of 'inner': shutdown: "
        "'inner' gave up, after 3 restarts within 5 s, because of 'job': ValueError: oops"
    )
    assert exception_of(Shutdown(outer)) is error
    plain = GaveUp("inner", "job", 3, 5.0, Named("gone"))
    assert pickle.loads(pickle.dumps(plain)) == plain  # noqa: S301 - our own bytes
