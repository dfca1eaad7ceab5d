import json
import subprocess
import sys

import pytest

from benchmarks.measuring import paired
from benchmarks.smoke import core_identity, plain_identity


@pytest.mark.parametrize("max_demand", [1, 2, 10, 1000])
@pytest.mark.parametrize("events", [1, 9, 10, 11, 2500])
def test_both_ways_come_to_the_sum(events, max_demand):
    expected = events * (events + 1) // 2
    assert core_identity(events, max_demand) == expected
    assert plain_identity(events, max(1, max_demand // 2)) == expected


def test_different_results_are_not_compared():
    with pytest.raises(ValueError, match=r"^the results differ: 1 and 2$"):
        paired(1, lambda: 1, lambda: 2)


def test_figures_are_events_a_second_and_their_ratio():
    figures = paired(1000, lambda: max(range(20_000)) > 0, lambda: max(range(400_000)) > 0)
    assert figures.low <= figures.ratio <= figures.high
    assert figures.ours > figures.plain > 0


def test_the_command_writes_what_it_prints(tmp_path):
    file = tmp_path / "new" / "smoke.json"
    printed = subprocess.run(
        [sys.executable, "-m", "benchmarks", "smoke", "--scale", "0.001", "--json", file],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    kept = json.loads(file.read_text())
    assert [result["max_demand"] for result in kept["results"]] == [1000, 10, 1]
    assert len(printed) == 3
    for line, result in zip(printed, kept["results"], strict=True):
        assert result["ratio_low"] <= result["ratio"] <= result["ratio_high"]
        assert f"core {result['core']:>12,} /s" in line
        assert f"ratio {result['ratio']:.3f}" in line
    assert kept["machine"]["python"] == ".".join(map(str, sys.version_info[:3]))
