"""Runtimes, runs, copies of the package and processes do not get in each other's way."""

import subprocess
import sys
import threading
from operator import add

import pytest

from genstage import Flow, Producer, Runtime

DEADLINE_S = 20.0


class Numbers(Producer):
    def handle_demand(self, demand):
        return range(demand)


def test_two_runtimes_of_one_name_have_stages_of_one_name():
    with Runtime(name="same") as one, Runtime(name="same") as other:
        first, second = one.start(Numbers, name="numbers"), other.start(Numbers, name="numbers")
        assert first != second
        assert (one.find("numbers"), other.find("numbers")) == (first, second)
        one.close()
        assert (first.alive, second.alive) == (False, True)
        assert other.find("numbers") == second


def test_two_runs_of_one_pipeline_share_a_runtime():
    gate = threading.Event()
    numbers = Flow.from_iterable(lambda: range(100), name="numbers")
    pipeline = numbers.map(lambda n: gate.wait(DEADLINE_S) and n, name="held").reduce(add, 0, name="total")
    told = []
    with Runtime(name="same") as runtime:
        runtime.telemetry.attach("list", told.append, events=["stage.start"])
        runs = [pipeline.run(runtime=runtime) for _ in range(2)]
        gate.set()
        assert [run.wait(timeout_s=DEADLINE_S) for run in runs] == [4950, 4950]
    stages = {(event.metadata["run"], event.metadata["stage"]) for event in told}
    numbers = {number for number, _ in stages}
    assert len(numbers) == 2
    assert stages == {(number, stage) for number in numbers for stage in ("numbers", "held", "total")}


CELL = """
class Numbers(Producer):
    def handle_demand(self, demand):
        return range(demand)

runtime = Runtime(name="notebook")
numbers = runtime.start(Numbers, name="numbers")
run = Flow.from_iterable(range(10), name="ten").reduce(max, 0, name="most").run(runtime=runtime)
most = run.wait(timeout_s=20)
seen.append((runtime, numbers, most))
"""


def test_a_cell_of_a_notebook_is_run_twice():
    seen = []
    cell = {"Producer": Producer, "Runtime": Runtime, "Flow": Flow, "seen": seen}
    exec(CELL, cell)  # noqa: S102 - as a notebook does
    exec(CELL, cell)  # noqa: S102
    (old, first, most), (new, second, again) = seen
    try:
        assert (most, again) == (9, 9)
        assert first.alive
        assert second.alive
        assert (old.find("numbers"), new.find("numbers")) == (first, second)
    finally:
        old.close()
        new.close()


def test_a_runtime_that_a_cell_has_lost_is_told_of():
    cell = {"Runtime": Runtime}
    exec("runtime = Runtime(name='lost'); runtime.start", cell)  # noqa: S102
    lost = cell["runtime"]._engine
    with pytest.warns(ResourceWarning, match="runtime 'lost' was not closed"):
        exec("runtime = Runtime(name='new')", cell)  # noqa: S102
    cell["runtime"].close()
    lost.close(DEADLINE_S)


def run_python(program, *arguments):
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", program, *arguments], capture_output=True, text=True, check=False
    )


RELOADED = """
import sys

def load():
    import genstage
    class Numbers(genstage.Producer):
        def handle_demand(self, demand):
            return genstage.Finish(range(5))
    return genstage, Numbers

def read(package, kind, runtime):
    return list(runtime.stream([runtime.start(kind, name="numbers")]))

old, OldNumbers = load()
old_runtime = old.Runtime(name="web")
assert read(old, OldNumbers, old_runtime) == list(range(5))
if sys.argv[1] == "dropped":
    for name in [name for name in sys.modules if name.partition(".")[0] in ("genstage", "renderers")]:
        del sys.modules[name]
else:
    import importlib
    importlib.reload(old)
new, NewNumbers = load()
assert (new.Runtime is old.Runtime) == (sys.argv[1] == "reloaded")
with new.Runtime(name="web") as runtime:
    assert read(new, NewNumbers, runtime) == list(range(5))
    assert read(old, OldNumbers, old_runtime) == list(range(5))
    assert runtime.start(new.Consumer, name="idle").alive
    assert old_runtime.find("idle") is None
if sys.argv[2] == "closed":
    old_runtime.close()
else:
    import warnings
    warnings.simplefilter("ignore", ResourceWarning)
    old_runtime.start(OldNumbers, name="left")
"""


@pytest.mark.parametrize("how", ["dropped", "reloaded"])
@pytest.mark.parametrize("end", ["closed", "left"])
def test_a_server_loads_the_package_anew_while_an_old_runtime_lives(how, end):
    done = run_python(RELOADED, how, end)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


TESTS = """
import pytest
from genstage import Consumer, Flow, Runtime

@pytest.mark.parametrize("number", range(8))
def test_one(number):
    with Runtime(name="same") as runtime:
        stage = runtime.start(Consumer, name="stage", register=True)
        total = Flow.from_iterable(range(number), name="numbers").reduce(lambda a, b: a + b, 0)
        assert total.run(runtime=runtime).wait(timeout_s=20) == sum(range(number))
        assert runtime.find("stage") == stage
"""


def test_tests_run_in_parallel_processes(tmp_path):
    (tmp_path / "test_same.py").write_text(TESTS)
    options = ["-q", "-n", "2", "-p", "no:cacheprovider", "-W", "error", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


FORKED = """
import os, sys, threading, warnings
from genstage import Consumer, Runtime
from genstage._runtime import watch

held, let_go = threading.Event(), threading.Event()
os.register_at_fork(before=let_go.set)  # called before those that were registered earlier

def hold():
    with watch._lock:
        held.set()
        let_go.wait()

threading.Thread(target=hold).start()
held.wait()
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
child = os.fork()
if child == 0:
    free = watch._lock.acquire(timeout=5)
    os._exit(0 if free else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_of_a_fork_can_link_stages_whatever_others_did_at_that_moment():
    done = run_python(FORKED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
