import pytest

from genstage._core.demand import Window


@pytest.mark.parametrize(
    ("max_demand", "min_demand", "messages", "handled"),
    [
        (1000, 500, [1000, 500], [[(500, 500), (500, 500)], [(500, 500)]]),
        (100, 80, [100, 20], [[(20, 20)] * 5, [(20, 20)]]),
        (100, 20, [100, 80, 100], [[(80, 80), (20, 0)], [(80, 100)], [(80, 80), (20, 0)]]),
        (100, 0, [100, 100], [[(100, 100)], [(100, 100)]]),
        (1, 0, [1, 1], [[(1, 1)], [(1, 1)]]),
        (10, 5, [1] * 6, [[(1, 0)]] * 4 + [[(1, 5)], [(1, 0)]]),
        (10, 5, [3] * 4, [[(3, 0)], [(3, 6)], [(3, 0)], [(3, 6)]]),
        (100, 80, [30, 30], [[(20, 20), (10, 0)], [(20, 30), (10, 0)]]),
        (10, 8, [10], [[(2, 2)] * 5]),
        (10, 9, [10], [[(1, 1)] * 10]),
        (7, 3, [7, 4], [[(4, 4), (3, 0)], [(4, 7)]]),
        (3, 1, [3, 2], [[(2, 2), (1, 0)], [(2, 3)]]),
        (1000, 750, [100, 100, 100], [[(100, 0)], [(100, 0)], [(100, 300)]]),
        (5, 2, [0], [[]]),
    ],
)
def test_batches_and_asks(max_demand, min_demand, messages, handled):
    window = Window(max_demand, min_demand)
    seen = []
    for size in messages:
        batches, excesses = window.split(range(size))
        assert list(excesses) == []
        assert [event for batch, _ in batches for event in batch] == list(range(size))
        seen.append([(len(batch), ask) for batch, ask in batches])
    assert seen == handled


@pytest.mark.parametrize(
    ("max_demand", "min_demand", "messages", "last", "excesses"),
    [
        (10, 5, [25], [(5, 5), (5, 5), (5, 0), (5, 0), (5, 0)], [5, 5, 5]),
        (10, 0, [3, 3, 3, 3], [(3, 10)], [2]),
        (10, 0, [6, 12], [(10, 10), (2, 0)], [6, 2]),
    ],
)
def test_excess_is_handled_and_earns_no_credit(max_demand, min_demand, messages, last, excesses):
    window = Window(max_demand, min_demand)
    for size in messages[:-1]:
        window.split(range(size))
    batches, seen = window.split(range(messages[-1]))
    assert [(len(batch), ask) for batch, ask in batches] == last
    assert seen == excesses


def test_a_message_within_the_limit_is_not_copied():
    events = [1, 2, 3]
    (((batch, _),), _) = Window(10, 5).split(events)
    assert batch is events
