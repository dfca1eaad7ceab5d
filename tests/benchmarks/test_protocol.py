import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from benchmarks.measuring import interleaved, ratios
from benchmarks.protocol import flows, homes, streams
from benchmarks.protocol.result import Result, Target
from benchmarks.protocol.suite import WORKLOADS
from genstage import BroadcastDispatcher


@pytest.fixture
def passage():
    return streams.Passage()


@pytest.mark.parametrize("home", [homes.core_alone, homes.lanes, homes.threads])
@pytest.mark.parametrize(("max_demand", "events"), [(1, 9), (2, 1), (10, 11), (1000, 2500)])
def test_every_home_comes_to_the_sum_of_the_plain_loop(home, max_demand, events, passage):
    home(streams._line(events, passage, max_demand))
    assert passage.total == streams._plain_identity(events, max(1, max_demand // 2))
    assert passage.ended > passage.began > 0


@pytest.mark.parametrize("home", [homes.core_alone, homes.lanes, homes.threads])
@pytest.mark.parametrize(("dispatcher", "copies"), [(None, 1), (BroadcastDispatcher, 4)])
def test_every_home_fans_out(home, dispatcher, copies, passage):
    home(streams._fan(7000, passage, dispatcher))
    assert passage.total == streams._plain_fan_out(7000, 500, copies)


@pytest.mark.parametrize("way", [flows._flow, flows._by_hand, flows._plain])
def test_every_way_to_call_functions_comes_to_the_same_sum(way):
    assert way(1234) == 1234 * 1235


def test_a_wrong_sum_is_no_figure():
    with pytest.raises(RuntimeError, match=r"^the sum is 5, not 6$"):
        flows._cost(lambda _: 5, 2)
    with pytest.raises(RuntimeError, match=r"^the sum is 6, not 7$"):
        streams._plain_cost(4, lambda _: 6, lambda _: 7)


def test_ways_are_measured_in_turn_after_a_warm_up():
    order = []
    ways = {name: partial(lambda name: order.append(name) or len(order), name) for name in "ab"}
    assert interleaved(ways) == {
        "a": [3, 5, 7, 9, 11, 13, 15, 17, 19],
        "b": [4, 6, 8, 10, 12, 14, 16, 18, 20],
    }
    assert order == ["a", "b"] * 10


def test_a_ratio_is_the_median_of_the_rounds_and_has_a_span():
    assert ratios([1, 4, 9], [2, 2, 3], "x") == {"x": 2, "x_low": 0.5, "x_high": 3}


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("ratio", 0.5), True),
        (Target("ratio", 0.51), False),
        (Target("ratio", 0.5, at_most=True), True),
        (Target("ratio", 0.49, at_most=True), False),
    ],
)
def test_targets_stand_beside_the_figures(target, met):
    result = Result(
        "work",
        "events/s",
        {"ours": 1234.5, "ratio": 0.5, "ratio_low": 0.25, "ratio_high": 1},
        (target,),
        max_demand=2,
    )
    bound = "at_most" if target.at_most else "at_least"
    assert result.to_json() == {
        "workload": "work",
        "max_demand": 2,
        "unit": "events/s",
        "ours": 1234.5,
        "ratio": 0.5,
        "ratio_low": 0.25,
        "ratio_high": 1,
        "targets": [{"figure": "ratio", bound: target.bound, "met": met}],
    }
    assert str(result).splitlines() == [
        "work at max_demand 2 (events/s)",
        "    ours 1,234   ratio 0.500 (0.250 to 1)",
        f"    target: ratio {bound.replace('_', ' ')} {target.bound:.3f}: {'met' if met else 'NOT met'}",
    ]


FIGURES = {
    "identity": {"ours", "plain", "pykka_threads", "ratio", "ratio_low", "ratio_high", "times_threads"},
    "core": {"ours", "plain", "ratio", "ratio_low", "ratio_high"},
    "fan_out_demand": {"ours", "plain", "pykka_threads", "ratio"},
    "fan_out_broadcast": {"ours", "plain", "pykka_threads", "ratio"},
    "flow": {"ours", "by_hand", "plain", "ratio", "times_by_hand"},
    "tell": {"ours", "pykka_threads", "times_threads"},
    "call": {"ours", "pykka_threads", "times_threads"},
    "call_from_thread": {"ours", "pykka_threads", "times_threads"},
    "start": {"ours", "pykka_threads", "times_threads"},
    "consumer_supervisor": {"ours", "plain", "pool", "us_a_child", "ratio", "times_pool"},
    "idle_stages": {"memory_mb", "bytes_a_stage", "full_collection_ms", "after_freeze_ms"},
    "first_event_awake": {"ours", "ours_p99", "pykka_threads", "pykka_threads_p99"},
    "first_event_asleep": {"ours", "ours_p99", "pykka_threads", "pykka_threads_p99"},
    "slow_consumer": {"in_flight", "memory_mb", "memory_mb_of_few", "growth"},
}


def test_the_command_writes_what_it_prints(tmp_path):
    file = tmp_path / "new" / "protocol.json"
    printed = subprocess.run(
        [sys.executable, "-m", "benchmarks", "protocol", "--scale", "0.002", "--json", file],
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stderr == ""
    kept = json.loads(file.read_text())
    assert kept["suite"] == "protocol"
    assert kept["machine"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert "commit" in kept
    results = kept["results"]
    assert [result["max_demand"] for result in results if result["workload"] == "identity"] == [1000, 10, 1]
    assert {result["workload"] for result in results} == set(FIGURES)
    titles = [line for line in printed.stdout.splitlines() if not line.startswith(" ")]
    assert [title.split()[0] for title in titles] == [result["workload"] for result in results]
    for result in results:
        assert result.keys() >= FIGURES[result["workload"]]
        assert all(result[name] > 0 for name in FIGURES[result["workload"]])
        if "ratio_low" in result:
            assert result["ratio_low"] <= result["ratio"] <= result["ratio_high"]
    (slow,) = (result for result in results if result["workload"] == "slow_consumer")
    assert all(target["met"] for target in slow["targets"])  # not a matter of the machine


def test_one_workload_can_be_chosen(capsys):
    from benchmarks.__main__ import main  # noqa: PLC0415 - not needed to measure

    assert main(["protocol", "--only", "tell", "--scale", "0.001"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[0] != " "] == ["tell"]
    with pytest.raises(SystemExit):
        main(["protocol", "--only", "nothing"])
    with pytest.raises(SystemExit):
        main(["protocol", "--scale", "0"])
    assert "identity" in WORKLOADS


def test_the_page_tells_of_every_workload():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "benchmarks.md"
    table = page.read_text().partition("## The workloads")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(WORKLOADS)
