"""Runs in asyncio: waiting for one, and runs that are used in an asynchronous block."""

import asyncio
import threading
import time

import pytest

from genstage import CallTimeoutError, Pipeline, PipelineError, Run, Runtime, Shutdown

DEADLINE_S = 20.0


def pipeline(line, **options):
    return Pipeline.of("line", line.graph(), **options)


def run_main(main):
    return asyncio.run(asyncio.wait_for(main(), DEADLINE_S))


# -- a plain run --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
def test_a_plain_run_can_be_waited_for_while_the_loop_goes_on(line, gate, shared):
    line.traps["left"] = lambda moment: moment == "init" and gate.wait(DEADLINE_S)

    async def main(runtime):
        run = pipeline(line).run(runtime=runtime)
        waiting = asyncio.create_task(run.wait_async())
        with pytest.raises(CallTimeoutError, match=r"did not end within 0\.01 s"):
            await run.wait_async(0.01)
        assert not waiting.done()
        gate.set()
        await waiting
        await run.wait_async()  # again: it has ended
        return run

    if shared:
        with Runtime() as runtime:
            run = run_main(lambda: main(runtime))
    else:
        run = run_main(lambda: main(None))
        assert run._private._engine._ended
    assert run.statistics().state == "completed"
    assert not run._launch.settled._functions


def test_a_wait_raises_what_the_run_has_failed_with(line, expected_errors):
    error = ValueError("boom")

    def trap(moment):
        if moment == 17:
            raise error

    line.traps["through"] = trap

    async def main():
        with pytest.raises(PipelineError) as caught:
            await pipeline(line).run().wait_async()
        assert caught.value.__cause__ is error

    run_main(main)
    assert expected_errors


def test_a_cancelled_wait_leaves_the_run_alone(line, gate):
    line.traps["left"] = lambda moment: moment == "init" and gate.wait(DEADLINE_S)

    async def main():
        with Runtime() as runtime:
            run = pipeline(line).run(runtime=runtime)
            waiting = asyncio.create_task(run.wait_async())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert not run._launch.settled._functions
            gate.set()
            await run.wait_async()
            assert run.statistics().state == "completed"

    run_main(main)


def test_a_function_is_told_of_the_end_once(line, expected_errors):
    told, ended = [], threading.Event()

    def trap(moment):
        if moment == 17:
            raise ValueError("boom")

    with Runtime() as runtime:
        with pipeline(line).run(runtime=runtime) as run:
            run.on_end(lambda error: (told.append(error), ended.set()))
            run.on_end(told.append)()  # taken back
            run.on_end(lambda _: 1 / 0)
            run.wait()
        assert ended.wait(DEADLINE_S)
        line.traps["through"] = trap
        failing = pipeline(line).run(runtime=runtime)
        with pytest.raises(PipelineError):
            failing.wait()
        failing.on_end(told.append)
    assert [type(error) for error in told] == [type(None), PipelineError]
    assert {record.event for record in expected_errors} == {
        "a function told of the end failed",
        "stage failed",
    }
    assert {(record.runtime, record.pipeline) for record in expected_errors} == {(runtime.name, failing.name)}


def until(true):
    """Wait for something that nobody can be asked to tell."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


# -- an asynchronous block ----------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
def test_leaving_the_block_waits_for_the_end(line, gate, shared):
    line.traps["left"] = lambda moment: moment == "init" and gate.wait(DEADLINE_S)

    async def main():
        async with Runtime() as runtime:
            run = pipeline(line).run_async(runtime=runtime if shared else None)
            assert repr(run) == "<AsyncRun 'line' not begun>"
            async with run:
                assert repr(run).startswith("<AsyncRun 'line' ")
                asyncio.get_running_loop().call_soon(gate.set)
            assert run.statistics().state == "completed"
            assert sorted(line.left + line.right) == list(range(line.end))
            assert await run.wait() is not NotImplemented

    run_main(main)


def test_the_block_raises_what_the_run_has_failed_with_unless_it_was_told(line, expected_errors):
    def trap(moment):
        if moment == 17:
            raise ValueError("boom")

    line.traps["through"] = trap

    async def block():
        async with pipeline(line).run_async():
            pass

    async def main():
        with pytest.raises(PipelineError) as caught:
            await block()
        assert isinstance(caught.value.__cause__, ValueError)
        async with pipeline(line).run_async() as run:
            with pytest.raises(PipelineError):
                await run.wait(DEADLINE_S)

    run_main(main)
    assert expected_errors


def hold(line, gate, reached):
    def trap(moment):
        if moment == 17:
            reached.set()
            gate.wait(DEADLINE_S)

    line.traps["through"] = trap


def test_a_stopped_run_is_cancelled(line, gate):
    hold(line, gate, reached := threading.Event())

    async def main():
        async with pipeline(line).run_async() as run:
            assert await asyncio.to_thread(reached.wait, DEADLINE_S)
            with pytest.raises(CallTimeoutError):
                await run.stop(timeout_s=0.01)
            gate.set()
            await run.stop()
            assert run.statistics().state == "cancelled"
            with pytest.raises(PipelineError):
                await run.wait()

    run_main(main)


@pytest.mark.parametrize("where", ["in the block", "at its end"])
def test_a_cancel_stops_the_run_and_waits_for_its_end(line, gate, where):
    hold(line, gate, reached := threading.Event())
    runs = []

    async def block():
        async with pipeline(line).run_async() as run:
            runs.append(run)
            if where == "in the block":
                await run.wait()

    async def main():
        task = asyncio.create_task(block())
        assert await asyncio.to_thread(reached.wait, DEADLINE_S)
        await asyncio.to_thread(until, lambda: runs)  # stages can be faster than the block
        task.cancel()
        await asyncio.to_thread(until, lambda: runs[0].statistics().state == "stopping")
        assert not task.done()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert runs[0].statistics().state == "cancelled"
        assert runs[0]._run._private._engine._ended

    run_main(main)


def test_an_error_in_the_block_stops_the_run_and_goes_on(line, gate):
    hold(line, gate, reached := threading.Event())
    runs = []

    def open_when_it_stops():
        until(lambda: runs[0].statistics().state == "stopping")
        gate.set()

    async def block():
        async with pipeline(line).run_async() as run:
            runs.append(run)
            assert await asyncio.to_thread(reached.wait, DEADLINE_S)
            asyncio.get_running_loop().run_in_executor(None, open_when_it_stops)
            raise LookupError

    async def main():
        with pytest.raises(LookupError):
            await block()
        assert runs[0].statistics().state == "cancelled"

    run_main(main)


def test_a_cancel_while_it_begins_leaves_no_run(line):
    inside, gate = threading.Event(), threading.Event()
    recipe = pipeline(line)
    open_job = recipe._open_job

    def slow():
        inside.set()
        gate.wait(DEADLINE_S)
        return open_job()

    recipe._open_job = slow
    run = recipe.run_async()

    async def main():
        task = asyncio.create_task(run.__aenter__())
        assert await asyncio.to_thread(inside.wait, DEADLINE_S)
        task.cancel()
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert run._run._private._engine._ended

    run_main(main)


def test_what_is_refused_is_raised_at_the_begin(line):
    def refuse():
        raise LookupError("no such table")

    async def main():
        with pytest.raises(LookupError):
            await Pipeline("refused", refuse).run_async().__aenter__()
        run = pipeline(line).run_async()
        with pytest.raises(RuntimeError, match="has not begun"):
            await run.wait()
        async with run:
            with pytest.raises(RuntimeError, match="has begun already"):
                await run.__aenter__()

    run_main(main)


@pytest.mark.parametrize("verb", ["pause", "resume", "drain", "stop"])
def test_the_loop_goes_on_whatever_a_run_is_told(line, gate, monkeypatch, verb):
    waited = []
    monkeypatch.setattr(Run, verb, lambda *_, **__: waited.append(gate.wait(DEADLINE_S)))

    async def main():
        async with pipeline(line).run_async() as run:
            telling = asyncio.create_task(getattr(run, verb)())
            await asyncio.sleep(0)  # it begins, and the loop goes on
            gate.set()
            await telling

    run_main(main)
    assert waited == [True]


def test_a_run_is_paused_resumed_and_drained(line):
    line.end = 10**9

    async def main():
        async with pipeline(line).run_async() as run:
            await run.pause()
            await asyncio.to_thread(until, lambda: run.statistics().state == "paused")
            await run.resume()
            await asyncio.to_thread(until, lambda: line.left)
            await run.drain(timeout_s=DEADLINE_S)
            assert await run.wait() == {"left": None, "right": None}

    run_main(main)

    taken = sorted(line.left + line.right)
    assert taken == list(range(len(taken)))


def test_a_run_is_stopped_for_a_reason(line):
    line.end = 10**9

    async def main():
        async with pipeline(line).run_async() as run:
            await asyncio.to_thread(until, lambda: line.left)
            await run.stop("enough", timeout_s=DEADLINE_S)
            return run._run._actor.reason

    assert run_main(main) == Shutdown("enough")
