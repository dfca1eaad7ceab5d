import re
from pathlib import Path

import pytest

DECISIONS = Path(__file__).parents[2] / "docs" / "decisions"
RECORDS = sorted(DECISIONS.glob("0*.md"))


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
