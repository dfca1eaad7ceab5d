"""The recorded behaviour of GenStage, replayed; hand-written scenarios stand in ``stage_script.jsonl``."""

import copy
import json

import pytest

from tests.conformance.__main__ import TRACES, main
from tests.conformance.replay import replay
from tests.conformance.scenario import read


@pytest.mark.parametrize("path", sorted(TRACES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_every_scenario_passes(path):
    outcomes = [replay(scenario) for scenario in read(path)]
    assert [(outcome.identity, outcome.problems) for outcome in outcomes if outcome.problems] == []


def test_the_command_counts_and_succeeds(capsys):
    assert main([]) == 0
    assert "3037 scenarios, 3037 passed, 0 failed" in capsys.readouterr().out


def test_the_command_shows_a_mismatch_as_given_expected_got_and_fails(tmp_path, capsys):
    trace = tmp_path / "wrong.jsonl"
    trace.write_text(
        '{"id":"wrong","family":"buffer","given":{"keep":"last","size":5},"steps":['
        '{"do":{"op":"store","events":[1,2]},"expect":{"discarded":0,"infos":[],"size":3}}]}\n'
    )
    assert main([str(trace)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "wrong: given {'keep': 'last', 'size': 5}",
        'step 0: {"op": "store", "events": [1, 2]}',
        "  size expected: 3",
        "  size got:      2",
        "",
        "buffer: 0 passed, 1 failed",
        "1 scenarios, 0 passed, 1 failed",
    ]


def test_the_command_fails_on_nothing_to_replay(tmp_path, capsys):
    assert main([str(tmp_path)]) == 1
    assert main([str(tmp_path / "missing")]) == 1
    assert "no such file or folder" in capsys.readouterr().err


def altered(name, change, file="stage_script"):
    """A recorded scenario with one expectation altered."""
    scenario = copy.deepcopy(next(s for s in read(TRACES / f"{file}.jsonl") if s["id"] == name))
    change(scenario["steps"])
    return replay(scenario)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("t-system-8", "stage1_batches", [33]),  # linear
        ("t-system-14", "producer_demands", [5]),  # partition
        ("t-system-7", "producer_exit", None),  # enumerable
        ("t-system-16", "producer_cancels", []),  # stream
    ],
)
def test_an_altered_observation_of_a_pipeline_is_noticed_in_both_worlds(name, key, value):
    problems = altered(name, lambda steps: steps[0]["expect"].update({key: value}), "system").problems
    told = [problem.strip() for problem in problems if "expected:" in problem]
    assert told == [
        f"on the runtime:   {key} expected: {json.dumps(value)}",
        f"on the simulated network:   {key} expected: {json.dumps(value)}",
    ]


def test_a_recorded_stall_of_a_pipeline_binds_by_the_invariants_only():
    outcome = altered("t-system-13", lambda _: None, "system")
    assert outcome.problems == []
    assert outcome.deviation == "nothing stays behind: [29] are buffered"


def test_an_unknown_family_fails(tmp_path, capsys):
    trace = tmp_path / "unknown.jsonl"
    trace.write_text('{"id":"odd","family":"weather","given":{},"steps":[]}\n')
    assert main([str(trace)]) == 1
    assert "KeyError: 'weather'" in capsys.readouterr().out


def test_an_altered_message_is_noticed():
    def change(steps):
        steps[5]["expect"]["effects"] = [{"call": "handle_demand", "demand": 1}]

    assert "effects expected" in altered("t-script-demand-pending-covers-ask", change).problems[1]


def test_a_mended_deviation_binds_up_to_its_step():
    def change(steps):
        steps[4]["expect"]["buffered"] = 4

    assert altered("t-script-broadcast-late-subscriber", change).problems[0].startswith("step 4")
