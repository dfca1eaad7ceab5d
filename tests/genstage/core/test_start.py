import pytest

from genstage._core import messages as m
from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage._core.dispatchers.demand import DemandDispatcher
from genstage._core.options import StageOptions, stage_options, subscription_options
from genstage._core.reasons import BadReturn, Crash, Named, NoProc
from genstage._core.results import Stop
from genstage._core.stage import StageCore
from genstage.errors import OptionError

OOPS = Named("oops")


def options(kind, **given):
    return stage_options(kind, given, DemandDispatcher)


def test_defaults():
    producer = options("producer")
    assert isinstance(producer.dispatcher, DemandDispatcher)
    assert producer == StageOptions(producer.dispatcher, (), 10_000, "last", "forward")
    middle = options("producer_consumer")
    assert middle == StageOptions(middle.dispatcher, (), None, "last", "forward")
    assert options("consumer") == StageOptions(None, (), None, "last", "forward")


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, (1000, 500)), ({"max_demand": 3}, (3, 1)), ({"max_demand": 1}, (1, 0))],
)
def test_the_window_is_half_full_by_default(given, expected):
    checked = subscription_options(given)
    assert (checked.max_demand, checked.min_demand, checked.cancel) == (*expected, "permanent")


@pytest.mark.parametrize(
    ("kind", "given", "wrong", "expected"),
    [
        ("producer", {"buffer_size": -1}, "buffer_size", "1 or more"),
        ("producer", {"buffer_size": 0}, "buffer_size", "1 or more"),
        ("producer", {"buffer_size": 1.5}, "buffer_size", "an integer"),
        ("producer", {"buffer_size": True}, "buffer_size", "an integer"),
        ("producer", {"buffer_keep": "middle"}, "buffer_keep", "one of first, last"),
        ("producer", {"demand": "hold"}, "demand", "one of forward, accumulate"),
        ("producer", {"buffer_keep": "x", "demand": "y"}, "buffer_keep", "one of first, last"),
        ("producer", {"dispatcher": 0}, "dispatcher", "a dispatcher, such as BroadcastDispatcher()"),
        (
            "producer",
            {"dispatcher": BroadcastDispatcher},
            "dispatcher",
            "a dispatcher, such as BroadcastDispatcher()",
        ),
        ("consumer", {"subscribe_to": "p1"}, "subscribe_to", "a list of stages or (stage, options) pairs"),
        (
            "consumer",
            {"subscribe_to": [("p1",)]},
            "subscribe_to",
            "a list of stages or (stage, options) pairs",
        ),
        (
            "consumer",
            {"subscribe_to": [("p1", 5)]},
            "subscribe_to",
            "a list of stages or (stage, options) pairs",
        ),
        ("consumer", {"foo": 1}, "foo", "one of subscribe_to for a consumer"),
        ("consumer", {"buffer_size": -1}, "buffer_size", "one of subscribe_to for a consumer"),
        (
            "producer",
            {"subscribe_to": []},
            "subscribe_to",
            "one of dispatcher, buffer_size, buffer_keep, demand for a producer",
        ),
        (
            "producer_consumer",
            {"demand": "anything"},
            "demand",
            "one of dispatcher, subscribe_to, buffer_size, buffer_keep for a producer_consumer",
        ),
        (
            "consumer",
            {"dispatcher": BroadcastDispatcher()},
            "dispatcher",
            "one of subscribe_to for a consumer",
        ),
    ],
)
def test_a_wrong_option_says_its_name_its_value_and_what_is_allowed(kind, given, wrong, expected):
    with pytest.raises(OptionError) as error:
        options(kind, **given)
    assert (error.value.option, error.value.value, error.value.expected) == (wrong, given[wrong], expected)


class Starting:
    """A stage whose ``init`` does what the test says."""

    def __init__(self, init):
        self.init = init

    def handle_subscribe(self, _role, _options, _subscription):
        return Stop(OOPS)

    def terminate(self, _reason):
        raise AssertionError("a stage that did not start does not clean up")


def failing():
    raise ValueError("init")


@pytest.mark.parametrize(
    ("init", "reason"),
    [
        (lambda: Stop(OOPS), OOPS),
        (lambda: ["options"], BadReturn("init", ["options"])),
        (lambda: {"subscribe_to": ["nobody"]}, NoProc()),
        (lambda: {"subscribe_to": ["p1"]}, OOPS),
    ],
    ids=["stops", "returns no options", "names nobody", "is refused by handle_subscribe"],
)
def test_a_start_that_fails_says_why(bench, init, reason):
    port = bench("consumer").port
    port.unknown = {"nobody"}
    assert StageCore(Starting(init), "consumer", port, "starting").start() == reason
    assert port.stopped is None


@pytest.mark.parametrize("init", [failing, lambda: {"foo": 1}], ids=["raises", "gives wrong options"])
def test_an_exception_at_the_start_is_kept(bench, init):
    reason = StageCore(Starting(init), "consumer", bench("consumer").port, "starting").start()
    assert isinstance(reason, Crash)
    assert isinstance(reason.exception, ValueError)


def test_only_producers_have_a_buffer(bench):
    consumer = bench("consumer")
    assert consumer.handle(m.EstimateBuffered("caller")) == [("report", "not_a_producer", {})]
    producer = bench("producer")
    producer.emit(1, 2)
    producer.handle(m.EstimateBuffered("caller"))
    assert (consumer.port.replies, producer.port.replies) == ([("caller", 0)], [("caller", 2)])
