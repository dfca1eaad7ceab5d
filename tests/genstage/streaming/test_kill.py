"""What a dead sink still tries with its output: nothing of it reaches a file that counts."""

import threading
import time

import pytest

from genstage import Killed, OutputError, Runtime

from .conftest import Lines, ListSource, expected_lines

DEADLINE_S = 20.0
OVER = "this attempt is over, its files are closed"

USES = {
    "write": lambda output: output.write(b"from the dead"),
    "read": lambda output: list(output.read()),
    "open a companion": lambda output: output.part("new.extra"),
    "write to a companion": lambda output: output.part("lines.extra").write(b"from the dead"),
    "open a scratch file": lambda output: output.scratch("new"),
    "write to a scratch file": lambda output: output.scratch("sizes").write(b"from the dead"),
    "finish": lambda output: output.finish(),
}


class Stuck(Lines):
    """Blocks once, and then uses its output."""

    def __init__(self, use, gate, moment):
        super().__init__(extra="lines.extra")
        self.use, self.gate, self.moment = use, gate, moment
        self.reached, self.done = threading.Event(), threading.Event()
        self.refused = []

    def _perhaps_block(self, moment, output):
        if moment != self.moment or self.reached.is_set():
            return
        self.reached.set()
        self.gate.wait()
        try:
            self.use(output)
        except OutputError as error:
            self.refused.append(error.problem)
        self.done.set()

    def begin(self, output):
        state = super().begin(output)
        output.scratch("sizes")
        self._perhaps_block("begin", output)
        return state

    def consume_chunk(self, chunk, state, output):
        self._perhaps_block("consume_chunk", output)
        return super().consume_chunk(chunk, state, output)

    def finalize(self, state, output):
        self._perhaps_block("finalize", output)
        return super().finalize(state, output)


@pytest.fixture
def gate():
    event = threading.Event()
    yield event
    event.set()


def files(folder):
    """All files below a folder, with what is in them."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


EXPECTED = {"a.txt": expected_lines(95), "b.txt": expected_lines(95), "lines.extra": b"extra\n"}


@pytest.mark.parametrize("moment", ["begin", "consume_chunk", "finalize"])
@pytest.mark.parametrize("use", USES)
def test_the_dead_cannot_use_their_output_when_their_successors_have_ended(
    make_stream, out, gate, use, moment
):
    stuck = Stuck(USES[use], gate, moment)
    with make_stream(ListSource(95), {"a": stuck, "b": Lines()}).run() as run:
        assert stuck.reached.wait(DEADLINE_S)
        run._engine.kill(run._supervisor._attempt.group.actors["a"], Killed())
        summary = run.wait(DEADLINE_S)
        gate.set()
        assert stuck.done.wait(DEADLINE_S)

    assert summary.restarts == 1
    assert stuck.refused == [OVER]
    assert files(out) == EXPECTED


@pytest.mark.parametrize("use", USES)
def test_the_dead_cannot_use_their_output_while_their_successors_work(make_stream, out, gate, use):
    stuck = Stuck(USES[use], gate, "consume_chunk")
    again, go_on = threading.Event(), threading.Event()
    begun = []

    def hold(moment):
        begun.extend([moment] * (moment == "begin"))
        if len(begun) == 2 and moment == 60:  # the second attempt
            again.set()
            go_on.wait(DEADLINE_S)

    with make_stream(ListSource(95), {"a": stuck, "b": Lines(hold)}).run() as run:
        assert stuck.reached.wait(DEADLINE_S)
        run._engine.kill(run._supervisor._attempt.group.actors["a"], Killed())
        assert again.wait(DEADLINE_S)
        gate.set()
        assert stuck.done.wait(DEADLINE_S)
        go_on.set()
        run.wait(DEADLINE_S)

    assert stuck.refused == [OVER]
    assert files(out) == EXPECTED


@pytest.mark.parametrize("use", USES)
def test_one_that_overstays_when_the_run_is_stopped_leaves_nothing_behind(make_stream, out, gate, use):
    stuck = Stuck(USES[use], gate, "consume_chunk")
    with Runtime() as runtime:
        run = make_stream(ListSource(95), {"a": stuck}, shutdown_s=0.01).run(runtime=runtime)
        assert stuck.reached.wait(DEADLINE_S)
        run.stop(timeout_s=DEADLINE_S)
        assert run.statistics().state == "cancelled"
        assert runtime.abandoned == 1
        assert not out.exists()
        gate.set()
        assert stuck.done.wait(DEADLINE_S)
        deadline_s = time.monotonic() + DEADLINE_S
        while runtime.abandoned:
            assert time.monotonic() < deadline_s
            time.sleep(0.001)

    assert stuck.refused == [OVER]
    assert not out.exists()
