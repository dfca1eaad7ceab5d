"""The model of runs finds mistakes: each is planted alone, and most of them were made once."""

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from genstage._core.producing import Producing
from genstage._core.reasons import Killed, Normal
from genstage.pipeline.attempt import Attempt
from genstage.pipeline.supervisor import RunSupervisor
from genstage.pipeline.work import Work
from tests.models.test_runs import plans, run


def lost_outcome_of_a_killed_supervisor(monkeypatch):
    """Nobody brings the work to an end."""
    monkeypatch.setattr(Work, "orphan", lambda _self, _failures: None)


def work_given_up_twice(monkeypatch):
    """The supervisor is killed just when its work has been given up."""
    abandon = Work._abandon

    def forget(self, failures):
        self._abandoned = False
        abandon(self, failures)

    monkeypatch.setattr(Work, "_abandon", forget)


def lost_drain_at_the_start(monkeypatch):
    """A drain that comes before everybody has subscribed is forgotten."""
    connect = Attempt._connect

    def forget(self):
        self._draining = False
        connect(self)

    monkeypatch.setattr(Attempt, "_connect", forget)


def lost_drain_in_a_pause(monkeypatch):
    """Sources that rest are not told to end."""
    drain = Attempt.drain
    monkeypatch.setattr(Attempt, "drain", lambda self: None if self._paused else drain(self))


def pause_forgotten_at_a_restart(monkeypatch):
    """Stages that begin anew do not know that the run is paused."""
    restart = RunSupervisor._restart

    def forget(self):
        self._paused = False
        restart(self)

    monkeypatch.setattr(RunSupervisor, "_restart", forget)


def lost_demand_of_a_pause(monkeypatch):
    """What was asked for in a pause is not made after it."""
    set_mode = Producing.set_mode

    def forget(self, mode):
        if mode == "forward" and self._log:
            self._log = [entry for entry in self._log if not isinstance(entry, int)]
        set_mode(self, mode)

    monkeypatch.setattr(Producing, "set_mode", forget)


def unwanted_stage_left_alone(monkeypatch):
    """A stage whose consumers have ended asks for nothing, and those beside it get nothing."""
    monkeypatch.setattr(Attempt, "_gone", lambda self, name: self._sources.discard(name))


def lost_stop_while_preparing(monkeypatch):
    """A stop that comes before there are stages is forgotten."""
    cancel = RunSupervisor._cancel
    monkeypatch.setattr(
        RunSupervisor,
        "_cancel",
        lambda self, reason: None if self._step == "preparing" else cancel(self, reason),
    )


def killed_step_taken_for_done(monkeypatch):
    """A step of the run's own work that was killed counts as done."""
    done = RunSupervisor._task_done

    def forgive(self, message):
        object.__setattr__(message, "reason", Normal() if message.reason == Killed() else message.reason)
        done(self, message)

    monkeypatch.setattr(RunSupervisor, "_task_done", forgive)


def end_of_the_last_stage_missed(monkeypatch):
    """A run that is told to stop twice waits for stages that have ended."""
    ended = RunSupervisor._stages_ended

    def miss(self, attempt):
        if self._cancelled is None or not attempt.results:
            ended(self, attempt)

    monkeypatch.setattr(RunSupervisor, "_stages_ended", miss)


PLANTED = [
    lost_outcome_of_a_killed_supervisor,
    work_given_up_twice,
    lost_drain_at_the_start,
    lost_drain_in_a_pause,
    pause_forgotten_at_a_restart,
    lost_demand_of_a_pause,
    unwanted_stage_left_alone,
    lost_stop_while_preparing,
    killed_step_taken_for_done,
    end_of_the_last_stage_missed,
]


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_mistake_is_found(monkeypatch, plant):
    plant(monkeypatch)

    @settings(max_examples=3_000, phases=[Phase.generate], derandomize=True, database=None, deadline=None)
    @given(plan=plans(), seed=st.integers(0, 2**32))
    def holds(plan, seed):
        run(plan, seed)

    with pytest.raises(AssertionError):
        holds()
