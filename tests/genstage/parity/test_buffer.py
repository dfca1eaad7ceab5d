"""What happens to events that nobody waits for."""

import logging

import pytest

from .conftest import TellingProducer


class AskedAboutDiscards(TellingProducer):
    """Says what it is told about discards, and whether the log shall tell it too."""

    loud = True

    def format_discarded(self, count):
        self.tell("discarded", count)
        return self.loud


class Quiet(AskedAboutDiscards):
    loud = False


@pytest.fixture
def warnings(caplog):
    """The warnings about discarded events: who, and how many."""
    caplog.set_level(logging.WARNING, logger="genstage")

    def warnings():
        return [
            (record.levelname, record.stage, record.count)
            for record in caplog.records
            if record.event == "discarded"
        ]

    return warnings


def drained(stages, source):
    """The batches of a consumer that subscribes to a producer."""
    stages.consumer(subscribe_to=[(source, {"max_demand": 4, "min_demand": 0})])
    stages.settle()
    return stages.of("consumer", "events")


def test_events_wait_for_demand_and_are_not_mixed_with_fresh_ones(stages):
    source = stages.producer(end=7)
    source.send(["a", "b", "c"])
    source.cast(["d", "e"])

    assert drained(stages, source) == [["a", "b", "c", "d"], ["e"], [0, 1, 2], [3, 4, 5, 6]]
    assert stages.of("producer", "demand") == [3, 4, 4]


@pytest.mark.parametrize(
    ("keep", "batches"),
    [
        ({"buffer_keep": "first"}, [["a", "b", "c", "d"], ["e"]]),
        ({"buffer_keep": "last"}, [["d", "e", "f", "g"], ["h"]]),
        ({}, [["d", "e", "f", "g"], ["h"]]),
    ],
    ids=["first", "last", "by default the last"],
)
def test_a_full_buffer_discards_with_a_warning(stages, warnings, keep, batches):
    source = stages.producer(buffer_size=5, **keep)
    source.call(["a", "b", "c", "d", "e"])
    assert warnings() == []
    source.call(["f", "g", "h"])
    assert warnings() == [("WARNING", "producer", "3")]
    assert drained(stages, source) == batches
    assert len(warnings()) == 1


def test_a_buffer_without_limit_keeps_everything(stages, warnings):
    source = stages.producer(buffer_size=None)
    source.call(["a", "b", "c", "d", "e"])
    source.call(["f", "g", "h"])

    assert drained(stages, source) == [["a", "b", "c", "d"], ["e", "f", "g", "h"]]
    assert warnings() == []


def test_by_default_it_holds_ten_thousand_events(stages, warnings):
    source = stages.producer()
    source.call(list(range(10_000)))
    assert warnings() == []
    source.call([10_000] * 5)
    assert warnings() == [("WARNING", "producer", "5")]


@pytest.mark.parametrize(
    ("make", "told"),
    [(AskedAboutDiscards, [("WARNING", "producer", "3")]), (Quiet, [])],
    ids=["and lets the log tell it", "and keeps the log silent"],
)
def test_the_stage_hears_how_many_are_discarded(stages, warnings, make, told):
    source = stages.producer(make=make, buffer_size=5, buffer_keep="first")
    source.call(["a", "b", "c", "d", "e", "f", "g", "h"])
    assert stages.of("producer", "discarded") == [3]
    assert warnings() == told

    assert drained(stages, source) == [["a", "b", "c", "d"], ["e"]]
    assert stages.of("producer", "discarded") == [3]
    assert warnings() == told
