"""Whose a log record is: runtime, pipeline, stage and chunk."""

import logging
from contextlib import suppress

import pytest

from genstage import PipelineError, Runtime
from genstage.logger import get_logger
from genstage.streaming import Chunk, SinkSpec, StreamPlan, stream

from .conftest import Lines, ListSource

DEADLINE_S = 20.0
WHO = ("runtime", "pipeline", "supervisor", "stage", "chunk")


def who(record):
    return {name: getattr(record, name) for name in WHO if hasattr(record, name)}


def told(record):
    return record.event, who(record)


def tell(_moment):
    get_logger("renderers.example").warning("at work")


def tell_and_fail_at(moment):
    def trap(now):
        tell(now)
        if now == moment:
            raise ValueError("boom")

    return trap


class Echo:
    """A transform that tells the log."""

    def __init__(self, trap):
        self._trap = trap

    def begin(self):
        return 0

    def apply(self, chunk, state):
        self._trap(chunk.last)
        return Chunk(chunk.index, chunk.records, chunk.first, chunk.last, chunk.end), state


@pytest.fixture
def logged(caplog, tmp_path):
    """Runs a pipeline in a runtime; gives its warnings and errors."""

    def run(source, consumer, transform=None, *, max_restarts=0):
        plan = StreamPlan(source, [SinkSpec("a", "a.txt", lambda: consumer)], transform)
        pipeline = stream("orders", lambda: plan, out=tmp_path, chunk_records=10, max_restarts=max_restarts)
        with Runtime(name="billing") as runtime, suppress(PipelineError):
            pipeline.run(runtime=runtime).wait(DEADLINE_S)
        return [record for record in caplog.records if record.levelno >= logging.WARNING]

    return run


def test_a_sinks_records_carry_the_chunk_at_hand(logged):
    records = logged(ListSource(25), Lines(tell))
    sink = {"runtime": "billing", "pipeline": "orders", "stage": "a"}
    assert [told(record) for record in records] == [
        ("at work", sink),  # begin
        *(("at work", {**sink, "chunk": number}) for number in (0, 1, 2, 3)),
        ("at work", sink),  # finalize
    ]
    assert records[1].getMessage() == "at work (runtime=billing, pipeline=orders, stage=a, chunk=0)"


def test_the_end_of_a_sink_that_fails_with_a_chunk_is_told_with_it(logged, expected_errors):
    records = logged(ListSource(25), Lines(tell_and_fail_at(20)))
    assert told(records[-1]) == (
        "stage failed",
        {"runtime": "billing", "pipeline": "orders", "stage": "a", "chunk": 1},
    )
    assert expected_errors == [records[-1]]


def test_a_transforms_records_carry_the_chunk_at_hand(logged):
    records = logged(ListSource(15), Lines(), lambda: Echo(tell))
    transform = {"runtime": "billing", "pipeline": "orders", "stage": "transform"}
    assert [told(record) for record in records] == [
        ("at work", {**transform, "chunk": number}) for number in (0, 1, 2)
    ]


def test_the_loaders_records_carry_the_chunk_it_makes(logged, expected_errors):
    source = ListSource(25)
    source.trap = tell_and_fail_at(20)
    records = logged(source, Lines())
    loader = {"runtime": "billing", "pipeline": "orders", "stage": "loader"}
    assert [told(record) for record in records] == [
        ("at work", {**loader, "chunk": 0}),
        ("at work", {**loader, "chunk": 1}),
        ("stage failed", {**loader, "chunk": 1}),
    ]
    assert len(expected_errors) == 1


@pytest.mark.usefixtures("expected_errors")
def test_the_pipelines_supervisor_tells_who_it_is(logged):
    consumer = Lines(tell_and_fail_at("begin"))
    records = logged(ListSource(25), consumer, max_restarts=1)
    restarts = [record for record in records if record.name == "genstage.pipeline"]
    assert [who(record) for record in restarts] == [
        {"runtime": "billing", "pipeline": "orders", "supervisor": "orders"}
    ]
