"""Iterating over a flow's output, in threads and in asyncio."""

import asyncio
import gc
import subprocess
import sys
import threading
import time
from itertools import count, islice

import pytest

from genstage import (
    CallTimeoutError,
    Finish,
    Flow,
    GraphError,
    PipelineError,
    Producer,
    Runtime,
    SourceError,
    StartError,
)

DEADLINE_S = 20.0


class Numbers(Producer):
    """Counts as it is asked; can be held, and fail at a number."""

    def __init__(self, log, *, end=None, fail_at=None, gate=None):
        self.next, self.log, self.end, self.fail_at, self.gate = 0, log, end, fail_at, gate

    def handle_demand(self, demand):
        self.log.append(demand)
        if self.gate is not None and self.next:
            self.gate.wait(DEADLINE_S)
        first, self.next = self.next, self.next + demand
        if self.fail_at is not None and self.next > self.fail_at:
            if first < self.fail_at:
                self.next = self.fail_at
                self.stage.send("fail")
                return range(first, self.fail_at)
            raise ValueError("boom")
        if self.end is not None and self.next >= self.end:
            return Finish(range(first, self.end))
        return range(first, self.next)

    def handle_info(self, _message):
        raise ValueError("boom")

    def terminate(self, _reason):
        self.log.append("terminated")


@pytest.fixture
def log():
    return []


@pytest.fixture
def runtime():
    with Runtime(name="shared") as runtime:
        yield runtime
        until(lambda: not runtime._engine._actors)  # whatever was done, no stage is left


def numbers(log, **options):
    return Flow.from_producer(lambda: Numbers(log, **options), name="numbers")


def until(true):
    """Wait for something that nobody can be asked to tell."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


def run_main(main):
    return asyncio.run(asyncio.wait_for(main(), DEADLINE_S))


# -- in a thread --------------------------------------------------------------------------------------


def test_its_output_comes_event_by_event_to_the_end(runtime, log):
    flow = numbers(log, end=2_500).map(lambda n: n + 1, name="plus")
    with flow.stream(runtime=runtime, max_demand=100) as events:
        assert list(events) == list(range(1, 2_501))
        assert list(events) == []
    statistics = events.statistics()
    assert statistics.state == "completed"
    assert statistics.stages["plus"].events_out == 2_500


def test_it_needs_no_block_and_no_runtime(log):
    assert list(numbers(log, end=10).stream()) == list(range(10))
    assert log[-1] == "terminated"


def test_merged_flows(runtime, log):
    flow = numbers(log, end=20).merge(Flow.from_iterable(range(20)))
    assert sorted(flow.stream(runtime=runtime, max_demand=3)) == sorted([*range(20), *range(20)])


@pytest.mark.parametrize(("taken", "asked"), [(0, 4), (1, 4), (2, 4), (3, 6), (5, 8)])
def test_the_source_gives_no_more_than_is_wanted(runtime, log, taken, asked):
    with numbers(log).stream(runtime=runtime, max_demand=4, min_demand=2) as events:
        assert list(islice(events, taken)) == list(range(taken))
        until(lambda: sum(log) == asked)
        settle(runtime)
        assert sum(log) == asked


def settle(runtime):
    """What has been sent so far has been handled, and what that has sent: they live on one lane."""
    lane = runtime._engine._shared[0]
    until(lambda: lane.sleeping)


def test_leaving_early_cancels_the_run_and_waits_for_its_end(runtime, log):
    with numbers(log).stream(runtime=runtime, max_demand=2) as events:
        assert next(events) == 0
        assert events.statistics().state == "running"
        assert repr(events) == "<FlowStream 'stream' running>"
    assert log[-1] == "terminated"
    assert events.statistics().state == "cancelled"
    assert list(events) == []
    assert repr(events) == "<FlowStream 'stream' closed>"


def test_an_error_in_the_block_goes_on_and_letting_go_cancels(runtime, log):
    def block():
        with numbers(log).stream(runtime=runtime) as events:
            next(events)
            raise LookupError

    with pytest.raises(LookupError):
        block()
    assert log.pop() == "terminated"

    events = numbers(log).stream(runtime=runtime)
    assert next(events) == 0
    del events
    gc.collect()
    until(lambda: log[-1] == "terminated")


def test_a_close_has_a_deadline_and_the_run_ends_later(runtime, log):
    gate = threading.Event()
    events = numbers(log, gate=gate).stream(runtime=runtime, max_demand=2)
    assert next(events) == 0
    assert next(events) == 1
    until(lambda: len(log) == 2)
    with pytest.raises(CallTimeoutError):
        events.close(timeout_s=0.01)
    gate.set()
    events.close()
    assert log[-1] == "terminated"


def test_a_failure_comes_behind_the_events_before_it(runtime, log, expected_errors):
    events = numbers(log, fail_at=5).stream(runtime=runtime, max_demand=2)
    assert list(islice(events, 5)) == [0, 1, 2, 3, 4]
    with pytest.raises(PipelineError) as caught:
        next(events)
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.failures[0].stage == "numbers"
    assert list(events) == []
    assert log.count("terminated") == 1  # it has not begun anew
    assert expected_errors


def test_a_failure_closes_a_runtime_of_its_own(log, expected_errors):
    with pytest.raises(PipelineError):
        list(numbers(log, fail_at=5).stream(max_demand=2))
    assert expected_errors


def test_what_is_refused_is_raised_when_it_begins(runtime):
    flow = Flow.from_iterable(iter([1, 2]))
    assert list(flow.stream(runtime=runtime)) == [1, 2]
    with pytest.raises(SourceError, match="cannot be replayed"), flow.stream(runtime=runtime):
        pass
    with pytest.raises(SourceError, match="cannot be replayed"):
        next(flow.stream())
    with pytest.raises(GraphError, match="max_demand"):
        flow.stream(max_demand=0)
    with pytest.raises(GraphError, match="there are name"):
        flow.stream(cancel="temporary")
    with pytest.raises(RuntimeError, match="has not begun"):
        flow.stream().statistics()


def test_a_closed_runtime_refuses():
    with Runtime() as runtime:
        pass
    with pytest.raises(StartError), Flow.from_iterable([1]).stream(runtime=runtime):
        pass


def test_the_end_of_the_runtime_ends_a_waiting_iteration():
    errors = []
    gate = threading.Event()

    def iterate(events):
        try:
            list(events)
        except PipelineError as error:
            errors.append(error)

    with Runtime() as runtime:
        events = Flow.from_iterable(lambda: iter(gate.wait, None), blocking=True).stream(runtime=runtime)
        waiting = threading.Thread(target=iterate, args=(events,))
        waiting.start()
        until(lambda: events._feed.begun and events.statistics().state == "running")
        threading.Timer(0.01, gate.set).start()
    waiting.join(DEADLINE_S)
    assert [error.failures for error in errors] == [()]


# -- in asyncio ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
def test_in_asyncio_the_same_events(log, shared):
    async def main():
        flow = numbers(log, end=2_500).map(str)
        async with Runtime() as runtime:
            home = runtime if shared else None
            async with flow.stream_async(runtime=home, max_demand=100) as events:
                assert [event async for event in events] == [str(n) for n in range(2_500)]
                assert events.statistics().state == "completed"
            assert [event async for event in flow.stream_async(runtime=home)] == [*map(str, range(2_500))]

    run_main(main)


def test_in_asyncio_leaving_early_cancels_the_run(runtime, log):
    async def main():
        async with numbers(log).stream_async(runtime=runtime, max_demand=2) as events:
            assert await anext(events) == 0
            assert repr(events) == "<AsyncFlowStream 'stream' running>"
        assert log[-1] == "terminated"
        assert events.statistics().state == "cancelled"

    run_main(main)


def test_in_asyncio_a_failure_is_raised_with_its_cause(runtime, log, expected_errors):
    async def main():
        events = numbers(log, fail_at=5).stream_async(runtime=runtime, max_demand=2)
        assert [await anext(events) for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(PipelineError) as caught:
            await anext(events)
        assert isinstance(caught.value.__cause__, ValueError)
        with pytest.raises(SourceError):
            await once.stream_async(runtime=runtime).__aenter__()
        with pytest.raises(SourceError):
            await anext(once.stream_async())

    once = Flow.from_iterable(iter([1]))
    assert list(once.stream()) == [1]
    run_main(main)
    assert expected_errors


@pytest.mark.parametrize("shared", [False, True])
def test_a_cancelled_task_cancels_its_run_even_if_a_generator_is_not_told(runtime, log, shared):
    async def main():
        async def fragments():
            async with numbers(log).stream_async(runtime=runtime if shared else None, max_demand=2) as events:
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
        await asyncio.to_thread(until, lambda: log[-1] == "terminated")
        with pytest.raises(RuntimeError, match="was cancelled"):
            await anext(generator)

    run_main(main)


def test_a_cancel_while_it_begins_leaves_no_run(runtime, log):
    inside, gate = threading.Event(), threading.Event()
    flow = numbers(log)
    feed_of = flow._feed

    def slow(*arguments):
        feed = feed_of(*arguments)
        begin = feed.begin

        def slowly(put):
            inside.set()
            gate.wait(DEADLINE_S)
            begin(put)

        feed.begin = slowly
        return feed

    async def main():
        async def block():
            async with flow.stream_async(runtime=runtime):
                raise AssertionError

        task = asyncio.create_task(block())
        assert await asyncio.to_thread(inside.wait, DEADLINE_S)
        task.cancel()
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flow, "_feed", lambda _, *arguments: slow(*arguments))
        run_main(main)


def test_many_streams_share_a_runtime_and_none_is_hurt_by_the_others(runtime, expected_errors):
    async def one(number):
        flow = numbers([], end=200, fail_at=50 if number % 4 == 0 else None)
        async with flow.stream_async(runtime=runtime, max_demand=8) as events:
            if number % 4 == 1:
                return [await anext(events) for _ in range(10)]
            return [event async for event in events]

    async def main():
        return await asyncio.gather(*map(one, range(20)), return_exceptions=True)

    for number, got in enumerate(run_main(main)):
        if number % 4 == 0:
            assert isinstance(got, PipelineError)
        else:
            assert got == list(range(10 if number % 4 == 1 else 200))
    assert expected_errors


@pytest.mark.repeat
@pytest.mark.parametrize("turns", [*range(12), 20, 50, 100])
def test_a_cancel_at_any_moment_leaves_no_run(runtime, turns):
    async def main():
        async def iterate():
            async with Flow.from_iterable(count).stream_async(runtime=runtime, max_demand=2) as events:
                async for _ in events:
                    pass

        task = asyncio.create_task(iterate())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_main(main)


OPEN_AT_THE_EXIT = """
from itertools import count
from genstage import Flow
stream = Flow.from_iterable(count).stream()
print(next(stream))
"""


def test_a_stream_that_is_open_when_the_interpreter_exits_ends_in_silence():
    done = subprocess.run(
        [sys.executable, "-c", OPEN_AT_THE_EXIT],
        capture_output=True,
        check=False,
        text=True,
        timeout=DEADLINE_S,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
