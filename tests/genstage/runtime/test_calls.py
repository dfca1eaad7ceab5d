import itertools
import threading
from concurrent.futures import TimeoutError as FutureTimeoutError

import pytest

from genstage import CallTimeoutError, Consumer, DeadStageError, OptionError, Shutdown
from genstage._core.reasons import BadReturn, Crash, Killed, Named
from genstage._core.results import Reply, Stop, Unanswered
from genstage._runtime.calls import Answer

DEADLINE_S = 20.0


def echo(value):
    return lambda _stage, _reply_to: Reply(value)


def in_thread(function):
    """Run a function beside the test; gives a function that waits for what it returned or raised."""
    outcome = []

    def run():
        try:
            outcome.append(function())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result():
        thread.join(DEADLINE_S)
        return outcome[0]

    return result


def has_requests(ref, count):
    """Wait until so many requests wait for an answer."""
    pause = threading.Event()
    for _ in range(20_000):
        if len(ref._actor._requests) == count:
            return True
        pause.wait(0.001)
    return False


def test_a_reply(start):
    assert start()[0].call(echo("answer")) == "answer"


def test_an_exception_as_reply_is_raised_at_the_caller_and_the_stage_goes_on(start):
    ref, _ = start()
    with pytest.raises(LookupError):
        ref.call(echo(LookupError("none")))

    assert ref.call(echo(1)) == 1


def test_a_time_out_as_reply_is_no_deadline(start):
    with pytest.raises(TimeoutError) as caught:
        start()[0].call(echo(TimeoutError("of a socket")))

    assert not isinstance(caught.value, CallTimeoutError)


def test_a_later_reply_from_another_turn(start):
    ref, _ = start()

    def later(stage, reply_to):
        stage.stage.cast(lambda stage: stage.stage.reply(reply_to, "later"))
        return Unanswered()

    assert ref.call(later) == "later"


def test_a_later_reply_from_another_stage(start):
    (ref, _), (other, _) = start(), start(blocking=True)

    def hand_on(_stage, reply_to):
        other.cast(lambda stage: stage.stage.reply(reply_to, "from the other"))
        return Unanswered()

    assert ref.call(hand_on) == "from the other"


def test_a_reply_to_nobody_is_refused(start):
    def reply(stage, _reply_to):
        with pytest.raises(
            OptionError, match=r"option 'to': must be the reply_to that handle_call was given"
        ):
            stage.stage.reply("caller", 1)
        return Reply("refused")

    assert start()[0].call(reply) == "refused"


def test_only_the_first_reply_counts(start):
    ref, _ = start()

    def twice(stage, reply_to):
        stage.stage.reply(reply_to, "first")
        stage.stage.reply(reply_to, "second")
        return Reply("third")

    assert ref.call(twice) == "first"
    assert ref.call(echo("still alive")) == "still alive"


def test_of_replies_from_many_threads_one_counts_and_none_fails(start):
    ref, _ = start()
    together = threading.Barrier(4)
    results = []

    def race(stage, reply_to):
        def reply(value):
            together.wait()
            stage.stage.reply(reply_to, value)

        results.extend(in_thread(lambda value=value: reply(value)) for value in range(4))
        return Unanswered()

    for _ in range(50):
        assert ref.call(race) in range(4)
        assert ref.call(echo("the turn is over")) == "the turn is over"
        assert [result() for result in results] == [None] * 4
        results.clear()


def test_a_call_has_a_deadline_and_the_stage_goes_on(start):
    ref, _ = start()
    with pytest.raises(CallTimeoutError) as caught:
        ref.call(lambda _stage, _reply_to: Unanswered(), timeout_s=0.01)

    assert (caught.value.name, caught.value.timeout_s) == (ref.name, 0.01)
    assert ref.call(echo(1)) == 1
    assert ref._actor._requests == {}


@pytest.mark.parametrize("timeout_s", [-1, float("nan"), "5", True])
def test_a_deadline_that_is_none_is_refused(start, timeout_s):
    ref, _ = start()
    for wait in (lambda: ref.call(echo(1), timeout_s=timeout_s), lambda: ref.wait(timeout_s=timeout_s)):
        with pytest.raises(OptionError) as caught:
            wait()
        assert caught.value.option == "timeout_s"


@pytest.mark.parametrize("value", ["late", None])
def test_an_answer_that_comes_as_the_wait_ends_is_the_answer(monkeypatch, value):
    answer = Answer()
    wait = answer._future.result

    def result(timeout=None):
        if timeout is not None:
            answer.deliver(value)
            raise FutureTimeoutError
        return wait()

    monkeypatch.setattr(answer._future, "result", result)

    assert answer.get("stage", 1.0) == value


def test_a_dead_stage_is_not_called(start):
    ref, _ = start()
    ref.stop(Shutdown("enough"))
    with pytest.raises(DeadStageError) as caught:
        ref.call(echo(1), timeout_s=None)

    assert (caught.value.name, caught.value.reason) == (ref.name, Shutdown("enough"))
    assert str(caught.value) == f"stage {ref.name!r} is not alive: shutdown: enough"


def test_a_dead_stage_takes_messages_silently(start):
    ref, _ = start()
    ref.stop()

    ref.cast(echo(1))
    ref.send("anything")
    assert not ref._actor.lane.waiting


def test_a_request_that_raises_ends_the_stage_and_the_caller_learns_why(start, expected_errors):
    ref, stage = start()
    cause = ValueError("boom")

    def raises(_stage, _reply_to):
        raise cause

    with pytest.raises(DeadStageError) as caught:
        ref.call(raises, timeout_s=None)

    assert caught.value.__cause__ is cause
    assert caught.value.reason == Crash(cause)
    assert not ref.alive
    assert stage.terminated == [Crash(cause)]
    assert [record.exc_info[1] for record in expected_errors] == [cause]


def test_stop_with_a_reply_answers_and_without_fails_the_caller(start):
    ref, stage = start()
    assert ref.call(lambda *_: Stop(Named("done"), Reply("bye"))) == "bye"
    assert ref._actor.actor_stopped.wait(DEADLINE_S)
    assert stage.terminated == [Named("done")]

    with pytest.raises(DeadStageError) as caught:
        start()[0].call(lambda *_: Stop(Named("done")))
    assert caught.value.reason == Named("done")


def test_a_request_answered_with_nonsense_ends_the_stage(start, expected_errors):
    ref, _ = start()
    with pytest.raises(DeadStageError) as caught:
        ref.call(lambda *_: "no Reply", timeout_s=None)

    assert caught.value.reason == BadReturn("handle_call", "no Reply")
    assert [record.event for record in expected_errors] == ["bad return"]


@pytest.mark.parametrize("text", ["one", "two\nlines"])
def test_a_cause_that_cannot_be_shown_does_no_harm(start, expected_errors, text):
    ref, _ = start()

    class UnshowableError(Exception):
        def __str__(self):
            raise ValueError(text)

    def raises(_stage, _reply_to):
        raise UnshowableError

    with pytest.raises(DeadStageError, match="UnshowableError that cannot be shown"):
        ref.call(raises)
    assert start()[0].call(echo("the lane lives")) == "the lane lives"
    assert expected_errors


def test_a_call_left_unanswered_fails_when_the_stage_ends(start):
    ref, _ = start()
    answer = in_thread(lambda: ref.call(lambda *_: Unanswered(), timeout_s=None))
    assert has_requests(ref, 1)
    ref.stop()

    assert isinstance(answer(), DeadStageError)


@pytest.mark.parametrize("queued", [False, True])
def test_a_call_fails_at_once_when_the_stage_is_killed_while_it_is_stuck(runtime, start, stuck, gate, queued):
    ref, _ = start(blocking=True)
    if queued:
        stuck(ref)
        answer = in_thread(lambda: ref.call(echo(1), timeout_s=None))
    else:
        inside = threading.Event()
        answer = in_thread(lambda: ref.call(lambda *_: inside.set() or Reply(gate.wait()), timeout_s=None))
        assert inside.wait(DEADLINE_S)
    assert has_requests(ref, 1)
    runtime._engine.kill(ref._actor, Killed())

    assert answer().reason == Killed()
    assert not gate.is_set()


@pytest.mark.repeat
@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize("blocking", [False, True])
def test_nothing_stays_unanswered_when_calls_meet_the_end(runtime, start, kill, blocking):
    for _ in range(20):
        ref, _ = start(blocking=blocking)
        together = threading.Barrier(5)

        def caller(number, ref=ref, together=together):
            together.wait()
            answers = []
            while True:
                try:
                    answers.append(ref.call(echo(number), timeout_s=DEADLINE_S))
                except DeadStageError:
                    return answers

        callers = [in_thread(lambda number=number: caller(number)) for number in range(4)]
        together.wait()
        if kill:
            runtime._engine.kill(ref._actor, Killed())
        else:
            ref.stop()

        for number, result in enumerate(callers):
            assert set(result()) <= {number}  # no time-out, nobody else's answer
        assert ref._actor._requests == {}


@pytest.mark.parametrize("blocking", [False, True])
def test_a_stage_that_waits_for_itself_is_told_that_it_would_wait_for_ever(start, blocking):
    ref, _ = start(blocking=blocking)
    refused = []

    def wait_for_itself(_stage, _reply_to):
        for wait in (lambda: ref.call(echo(1), timeout_s=None), ref.stop, ref.wait):
            with pytest.raises(RuntimeError, match=f"stage {ref.name!r} cannot wait for itself") as caught:
                wait()
            refused.append(str(caught.value))
        return Reply("done")

    assert ref.call(wait_for_itself) == "done"
    assert len(refused) == 3
    assert ref.alive


@pytest.mark.parametrize("blocking", [*itertools.product([False, True], repeat=2)])
def test_a_stage_calls_stops_and_waits_for_another(start, blocking):
    (ref, _), (other, _) = (start(blocking=own) for own in blocking)

    def use(_stage, _reply_to):
        answer = other.call(echo("answer"), timeout_s=None)
        other.stop()
        other.wait()
        with pytest.raises(DeadStageError):
            other.call(echo(1))
        return Reply(answer)

    assert ref.call(use) == "answer"
    assert not other.alive


def test_a_chain_of_calls_on_one_lane_never_waits_for_the_monitor(runtime):
    class Link(Consumer):
        def __init__(self, following):
            self.following = following

        def handle_call(self, request, _reply_to):
            return Reply(
                [request] if self.following is None else [request, *self.following.call(request + 1)]
            )

    link = None
    for _ in range(20):
        link = runtime.start(lambda following=link: Link(following))
    lane = link._actor.lane
    lane._monitor._parked = True  # it looks no more

    for _ in range(20):
        assert link.call(0) == list(range(20))
    assert lane.steals == 0


def test_of_stages_that_call_each_other_at_the_same_time_one_waits_until_the_deadline(start):
    (ref, _), (other, _) = start(), start()
    both = threading.Barrier(2)

    def call(target):
        def call(_stage, _reply_to):
            both.wait(DEADLINE_S)  # on one lane: only if the lane goes on beside a turn that blocks
            try:
                return Reply(target.call(echo("answered"), timeout_s=0.05))
            except CallTimeoutError:
                return Reply("gave up")

        return call

    answers = [in_thread(lambda: ref.call(call(other))), in_thread(lambda: other.call(call(ref)))]
    assert "gave up" in [answer() for answer in answers]


def test_a_call_to_a_stage_without_handle_call_fails_with_its_name(runtime, expected_errors):
    class Mute(Consumer):
        pass

    with pytest.raises(DeadStageError) as caught:
        runtime.start(Mute).call("anything")

    assert str(caught.value.__cause__) == "Mute has no handle_call, asked for 'anything'"
    assert expected_errors
