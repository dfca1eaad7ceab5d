import threading
from itertools import count, islice

import pytest

from genstage.errors import SourceError
from genstage.streaming import SinkSpec, StreamPlan, stream

NAMES = ("id", "text")


class ListCursor:
    names = NAMES

    def __init__(self, source, rows):
        self.source, self.rows = source, iter(rows)
        self.thread = threading.get_ident()
        source.open_cursors += 1

    def fetch(self, most, size_bytes):
        self.source.sizes.append(size_bytes)
        assert threading.get_ident() == self.thread
        rows = list(islice(self.rows, most))
        self.source.fetched += len(rows)
        self.source.trap(self.source.fetched)
        return rows

    def close(self):
        assert threading.get_ident() == self.thread
        self.source.open_cursors -= 1


class ListSource:
    """A source over rows made on the fly; counts what is read of it."""

    key = ("id",)

    def __init__(self, size):
        self.size = size
        self.fetched = self.open_cursors = self.opened = 0
        self.trap = lambda _: None
        self.sizes = []

    def open(self, after=None):
        self.opened += 1
        first = 0 if after is None else after[0] + 1
        return ListCursor(self, ((number, f"record {number}") for number in range(first, self.size)))

    def columns(self):
        return NAMES

    def count(self):
        return self.size


class BrokenSource(ListSource):
    def open(self, _=None):
        raise SourceError("list", "is broken")


class Lines:
    """A consumer that writes a line per record; the state is their number."""

    def __init__(self, trap=lambda _: None, extra=""):
        self.trap = trap
        self.extra = extra
        self.closed = 0

    def begin(self, output):
        self.trap("begin")
        output.write(b"begin\n")
        if self.extra:
            output.part(self.extra).write(b"extra\n")
        return 0

    def consume_chunk(self, chunk, state, output):
        self.trap(chunk.last)
        output.write(b"".join(b"%d %s\n" % (one["id"], one["text"].encode()) for one in chunk.records))
        output.scratch("sizes").write(b".")
        return state + len(chunk.records)

    def finalize(self, state, output):
        self.trap("finalize")
        assert output.scratch("sizes").size
        output.write(b"end %d\n" % state)
        return state

    def close(self):
        self.closed += 1


def expected_lines(size):
    return b"begin\n" + b"".join(b"%d record %d\n" % (n, n) for n in range(size)) + b"end %d\n" % size


@pytest.fixture
def make_stream(tmp_path):
    """Makes a pipeline from a source to consumers, each with its own file."""

    def make(source, consumers, *, transform=None, **options):
        sinks = [SinkSpec(name, f"{name}.txt", lambda c=consumer: c) for name, consumer in consumers.items()]
        plan = StreamPlan(source, sinks, transform)
        ticks = count()
        options = {"chunk_records": 10, "clock": lambda: float(next(ticks)), **options}
        return stream("test", lambda: plan, out=tmp_path / "out", **options)

    return make


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"
