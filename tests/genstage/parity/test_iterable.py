"""Producers over iterables: how much they pull, and how they end."""

import re
import sys
import threading
from itertools import count

import pytest

from genstage import (
    BroadcastDispatcher,
    DemandDispatcher,
    OptionError,
    PartitionDispatcher,
    Runtime,
    Shutdown,
    StartError,
)
from genstage._core.reasons import Crash, Named, Normal
from genstage.iterable import IterableProducer

MANUAL = {"modes": {"producer": "manual"}}
OOPS = Named("oops")


class Pulled:
    """An iterator that counts what is pulled from it, the end too."""

    def __init__(self, end=None):
        self.pulls, self.end = 0, end

    def __iter__(self):
        return self

    def __next__(self):
        if self.pulls == self.end:
            raise StopIteration
        self.pulls += 1
        return self.pulls


@pytest.fixture
def source(stages):
    def source(iterable, **options):
        return stages.runtime.from_iterable(iterable, name=options.pop("name", "source"), **options)

    return source


@pytest.fixture
def manual(stages):
    """A consumer that asks by hand, its cancels tolerated."""

    def manual(source, name="consumer", **options):
        subscription = stages.consumer(name).subscribe(source, cancel="temporary", **MANUAL, **options)

        def ask(count):
            subscription.ask(count)
            stages.settle()

        return subscription, ask

    return manual


def batches(stages, name="consumer"):
    return stages.of(name, "events")


# -- how much it pulls --------------------------------------------------------------------------------


def test_it_pulls_exactly_what_is_asked_for_and_nothing_before(stages, source, manual):
    pulled = Pulled()
    _, ask = manual(source(pulled))
    stages.settle()
    assert pulled.pulls == 0
    for asked, pulls in ((2, 2), (3, 5)):
        ask(asked)
        assert pulled.pulls == pulls
    assert batches(stages) == [[1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("end", "options", "expected"),
    [
        (10, {}, [10]),
        (1_000, {}, [500, 500]),
        (1_500, {}, [500, 500, 500]),
        (10, {"max_demand": 4, "min_demand": 2}, [2, 2, 2, 2, 2]),
        (0, {}, []),
    ],
)
def test_the_end_comes_behind_the_last_batch_once(stages, source, end, options, expected):
    ref, consumer = source(range(end)), stages.consumer()
    subscription = consumer.subscribe(ref, **options)

    assert stages.ended(ref) == stages.ended(consumer) == Normal()
    assert [len(batch) for batch in batches(stages)] == expected
    assert [event for batch in batches(stages) for event in batch] == list(range(end))
    assert stages.of("consumer", "cancelled") == [("finish", Normal(), subscription)]
    assert [told[1] for told in stages.story.told][-2:] == ["cancelled", "terminated"]


def test_the_end_is_noticed_when_less_comes_than_was_asked_for(stages, source, manual):
    ref = source(range(4))
    _, ask = manual(ref)
    ask(4)
    assert ref.alive
    ask(1)
    assert stages.ended(ref) == Normal()
    assert batches(stages) == [[0, 1, 2, 3]]


def test_more_can_be_asked_for_than_any_sequence_holds(stages, source, manual):
    ref = source(range(4))
    _, ask = manual(ref)
    ask(sys.maxsize + 1)
    assert stages.ended(ref) == Normal()
    assert batches(stages) == [[0, 1, 2, 3]]


def test_an_empty_iterable_ends_at_the_first_demand(stages, source, manual):
    ref = source([])
    stages.settle()
    assert ref.alive
    _, ask = manual(ref)
    ask(1)
    assert stages.ended(ref) == Normal()


@pytest.mark.parametrize("cancel", ["transient", "temporary"])
def test_who_is_not_permanent_outlives_the_data(stages, source, cancel):
    ref, consumer = source(["abc"]), stages.consumer()
    consumer.subscribe(ref, cancel=cancel)
    assert stages.ended(ref) == Normal()
    stages.settle()
    assert consumer.alive


def test_the_end_waits_for_what_a_dispatcher_still_holds(stages, source, manual):
    ref = source(
        range(1, 6), dispatcher=PartitionDispatcher(partitions=[0, 1], hash=lambda event: (event, 0))
    )
    _, ask_one = manual(ref, "one", partition=1)
    _, ask_zero = manual(ref, "zero", partition=0)
    ask_one(10)
    assert ref.alive
    ask_zero(2)
    assert (ref.alive, batches(stages, "zero")) == (True, [[1, 2]])
    ask_zero(5)

    assert stages.ended(ref) == Normal()
    assert batches(stages, "zero") == [[1, 2], [3, 4, 5]]


# -- what it takes ------------------------------------------------------------------------------------


def numbers():
    yield from range(3)


@pytest.mark.parametrize(
    "iterable",
    [[0, 1, 2], (0, 1, 2), range(3), {0: 1, 1: 2, 2: 3}.keys(), iter(range(3)), numbers(), numbers],
    ids=lambda iterable: type(iterable).__name__,
)
def test_iterables_iterators_and_functions_that_make_them(stages, source, iterable):
    assert list(stages.runtime.stream([source(iterable)])) == [0, 1, 2]


async def asynchronous():
    yield 1


async def coroutine():
    return [1]


@pytest.mark.parametrize(
    "iterable",
    ["text", b"text", {"a": 1}, 5, None, asynchronous, coroutine],
    ids=lambda value: getattr(value, "__name__", repr(value)),  # a repr with an address differs by process
)
def test_what_nobody_means_is_refused_at_once(source, iterable):
    expected = (
        "option 'iterable': must be an iterable of events (no text or mapping), or a function that makes one"
    )
    with pytest.raises(OptionError, match=re.escape(expected)):
        source(iterable)


def test_a_function_that_makes_no_iterable_is_refused_at_the_start(source):
    with pytest.raises(OptionError, match="'text'"):
        source(lambda: "text")


def test_a_function_that_fails(source, expected_errors):
    with pytest.raises(StartError) as caught:
        source(lambda: 1 / 0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert expected_errors


def test_a_function_is_called_in_the_stages_own_thread(stages, source):
    def where():
        yield threading.current_thread().name

    assert list(stages.runtime.stream([source(where, blocking=True)])) == ["parity-source"]


@pytest.mark.parametrize(
    ("option", "value"), [("on_cancel", "never"), ("demand", "never"), ("dispatcher", 3), ("name", "")]
)
def test_wrong_options_are_refused(source, option, value):
    with pytest.raises(OptionError) as caught:
        source([], **{option: value})
    assert (caught.value.option, caught.value.value) == (option, value)


# -- how it ends --------------------------------------------------------------------------------------


def test_it_waits_for_others_when_its_consumers_have_gone(stages, source, manual):
    ref = source(count())
    subscription, ask = manual(ref)
    ask(2)
    subscription.cancel()
    stages.settle()
    assert ref.alive
    _, ask = manual(ref, "next")
    ask(2)
    assert batches(stages, "next") == [[2, 3]]


@pytest.mark.parametrize("leave", ["cancel", "end", "kill"])
def test_it_stops_with_its_last_consumer_if_told_to(stages, source, manual, leave):
    ref = source(count(), on_cancel="stop")
    subscriptions = {name: manual(ref, name)[0] for name in ("one", "other")}
    stages.settle()
    for name, subscription in subscriptions.items():
        assert ref.alive
        if leave == "cancel":
            subscription.cancel(OOPS)
        elif leave == "end":
            stages.runtime.find(name).stop(OOPS)
        else:
            stages.kill(stages.runtime.find(name))
        stages.settle()

    assert stages.ended(ref) == Normal()


def test_an_iterator_that_fails_ends_the_stage_with_its_exception(stages, source, expected_errors):
    def failing():
        yield 1
        raise ValueError("boom")

    ref, consumer = source(failing), stages.consumer()
    consumer.subscribe(ref, max_demand=1)
    reason = stages.ended(consumer)

    assert str(reason) == "ValueError: boom"
    assert reason == ref.reason == Crash(reason.exception)
    assert batches(stages) == [[1]]
    assert len(expected_errors) == 1


@pytest.mark.parametrize("how", ["stopped", "exhausted", "never asked"])
def test_a_generator_is_closed_at_the_end(stages, source, manual, how):
    closed = []

    def generator():
        try:
            yield from range(5)
        finally:
            closed.append(threading.current_thread().name)

    generated = generator()  # kept here, so that it is not closed for want of references
    ref = source(generated, blocking=True)
    _, ask = manual(ref)
    if how != "never asked":
        ask(3 if how == "stopped" else 10)
    if how != "exhausted":
        ref.stop(Shutdown())
    stages.ended(ref)
    assert closed == ([] if how == "never asked" else ["parity-source"])
    assert list(generated) == []


def test_what_is_no_generator_is_left_open(stages, source, tmp_path):
    (tmp_path / "lines").write_text("one\ntwo\n")
    with (tmp_path / "lines").open() as lines:
        assert list(stages.runtime.stream([source(lines)])) == ["one\n", "two\n"]
        assert not lines.closed


def test_a_message_that_it_does_not_know_is_logged(stages, source, caplog):
    ref = source([1])
    ref.send("junk")
    stages.settle()
    assert ref.demand() == "forward"
    assert [record.event for record in caplog.records] == ["unexpected message"]


def test_it_ends_with_whom_it_is_linked_to(stages, source):
    owner = stages.consumer()
    ref, alone = source(count(), linked_to=owner), source(count(), name="alone")
    owner.stop(OOPS)
    assert stages.ended(ref) == OOPS
    assert alone.alive


# -- options ------------------------------------------------------------------------------------------


def test_dispatcher_and_demand_mode(stages, source):
    ref = source(range(4), dispatcher=BroadcastDispatcher(), demand="accumulate")
    for name in ("one", "other"):
        stages.consumer(name).subscribe(ref)
    stages.settle()
    assert ref.demand() == "accumulate"
    ref.set_demand("forward")
    stages.ended(ref)
    stages.settle()
    assert batches(stages, "one") == batches(stages, "other") == [[0, 1, 2, 3]]


def test_names(stages, source):
    assert stages.runtime.find("source") is None
    assert stages.runtime.find(source([]).name).name == "source"
    with Runtime() as other:
        assert re.fullmatch(r"iterable-\d+", other.from_iterable([]).name)


def test_the_stage_alone():
    producer = IterableProducer(range(3), dispatcher=DemandDispatcher())
    assert set(producer.init()) == {"dispatcher", "demand"}
    assert producer.handle_demand(2) == [0, 1]
    assert producer.handle_demand(2).events == [2]
    assert repr(producer) == "<IterableProducer over range(0, 3)>"
