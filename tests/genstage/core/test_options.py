"""Every option of stages, subscriptions and dispatchers: its default, and how a wrong value is refused."""

import threading
from math import inf, nan

import pytest

from genstage._core.checks import LONGEST_S, check_seconds
from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage._core.dispatchers.demand import DemandDispatcher
from genstage._core.options import StageOptions, SubscriptionOptions, stage_options, subscription_options
from genstage.errors import OptionError

A_DISPATCHER = "a dispatcher, such as BroadcastDispatcher()"
STAGES = "a list of stages or (stage, options) pairs"
OF_A_PRODUCER = "one of dispatcher, buffer_size, buffer_keep, demand for a producer"
OF_BOTH = "one of dispatcher, subscribe_to, buffer_size, buffer_keep for a producer_consumer"
OF_A_CONSUMER = "one of subscribe_to for a consumer"


def options(kind, **given):
    return stage_options(kind, given, DemandDispatcher)


def refused(function, *arguments, **given):
    with pytest.raises(OptionError) as error:
        function(*arguments, **given)
    return error.value.option, error.value.value, error.value.expected


# -- stages -------------------------------------------------------------------------------------------


def test_defaults():
    producer = options("producer")
    assert isinstance(producer.dispatcher, DemandDispatcher)
    assert producer == StageOptions(producer.dispatcher, (), 10_000, "last", "forward")
    middle = options("producer_consumer")
    assert middle == StageOptions(middle.dispatcher, (), None, "last", "forward")
    assert options("consumer") == StageOptions(None, (), None, "last", "forward")


def test_what_is_given_is_taken():
    dispatcher = BroadcastDispatcher()
    given = {"dispatcher": dispatcher, "buffer_size": 1, "buffer_keep": "first", "demand": "accumulate"}
    assert options("producer", **given) == StageOptions(dispatcher, (), 1, "first", "accumulate")
    assert options("producer", buffer_size=None).buffer_size is None
    wanted = ["p1", ("p2", {"max_demand": 1})]
    assert options("consumer", subscribe_to=wanted).subscribe_to == wanted


@pytest.mark.parametrize(
    ("kind", "given", "wrong", "expected"),
    [
        ("producer", {"dispatcher": 0}, "dispatcher", A_DISPATCHER),
        ("producer", {"dispatcher": BroadcastDispatcher}, "dispatcher", A_DISPATCHER),
        ("producer_consumer", {"dispatcher": "broadcast"}, "dispatcher", A_DISPATCHER),
        ("producer", {"buffer_size": -1}, "buffer_size", "1 or more"),
        ("producer", {"buffer_size": 0}, "buffer_size", "1 or more"),
        ("producer", {"buffer_size": 1.5}, "buffer_size", "an integer"),
        ("producer", {"buffer_size": True}, "buffer_size", "an integer"),
        ("producer_consumer", {"buffer_size": "infinity"}, "buffer_size", "an integer"),
        ("producer", {"buffer_keep": "middle"}, "buffer_keep", "one of first, last"),
        ("producer_consumer", {"buffer_keep": None}, "buffer_keep", "one of first, last"),
        ("producer", {"demand": "hold"}, "demand", "one of forward, accumulate"),
        ("producer", {"demand": []}, "demand", "one of forward, accumulate"),
        ("consumer", {"subscribe_to": "p1"}, "subscribe_to", STAGES),
        ("producer_consumer", {"subscribe_to": {"p1": {}}}, "subscribe_to", STAGES),
        ("consumer", {"subscribe_to": [("p1",)]}, "subscribe_to", STAGES),
        ("consumer", {"subscribe_to": [("p1", 5)]}, "subscribe_to", STAGES),
        ("consumer", {"subscribe_to": None}, "subscribe_to", STAGES),
    ],
)
def test_a_wrong_option_says_its_name_its_value_and_what_is_allowed(kind, given, wrong, expected):
    assert refused(options, kind, **given) == (wrong, given[wrong], expected)


@pytest.mark.parametrize(
    ("kind", "given", "wrong", "expected"),
    [
        ("producer", {"bufer_size": 1}, "bufer_size", OF_A_PRODUCER),
        ("producer", {"subscribe_to": []}, "subscribe_to", OF_A_PRODUCER),
        ("producer_consumer", {"demand": "anything"}, "demand", OF_BOTH),
        ("consumer", {"foo": 1}, "foo", OF_A_CONSUMER),
        ("consumer", {"buffer_size": -1}, "buffer_size", OF_A_CONSUMER),
        ("consumer", {"buffer_keep": "last"}, "buffer_keep", OF_A_CONSUMER),
        ("consumer", {"demand": "forward"}, "demand", OF_A_CONSUMER),
        ("consumer", {"dispatcher": BroadcastDispatcher()}, "dispatcher", OF_A_CONSUMER),
    ],
)
def test_an_option_that_the_kind_of_stage_has_not_is_refused(kind, given, wrong, expected):
    assert refused(options, kind, **given) == (wrong, given[wrong], expected)


@pytest.mark.parametrize(
    ("kind", "given", "first"),
    [
        ("producer", ["foo", "demand", "buffer_keep", "buffer_size", "dispatcher"], "dispatcher"),
        ("producer", ["foo", "demand", "buffer_keep", "buffer_size"], "buffer_size"),
        ("producer", ["foo", "demand", "buffer_keep"], "buffer_keep"),
        ("producer", ["foo", "demand"], "demand"),
        ("producer_consumer", ["foo", "buffer_keep", "buffer_size", "subscribe_to"], "subscribe_to"),
        ("consumer", ["foo", "subscribe_to"], "subscribe_to"),
    ],
)
def test_of_several_wrong_options_one_is_told_as_in_genstage(kind, given, first):
    assert refused(options, kind, **dict.fromkeys(given, "wrong"))[0] == first


def test_a_dispatcher_that_lacks_methods_is_told_which():
    class Half:
        def dispatch(self, events):
            return events

    half = Half()
    _, value, expected = refused(options, "producer", dispatcher=half)
    assert value is half
    assert expected == (
        "a subclass of Dispatcher, or have start, subscribe, ask, cancel, room, expects, owed, waiting, "
        "kept, buffered, drained, info, settle too"
    )


def test_a_dispatcher_belongs_to_one_stage(bench):
    dispatcher = BroadcastDispatcher()
    bench("producer", {"dispatcher": dispatcher})
    expected = "a new one, made in init: this one belongs to a stage already"
    assert refused(options, "producer", dispatcher=dispatcher) == ("dispatcher", dispatcher, expected)


# -- subscriptions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (1000, 500, "permanent")),
        ({"max_demand": 3}, (3, 1, "permanent")),
        ({"max_demand": 1}, (1, 0, "permanent")),
        ({"min_demand": 999}, (1000, 999, "permanent")),
        ({"max_demand": 7, "min_demand": 0, "cancel": "temporary"}, (7, 0, "temporary")),
    ],
)
def test_the_window_is_half_full_by_default(given, expected):
    assert subscription_options(given) == SubscriptionOptions(*expected)


WRONG_SUBSCRIPTIONS = [
    ({"max_demand": 0}, "max_demand", "1 or more"),
    ({"max_demand": True}, "max_demand", "an integer"),
    ({"max_demand": 1.0}, "max_demand", "an integer"),
    ({"max_demand": float("inf")}, "max_demand", "an integer"),
    ({"max_demand": None}, "max_demand", "an integer"),
    ({"min_demand": -1}, "min_demand", "0 or more"),
    ({"min_demand": 1000}, "min_demand", "999 or less"),
    ({"max_demand": 5, "min_demand": 5}, "min_demand", "4 or less"),
    ({"min_demand": "1"}, "min_demand", "an integer"),
    ({"cancel": "foo"}, "cancel", "one of permanent, transient, temporary"),
    ({"max_demand": 0, "min_demand": -1, "cancel": "foo"}, "max_demand", "1 or more"),
    ({"min_demand": -1, "cancel": "foo"}, "min_demand", "0 or more"),
    ({"max_demnd": 5, "cancel": "foo"}, "cancel", "one of permanent, transient, temporary"),
]


@pytest.mark.parametrize(("given", "wrong", "expected"), WRONG_SUBSCRIPTIONS)
def test_a_wrong_option_of_a_subscription_is_refused(given, wrong, expected):
    assert refused(subscription_options, given) == (wrong, given[wrong], expected)


@pytest.mark.parametrize(
    "name", ["max_demnd", "maxdemand", "max-demand", "min_demands", "cancl", "partitions"]
)
def test_a_slip_in_an_options_name_is_refused_with_the_name_that_was_meant(name):
    with pytest.raises(OptionError, match=r"must be written (max_demand|min_demand|cancel|partition), got 5"):
        subscription_options({name: 5})


@pytest.mark.parametrize("name", ["note", "mode", "partition", "selector", "demand", "color", 7])
def test_other_options_are_for_the_dispatcher_and_the_callbacks(name):
    assert subscription_options({name: 5}) == SubscriptionOptions(1000, 500, "permanent")


@pytest.mark.parametrize("kind", ["consumer", "producer_consumer"])
@pytest.mark.parametrize(("given", "wrong", "expected"), WRONG_SUBSCRIPTIONS)
def test_a_stage_does_not_start_with_a_wrong_subscription(kind, given, wrong, expected):
    found = refused(options, kind, subscribe_to=["p1", ("p2", given)])
    assert found == (wrong, given[wrong], expected)


# -- dispatchers (those of the partition dispatcher stand in its own tests) ------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"max_demand": 0}, "1 or more"),
        ({"max_demand": "5"}, "an integer"),
        ({"shuffle_demands_on_first_dispatch": "yes"}, "True or False"),
        ({"shuffle_demands_on_first_dispatch": None}, "True or False"),
        ({"seed": -1}, "0 or more"),
        ({"seed": 1.5}, "an integer"),
    ],
)
def test_a_wrong_option_of_the_demand_dispatcher_is_refused(given, expected):
    ((name, value),) = given.items()
    assert refused(DemandDispatcher, **given) == (name, value, expected)


@pytest.mark.parametrize("selector", ["even", 5, []])
def test_a_wrong_selector_is_refused(selector):
    dispatcher = BroadcastDispatcher()
    found = refused(dispatcher.subscribe, 1, "c1", {"selector": selector})
    assert found == ("selector", selector, "a function of one event")


@pytest.mark.parametrize(
    "value", [-1, True, "1", None, nan, inf, LONGEST_S + 1, 1e300, 10**400], ids=lambda value: str(value)[:9]
)
def test_a_duration_that_no_thread_can_wait_is_refused(value):
    with pytest.raises(OptionError, match="option 'timeout_s': must be"):
        check_seconds("timeout_s", value)


def test_the_longest_duration_is_one_that_a_thread_can_wait():
    waiting = threading.Event()
    waiting.set()
    assert waiting.wait(check_seconds("timeout_s", LONGEST_S))
    released = threading.Timer(0, (later := threading.Event()).set)
    released.start()
    assert later.wait(check_seconds("timeout_s", LONGEST_S))
    released.join()
