"""Runtimes at the end of the interpreter, in a child of a fork, and at rest."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from genstage import ForkedRuntimeError, Runtime, Shutdown
from genstage._core.messages import Stop
from genstage._core.results import Reply
from genstage._runtime import lifetime
from genstage._runtime.engine import Engine
from genstage._runtime.lane import give_way
from genstage._runtime.shared_lane import HAS_GIL

DEADLINE_S = 30.0
ROOT = Path(__file__).parents[3]


def run(program):
    """Run a program in an interpreter of its own; gives what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        check=True,
        text=True,
        timeout=DEADLINE_S,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.stdout + done.stderr


# -- exit ---------------------------------------------------------------------------------------------

PROGRAM = r"""
import sys
import threading
from genstage import Consumer, Runtime

def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")  # at once: they come from several threads

class Careful(Consumer):
    def terminate(self, reason):
        say("terminated:", reason)

runtime = Runtime(name="left")
stages = [runtime.start(Careful, blocking=blocking) for blocking in (False, True)]
"""


def test_a_runtime_that_nobody_closed_stops_its_stages_when_the_interpreter_exits():
    assert run(PROGRAM) == "terminated: shutdown\n" * 2
    assert run(f"{PROGRAM}\nraise SystemExit") == "terminated: shutdown\n" * 2
    with_timer = f"{PROGRAM}\nruntime._engine.timers.after(3_600, print)"  # its thread is a daemon too
    assert run(with_timer) == "terminated: shutdown\n" * 2


def test_a_runtime_that_nobody_holds_any_more_is_not_lost_with_its_idle_stages():
    program = f"{PROGRAM}\ndel runtime, stages\nimport gc\ngc.collect()"
    assert run(program) == "terminated: shutdown\n" * 2


def test_a_stage_that_is_stuck_at_exit_does_not_cost_other_runtimes_their_time():
    program = f"""{PROGRAM}
class Stuck(Consumer):
    def terminate(self, reason):
        threading.Event().wait()

from genstage._runtime import lifetime
lifetime._EXIT_S = 0.5
stuck = [Runtime(name="stuck") for _ in range(4)]
for one in stuck:
    one.start(Stuck, blocking=True)
"""
    assert run(program).count("terminated: shutdown\n") == 2


def test_no_thread_is_started_while_the_interpreter_exits():
    program = f"""{PROGRAM}
class Waits(Consumer):
    def terminate(self, reason):
        say(other.wait(timeout_s=10))  # for a stage on the same lane
        try:
            runtime.start(Careful, blocking=True)
        except Exception as error:
            say(type(error).__name__)

other = runtime.start(Careful)
runtime.start(Waits)
start = threading.Thread.start

def started(thread):
    say("started", thread.name)
    start(thread)

threading.Thread.start = started
"""
    lines = run(program).splitlines()

    assert sorted(lines) == ["None", "StartError", *["terminated: shutdown"] * 3]


def test_a_stage_that_is_stuck_does_not_keep_the_interpreter_from_exiting():
    program = f"""{PROGRAM}
from genstage._runtime import lifetime
lifetime._EXIT_S = 0.1

class Stuck(Consumer):
    def handle_cast(self, _):
        inside.release()
        threading.Event().wait()

inside = threading.Semaphore(0)
for blocking in (False, True):
    runtime.start(Stuck, blocking=blocking).cast(None)
    inside.acquire()
"""
    begun = time.monotonic()
    said = run(program)

    assert said.count("stage killed") == 2
    assert said.count("terminated: shutdown") == 2
    assert time.monotonic() - begun < DEADLINE_S / 2


def test_a_closed_runtime_is_left_alone_at_exit():
    assert run(f"{PROGRAM}\nruntime.close()\nprint('closed')") == "terminated: shutdown\n" * 2 + "closed\n"


# -- fork ---------------------------------------------------------------------------------------------


def in_fork(function):
    """Run a function in a child of this process; gives what it returned, as text."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(int(DEADLINE_S))  # a child that hangs would outlive its test
        try:
            text = function()
        except BaseException as error:  # noqa: BLE001 - told to the parent
            text = repr(error)
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    os.waitpid(child, 0)
    return text


def said(function):
    """What a use of a runtime says in the child."""
    try:
        function()
    except ForkedRuntimeError as error:
        return f"refused {error.name}"
    return "nothing"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("blocking", [False, True])
def test_a_runtime_is_dead_in_the_child_of_a_fork_and_says_so(runtime, doer, start, blocking):
    ref, _ = start(name="stage", blocking=blocking)
    uses = {
        "start": lambda: runtime.start(doer),
        "call": lambda: ref.call(None, timeout_s=5),
        "cast": lambda: ref.cast(None),
        "send": lambda: ref.send(None),
        "stop": lambda: ref.stop(timeout_s=5),
        "wait": lambda: ref.wait(timeout_s=5),
        "tell": lambda: ref.pykka.tell(None),
        "ask": lambda: ref.pykka.ask(None, timeout=5),
        "close": runtime.close,
    }

    told = in_fork(lambda: " ".join(f"{name}={said(use)}" for name, use in uses.items()))

    assert told.split(" ") == " ".join(
        [f"{name}=refused test" for name in uses if name != "close"] + ["close=nothing"]
    ).split(" ")
    assert ref.call(lambda *_: Reply("alive in the parent")) == "alive in the parent"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_runtime_made_after_the_fork_works_and_locks_held_by_others_do_no_harm(runtime, start, doer):
    ref, _ = start(name="stage")

    def child():
        with Runtime(name="new") as mine:
            answer = mine.start(doer).call(lambda *_: Reply("works"))
        return f"{answer} {said(lambda: ref.call(None, timeout_s=5))}"

    with runtime._engine._lock, ref._actor._lock, ref._actor.lane._lock, runtime._engine.timers._changed:
        told = in_fork(child)

    assert told == "works refused test"


# -- rest ---------------------------------------------------------------------------------------------


def wake_ups():
    """How often the threads of this process have been woken, but for this one."""
    total = 0
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) != threading.get_native_id():
            status = (task / "status").read_text()
            total += sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)
    return total


@pytest.mark.skipif(sys.platform != "linux", reason="what threads do is read from /proc")
def test_an_idle_runtime_uses_no_cpu(start):
    refs = [start(blocking=blocking)[0] for blocking in (False, True)]
    refs[0].cast(lambda stage: stage.stage.send_after(3_600, "much later") and None)
    for ref in refs:
        ref.call(lambda *_: Reply(None))
    lane = refs[0]._actor.lane
    pause = threading.Event()
    for _ in range(5_000):
        if lane._monitor._parked:
            break
        pause.wait(0.001)
    assert lane._monitor._parked

    before = wake_ups()
    pause.wait(0.3)  # sixty intervals of the monitor
    assert wake_ups() == before


def test_at_exit_all_runtimes_together_have_five_seconds(monkeypatch):
    calls = []

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()

    class Ending:
        def exit(self):
            calls.append("told")

        def close(self, timeout_s):
            calls.append(timeout_s)
            clock.now += 3

    monkeypatch.setattr(lifetime, "time", clock)
    monkeypatch.setattr(lifetime, "_engines", {Ending() for _ in range(3)})
    lifetime._at_exit()

    assert calls == ["told"] * 3 + [5.0, 2.0, 0]


class Blocks:
    """A behaviour that gives way and blocks, whatever it is told; but it ends when it has to."""

    def __init__(self, port, inside, gate):
        self.port, self.inside, self.gate = port, inside, gate

    def start(self):
        return None

    def handle(self, message):
        if isinstance(message, Stop):
            self.port.stop(message.reason)
            return
        self.inside.set()
        give_way()
        self.gate.wait()


def test_no_thread_is_started_any_more_when_the_interpreter_exits(monkeypatch, gate, caplog):
    engine = Engine("ending")
    elsewhere = Engine("elsewhere")  # a parent that is not told to stop
    parent = elsewhere.spawn(
        partial(Blocks, inside=None, gate=None), name="parent", on_started=lambda _: None
    )
    blocked = [threading.Event() for _ in range(3)]
    actors = []
    for number, inside in enumerate(blocked):
        started = threading.Event()
        actors.append(
            engine.spawn(
                partial(Blocks, inside=inside, gate=gate),
                name=f"blocks {number}",
                parent=parent,  # not told to stop before the others
                on_started=lambda _, started=started: started.set(),
            )
        )
        assert started.wait(DEADLINE_S)
    started = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    engine.exit()
    for actor in actors:
        actor.tell("block")
    child = engine.spawn(
        partial(Blocks, inside=None, gate=None),
        name="of a supervisor",
        own_lane=True,
        parent=parent,
        on_started=lambda _: None,
    )
    for inside in blocked[:2]:  # there are two threads
        assert inside.wait(DEADLINE_S)
    while not engine._shared[0]._warned:
        time.sleep(0.001)
    assert not blocked[2].is_set()
    assert child.lane is engine._shared[0]
    gate.set()
    engine.close(DEADLINE_S)
    elsewhere.close(DEADLINE_S)

    assert blocked[2].is_set()
    assert started == []
    assert [record.event for record in caplog.records] == ["all threads of a lane are in turns that block"]


def test_closed_runtimes_are_not_kept(doer):
    with Runtime() as runtime:
        runtime.start(doer)
        engine = runtime._engine
        assert engine in lifetime._engines
    assert engine not in lifetime._engines


def test_stages_stop_with_a_reason_when_the_interpreter_exits(doer):
    stage = doer()
    runtime = Runtime()
    runtime.start(lambda: stage)
    runtime._engine.exit()
    runtime.close()

    assert stage.terminated == [Shutdown()]


@pytest.mark.skipif(not HAS_GIL, reason="without a global lock warnings are gone before the last objects are")
def test_a_runtime_that_nobody_closed_is_told_of_when_asked_for():
    assert run(PROGRAM).count("was not closed") == 0
    asked = f"import warnings\nwarnings.simplefilter('always')\n{textwrap.dedent(PROGRAM)}"
    assert run(asked).count("ResourceWarning: runtime 'left' was not closed: use it in a with block") == 1
    assert run(f"{asked}\nruntime.close()").count("was not closed") == 0
