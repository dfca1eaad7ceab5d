"""Bytes as they are made: in order, each once, no faster than they are taken."""

import threading
import time
from itertools import islice

import pytest

from genstage import GraphError, OptionError, PipelineError, Runtime
from genstage.streaming import BytesPlan, Chunk, stream_bytes

from .conftest import BrokenSource, ListSource

DEADLINE_S = 20.0
CHUNK = 10


class Same:
    """Changes nothing."""

    def begin(self):
        return 0

    def apply(self, chunk, state):
        return chunk, state + len(chunk.records)


class Lines:
    """A line per record; counts in a scratch file; can fail at a record."""

    def __init__(self, fail_at=None):
        self.fail_at, self.closed = fail_at, 0

    def begin(self, output):
        output.write(b"begin\n")
        return 0

    def consume_chunk(self, chunk, state, output):
        assert isinstance(chunk, Chunk)
        if self.fail_at is not None and chunk.last >= self.fail_at:
            raise ValueError("boom")
        output.write(b"".join(f"{record['id']}\n".encode() for record in chunk.records))
        output.scratch("sizes").write(b"%d " % len(chunk.records))
        return state + len(chunk.records)

    def finalize(self, state, output):
        output.write(b"".join(output.scratch("sizes").read()))
        output.write(b"\nend %d\n" % state)

    def close(self):
        self.closed += 1


@pytest.fixture
def runtime():
    with Runtime(name="streams") as runtime:
        yield runtime
        until(lambda: not runtime._engine._actors)


def until(true):
    """Wait for something that nobody can be asked to tell."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


def flow(source, make=Lines, **options):
    return stream_bytes(
        "lines.txt", lambda: BytesPlan(source, Same, make), **{"chunk_records": CHUNK} | options
    )


def expected(size, chunks):
    numbers = "".join(f"{number}\n" for number in range(size))
    return f"begin\n{numbers}{chunks} \nend {size}\n".encode()


@pytest.mark.parametrize(("size", "chunks"), [(0, "0"), (1, "1 0"), (10, "10 0"), (25, "10 10 5 0")])
def test_all_bytes_once_in_order(runtime, size, chunks):
    source = ListSource(size)
    recipe = flow(source)
    for _ in range(2):  # a recipe: run again, from the beginning
        assert b"".join(recipe.stream(runtime=runtime)) == expected(size, chunks)
    assert (source.opened, source.open_cursors) == (2, 0)


def test_the_source_is_read_no_further_than_the_bytes_are_taken(runtime):
    source = ListSource(10_000)
    with flow(source).stream(runtime=runtime) as pieces:
        assert len(list(islice(pieces, 3))) == 3
        fetched = settled(runtime, source)
        assert fetched <= (3 + 2 + 2 + 2) * CHUNK  # handed out, and two chunks before each of the stages
        assert len(list(islice(pieces, 30))) == 30
        assert settled(runtime, source) - fetched <= 30 * CHUNK
    assert source.open_cursors == 0


def settled(runtime, source):
    """How much was read, when nothing moves any more: all lanes idle, and nothing read between the looks."""
    engine = runtime._engine

    def idle():
        return all(lane.turning is None and lane._queue.empty() for lane in engine._own)

    def quiet():
        before = source.fetched
        return (
            idle() and all(lane.sleeping for lane in engine._shared) and idle() and source.fetched == before
        )

    until(quiet)
    return source.fetched


def test_a_failure_in_the_middle_ends_the_stream_and_nothing_is_made_twice(runtime, expected_errors):
    source, made = ListSource(10_000), []

    def make():
        made.append(Lines(fail_at=100))
        return made[-1]

    pieces = []
    with pytest.raises(PipelineError) as caught, flow(source, make).stream(runtime=runtime) as stream:
        pieces.extend(stream)
    assert str(caught.value.__cause__) == "boom"
    assert caught.value.failures[0].stage == "writer"
    assert b"".join(pieces) == b"".join([b"begin\n", *(b"%d\n" % number for number in range(90))])
    assert [consumer.closed for consumer in made] == [1]
    assert expected_errors


def test_a_consumer_that_cannot_begin_is_closed(runtime, expected_errors):
    made = []

    class Refuses(Lines):
        def begin(self, output):
            made.append(self)
            output.part("other.txt")

    with pytest.raises(PipelineError, match=r"is a stream, and has no place for the file 'other.txt'"):
        list(flow(ListSource(5), Refuses).stream(runtime=runtime))
    assert [consumer.closed for consumer in made] == [1]
    assert expected_errors


def test_bad_input_is_refused_when_it_begins_and_a_broken_source_later(runtime, expected_errors):
    def refuse():
        raise LookupError("no such report")

    with pytest.raises(LookupError), stream_bytes("x", refuse).stream(runtime=runtime):
        pass
    with pytest.raises(PipelineError, match="is broken"):
        list(flow(BrokenSource(5)).stream(runtime=runtime))
    with pytest.raises(OptionError, match="chunk_records"):
        flow(ListSource(5), chunk_records=0)
    with pytest.raises(OptionError, match="chunk_bytes"):
        flow(ListSource(5), chunk_bytes=0)
    with pytest.raises(GraphError, match="max_demand"):
        flow(ListSource(5)).stream(max_demand=0)
    assert expected_errors


def test_it_is_a_flow_like_any_other(runtime):
    lengths = flow(ListSource(25)).map(len)
    assert sum(lengths.stream(runtime=runtime)) == len(expected(25, "10 10 5 0"))
    with lengths.reduce(lambda total, length: total + length, 0).run() as run:
        assert run.wait(DEADLINE_S) == len(expected(25, "10 10 5 0"))


def test_records_are_not_counted_for_nobody(runtime):
    source = ListSource(25)
    source.count = lambda: pytest.fail("counted")
    assert b"".join(flow(source).stream(runtime=runtime)) == expected(25, "10 10 5 0")
