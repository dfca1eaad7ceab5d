import pytest

from genstage._core import messages as m
from genstage._core.reasons import BadReturn, Crash, Named, NoProc
from genstage._core.results import Stop
from genstage._core.stage import StageCore

OOPS = Named("oops")


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
        (lambda: Stop(None), BadReturn("Stop", None)),
        (lambda: Stop("oops"), BadReturn("Stop", "oops")),
        (lambda: ["options"], BadReturn("init", ["options"])),
        (lambda: {"subscribe_to": ["nobody"]}, NoProc()),
        (lambda: {"subscribe_to": ["p1"]}, OOPS),
    ],
    ids=[
        "stops",
        "stops with no reason",
        "stops with text",
        "returns no options",
        "names nobody",
        "is refused by handle_subscribe",
    ],
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
