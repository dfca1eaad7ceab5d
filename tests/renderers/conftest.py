"""What the tests of all renderers share: a report, its records, and a drive for sinks."""

import json
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, cycle, pairwise, takewhile
from typing import Any

import pytest

from genstage.sources import Records
from genstage.streaming import Chunk
from genstage.testing import RecordingOutput
from renderers.model import Column, Group, Report, lay_out, sum_of
from renderers.rows import RowMaker

CUSTOMERS = ("Miller & Sons", "Alpine Tools GmbH", "Café Noir", "Łódź Textiles", "O'Brien Ltd.")


@dataclass
class Driven:
    """What a sink was given and what it made of it; ``states`` begins with that of ``begin``."""

    output: Any
    rows: list
    result: Any
    states: list


@pytest.fixture(scope="session")
def drive():
    """Drives a sink over the rows of records, cut into chunks at places or by sizes that come round again.

    The sink is asked for anew for each call, as after a restart, and its state goes through JSON. ``look`` is
    called after ``begin`` and after each chunk.
    """

    def run(make, report, names, records, *, cuts=None, sizes=(1000,), output=None, look=lambda: None):
        if cuts is None:
            cuts = takewhile(lambda place: place < len(records), accumulate(cycle(sizes)))
        edges = [*pairwise([0, *cuts, len(records)])]
        layout = lay_out(report, names)
        maker = RowMaker(layout)
        rows_state = maker.begin()
        output = RecordingOutput() if output is None else output
        driven = Driven(output, [], None, [make(layout).begin(output)])
        look()
        for turn, (start, stop) in enumerate(edges):
            end = turn == len(edges) - 1
            rows, rows_state = maker.rows(Records(names, records[start:stop]), rows_state, end)
            driven.rows += rows
            given = json.dumps(driven.states[-1])
            chunk = Chunk(turn, rows, start, stop, end)
            after = make(layout).consume_chunk(chunk, driven.states[-1], output)
            assert json.dumps(driven.states[-1]) == given  # a state is a value
            driven.states.append(json.loads(json.dumps(after)))
            look()
        driven.result = make(layout).finalize(driven.states[-1], output)
        return driven

    return run


@pytest.fixture
def invoices():
    """Makes records of invoices: 55 a month, 220 a region."""

    def make(count):
        return [
            (
                f"Region {number // 220:03d}",
                date(2024, number // 55 % 12 + 1, 1),
                f"INV-{number:06d}",
                CUSTOMERS[number % 5],
                number % 17 + 1,
                (number * 7919 % 99_991) / 100,
            )
            for number in range(count)
        ]

    return make


@pytest.fixture
def report():
    """A report on the invoices."""
    return Report(
        "invoices",
        title="Invoices by region and month",
        columns=[
            Column("invoice"),
            Column("customer"),
            Column("quantity", format="integer"),
            Column("amount", format="currency:EUR"),
        ],
        groups=[Group("region"), Group("month", format="month")],
        totals=[sum_of("quantity"), sum_of("amount")],
    )
