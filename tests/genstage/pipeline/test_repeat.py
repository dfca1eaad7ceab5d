"""A run ends, whatever happens in whichever stage at whatever moment: again and again, on the real runtime.

What happens does so while the stage is held at the moment, or, every other time, in a race with it.
"""

import faulthandler
import tempfile
import threading

import pytest

from genstage import CallTimeoutError, Killed, Pipeline, PipelineError, Runtime
from genstage.pipeline import GraphJob
from genstage.pipeline.supervisor import DrainRun

from .conftest import Collect, Line, Numbers, Through

DEADLINE_S = 30.0
STAGES = ("numbers", "through", "left", "right")
MOMENTS = ("init", 0, 9, 19, "end", "terminate", "publish")
"""Before the first event, at it, between, at the last one, at the end of the data, and what comes then."""


class Trapped:
    """Can be caught when it cleans up, too."""

    def terminate(self, _reason):
        self.trap("terminate")


class TrappedNumbers(Trapped, Numbers):
    pass


class TrappedThrough(Trapped, Through):
    pass


class TrappedCollect(Trapped, Collect):
    pass


class TrappedLine(Line):
    source, middle, sink = TrappedNumbers, TrappedThrough, TrappedCollect


class Scene:
    """A run that is about to be caught in a stage at a moment.

    Args:
        held: Whether the stage waits there until it is let go.
        raises: Whether it fails there.
    """

    def __init__(self, stage, moment, *, held, raises):
        self.line = TrappedLine(end=20)
        self.reached, self.go = threading.Event(), threading.Event()
        self.held, self.raises, self.moment, self.stage = held, raises, moment, stage
        either = ("left", "right") if stage in {"left", "right"} and isinstance(moment, int) else (stage,)
        for one in either:  # which of the sinks gets what is not fixed
            self.line.traps[one] = self.trap
        self.runtime = Runtime(name="repeat", shutdown_s=1.0)
        self.run = Pipeline("line", self.job, max_restarts=0).run(runtime=self.runtime)

    def job(self):
        scene = self

        class Job(GraphJob):
            def complete(self, restarts, results):
                scene.trap("publish")
                return super().complete(restarts, results)

        return Job(self.line.graph(), dict)

    def trap(self, now):
        if now == self.moment:
            self.reached.set()
            if self.held:
                self.go.wait(DEADLINE_S)
            if self.raises:
                raise ValueError(now)

    def kill(self, actor):
        if actor is not None:
            self.runtime._engine.kill(actor, Killed())

    def outcome(self):
        """What became of the run; fails with the state of everything if nothing does."""
        try:
            self.run.wait(DEADLINE_S)
        except PipelineError:
            pass
        except CallTimeoutError:
            with tempfile.TemporaryFile("w+") as stacks:
                faulthandler.dump_traceback(stacks)
                stacks.seek(0)
                pytest.fail(f"it hangs\n{self.run.explain()}\n{stacks.read()}", pytrace=False)
        return self.run.statistics().state


def nothing(_scene):
    pass


def stop(scene):
    scene.run.stop_soon()


def drain(scene):
    scene.run._actor.tell(DrainRun())


def pause_and_stop(scene):
    scene.run.pause()
    scene.run.stop_soon()


def kill_stage(scene):
    attempt = scene.run._supervisor._attempt
    scene.kill(None if attempt is None else attempt.group.actors.get(scene.stage))


def kill_supervisor(scene):
    scene.kill(scene.run._actor)


def close(scene):
    threading.Thread(target=scene.runtime.close, name="closing").start()


ENDS = {
    nothing: {"completed"},
    stop: {"cancelled", "completed"},
    drain: {"completed"},
    pause_and_stop: {"cancelled", "completed"},
    kill_stage: {"failed", "completed"},
    kill_supervisor: {"failed", "completed"},
    close: {"cancelled", "failed", "completed"},
}
"""What happens, and what may become of the run; it may be completed before that."""


@pytest.mark.repeat
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("end", ENDS)
def test_a_run_ends_whatever_happens_in_it(times, end, stage, moment):
    for number in times:
        scene = Scene(stage, moment, held=number % 2 == 0, raises=False)
        assert scene.reached.wait(DEADLINE_S)
        end(scene)
        scene.go.set()
        assert scene.outcome() in ENDS[end]
        scene.runtime.close()
        assert scene.runtime._engine._ended
        if scene.run.statistics().state == "completed":
            taken = sorted(scene.line.left + scene.line.right)
            assert taken == list(range(20 if end is not drain else len(taken)))


@pytest.mark.repeat
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_run_that_fails_ends_whatever_has_failed(times, expected_errors, stage, moment):
    for _ in times:
        scene = Scene(stage, moment, held=False, raises=True)
        assert scene.outcome() == "failed"
        failure = next(iter(scene.run.failures.values()))
        assert (type(failure.exception), failure.exception.args) == (ValueError, (moment,))
        scene.runtime.close()
        assert scene.runtime._engine._ended
    assert expected_errors
