"""Runs in asyncio: waiting for one, and runs that are used in an asynchronous block."""

import asyncio
import threading
import time

import pytest

from genstage import CallTimeoutError, Pipeline, PipelineError, Runtime

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
    assert not run._settled._functions


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
            assert not run._settled._functions
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


def until(true):
    """Wait for something that nobody can be asked to tell."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)
