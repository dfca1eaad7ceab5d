import threading
import time

import pytest

from genstage import GenstageError, Killed, OptionError, OutputError, PipelineError, Runtime
from genstage.streaming import Chunk, SinkSpec, StreamPlan, stream

from .conftest import BrokenSource, Lines, ListSource, expected_lines

DEADLINE_S = 20.0
POSITIONS = ("begin", 10, 60, 95, "finalize")
CHUNKS = {
    10: "at chunk 0: records 1 to 10",
    60: "at chunk 5: records 51 to 60",
    95: "at chunk 9: records 91 to 95",
}


def raise_at(moment, error):
    def trap(now):
        if now == moment:
            raise error

    return trap


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_every_record_is_written_once_and_in_order(make_stream, out):
    source = ListSource(95)
    consumers = {"a": Lines(), "b": Lines(extra="lines.extra")}

    with make_stream(source, consumers).run() as run:
        summary = run.wait(DEADLINE_S)

    assert (out / "a.txt").read_bytes() == (out / "b.txt").read_bytes() == expected_lines(95)
    assert files(out) == ["a.txt", "b.txt", "lines.extra"]
    assert summary.records == 95
    assert summary.restarts == summary.failed == 0
    assert summary.files == {"a": out / "a.txt", "b": out / "b.txt"}
    assert summary.results == {"a": 95, "b": 95}
    assert summary.records_per_s == 95 / summary.seconds
    assert set(summary.first_bytes_s) == {"a", "b"}
    assert all(0 < first < summary.seconds for first in summary.first_bytes_s.values())
    assert summary.peak_memory_bytes > 10_000_000
    assert source.open_cursors == 0
    assert [consumer.closed for consumer in consumers.values()] == [1, 1]
    assert (run.statistics().records, run.statistics().expected) == (95, 95)


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 100, 101, 250])
@pytest.mark.parametrize("chunk_records", [1, 10, 1000])
def test_bytes_do_not_depend_on_chunks(make_stream, out, size, chunk_records):
    with make_stream(ListSource(size), {"a": Lines()}, chunk_records=chunk_records).run() as run:
        run.wait(DEADLINE_S)

    assert (out / "a.txt").read_bytes() == expected_lines(size)


class Shout:
    """Doubles the records; its state counts them."""

    def __init__(self, trap=lambda _: None):
        self.trap = trap

    def begin(self):
        return 0

    def apply(self, chunk, state):
        self.trap(chunk.last)
        records = [
            {"id": state + place, "text": one["text"].upper()} for place, one in enumerate(chunk.records)
        ]
        return Chunk(chunk.index, records, chunk.first, chunk.last, chunk.end, chunk.epoch), state + len(
            records
        )


def test_a_transform_stands_between_loader_and_sinks_that_are_not_raw(tmp_path):
    source = ListSource(45)
    sinks = [SinkSpec("loud", "loud.txt", Lines), SinkSpec("raw", "raw.txt", Lines, raw=True)]
    plan = StreamPlan(source, sinks, Shout)

    with stream("test", lambda: plan, out=tmp_path, chunk_records=10).run() as run:
        run.wait(DEADLINE_S)

    assert (tmp_path / "raw.txt").read_bytes() == expected_lines(45)
    assert (tmp_path / "loud.txt").read_bytes() == expected_lines(45).replace(b"record", b"RECORD")


def test_a_slow_sink_holds_the_loader_whatever_the_size_of_the_data(make_stream):
    source = ListSource(20_000)
    most = 4 * 10  # records: the sink has asked for so many chunks, the one in work among them
    done, leads, full = [0], [], threading.Event()

    def fetched(count):
        leads.append(count - done[0])
        if leads[-1] >= most:
            full.set()

    def trap(moment):
        if moment == 50:  # slow until the window is full, which it must become, and then for good
            assert full.wait(DEADLINE_S)
        if isinstance(moment, int):
            done[0] = moment

    source.trap = fetched
    with make_stream(source, {"fast": Lines(), "slow": Lines(trap)}).run() as run:
        summary = run.wait(DEADLINE_S)

    assert summary.records == 20_000
    assert max(leads) <= most
    assert source.open_cursors == 0


@pytest.mark.repeat
@pytest.mark.parametrize("moment", POSITIONS)
def test_a_sink_that_fails_leaves_final_names_as_they_were(make_stream, out, expected_errors, moment):
    out.mkdir()
    (out / "a.txt").write_text("older")
    error = ValueError("boom")

    pipeline = make_stream(ListSource(95), {"a": Lines(), "b": Lines(raise_at(moment, error))})
    with pytest.raises(PipelineError) as caught, pipeline.run() as run:
        run.wait(DEADLINE_S)

    assert caught.value.__cause__ is error
    assert caught.value.failures[0].stage == "b"
    chunks = {note for note in error.__notes__ if note.startswith("at chunk")}  # of both attempts
    assert chunks == (set() if isinstance(moment, str) else {CHUNKS[moment]})
    assert files(out) == ["a.txt"]
    assert (out / "a.txt").read_text() == "older"
    assert expected_errors


def test_a_folder_made_for_a_failed_run_is_removed(make_stream, out, expected_errors):
    with pytest.raises(PipelineError), make_stream(BrokenSource(9), {"a": Lines()}).run() as run:
        run.wait(DEADLINE_S)

    assert not out.exists()
    assert expected_errors
    assert run.statistics().restarts == 0  # an error of our own tree is a verdict


@pytest.mark.repeat
@pytest.mark.parametrize("stage", ["loader", "transform", "a", "b"])
@pytest.mark.parametrize("moment", [10, 60, 95, "finalize"])
def test_a_stage_killed_at_any_moment_does_not_change_the_bytes(make_stream, out, stage, moment):
    reached, gate = threading.Event(), threading.Event()

    def trap(now):
        if now == moment and not reached.is_set():
            reached.set()
            gate.wait(DEADLINE_S)

    pipeline = make_stream(
        ListSource(95), {"a": Lines(extra="lines.extra"), "b": Lines(trap)}, transform=Shout
    )
    with pipeline.run() as run:
        assert reached.wait(DEADLINE_S)
        actor = run._supervisor._attempt.group.actors[stage]
        was_alive = actor.alive
        run._engine.kill(actor, Killed())
        gate.set()
        summary = run.wait(DEADLINE_S)

    assert summary.restarts == was_alive
    assert summary.records == 95
    shouted = expected_lines(95).replace(b"record", b"RECORD")
    assert (out / "a.txt").read_bytes() == (out / "b.txt").read_bytes() == shouted
    assert files(out) == ["a.txt", "b.txt", "lines.extra"]


def test_a_sink_killed_while_it_begins_is_replaced(make_stream, out):
    reached, gate, later = threading.Event(), threading.Event(), threading.Event()

    def trap(moment):
        if moment == "begin" and not reached.is_set():
            reached.set()
            gate.wait(DEADLINE_S)
            later.set()

    with make_stream(ListSource(95), {"a": Lines(trap)}).run() as run:
        assert reached.wait(DEADLINE_S)
        run._engine.kill(run._supervisor._attempt.group.actors["a"], Killed())
        summary = run.wait(DEADLINE_S)
        gate.set()
        assert later.wait(DEADLINE_S)

    assert summary.restarts == 1
    assert (out / "a.txt").read_bytes() == expected_lines(95)


def test_a_killed_sink_that_is_not_replaced_leaves_nothing_open_and_nothing_behind(make_stream, out):
    reached, gate = threading.Event(), threading.Event()

    def trap(moment):
        if moment == 60:
            reached.set()
            gate.wait(DEADLINE_S)

    with make_stream(ListSource(95), {"a": Lines(), "b": Lines(trap)}, max_restarts=0).run() as run:
        assert reached.wait(DEADLINE_S)
        run._engine.kill(run._supervisor._attempt.group.actors["b"], Killed())
        with pytest.raises(PipelineError) as caught:
            run.wait(DEADLINE_S)
        gate.set()

    assert [failure.reason for failure in caught.value.failures] == [Killed()]
    assert not out.exists()


def test_a_sink_that_was_given_up_writes_no_more(make_stream, out):
    reached, gate, later = threading.Event(), threading.Event(), threading.Event()
    refused = []

    class Stuck(Lines):
        def consume_chunk(self, chunk, state, output):
            if not reached.is_set():
                reached.set()
                gate.wait(DEADLINE_S)
                try:
                    output.write(b"from the dead")
                except OutputError as error:
                    refused.append(error.problem)
                later.set()
            return super().consume_chunk(chunk, state, output)

    with make_stream(ListSource(95), {"a": Stuck()}, shutdown_s=0.05).run() as run:
        assert reached.wait(DEADLINE_S)
        run._engine.kill(run._supervisor._attempt.group.actors["a"], Killed())
        run.wait(DEADLINE_S)
        gate.set()
        assert later.wait(DEADLINE_S)

    assert refused == ["this attempt is over, its files are closed"]
    assert (out / "a.txt").read_bytes() == expected_lines(95)


@pytest.mark.repeat
@pytest.mark.parametrize("moment", POSITIONS)
def test_stopping_leaves_nothing_behind(make_stream, out, moment):
    reached, gate = threading.Event(), threading.Event()

    def trap(now):
        if now == moment:
            reached.set()
            gate.wait(DEADLINE_S)

    with make_stream(ListSource(95), {"a": Lines(), "b": Lines(trap)}).run() as run:
        assert reached.wait(DEADLINE_S)
        stopper = threading.Thread(target=run.stop)
        stopper.start()
        while run.statistics().state != "stopping":
            threading.Event().wait(0.001)
        gate.set()
        stopper.join(DEADLINE_S)
        assert run.statistics().state == "cancelled"

    assert not out.exists()


def test_a_gap_in_the_records_is_a_failure(make_stream, expected_errors):
    class Skip(Shout):
        def apply(self, chunk, state):
            after, state = super().apply(chunk, state)
            moved = Chunk(after.index, after.records, after.first + (after.first > 0), after.last, after.end)
            return moved, state

    with (
        pytest.raises(PipelineError) as caught,
        make_stream(ListSource(95), {"a": Lines()}, transform=Skip).run(),
    ):
        pass

    assert isinstance(caught.value.__cause__, GenstageError)
    assert str(caught.value.__cause__) == "after record 10 came the chunk after record 11"
    assert expected_errors


def test_two_runs_do_not_write_to_one_folder(make_stream, out):
    gate = threading.Event()
    first = make_stream(
        ListSource(9), {"a": Lines(lambda moment: moment == "finalize" and gate.wait(DEADLINE_S))}
    )
    second = make_stream(ListSource(9), {"a": Lines()})
    with Runtime() as runtime, first.run(runtime=runtime) as run:
        with pytest.raises(OutputError) as caught:
            second.run(runtime=runtime)
        gate.set()
        run.wait(DEADLINE_S)

        assert caught.value.problem == "another run of 'test' is writing there"
        second.run(runtime=runtime).wait(DEADLINE_S)
    assert (out / "a.txt").read_bytes() == expected_lines(9)


def test_what_a_killed_process_left_is_discarded(make_stream, out):
    left = out / ".test.run" / "parts" / "a"
    left.mkdir(parents=True)
    (left / "main").write_text("half a file")
    (out / ".test.run" / "lock").touch()

    with make_stream(ListSource(9), {"a": Lines()}).run():
        pass

    assert (out / "a.txt").read_bytes() == expected_lines(9)
    assert files(out) == ["a.txt"]


def test_a_companion_of_two_sinks_is_refused_and_nothing_is_published(make_stream, out, expected_errors):
    pipeline = make_stream(ListSource(9), {"a": Lines(extra="same"), "b": Lines(extra="same")})

    with pytest.raises(PipelineError) as caught, pipeline.run():
        pass

    assert caught.value.__cause__.problem == "is written by two sinks, 'a' and 'b'"
    assert not out.exists()
    assert expected_errors


def test_a_folder_in_the_place_of_a_file_is_refused_before_anything_is_written(make_stream, out):
    (out / "a.txt").mkdir(parents=True)

    with pytest.raises(OutputError) as caught:
        make_stream(ListSource(9), {"a": Lines()}).run()

    assert caught.value.path == str(out / "a.txt")
    assert files(out) == ["a.txt"]


def test_an_output_folder_that_is_a_file_is_refused(make_stream, out):
    out.write_text("")

    with pytest.raises(OutputError, match=r"File exists|Not a directory"):
        make_stream(ListSource(9), {"a": Lines()}).run()


def test_files_of_the_same_name_are_refused(tmp_path):
    plan = StreamPlan(ListSource(9), [SinkSpec("a", "x", Lines), SinkSpec("b", "x", Lines)])

    with pytest.raises(OptionError, match="each given once"):
        stream("test", lambda: plan, out=tmp_path).run()
    assert not files(tmp_path)


@pytest.mark.parametrize("name", ["loader", "transform"])
def test_names_of_the_inner_stages_are_refused(tmp_path, name):
    plan = StreamPlan(ListSource(9), [SinkSpec(name, "x", Lines)])

    with pytest.raises(OptionError, match="not loader or transform"):
        stream("test", lambda: plan, out=tmp_path).run()


@pytest.mark.parametrize("file", ["", "..", "a/b", ".test.run", "nul\0"])
def test_only_plain_file_names_are_taken(tmp_path, file):
    plan = StreamPlan(ListSource(9), [SinkSpec("a", file, Lines)])

    with pytest.raises(OptionError, match="a file name without a folder"):
        stream("test", lambda: plan, out=tmp_path).run()


def test_a_folder_in_the_place_of_a_companion_is_refused_and_nothing_is_published(
    make_stream, out, expected_errors
):
    (out / "taken").mkdir(parents=True)
    (out / "a.txt").write_text("older")
    (out / "b.txt").write_text("older")

    with (
        pytest.raises(PipelineError) as caught,
        make_stream(ListSource(9), {"a": Lines(), "b": Lines(extra="taken")}).run(),
    ):
        pass

    assert caught.value.__cause__.problem == "is a folder; remove it or choose another name"
    assert (out / "a.txt").read_text() == (out / "b.txt").read_text() == "older"
    assert files(out) == ["a.txt", "b.txt", "taken"]
    assert expected_errors


def test_what_a_dead_stage_opens_late_does_not_touch_the_living_ones_files(make_stream, out):
    reached, gate, later = threading.Event(), threading.Event(), threading.Event()
    refused = []

    class Stuck(Lines):
        def finalize(self, state, output):
            if not reached.is_set():
                reached.set()
                gate.wait(DEADLINE_S)
                for late in (lambda: output.part("lines.extra"), lambda: output.scratch("sizes")):
                    try:
                        late()
                    except OutputError as error:
                        refused.append(error.problem)
                later.set()
            output.part("lines.extra").write(b"extra\n")
            return super().finalize(state, output)

    class Wait(Lines):
        attempts = 0

        def begin(self, output):
            self.attempts += 1
            return super().begin(output)

        def finalize(self, state, output):
            if self.attempts > 1:
                gate.set()
                later.wait(DEADLINE_S)
            return super().finalize(state, output)

    with make_stream(ListSource(95), {"a": Stuck(), "b": Wait()}, shutdown_s=0.05).run() as run:
        assert reached.wait(DEADLINE_S)
        run._engine.kill(run._supervisor._attempt.group.actors["a"], Killed())
        summary = run.wait(DEADLINE_S)

    assert summary.restarts == 1
    assert refused == ["this attempt is over, its files are closed"]
    assert (out / "lines.extra").read_bytes() == b"extra\n"


def test_companions_of_an_earlier_attempt_are_not_published(make_stream, out, expected_errors):
    attempts = []

    class Once(Lines):
        def begin(self, output):
            attempts.append(output)
            if len(attempts) == 1:
                output.part("stale").write(b"stale")
            return super().begin(output)

        def consume_chunk(self, chunk, state, output):
            if len(attempts) == 1:
                raise ValueError("once")
            assert chunk.epoch == 1
            return super().consume_chunk(chunk, state, output)

    with make_stream(ListSource(95), {"a": Once()}).run() as run:
        summary = run.wait(DEADLINE_S)

    assert files(out) == ["a.txt"]
    assert summary.restarts == 1
    assert expected_errors


def test_first_bytes_are_those_of_the_attempt_that_succeeded(make_stream, expected_errors):
    crashes = []

    def trap(moment):
        if moment == 60 and not crashes:
            crashes.append(moment)
            raise ValueError("once")

    now = iter(range(1_000))
    pipeline = make_stream(ListSource(95), {"a": Lines(trap)}, clock=lambda: float(next(now)))
    with pipeline.run() as run:
        summary = run.wait(DEADLINE_S)

    # the clock is read at the start, at the first bytes of each attempt (main file and scratch), at the end
    assert summary.first_bytes_s == {"a": 3.0}
    assert summary.seconds == 5.0
    assert expected_errors


@pytest.mark.parametrize("option", ["chunk_records", "chunk_bytes"])
def test_sizes_of_chunks_are_checked(make_stream, option):
    with pytest.raises(OptionError) as caught:
        make_stream(ListSource(9), {"a": Lines()}, **{option: 0})

    assert caught.value.option == option


@pytest.mark.repeat
@pytest.mark.parametrize("moment", ["begin", 10, 50, "finalize"])
@pytest.mark.parametrize("stage", ["a", "b"])
def test_a_drained_report_is_cancelled_and_final_names_stay_as_they_were(make_stream, out, stage, moment):
    out.mkdir()
    (out / "a.txt").write_text("older")
    reached, gate = threading.Event(), threading.Event()

    def trap(now):
        if now == moment:
            reached.set()
            assert gate.wait(DEADLINE_S)

    consumers = {name: Lines(trap if name == stage else lambda _: None) for name in "ab"}
    source = ListSource(100_000 if moment != "finalize" else 95)
    with make_stream(source, consumers).run() as run:
        assert reached.wait(DEADLINE_S)
        drain = threading.Thread(target=run.drain)
        drain.start()
        deadline = time.monotonic() + DEADLINE_S
        while not run._supervisor._draining:
            assert time.monotonic() < deadline
        gate.set()
        drain.join(DEADLINE_S)
        assert not drain.is_alive()

    ended = moment == "finalize"  # all of the data had been read
    assert run.statistics().state == ("completed" if ended else "cancelled")
    assert (out / "a.txt").read_bytes() == (expected_lines(95) if ended else b"older")
    assert files(out) == (["a.txt", "b.txt"] if ended else ["a.txt"])
    assert source.open_cursors == 0
    assert ended or source.fetched < source.size
