"""Scenarios: reading them, comparing what they expect, telling what differs."""

import json
from dataclasses import dataclass, field
from pathlib import Path

KEPT_DEVIATIONS = {"accumulated-order"}
"""By design in GenStage, and the same here; all other deviations are mended."""


@dataclass
class Outcome:
    """What came of one scenario.

    Attributes:
        identity: The scenario's id.
        problems: What was wrong, as lines to print; empty if it passed.
        deviation: The mended misbehaviour from which on only the invariants were checked, if any.
    """

    identity: str
    problems: list[str] = field(default_factory=list)
    deviation: str | None = None


def read(path):
    """The scenarios of a file, or of all ``.jsonl`` files of a folder, in order."""
    path = Path(path)
    for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    yield json.loads(line)


def binding_steps(scenario):
    """How many steps of a scenario bind; in the rest the original misbehaves, or its effects linger."""
    name = scenario.get("deviation")
    if name is None:
        return len(scenario["steps"])
    if name in KEPT_DEVIATIONS:
        return scenario.get("binds_until", len(scenario["steps"]))
    return scenario["deviation_step"]


def difference(index, step, got):
    """Lines that show how an observation differs from the expected one; none if it does not."""
    expected = step["expect"]
    if got == expected:
        return []
    lines = [f"step {index}: {json.dumps(step['do'])}"]
    for key in sorted(expected.keys() | got.keys()):
        if expected.get(key) != got.get(key):
            lines += [
                f"  {key} expected: {json.dumps(expected.get(key))}",
                f"  {key} got:      {json.dumps(got.get(key))}",
            ]
    return lines
