"""The runtime in asyncio: closing it, and iterating over what its producers emit."""

import asyncio
import gc
import threading
import time

import pytest

from genstage import (
    CallTimeoutError,
    Consumer,
    DeadStageError,
    Finish,
    Killed,
    Named,
    OptionError,
    Producer,
    Runtime,
    SubscriptionError,
)

DEADLINE_S = 20.0


class Counter(Producer):
    """Counts; keeps what is asked of it, and the ends of its subscriptions."""

    def __init__(self, end=None, log=None):
        self.next, self.end, self.log = 0, end, log if log is not None else []
        self.owed = 0

    def handle_demand(self, demand):
        self.log.append(demand)
        first, self.next = self.next, self.next + demand
        if self.end is not None and self.next >= self.end:
            return Finish(range(first, self.end))
        return range(first, self.next)

    def handle_cancel(self, cancellation, _subscription):
        self.log.append(cancellation.kind)


class Silent(Producer):
    """Never emits; tells of its subscriptions' begin and end."""

    def __init__(self):
        self.subscribed, self.cancelled = threading.Event(), threading.Event()

    def handle_demand(self, _demand):
        return ()

    def handle_subscribe(self, *_):
        self.subscribed.set()

    def handle_cancel(self, *_):
        self.cancelled.set()


@pytest.fixture
def runtime():
    with Runtime(name="async") as runtime:
        yield runtime


@pytest.fixture
def silent(runtime):
    made = []
    ref = runtime.start(lambda: made.append(Silent()) or made[0], name="silent")
    yield ref, made[0]
    until_alone(runtime, "silent")


def until(true):
    """Wait for something that nobody can be asked to tell."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


def until_alone(runtime, *names):
    """Wait until no other actor is left."""
    until(lambda: {actor.name for actor in runtime._engine._actors} <= set(names))


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, DEADLINE_S))


async def in_loop(event):
    """Wait for a thread's event without blocking the loop."""
    assert await asyncio.to_thread(event.wait, DEADLINE_S)


# -- the runtime --------------------------------------------------------------------------------------


def test_leaving_the_block_closes_the_runtime_without_blocking_the_loop():
    inside, gate = threading.Event(), threading.Event()

    class Slow(Consumer):
        def terminate(self, _reason):
            inside.set()
            assert gate.wait(DEADLINE_S)

    async def main():
        async def open_the_gate():  # runs only if the loop does, while the runtime waits for the stage
            await in_loop(inside)
            gate.set()

        async with Runtime() as runtime:
            slow = runtime.start(Slow)
            opening = asyncio.create_task(open_the_gate())
        await opening
        return runtime, slow

    runtime, slow = run(main())
    assert not slow.alive
    assert "closed" in repr(runtime)


def test_a_cancel_does_not_leave_the_runtime_open():
    inside, gate = threading.Event(), threading.Event()

    class Slow(Consumer):
        def terminate(self, _reason):
            inside.set()
            assert gate.wait(DEADLINE_S)

    async def main():
        runtime = Runtime()

        async def embed():
            async with runtime:
                slow = runtime.start(Slow)
                started.set_result(slow)
                await asyncio.Event().wait()

        started = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(embed())
        slow = await started
        task.cancel()
        await in_loop(inside)
        task.cancel()  # and again, while it closes
        await asyncio.sleep(0)
        assert not task.done()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not slow.alive
        assert runtime._engine._ended

    run(main())


def test_an_error_in_the_block_goes_on():
    runtime, stages = Runtime(), []

    async def block():
        async with runtime:
            stages.append(runtime.start(Silent))
            raise LookupError

    async def main():
        with pytest.raises(LookupError):
            await block()
        assert not stages[0].alive
        await runtime.aclose()  # again: nothing happens

    run(main())


# -- what is handed out -------------------------------------------------------------------------------


def test_all_events_in_their_order_to_the_end_of_the_data(runtime):
    async def main():
        numbers = runtime.start(lambda: Counter(end=2_345))
        stream = runtime.stream_async([(numbers, {"max_demand": 100})])
        assert repr(stream) == f"<AsyncEventStream {stream.name!r} not begun>"
        events = [event async for event in stream]
        assert events == list(range(2_345))
        assert [event async for event in stream] == []

    run(main())
    until_alone(runtime)


@pytest.mark.parametrize(
    ("taken", "demands"), [(0, []), (1, [4]), (2, [4]), (3, [4, 2]), (4, [4, 2]), (5, [4, 2, 2])]
)
def test_the_ask_of_a_batch_goes_out_when_the_event_behind_it_is_wanted(runtime, taken, demands):
    log = []
    numbers = runtime.start(lambda: Counter(log=log), name="numbers")

    async def main():
        async with runtime.stream_async([(numbers, {"max_demand": 4, "min_demand": 2})]) as events:
            assert [await anext(events) for _ in range(taken)] == list(range(taken))

    run(main())
    assert log == [*demands, *(["cancel"] if taken else [])]


def test_several_producers_and_one_that_joins(runtime):
    async def main():
        ones = [runtime.start(lambda: Counter(end=50), name=name) for name in ("one", "two")]
        async with runtime.stream_async([(ones[0], {"max_demand": 7}), "two"]) as events:
            got = [await anext(events)]
            events.subscribe(runtime.start(lambda: Counter(end=50)), max_demand=3)
            got += [event async for event in events]
        assert sorted(got) == sorted(list(range(50)) * 3)
        with pytest.raises(OptionError):
            events.subscribe(ones[0], max_demand=0)

    run(main())


def test_waiting_does_not_block_the_loop(runtime, silent):
    ref, stage = silent

    async def main():
        events = runtime.stream_async([ref])
        waiting = asyncio.create_task(anext(events))
        await in_loop(stage.subscribed)
        assert not waiting.done()
        ref.stop(Named("enough"))
        with pytest.raises(DeadStageError, match="enough"):
            await waiting
        with pytest.raises(StopAsyncIteration):
            await anext(events)

    run(main())


def test_a_fast_producer_leaves_the_loop_to_others(runtime):
    async def main():
        numbers = runtime.start(Counter)
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        async with runtime.stream_async([(numbers, {"max_demand": 10})]) as events:
            async for event in events:
                if event == 1_000:
                    break
        counting.cancel()
        return turns

    assert run(main()) >= 50


def test_only_one_task_at_a_time(runtime, silent):
    ref, stage = silent

    async def main():
        async with runtime.stream_async([ref]) as events:
            waiting = asyncio.create_task(anext(events))
            await in_loop(stage.subscribed)
            with pytest.raises(RuntimeError, match="iterated over by another task"):
                await anext(events)
            await events.aclose()
            with pytest.raises(StopAsyncIteration):
                await waiting

    run(main())


# -- errors -------------------------------------------------------------------------------------------


def test_a_producers_own_exception_is_the_cause(runtime, expected_errors):
    error = ValueError("boom")

    class Crashes(Counter):
        def handle_demand(self, demand):
            if self.next:
                raise error
            return super().handle_demand(demand)

    async def main():
        events = runtime.stream_async([(runtime.start(Crashes), {"max_demand": 4})])
        assert [await anext(events) for _ in range(4)] == [0, 1, 2, 3]
        with pytest.raises(DeadStageError) as caught:
            await anext(events)
        assert caught.value.__cause__ is error

    run(main())
    assert expected_errors
    until_alone(runtime)


def test_a_producer_that_is_not_there_or_cancels(runtime):
    async def main():
        with pytest.raises(DeadStageError, match="nobody"):
            await anext(runtime.stream_async(["nobody"]))
        with pytest.raises(OptionError):
            runtime.stream_async("nobody")

        subscriptions = []

        class Cancels(Counter):
            def handle_subscribe(self, _role, _options, subscription):
                subscriptions.append(subscription)

        events = runtime.stream_async([(runtime.start(Cancels), {"max_demand": 1})])
        assert await anext(events) == 0
        subscriptions[0].cancel(Named("oops"))
        with pytest.raises(SubscriptionError, match="oops"):
            async for _ in events:
                pass

    run(main())


# -- leaving early ------------------------------------------------------------------------------------


def test_leaving_waits_for_the_confirmation(runtime):
    log = []
    numbers = runtime.start(lambda: Counter(log=log), name="numbers")

    async def main():
        async with runtime.stream_async([(numbers, {"max_demand": 4})]) as events:
            assert await anext(events) == 0
        assert log[-1] == "cancel"
        with pytest.raises(LookupError):
            await block()
        assert log.count("cancel") == 2

    async def block():
        async with runtime.stream_async([(numbers, {"max_demand": 4})]) as events:
            await anext(events)
            raise LookupError

    run(main())
    until_alone(runtime, "numbers")


def test_a_close_has_a_deadline_and_goes_on(runtime):
    inside, gate = threading.Event(), threading.Event()

    class Stuck(Counter):
        def handle_demand(self, demand):
            if self.next:
                inside.set()
                gate.wait(DEADLINE_S)
            return super().handle_demand(demand)

    numbers = runtime.start(Stuck, name="numbers", blocking=True)

    async def main():
        events = runtime.stream_async([(numbers, {"max_demand": 1})])
        assert await anext(events) == 0
        waiting = asyncio.create_task(anext(events))
        await in_loop(inside)
        with pytest.raises(CallTimeoutError, match=r"did not end within 0\.01 s"):
            await events.aclose(timeout_s=0.01)
        gate.set()
        await events.aclose()
        assert await waiting == 1  # it was on its way
        with pytest.raises(StopAsyncIteration):
            await anext(events)

    run(main())
    until_alone(runtime, "numbers")


async def cancel_in_a_wait(stream, stage):
    task = asyncio.create_task(anext(stream))
    await in_loop(stage.subscribed)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(RuntimeError, match="was cancelled"):  # the data has not ended here
        await anext(stream)


async def cancel_in_a_block(stream, stage):
    async def block():
        async with stream as events:
            async for _ in events:
                pass

    task = asyncio.create_task(block())
    await in_loop(stage.subscribed)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.cancelled.is_set()


@pytest.mark.parametrize("leave", [cancel_in_a_wait, cancel_in_a_block])
def test_a_cancelled_task_cancels_the_subscriptions(runtime, silent, leave):
    ref, stage = silent
    run(leave(runtime.stream_async([ref]), stage))
    assert stage.cancelled.wait(DEADLINE_S)
    until_alone(runtime, "silent")


def test_a_cancelled_task_closes_what_a_generator_around_it_holds(runtime):
    """As a server does when its client has gone: the generator waits at its yield, and nobody closes it."""
    log = []
    numbers = runtime.start(lambda: Counter(log=log), name="numbers")

    async def main():
        async def fragments():
            async with runtime.stream_async([(numbers, {"max_demand": 4})]) as events:
                async for event in events:
                    yield event

        generator = fragments()

        async def respond():
            async for _ in generator:
                sent.set()
                await asyncio.Event().wait()  # the client's socket is full

        sent = asyncio.Event()
        task = asyncio.create_task(respond())
        await sent.wait()
        task.cancel()
        await asyncio.wait([task])
        await asyncio.to_thread(until_alone, runtime, "numbers")
        assert log[-1] == "cancel"
        with pytest.raises(RuntimeError, match="the task that took from it was cancelled"):
            await anext(generator)

    run(main())


def test_the_task_that_began_may_leave_it_to_another(runtime):
    async def main():
        events = runtime.stream_async([(runtime.start(lambda: Counter(end=10)), {"max_demand": 2})])
        for number in range(3):  # each in a task of its own
            assert await asyncio.create_task(anext(events)) == number
        first = asyncio.create_task(take_and_wait(events, begun := asyncio.Event()))
        await begun.wait()
        assert await anext(events) == 4
        first.cancel()
        await asyncio.wait([first])
        assert [event async for event in events] == [5, 6, 7, 8, 9]

    async def take_and_wait(events, begun):
        assert await anext(events) == 3
        begun.set()
        await asyncio.Event().wait()

    run(main())


def test_letting_go_cancels_the_subscriptions(runtime, silent):
    ref, stage = silent

    async def main():
        numbers = runtime.start(Counter, name="numbers")
        events = runtime.stream_async([(numbers, {"max_demand": 2}), ref])
        assert await anext(events) == 0
        cycle = [events]
        cycle.append(cycle)

    run(main())
    gc.collect()
    assert stage.cancelled.wait(DEADLINE_S)
    until_alone(runtime, "numbers", "silent")
    runtime.find("numbers").stop()


def test_a_loop_that_closes_while_events_arrive_cancels_the_subscriptions(runtime):
    numbers = runtime.start(Counter, name="numbers")
    gate = threading.Event()

    class Gated(Producer):
        def handle_demand(self, _demand):
            gate.wait(DEADLINE_S)
            return [1]

    gated = runtime.start(Gated, name="gated", blocking=True)
    kept = []

    async def main():
        events = runtime.stream_async([(numbers, {"max_demand": 2}), gated])
        kept.append(events)
        assert await anext(events) == 0

    run(main())
    assert kept[0]._feed.actor.alive
    gate.set()
    until_alone(runtime, "numbers", "gated")
    assert "closed" not in repr(kept)


def test_the_end_of_the_runtime_ends_a_waiting_iteration():
    async def main():
        async with Runtime() as runtime:
            made = []
            ref = runtime.start(lambda: made.append(Silent()) or made[0], name="silent")
            events = runtime.stream_async([ref])
            waiting = asyncio.create_task(anext(events))
            await in_loop(made[0].subscribed)
            await asyncio.to_thread(runtime._engine.kill, events._feed.actor, Killed())
            with pytest.raises(DeadStageError, match="killed"):
                await waiting

    run(main())


@pytest.mark.repeat
def test_a_cancel_at_any_moment_leaves_nothing(runtime):
    log = []
    numbers = runtime.start(lambda: Counter(log=log), name="numbers")

    async def main(turns):
        async def iterate():
            async with runtime.stream_async([(numbers, {"max_demand": 2})]) as events:
                async for _ in events:
                    pass

        task = asyncio.create_task(iterate())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for turns in range(40):
        run(main(turns))
    until_alone(runtime, "numbers")
    assert numbers.alive
    assert numbers._actor._watchers == {}
