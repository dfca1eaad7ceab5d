"""The parity ledger is complete: every test of GenStage 1.3.2 has a row, and what a row names exists.

A row has the line and the title (with the title of its ``describe``) of one of GenStage's tests, and exactly
one of: ``ours``, the tests here that check the same; ``not_applicable``, why there is nothing to check;
``pending``, what has to come first. ``note`` tells where ours differs.
"""

import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEDGER = Path(__file__).parent / "ledger.toml"

TESTS_OF_GENSTAGE = {
    "test/gen_stage_test.exs": 124,
    "test/consumer_supervisor_test.exs": 44,
    "test/gen_stage/partition_dispatcher_test.exs": 14,
    "test/gen_stage/broadcast_dispatcher_test.exs": 11,
    "test/gen_stage/buffer_test.exs": 10,
    "test/gen_stage/demand_dispatcher_test.exs": 9,
}
PENDING = 0
"""How many rows wait for something; it only shrinks."""

STATES = ("ours", "not_applicable", "pending")


@pytest.fixture(scope="module")
def ledger():
    return tomllib.loads(LEDGER.read_text())


@pytest.fixture(scope="module")
def rows(ledger):
    """All rows, by file and line."""
    return {
        f"{file}:{line}": row for file, rows_of_file in ledger.items() for line, row in rows_of_file.items()
    }


def test_every_test_of_genstage_has_a_row(ledger):
    assert {file: len(rows) for file, rows in ledger.items()} == TESTS_OF_GENSTAGE
    assert sum(TESTS_OF_GENSTAGE.values()) == 212


def test_rows_stand_in_the_order_of_their_tests_and_none_twice(ledger):
    for file, rows in ledger.items():
        lines = [int(line) for line in rows]
        assert lines == sorted(lines), file
        titles = Counter(row["title"] for row in rows.values())
        assert [title for title, times in titles.items() if times > 1] == [], file


def test_every_row_says_one_thing(rows):
    assert [name for name, row in rows.items() if sum(state in row for state in STATES) != 1] == []
    assert [name for name, row in rows.items() if set(row) - {"title", "note", *STATES}] == []
    assert [name for name, row in rows.items() if row.get("ours") == []] == []
    sentences = {
        name: row[key]
        for name, row in rows.items()
        for key in ("not_applicable", "pending", "note")
        if key in row
    }
    assert [name for name, text in sentences.items() if not text.endswith(".") or len(text) < 20] == []


def test_the_number_of_pending_rows_only_shrinks(rows):
    assert sum("pending" in row for row in rows.values()) == PENDING


def test_every_test_that_a_row_names_exists(rows):
    named = {identity for row in rows.values() for identity in row.get("ours", ())}
    files = sorted({identity.partition("::")[0] for identity in named})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert collected.returncode == 0, collected.stdout + collected.stderr
    exact = {line for line in collected.stdout.splitlines() if "::" in line}
    whole = {identity.partition("[")[0] for identity in exact}  # all cases of a parametrised test
    assert sorted(named - exact - whole) == []
