import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
RECORDS = sorted(DECISIONS.glob("0*.md"))
KEPT = {"accumulated-order"}
UNMARKED = {
    "broadcast-refused-demand",
    "reconnect-stranded",
    "selectors-reject-all",
}  # not seen in the traces


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_number_title_and_four_parts(path):
    number, title, *parts = re.findall(r"^#+ (?:(\d+)\. )?(.*)$", path.read_text(), re.MULTILINE)
    assert (number[0], title) == (str(int(path.name[:4])), ("", "Status"))
    assert [name for _, name in (title, *parts)] == ["Status", "Context", "Decision", "Consequences"]


def test_the_index_lists_the_records_by_number():
    listed = re.findall(r"^(\d+)\. \[(.*)\]\((.*)\)$", (DECISIONS / "index.md").read_text(), re.MULTILINE)
    assert [(int(number), file) for number, _, file in listed] == list(
        enumerate((path.name for path in RECORDS), 1)
    )
    titles = [path.read_text().splitlines()[0].partition(". ")[2] for path in RECORDS]
    assert [title for _, title, _ in listed] == titles


def test_each_bug_of_genstage_has_a_decision_and_a_test_by_its_name():
    traces = "".join(path.read_text() for path in (ROOT / "tests/conformance/traces").glob("*.jsonl"))
    names = {*re.findall(r'"deviation":"([a-z-]+)"', traces), *UNMARKED}
    assert names > KEPT
    decided = {name for path in RECORDS for name in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", path.read_text())}
    tested = re.findall(
        r"^def test_(\w+)\(", (ROOT / "tests/genstage/core/test_mended.py").read_text(), re.MULTILINE
    )
    assert names - decided == set()
    wanted = {name.replace("-", "_") + ("_is_kept" if name in KEPT else "") for name in names}
    assert wanted - set(tested) == set()
