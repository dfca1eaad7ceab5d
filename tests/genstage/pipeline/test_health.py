from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genstage.pipeline.health import Flow, Health, Sample, Work


def after(*samples):
    health = Health()
    for sample in samples:
        health = health.after(sample)
    return health


def flow(at_s, entered, left):
    return Sample(at_s, flows={"a": Flow(entered, left)})


# -- ages ---------------------------------------------------------------------------------------------


def test_without_samples_nothing_is_known_but_that_something_is_on_its_way():
    assert Health().oldest_s(flow(3.0, 0, 0)) is None
    assert Health().oldest_s(flow(3.0, 5, 4)) == 0.0
    assert Health().rate(Sample(3.0, progress=100)) == 0.0
    assert Health().still_s("a", Sample(3.0, work={"a": Work(0, 0.0)})) is None


def test_an_event_is_at_least_as_old_as_the_first_sample_that_has_seen_it():
    health = after(flow(0.0, 0, 0), flow(1.0, 10, 4), flow(2.0, 12, 4), flow(3.0, 12, 9))

    assert health.oldest_s(flow(3.5, 12, 9)) == 2.5
    assert health.oldest_s(flow(3.5, 12, 10)) == 1.5
    assert health.oldest_s(flow(3.5, 13, 12)) == 0.0
    assert health.oldest_s(flow(3.5, 12, 12)) is None


def test_the_oldest_of_all_flows_counts():
    def sample(at_s):
        return Sample(at_s, flows={"slow": Flow(1, 0), "quick": Flow(int(at_s * 10), int(at_s * 10) - 1)})

    health = after(*(sample(float(at_s)) for at_s in range(1, 100)))

    assert health.oldest_s(sample(100.0)) == 99.0


def test_what_was_dropped_is_no_proof_of_an_age():
    health = after(flow(0.0, 10, 0), flow(1.0, 10, 0), flow(2.0, 6, 0))

    assert health.oldest_s(flow(3.0, 6, 0)) == 1.0


def test_a_flow_that_is_not_there_any_more_is_forgotten():
    health = after(flow(0.0, 10, 0), Sample(1.0), flow(2.0, 10, 0))

    assert health.oldest_s(flow(3.0, 10, 0)) == 1.0


def test_of_many_marks_some_are_forgotten_and_the_first_never():
    samples = [flow(float(second), 10 * (second + 1), 0) for second in range(1_000)]
    health = after(*samples)

    assert len(health.marks["a"]) <= 64
    assert health.oldest_s(flow(1_000.0, 10_000, 0)) == 1_000.0
    for left in range(0, 10_000, 7):
        age_s = health.oldest_s(flow(1_000.0, 10_000, left))
        assert 0.0 <= age_s <= 1_000.0 - left // 10


@st.composite
def courses(draw):
    """What happens to one flow, and when somebody looks: (seconds passed, entered, left, whether sampled)."""
    step = st.tuples(st.integers(1, 5), st.integers(0, 9), st.integers(0, 9), st.booleans())
    return draw(st.lists(step, max_size=40))


@given(courses(), st.booleans())
def test_an_age_is_a_lower_bound_whatever_overtakes_what(course, fifo):
    """Whichever events leave first, the oldest left behind is at least as old; and none is told of none."""
    health, on_its_way, entered, left, now_s = Health(), deque(), 0, 0, 0
    sampled_s = []
    for passed_s, more, fewer, sampled in course:
        now_s += passed_s
        on_its_way.extend([now_s] * more)
        entered += more
        for _ in range(min(fewer, len(on_its_way))):
            _ = on_its_way.popleft() if fifo else on_its_way.pop()
            left += 1
        if sampled:
            health = health.after(flow(now_s, entered, left))
            sampled_s.append(now_s)
        age_s = health.oldest_s(flow(now_s, entered, left))
        if not on_its_way:
            assert age_s is None
            continue
        assert 0 <= age_s <= now_s - on_its_way[0]
        if fifo:  # and it misses no more than the time until the next sample
            seen_s = next((at_s for at_s in sampled_s if at_s >= on_its_way[0]), now_s)
            assert age_s == now_s - seen_s


# -- rates and shares ---------------------------------------------------------------------------------


def test_a_rate_is_that_of_the_last_seconds():
    samples = [Sample(float(second), progress=second * 10) for second in range(11)]
    samples += [Sample(10.0 + second, progress=100 + second * 2) for second in range(1, 11)]
    health = after(*samples)

    assert health.rate(Sample(20.5, progress=121)) == pytest.approx(11 / 5.5)
    assert len(health.samples) < 8


def test_a_rate_is_never_negative_nor_infinite():
    health = after(Sample(1.0, progress=10))

    assert health.rate(Sample(2.0, progress=5)) == 0.0
    assert health.rate(Sample(1.0, progress=20)) == 0.0


def test_a_share_of_time_is_that_of_the_last_seconds_from_0_to_1():
    def busy(at_s, busy_s):
        return Sample(at_s, work={"a": Work(0, busy_s)})

    health = after(busy(0.0, 0.0), busy(10.0, 0.0), busy(11.0, 0.5), busy(12.0, 1.0))

    assert health.busy("a", busy(14.0, 1.0)) == pytest.approx(1.0 / 14.0)
    assert after(busy(0.0, 0.0)).busy("a", busy(2.0, 5.0)) == 1.0
    assert after(busy(0.0, 3.0)).busy("a", busy(2.0, 1.0)) == 0.0
    assert after(Sample(0.0), busy(1.0, 0.0)).busy("a", busy(2.0, 0.5)) == 0.25
    assert Health().busy("a", busy(2.0, 1.0)) == 0.0


def test_a_stage_is_still_since_the_first_sample_with_its_figures():
    def work(at_s, events):
        return Sample(at_s, work={"a": Work(events, 0.0)})

    health = after(work(0.0, 0), work(1.0, 5), work(2.0, 5), work(3.0, 5))

    assert health.still_s("a", work(7.5, 5)) == 6.5
    assert health.still_s("a", work(7.5, 6)) is None
    assert health.still_s("b", work(7.5, 5)) is None


def test_samples_are_kept_for_the_window_only():
    health = after(*(Sample(float(second)) for second in range(1_000)))

    assert [sample.at_s for sample in health.samples] == [994.0, 995.0, 996.0, 997.0, 998.0, 999.0]
