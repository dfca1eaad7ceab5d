"""What a failed run leaves behind: whose failure it was, in which callback, with what at hand."""

import pickle
import threading
import traceback

import pytest

from genstage import (
    AtHand,
    Consumer,
    Crash,
    Edge,
    Finish,
    Graph,
    Killed,
    LostError,
    Node,
    Pipeline,
    PipelineError,
    Producer,
    ProducerConsumer,
    Shutdown,
    StageFailure,
)
from genstage._core.reasons import BadReturn

DEADLINE_S = 20.0


class Numbers(Producer):
    def __init__(self, fails="", value=None):
        self.fails, self.value = fails, value

    def init(self):
        self.fail("init")

    def fail(self, callback, result=()):
        if self.fails != callback:
            return result
        if self.value is not None:
            return self.value
        raise ValueError("boom")

    def handle_subscribe(self, *_):
        return self.fail("handle_subscribe", "automatic")

    def handle_cancel(self, *_):
        return self.fail("handle_cancel")

    def handle_demand(self, demand):
        self.stage.send("note")
        if self.fails == "handle_demand":
            return self.fail("handle_demand")
        events = list(range(demand))
        return Finish(events) if self.fails == "terminate" else events

    def handle_info(self, _message):
        return self.fail("handle_info")

    def handle_drain(self):
        return self.fail("handle_drain")

    def terminate(self, _reason):
        self.fail("terminate")


class Through(ProducerConsumer):
    def __init__(self, fails="", value=None):
        self.fails, self.value = fails, value

    def handle_events(self, events, _):
        if self.fails == "handle_events":
            if self.value is not None:
                return self.value
            raise ValueError("boom")
        return events


class Sink(Consumer):
    def __init__(self, fails=None):
        self.fails = fails

    def handle_events(self, events, _):
        if self.fails:
            self.fails(events)


def failed(numbers=Numbers, through=Through, sink=Sink, *, drain=False):
    """The error of a run in which something fails."""
    graph = Graph(
        (Node("numbers", numbers), Node("through", through), Node("sink", sink, blocking=True)),
        (Edge("through", "numbers", {"max_demand": 10}), Edge("sink", "through", {"max_demand": 4})),
    )
    run = Pipeline.of("pipe", graph).run()
    if drain:
        run.drain(timeout_s=DEADLINE_S)
    with pytest.raises(PipelineError) as caught:
        run.wait(DEADLINE_S)
    assert run.failures == {caught.value.failures[0].stage: caught.value.failures[0]}
    return caught.value


@pytest.mark.parametrize(
    ("callback", "at_hand"),
    [
        ("init", AtHand("init")),
        ("handle_demand", AtHand("handle_demand", "10")),
        ("handle_info", AtHand("handle_info", "'note'")),
        ("handle_subscribe", AtHand("handle_subscribe", "{'max_demand': 10}")),
        ("terminate", AtHand("terminate")),
    ],
)
def test_a_failure_names_the_callback_and_what_it_was_called_with(expected_errors, callback, at_hand):
    error = failed(numbers=lambda: Numbers(callback))

    (failure,) = error.failures
    assert (failure.stage, failure.at_hand) == ("numbers", at_hand)
    assert error.__cause__ is failure.exception
    assert error.__cause__.__notes__ == [f"in stage 'numbers', {at_hand}"]
    assert expected_errors


def test_a_failing_drain_is_named(expected_errors):
    error = failed(numbers=lambda: Numbers("handle_drain"), drain=True)

    assert error.failures[0].at_hand == AtHand("handle_drain")
    assert expected_errors


def test_a_failure_keeps_the_events_at_hand_as_text(expected_errors):
    error = failed(through=lambda: Through("handle_events"))

    assert error.failures[0].at_hand == AtHand("handle_events", "[0, 1, 2, 3, 4]", 5)
    assert str(error.failures[0].at_hand) == "handle_events, 5 events: [0, 1, 2, 3, 4]"
    assert error.__cause__.__notes__ == ["in stage 'through', handle_events, 5 events: [0, 1, 2, 3, 4]"]
    assert traceback.extract_tb(error.__cause__.__traceback__)[-1].line == 'raise ValueError("boom")'
    assert expected_errors


@pytest.mark.parametrize("stage", ["numbers", "through"])
def test_what_a_callback_must_not_return_is_told_with_the_events_too(expected_errors, stage):
    if stage == "numbers":
        error = failed(numbers=lambda: Numbers("handle_demand", value="text"))
        at_hand = AtHand("handle_demand", "10")
    else:
        error = failed(through=lambda: Through("handle_events", value="text"))
        at_hand = AtHand("handle_events", "[0, 1, 2, 3, 4]", 5)

    (failure,) = error.failures
    assert isinstance(failure.reason, BadReturn)
    assert (failure.stage, failure.at_hand) == (stage, at_hand)
    assert error.__cause__ is None
    assert expected_errors


class Wide:
    """Says far too much, or nothing."""

    def __init__(self, *, broken=False):
        self.broken = broken

    def __repr__(self):
        if self.broken:
            raise RuntimeError("no")
        return "wide " * 10_000


@pytest.mark.parametrize("broken", [False, True])
def test_the_text_is_bounded_and_never_fails_itself(expected_errors, broken):
    class Wides(Producer):
        def handle_demand(self, demand):
            return [Wide(broken=broken)] * demand

    error = failed(numbers=Wides, through=lambda: Through("handle_events"))

    assert len(error.failures[0].at_hand.shown) < 700
    assert error.failures[0].at_hand.events == 5
    assert expected_errors


def test_several_failures_of_one_attempt_are_a_group(line, gate, expected_errors):
    reached = threading.Event()

    def second(moment):
        if moment != "init":
            reached.set()
            gate.wait(DEADLINE_S)
            raise KeyError("second")

    def first(moment):
        if moment != "init":
            reached.wait(DEADLINE_S)
            raise ValueError("first")

    line.traps["left"], line.traps["right"] = first, second
    run = Pipeline.of("line", line.graph()).run()
    while run.statistics().state != "stopping":
        threading.Event().wait(0.001)
    gate.set()
    with pytest.raises(PipelineError, match="stage 'left' failed: ValueError: first") as caught:
        run.wait(DEADLINE_S)

    group = caught.value.__cause__
    assert isinstance(group, ExceptionGroup)
    assert [type(error) for error in group.exceptions] == [ValueError, KeyError]
    assert [failure.exception for failure in caught.value.failures] == list(group.exceptions)
    assert expected_errors


# -- pickling -----------------------------------------------------------------------------------------


class LockedError(ValueError):
    def __init__(self, message, lock):
        super().__init__(message)
        self.lock = lock


class ForgetfulError(ValueError):
    """Pickles, but does not come back."""

    def __init__(self, *, code):
        super().__init__(f"code {code}")
        self.code = code


def through_pickle(value):
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes


def test_an_error_keeps_its_fields_its_cause_and_its_notes_through_pickle():
    cause = ValueError("boom")
    cause.add_note("in stage 'a'")
    error = PipelineError("pipe", (StageFailure("a", Crash(cause, "a", AtHand("init")), cause),))
    error.__cause__ = cause

    again = through_pickle(error)

    assert (str(again), again.name) == (str(error), "pipe")
    (failure,) = again.failures
    assert (failure.stage, failure.reason.stage, failure.at_hand) == ("a", "a", AtHand("init"))
    assert (type(failure.exception), failure.exception.args) == (ValueError, ("boom",))
    assert again.__cause__.__notes__ == ["in stage 'a'"]


@pytest.mark.parametrize("broken", [LockedError("boom", threading.Lock()), ForgetfulError(code=7)])
def test_an_exception_that_does_not_pickle_is_replaced_by_what_does(broken):
    error = PipelineError("pipe", (StageFailure("a", Crash(broken), broken),))
    error.__cause__ = broken

    again = through_pickle(error)

    for lost in (again.__cause__, again.failures[0].exception, again.failures[0].reason.exception):
        assert isinstance(lost, LostError)
        assert (lost.kind, lost.message) == (type(broken).__name__, str(broken))
        assert str(broken) in lost.text
    assert str(again) == str(error)
    assert str(again.failures[0].reason) == f"LostError: {type(broken).__name__}: {broken}"


@pytest.mark.parametrize("reason", [Killed(), Shutdown("enough"), Shutdown(threading.Lock())])
def test_every_reason_pickles(reason):
    again = through_pickle(StageFailure("a", reason))

    assert again.stage == "a"
    assert type(again.reason) is type(reason)
    assert str(again.reason) == str(reason)


def test_a_wrong_value_that_does_not_pickle_is_replaced_by_its_text():
    lock = threading.Lock()

    again = through_pickle(StageFailure("a", BadReturn("init", lock, "a", AtHand("init"))))

    assert again.reason == BadReturn("init", repr(lock))
    assert again.at_hand == AtHand("init")
