import threading
from functools import partial
from operator import add

import pytest

from genstage import OptionError, Runtime
from genstage.pipeline import Filter, FlatMap, ForEach, Map, Reduce, ToList
from genstage.pipeline.functions import name_of


def test_each_stage_takes_a_whole_batch_at_a_time():
    seen = []
    assert Map(str).handle_events(range(3), None) == ["0", "1", "2"]
    assert Filter(lambda n: n % 2).handle_events(range(5), None) == [1, 3]
    assert FlatMap(lambda n: (n,) * n).handle_events(range(4), None) == [1, 2, 2, 3, 3, 3]
    assert FlatMap(iter).handle_events([[1], [], [2, 3]], None) == [1, 2, 3]
    assert ForEach(seen.append).handle_events(range(3), None) is None
    assert seen == [0, 1, 2]
    assert [stage([], None) for stage in (Map(str).handle_events, ToList().handle_events)] == [[], None]


def test_the_function_is_called_once_for_each_event_and_nothing_else():
    for make in (Map, Filter, FlatMap, ForEach):
        calls = []
        make(lambda event, calls=calls: calls.append(event) or [event]).handle_events([3, 1, 2], None)
        assert calls == [3, 1, 2]
    calls = []
    Reduce(lambda value, event: calls.append((value, event)) or event, 0).handle_events([3, 1], None)
    assert calls == [(0, 3), (3, 1)]


class Frozen(Exception):  # noqa: N818 - it only takes no notes
    add_note = None


@pytest.mark.parametrize(
    "make", [Map, Filter, FlatMap, ForEach, lambda f: Reduce(lambda _, event: f(event), 0)]
)
@pytest.mark.parametrize("events", [[1, 2, 0, 3], (1, 2, 0, 3), range(2, -1, -1)])
def test_what_a_function_raises_tells_the_event(make, events):
    with pytest.raises(ZeroDivisionError) as caught:
        make(lambda n: [1 / n]).handle_events(events, None)
    assert caught.value.__notes__ == [f"at event 3 of {len(events)}: 0"]


def test_an_event_is_told_in_short_and_notes_need_not_be_taken():
    def fail(event):
        raise event

    with pytest.raises(ValueError, match=r"^x+") as caught:
        Map(fail).handle_events([ValueError("x" * 10_000)], None)
    assert len(caught.value.__notes__[0]) < 100
    with pytest.raises(Frozen):
        Map(fail).handle_events([Frozen()], None)


def test_flat_map_tells_the_event_whose_results_fail():
    def results(n):
        yield n
        yield 1 / n

    with pytest.raises(ZeroDivisionError) as caught:
        FlatMap(results).handle_events([1, 0, 2], None)
    assert caught.value.__notes__ == ["at event 2 of 3: 0"]


@pytest.mark.parametrize(
    ("make", "outcome"), [(partial(Reduce, add, 10), 16), (ToList, [1, 2, 3]), (partial(ForEach, str), None)]
)
def test_the_result_is_set_at_the_end(make, outcome):
    stages = []
    with Runtime() as runtime:
        numbers = runtime.from_iterable([1, 2, 3], demand="accumulate")
        sink = runtime.start(lambda: stages.append(make()) or stages[-1])
        sink.subscribe(numbers)
        numbers.set_demand("forward")
        sink.wait(timeout_s=20)
    assert stages[0].stage._port.result == outcome


@pytest.mark.parametrize("make", [Map, Filter, FlatMap, ForEach, lambda function: Reduce(function, 0)])
@pytest.mark.parametrize("function", [None, "text", Map, ToList, ToList(), threading])
def test_what_is_no_function_is_refused(make, function):
    with pytest.raises(OptionError) as caught:
        make(function)
    assert (caught.value.option, caught.value.value) == ("function", function)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (str.upper, "upper"),
        (len, "len"),
        (lambda n: n, None),
        (partial(partial(add, 1)), "add"),
        (partial(lambda n: n), None),
        (Map, "Map"),
        (3, None),
    ],
)
def test_functions_and_classes_have_names(function, name):
    assert name_of(function) == name


def test_stages_show_their_functions():
    assert repr(Map(len)) == "<Map len>"
    assert repr(Filter(lambda n: n)).startswith("<Filter <function ")
