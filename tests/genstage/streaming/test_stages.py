"""Loader, transform and sink without a runtime: their callbacks are called by hand."""

import pytest

from genstage import Cancellation, Crash, Finish, Normal, SourceError
from genstage.streaming import Chunk, GapError, Loader, Position, Sink, TransformStage
from genstage.testing import RecordingOutput

from .conftest import Lines, ListSource


class Context:
    """What a running stage would have."""

    def __init__(self):
        self.sent = []
        self.log = self

    def send(self, message):
        self.sent.append(message)

    def warning(self, event, **fields):
        self.sent.append((event, fields))


def loader(source, **options):
    made = Loader(source, **{"chunk_records": 10, **options})
    made.stage = Context()
    made.init()
    return made


def interval(chunk):
    return chunk.index, chunk.first, chunk.last, len(chunk.records), chunk.end


def drain(made, demand):
    """All chunks for so much demand, the notes to itself delivered in order."""
    events = list(made.handle_demand(demand))
    while made.stage.sent:
        result = made.handle_info(made.stage.sent.pop(0))
        events.extend(result.events if isinstance(result, Finish) else result or ())
    return events


def test_chunks_follow_each_other_and_the_last_one_says_so():
    made = loader(ListSource(25))

    assert [interval(chunk) for chunk in drain(made, 9)] == [
        (0, 0, 10, 10, False),
        (1, 10, 20, 10, False),
        (2, 20, 25, 5, False),
        (3, 25, 25, 0, True),
    ]
    made.terminate(Normal())


def test_the_first_chunk_is_small():
    made = loader(ListSource(2_000), chunk_records=1_000)
    assert [len(chunk.records) for chunk in drain(made, 3)] == [100, 1_000, 900]
    made.terminate(Normal())


def test_no_more_chunks_are_made_than_asked_for():
    source = ListSource(100)
    made = loader(source)

    assert source.fetched == 0
    assert len(drain(made, 2)) == 2
    assert source.fetched == 20
    assert len(drain(made, 1)) == 1
    assert source.fetched == 30
    made.terminate(Normal())


def test_a_chunk_is_made_a_turn():
    made = loader(ListSource(100))
    assert len(made.handle_demand(3)) == 1
    assert made.handle_demand(2) == ()  # owed, one after the other
    made.terminate(Normal())


def test_a_loader_starts_behind_a_position_and_carries_its_epoch():
    made = loader(ListSource(25), start=Position(12, (11,)), epoch=3)

    (chunk,) = made.handle_demand(1)

    assert interval(chunk) == (0, 12, 22, 10, False)
    assert chunk.records[0]["id"] == 12
    assert chunk.epoch == 3
    made.terminate(Normal())


def test_the_size_limit_is_passed_on():
    source = ListSource(25)
    made = loader(source, chunk_bytes=12_345)
    made.handle_demand(1)
    assert source.sizes == [12_345]
    made.terminate(Normal())


def test_the_records_are_counted_when_the_first_are_on_their_way():
    source, counts = ListSource(25), []
    made = loader(source, counted=counts.append)

    made.handle_demand(1)
    assert counts == []
    drain(made, 1)

    assert counts == [25]
    made.terminate(Normal())


def test_a_count_that_fails_is_told_and_the_loader_goes_on():
    source = ListSource(25)

    def fail():
        raise SourceError("list", "is busy")

    source.count = fail
    made = loader(source, counted=lambda _: None)
    made.handle_demand(2)
    sent = made.stage.sent
    made.handle_info(sent.pop(0))

    assert sent[-1] == ("records cannot be counted", {"reason": "source list: is busy"})
    made.terminate(Normal())


@pytest.mark.parametrize("reason", [Normal(), Crash(ValueError())])
def test_the_cursor_is_closed_however_the_loader_ends(reason):
    source = ListSource(25)
    made = loader(source)
    made.terminate(reason)
    assert source.open_cursors == 0


class Tagged:
    def begin(self):
        return 0

    def apply(self, chunk, state):
        return f"{chunk}-{state}", state + 1


def test_a_transform_carries_its_state_from_chunk_to_chunk():
    made = TransformStage(Tagged())
    assert made.handle_events(["a", "b"], None) == ["a-0", "b-1"]
    assert made.handle_events(["c"], None) == ["c-2"]


class Output(RecordingOutput):
    def __init__(self):
        super().__init__()
        self.closed = 0

    def finish(self):
        return {"written": "final"}

    def close(self):
        self.closed += 1


class Driven:
    """A sink with what it tells."""

    def __init__(self, consumer=None):
        self.consumer, self.output = consumer or Lines(), Output()
        self.moved, self.finished = [], []
        self.sink = Sink(
            lambda: self.consumer,
            lambda: self.output,
            moved=self.moved.append,
            finished=lambda *told: self.finished.append(told),
        )

    def chunks(self, *chunks):
        self.sink.handle_events(chunks, None)

    def end(self):
        self.sink.handle_cancel(Cancellation("finish", Normal()), None)


def chunk(first, last, *, end=False):
    return Chunk(0, [{"id": n, "text": f"record {n}"} for n in range(first, last)], first, last, end)


def test_a_sink_begins_consumes_and_finalizes():
    driven = Driven()
    driven.sink.init()
    driven.chunks(chunk(0, 2), chunk(2, 3))
    driven.chunks(chunk(3, 3, end=True))
    driven.end()
    driven.sink.terminate(Normal())

    assert driven.output.data == b"begin\n0 record 0\n1 record 1\n2 record 2\nend 3\n"
    assert driven.moved == [2, 3, 3]
    assert driven.finished == [(3, {"written": "final"})]
    assert (driven.output.closed, driven.consumer.closed) == (1, 1)


@pytest.mark.parametrize(
    ("chunks", "told"),
    [
        ([chunk(0, 2), chunk(3, 4)], "after record 2 came the chunk after record 3"),
        ([chunk(0, 2), chunk(0, 2)], "after record 2 came the chunk after record 0"),
        ([chunk(0, 2, end=True), chunk(2, 3)], "after record 2 the data had ended, but another chunk came"),
    ],
)
def test_records_that_would_be_lost_or_doubled_are_refused(chunks, told):
    driven = Driven()
    driven.sink.init()
    with pytest.raises(GapError) as caught:
        driven.chunks(*chunks)
    assert str(caught.value) == told


def test_a_stream_that_ends_without_its_last_chunk_is_not_finalized():
    driven = Driven()
    driven.sink.init()
    driven.chunks(chunk(0, 2))

    with pytest.raises(GapError, match="after record 2 the stream ended, but no chunk said"):
        driven.end()

    assert driven.finished == []
    assert b"end" not in driven.output.data


@pytest.mark.parametrize("kind", ["cancel", "down"])
def test_another_end_than_that_of_the_data_does_not_finalize(kind):
    driven = Driven()
    driven.sink.init()
    driven.chunks(chunk(0, 2, end=True))
    driven.sink.handle_cancel(Cancellation(kind, Normal()), None)
    assert driven.finished == []


def test_a_consumer_that_cannot_begin_is_closed_with_its_output():
    def fail(_):
        raise ValueError("no")

    driven = Driven(Lines(fail))
    with pytest.raises(ValueError, match="no"):
        driven.sink.init()

    assert (driven.output.closed, driven.consumer.closed) == (1, 1)


def test_the_output_is_closed_even_if_the_consumers_close_fails():
    driven = Driven()
    driven.sink.init()

    def fail():
        raise ValueError("no")

    driven.consumer.close = fail
    with pytest.raises(ValueError, match="no"):
        driven.sink.terminate(Normal())

    assert driven.output.closed == 1
