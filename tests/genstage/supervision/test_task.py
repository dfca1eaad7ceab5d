import threading

import pytest

from genstage import OptionError, PipelineError, Runtime
from genstage.supervision import Task
from genstage.testing import Simulation


def test_it_calls_its_function_once_with_its_arguments_and_ends_normally():
    seen = []
    with Simulation() as simulation:
        ref = simulation.start(lambda: Task(lambda *arguments: seen.append(arguments), 1, "two"))
        assert (seen, ref.alive) == ([], True)  # it has started before it begins
        simulation.run()
    assert seen == [(1, "two")]
    assert str(ref.reason) == "normal"


def test_what_its_function_raises_is_its_end(expected_errors):
    error = ValueError("no")

    def fail():
        raise error

    with Runtime() as runtime:
        ref = runtime.start(lambda: Task(fail))
        with pytest.raises(PipelineError) as raised:
            ref.wait(timeout_s=20)
    assert raised.value.__cause__ is error
    assert len(expected_errors) == 1


def test_whoever_starts_it_does_not_wait_for_its_work():
    gate = threading.Event()
    with Runtime() as runtime:
        ref = runtime.start(lambda: Task(gate.wait, 20), blocking=True)
        assert ref.alive
        gate.set()
        ref.wait(timeout_s=20)


def test_what_cannot_be_called_is_refused():
    with pytest.raises(OptionError, match="function"):
        Task(7)
