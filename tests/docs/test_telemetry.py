"""The reference lists every event of telemetry, with its measurements, their units and its metadata.

``python tests/docs/test_telemetry.py`` writes the table of the page anew.
"""

import re
from pathlib import Path

from genstage.telemetry import EVENTS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "telemetry.md"
TABLE = re.compile(r"^(\| event \| when \|.*?)(?=\n\n)", re.MULTILINE | re.DOTALL)


def table():
    """The table of the events."""
    rows = ["| event | when | measurements | metadata |", "|---|---|---|---|"]
    for name, kind in EVENTS.items():
        measurements = ", ".join(f"`{measure}` ({unit})" for measure, unit in kind.measurements.items())
        metadata = ", ".join(f"`{key}`" for key in kind.metadata)
        rows.append(f"| `{name}` | {kind.told} | {measurements} | {metadata} |")
    return "\n".join(rows)


def test_the_table_is_what_the_module_says():
    assert TABLE.findall(PAGE.read_text()) == [table()]


if __name__ == "__main__":
    PAGE.write_text(TABLE.sub(lambda _: table(), PAGE.read_text()))
