import asyncio
import copy
import pickle
import queue
import threading

import pytest

from genstage import (
    CallTimeoutError,
    Consumer,
    ConsumerRef,
    DeadStageError,
    Killed,
    Named,
    Normal,
    OptionError,
    Producer,
    ProducerConsumer,
    ProducerConsumerRef,
    ProducerRef,
    Reply,
    Runtime,
    Shutdown,
    Unanswered,
)
from genstage._core.dispatchers.demand import DemandDispatcher

DEADLINE_S = 20.0


def later(kept):
    """A request that is left unanswered, its address kept."""

    def ask(_stage, reply_to):
        kept.put(reply_to)
        return Unanswered()

    return ask


# -- names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "kind"),
    [(Producer, ProducerRef), (ProducerConsumer, ProducerConsumerRef), (Consumer, ConsumerRef)],
)
def test_a_stage_is_found_by_its_name_as_what_it_is(runtime, stage, kind):
    ref = runtime.start(stage, name="one")
    found = runtime.find("one")

    assert type(found) is type(ref) is kind
    assert (found == ref, hash(found) == hash(ref), found != runtime.start(stage)) == (True, True, True)


def test_nobody_is_found_once_a_stage_has_ended_or_in_another_runtime(runtime, start):
    ref, _ = start(name="one")
    with Runtime() as other:
        assert other.find("one") is None
    ref.stop()
    assert runtime.find("one") is None
    with pytest.raises(OptionError):
        runtime.find(7)


def test_a_name_is_free_for_whoever_hears_of_the_end(runtime, start, doer):
    ref, _ = start(name="one")
    again = queue.Queue()
    ref.on_end(lambda _: again.put(runtime._engine.resolve("one")))
    ref.stop()
    assert again.get(timeout=DEADLINE_S) is None
    runtime.start(doer, name="one")


def test_a_stage_in_its_init_is_not_found_yet(runtime, gate, doer):
    inside = threading.Event()

    def init():
        inside.set()
        gate.wait()

    starting = threading.Thread(
        target=lambda: runtime.start(
            lambda: inside.set() or (gate.wait() and doer()), name="one", blocking=True
        )
    )
    starting.start()
    assert inside.wait(DEADLINE_S)
    assert runtime.find("one") is None
    gate.set()
    starting.join(DEADLINE_S)
    assert runtime.find("one").alive


def test_a_stage_knows_its_own_reference(start):
    ref, _ = start(name="one")
    own = ref.call(lambda stage, _reply_to: Reply(stage.stage.ref))
    assert (own, type(own)) == (ref, type(ref))


# -- what a reference is ------------------------------------------------------------------------------


def test_what_means_something_of_this_process_is_not_sent_away(runtime, start):
    class Sink(Consumer):
        pass

    ref, _ = start(name="one")
    subscription = runtime.start(Sink).subscribe(ref)
    for thing, advice in (
        (ref, "a reference to stage 'one' cannot be pickled: .* pass the stage's name"),
        (runtime, "runtime 'test' cannot be pickled: .* make one over there"),
        (subscription, "a subscription cannot be pickled: .* subscribe over there"),
    ):
        with pytest.raises(TypeError, match=advice):
            pickle.dumps(thing)


def test_a_copy_of_a_reference_is_the_reference(start):
    ref, _ = start()
    assert copy.copy(ref) is copy.deepcopy(ref) is ref


def test_a_reference_is_shown_with_figures_in_one_line_also_when_the_stage_has_ended(runtime):
    class Source(Producer):
        def handle_demand(self, demand):
            return range(demand - 1)

    class Sink(Consumer):
        def handle_events(self, events, _):
            pass

        def handle_call(self, _request, _reply_to):
            return Reply(None)

    source = runtime.start(Source, name="source")
    sink = runtime.start(Sink, name="sink", blocking=True)
    sink.subscribe(source, max_demand=10, min_demand=0)
    source.demand()
    sink.call(None)

    assert repr(source) == "<ProducerRef 'source' running out=9 demand=1 buffered=0 lane=shared>"
    assert repr(sink) == "<ConsumerRef 'sink' running in=9 lane=own>"
    source.stop(Shutdown("two\nlines"))
    assert repr(source) == (
        "<ProducerRef 'source' ended (shutdown: two lines) out=9 demand=1 buffered=0 lane=shared>"
    )


class HostileError(Exception):
    def __str__(self):
        raise RuntimeError("not even that")


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        (Shutdown(HostileError()), "shutdown: <HostileError that cannot be shown>"),
        (Named(HostileError()), "<HostileError that cannot be shown>"),
        (Shutdown("x" * 1_000), f"shutdown: {'x' * 190}…"),
    ],
)
def test_the_repr_of_a_stage_that_has_ended_contains_the_text_of_others(start, reason, shown):
    ref, _ = start(name="gone")
    ref._actor.engine.kill(ref._actor, reason)

    assert repr(ref) == f"<ProducerRef 'gone' ended ({shown}) out=0 demand=0 buffered=0 lane=shared>"


def test_a_dispatcher_that_cannot_tell_its_room_does_not_spoil_the_repr(runtime):
    class Sulky(DemandDispatcher):
        sulks = False

        def room(self):
            if self.sulks:
                raise RuntimeError("busy")
            return super().room()

    sulky = Sulky()
    source = runtime.start(lambda: Sulking(sulky), name="source")
    sulky.sulks = True
    assert "demand=?" in repr(source)


class Sulking(Producer):
    def __init__(self, dispatcher):
        self.dispatcher = dispatcher

    def init(self):
        return {"dispatcher": self.dispatcher}


# -- the end, heard outside ---------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [Normal(), Shutdown("enough"), Killed()])
def test_whoever_asks_for_it_hears_of_the_end_once(runtime, start, reason):
    ref, _ = start(blocking=True)
    heard = queue.Queue()
    ref.on_end(heard.put)
    assert ref.reason is None
    if reason == Killed():
        runtime._engine.kill(ref._actor, reason)
    else:
        ref.stop(reason)

    assert heard.get(timeout=DEADLINE_S) == reason == ref.reason
    ref.on_end(heard.put)
    assert heard.get(timeout=DEADLINE_S) == reason
    assert heard.empty()


def test_what_is_taken_back_is_not_heard(start):
    ref, _ = start()
    heard = []
    ref.on_end(heard.append)()
    ref.stop()
    assert heard == []
    assert ref._actor._requests == {}


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_function_that_fails_spoils_nothing(start, expected_errors, error):
    ref, _ = start()
    heard = queue.Queue()

    def fails(_reason):
        raise error

    ref.on_end(fails)
    ref.on_end(heard.put)
    ref.stop()

    assert heard.get(timeout=DEADLINE_S) == Normal()
    assert [record.event for record in expected_errors] == ["a function told of the end failed"]


def test_an_asynchronous_program_waits_for_an_end(start):
    ref, _ = start()

    async def wait():
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        ref.on_end(lambda reason: loop.call_soon_threadsafe(ended.set_result, reason))
        ref.cast(lambda stage: stage.stage.stop(Shutdown("enough")))
        return await asyncio.wait_for(ended, DEADLINE_S)

    assert asyncio.run(wait()) == Shutdown("enough")


# -- replies that come later --------------------------------------------------------------------------


def test_a_reply_from_another_thread(start):
    ref, _ = start()

    def ask(stage, reply_to):
        threading.Thread(target=lambda: stage.stage.reply(reply_to, "from a thread")).start()
        return Unanswered()

    assert ref.call(ask) == "from a thread"


def test_a_reply_after_the_caller_gave_up_is_nothing(start):
    ref, stage = start()
    kept = queue.Queue()
    with pytest.raises(CallTimeoutError):
        ref.call(later(kept), timeout_s=0.01)
    stage.stage.reply(kept.get(timeout=DEADLINE_S), "late")

    assert ref.call(lambda *_: Reply("alive")) == "alive"
    assert ref._actor._requests == {}


def test_a_reply_to_a_caller_that_has_been_killed_is_nothing(runtime, start):
    (ref, stage), (caller, _) = start(), start(blocking=True)
    kept = queue.Queue()
    outcome = queue.Queue()
    caller.cast(lambda _: outcome.put(ref.call(later(kept), timeout_s=None)))
    reply_to = kept.get(timeout=DEADLINE_S)
    runtime._engine.kill(caller._actor, Killed())
    assert not caller.alive
    stage.stage.reply(reply_to, "late")

    assert outcome.get(timeout=DEADLINE_S) == "late"  # its thread is free again
    assert ref.call(lambda *_: Reply("alive")) == "alive"


def test_a_reply_of_a_stage_that_has_ended_is_nothing(start):
    ref, stage = start()
    kept, outcome = queue.Queue(), queue.Queue()

    def call():
        try:
            outcome.put(ref.call(later(kept), timeout_s=None))
        except DeadStageError as error:
            outcome.put(error)

    calling = threading.Thread(target=call)
    calling.start()
    reply_to = kept.get(timeout=DEADLINE_S)
    ref.stop()
    stage.stage.reply(reply_to, "late")

    assert isinstance(outcome.get(timeout=DEADLINE_S), DeadStageError)
    calling.join(DEADLINE_S)
