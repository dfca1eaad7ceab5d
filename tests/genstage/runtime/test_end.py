import contextvars
import decimal
import gc
import logging
import threading
import weakref
from dataclasses import dataclass

import pytest

from genstage import (
    CallTimeoutError,
    Consumer,
    DeadStageError,
    OptionError,
    PipelineError,
    Producer,
    ProducerConsumer,
    Shutdown,
)
from genstage._core.messages import Down
from genstage._core.reasons import BadReturn, Crash, Killed, Named, Normal
from genstage._core.results import Reply, Stop
from genstage._runtime.calls import Callback

DEADLINE_S = 20.0


def test_stop_waits_until_terminate_has_run(start):
    ref, stage = start()
    ref.stop()

    assert not ref.alive
    assert stage.terminated == [Normal()]


def test_stop_with_a_reason(start):
    ref, stage = start()
    ref.stop(Shutdown("enough"), timeout_s=None)

    assert stage.terminated == [Shutdown("enough")]
    with pytest.raises(DeadStageError) as caught:
        ref.stop()
    assert caught.value.reason == Shutdown("enough")


def test_a_reason_that_is_none_is_refused(start, expected_errors):
    ref, _ = start()
    with pytest.raises(OptionError, match=r"option 'reason': must be an exit reason, such as Shutdown"):
        ref.stop("enough")

    def stop(stage, _reply_to):
        with pytest.raises(OptionError):
            stage.stage.stop("enough")
        return Stop("enough")  # and a callback cannot make one up either

    with pytest.raises(DeadStageError) as caught:
        ref.call(stop)
    assert caught.value.reason == BadReturn("Stop", "enough")
    assert [record.event for record in expected_errors] == ["bad return"]


def test_stop_comes_behind_the_messages_that_wait(start, stuck, gate):
    ref, stage = start(blocking=True)
    stuck(ref)
    done = []
    for number in range(3):
        ref.cast(lambda _stage, number=number: done.append(number))
    gate.set()
    ref.stop()

    assert done == [0, 1, 2]
    assert stage.terminated == [Normal()]


def test_stop_has_a_deadline_and_still_happens_then(start, stuck, gate):
    ref, stage = start(blocking=True)
    stuck(ref)
    with pytest.raises(CallTimeoutError) as caught:
        ref.stop(Named("late"), timeout_s=0.01)

    assert (caught.value.name, caught.value.timeout_s) == (ref.name, 0.01)
    assert ref.alive
    gate.set()
    assert ref._actor.actor_stopped.wait(DEADLINE_S)
    assert stage.terminated == [Named("late")]


@pytest.mark.parametrize("reason", [Normal(), Shutdown()])
def test_waiting_for_a_good_end_returns(start, reason):
    ref, _ = start()
    ref.cast(lambda stage: stage.stage.stop(reason))

    ref.wait(timeout_s=DEADLINE_S)
    assert not ref.alive


def test_waiting_for_a_bad_end_raises_its_cause(start, expected_errors):
    ref, _ = start(name="bad")
    cause = ValueError("boom")

    def raises(_stage):
        raise cause

    ref.cast(raises)
    with pytest.raises(PipelineError) as caught:
        ref.wait(timeout_s=DEADLINE_S)

    assert caught.value.__cause__ is cause
    assert [(failure.stage, failure.exception) for failure in caught.value.failures] == [("bad", cause)]
    (record,) = expected_errors
    assert (record.name, record.stage, record.exc_info[1]) == ("genstage.runtime", "bad", cause)
    (note,) = cause.__notes__
    assert note.startswith("in stage 'bad', handle_cast: <function")


@pytest.mark.parametrize(
    ("bad", "logged"),
    [
        (lambda *_: 1 // 0, "stage failed"),
        (lambda *_: 3, "bad return"),
        (lambda *_: Stop("done"), "bad return"),
    ],
    ids=["raises", "returns", "stops"],
)
def test_waiting_names_the_stage_that_failed(runtime, expected_errors, bad, logged):
    """Not the one that ended with it, two stages further down."""
    producer = runtime.start(type("Bad", (Producer,), {"handle_demand": bad}), name="bad")
    through = runtime.start(ProducerConsumer)
    sink = runtime.start(Consumer)
    sink.subscribe(through)
    through.subscribe(producer)

    with pytest.raises(PipelineError, match="stage 'bad' failed: ") as caught:
        sink.wait(timeout_s=DEADLINE_S)
    (failure,) = caught.value.failures
    assert (failure.stage, failure.reason) == ("bad", producer.reason)
    assert [(record.event, record.stage) for record in expected_errors] == [(logged, "bad")]


def test_waiting_has_a_deadline(start):
    with pytest.raises(CallTimeoutError, match=r"'it' did not end within 0.01 s"):
        start(name="it")[0].wait(timeout_s=0.01)


def test_a_name_is_free_when_its_stage_has_been_waited_for(start):
    for _ in range(200):
        ref, _ = start(name="again")
        ref.stop()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), MemoryError()])
def test_what_ends_programs_ends_only_its_stage(start, expected_errors, error):
    (ref, _), (other, _) = start(), start()

    def raises(_stage):
        raise error

    ref.cast(raises)
    with pytest.raises(PipelineError) as caught:
        ref.wait(timeout_s=DEADLINE_S)

    assert caught.value.__cause__ is error
    assert other.call(lambda *_: Reply("alive")) == "alive"
    assert expected_errors


@dataclass(frozen=True)
class FrozenError(Exception):
    """Takes no notes."""

    field: int = 1


class NotedError(Exception):
    __notes__ = 5


@pytest.mark.parametrize("error", [FrozenError(), NotedError()])
def test_an_exception_that_takes_no_notes_ends_its_stage_like_any_other(start, expected_errors, error):
    ref, _ = start()
    watcher = Watcher(ref._actor)

    def raises(_stage):
        raise error

    ref.cast(raises)
    with pytest.raises(PipelineError) as caught:
        ref.wait(timeout_s=DEADLINE_S)

    assert caught.value.__cause__ is error
    assert watcher.heard == [Down(1, Crash(error))]
    assert [record.exc_info[1] for record in expected_errors] == [error]


def test_a_log_handler_that_raises_does_not_keep_the_end_from_being_told(start, capsys):
    class Careless(logging.Handler):
        def emit(self, record):
            raise OSError(record.event)

    ref, _ = start()
    logger, handler = logging.getLogger("genstage.runtime"), Careless()
    logger.addHandler(handler)
    try:
        ref.cast(lambda _: 1 / 0)
        with pytest.raises(PipelineError, match="ZeroDivisionError"):
            ref.wait(timeout_s=DEADLINE_S)
    finally:
        logger.removeHandler(handler)

    assert "OSError: stage failed" in capsys.readouterr().err
    assert start()[0].call(lambda *_: Reply("the lane goes on")) == "the lane goes on"


def test_a_terminate_that_raises_is_the_reason(runtime, expected_errors):
    cause = OSError("cannot close")

    class Careless(Consumer):
        def terminate(self, _reason):
            raise cause

    ref = runtime.start(Careless)
    ref.stop()

    with pytest.raises(PipelineError) as caught:
        ref.wait(timeout_s=DEADLINE_S)
    assert caught.value.__cause__ is cause
    assert len(expected_errors) == 1


# -- kill ---------------------------------------------------------------------------------------------


class Watcher:
    """Hears of an actor's end as another actor would."""

    def __init__(self, actor):
        self.heard = []
        self.driver = self
        actor.add_watcher(1, self)

    def notify(self, number, reason):
        self.heard.append(Down(number, reason))


def test_a_killed_stage_is_dead_at_once_for_everybody(runtime, start, stuck, gate, caplog):
    ref, stage = start(blocking=True)
    watcher = Watcher(ref._actor)
    thread = stuck(ref)
    runtime._engine.kill(ref._actor, Killed())

    assert not gate.is_set()
    assert watcher.heard == [Down(1, Killed())]
    assert not ref.alive
    with pytest.raises(PipelineError, match="killed"):
        ref.wait(timeout_s=0)
    with pytest.raises(DeadStageError):
        ref.call(lambda *_: None, timeout_s=None)
    (record,) = caplog.records
    assert (record.levelno, record.event, record.stage) == (logging.WARNING, "stage killed", ref.name)
    assert "in wait\n    gate.wait()" in record.busy_at  # where it was

    gate.set()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert stage.terminated == []


def test_a_killed_stage_sends_and_answers_nothing_any_more(runtime, start, stuck, gate):
    ref, _ = start(blocking=True)
    bystander, _ = start()
    heard = []

    def speak(stage):
        port = stage.stage._port
        port.send(bystander._actor, "unheard")
        port.reply(Callback(heard.append), "reply")
        stage.stage.cast(lambda _: heard.append("cast"))
        stage.stage.send_after(0, "unheard")
        return ["an event"]

    thread = stuck(ref, speak)
    ref.cast(lambda _: heard.append("queued"))
    runtime._engine.kill(ref._actor, Killed())
    gate.set()
    thread.join(DEADLINE_S)
    bystander.call(lambda *_: Reply(None))  # whatever came before has been handled

    assert heard == []


@pytest.mark.parametrize("ending", [lambda: None, lambda: 1 / 0])
def test_no_callback_of_a_killed_stage_runs_after_the_one_it_was_in(runtime, gate, ending):
    calls = []
    inside = threading.Event()

    class Batches(Consumer):
        def handle_events(self, events, _):
            calls.append(list(events))
            inside.set()
            gate.wait()
            ending()

        def terminate(self, reason):
            calls.append(reason)

    class Four(Producer):
        def handle_demand(self, _demand):
            return range(4)

    batches = runtime.start(Batches, name="batches", blocking=True)
    batches.subscribe(runtime.start(Four), max_demand=4, min_demand=2)  # two batches of one message
    assert inside.wait(DEADLINE_S)
    thread = batches._actor.lane._thread
    runtime._engine.kill(batches._actor, Killed())
    gate.set()
    thread.join(DEADLINE_S)

    assert calls == [[0, 1]]
    assert not thread.is_alive()


def test_an_idle_stage_is_killed_without_a_stack(runtime, start, stuck, caplog):
    (ref, _), (other, _) = start(), start()
    stuck(other)  # on the same lane
    runtime._engine.kill(ref._actor, Killed())

    assert caplog.records[0].busy_at == ""


def test_killing_the_dead_changes_nothing(runtime, start, caplog):
    ref, _ = start()
    ref.stop(Shutdown("enough"))
    runtime._engine.kill(ref._actor, Killed())

    assert ref._actor.reason == Shutdown("enough")
    assert caplog.records == []


# -- what a turn leaves behind ------------------------------------------------------------------------


def test_context_does_not_leak_between_stages_on_one_lane(start):
    (ref, _), (other, _) = start(), start()
    variable = contextvars.ContextVar("variable", default="unset")

    def change(_stage):
        variable.set("changed")
        decimal.getcontext().prec = 3

    def look(*_):
        return Reply((variable.get(), decimal.getcontext().prec))

    ref.cast(change)

    assert ref.call(look) == ("changed", 3)  # it is the stage's own, from turn to turn
    assert other.call(look) == ("unset", 28)
    assert (variable.get(), decimal.getcontext().prec) == ("unset", 28)


def test_all_callbacks_of_a_blocking_stage_run_in_one_thread(runtime):
    threads = {}

    class Notes(Consumer):
        def __init__(self):
            threads["factory"] = threading.get_ident()

        def init(self):
            threads["init"] = threading.get_ident()

        def handle_call(self, _request, _reply_to):
            threads["call"] = threading.get_ident()
            return Reply(None)

        def handle_cast(self, _request):
            threads["cast"] = threading.get_ident()

        def handle_info(self, _message):
            threads["info"] = threading.get_ident()

        def terminate(self, _reason):
            threads["terminate"] = threading.get_ident()

    ref = runtime.start(Notes, blocking=True)
    ref.cast(None)
    ref.send(None)
    ref.call(None)
    ref.stop()

    assert len(threads) == 6
    assert len(set(threads.values())) == 1
    assert threads["init"] != threading.get_ident()


@pytest.mark.parametrize("kill", [False, True])
def test_nothing_of_a_dead_stage_is_kept_alive(runtime, doer, kill):
    class Chunk:
        pass

    chunk = Chunk()
    dead = weakref.ref(chunk)
    ref, other = runtime.start(doer), runtime.start(doer)
    ref.cast(lambda stage, chunk=chunk: setattr(stage, "kept", chunk))
    ref.call(lambda *_: Reply(None))
    del chunk
    if kill:
        runtime._engine.kill(ref._actor, Killed())
    else:
        ref.stop()
    other.call(lambda *_: Reply(None))  # the lane they share has moved on
    gc.collect()

    assert dead() is None  # though there is a reference to the stage


def test_an_unexpected_message_is_a_warning(start, caplog):
    ref, _ = start(name="deaf")
    ref.send({"any": "thing"})

    assert ref.call(lambda *_: Reply("alive")) == "alive"
    (record,) = caplog.records
    assert (record.levelno, record.event) == (logging.WARNING, "unexpected message")
    assert (record.stage, record.message_repr) == ("deaf", "{'any': 'thing'}")


def test_references_show_themselves_in_one_line(start, runtime, expected_errors):
    ref, _ = start(name="shown")
    assert repr(ref) == "<ProducerRef 'shown' running out=0 demand=0 buffered=0 lane=shared>"
    assert repr(ref._actor) == "<'shown' running>"

    def raises(_stage):
        raise ValueError("two\nlines")

    ref.cast(raises)
    assert ref._actor.actor_stopped.wait(DEADLINE_S)
    shown = "<ProducerRef 'shown' ended (ValueError: two lines) out=0 demand=0 buffered=0 lane=shared>"
    assert repr(ref) == shown
    assert repr(runtime) == "<Runtime 'test' running>"
    assert isinstance(ref._actor.reason, Crash)
    assert expected_errors
