"""The recorded behaviour of GenStage, replayed; hand-written scenarios stand in ``stage_script.jsonl``."""

import copy

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
    assert "2697 scenarios, 2697 passed, 0 failed" in capsys.readouterr().out


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


def altered(name, change):
    """A recorded scenario with one expectation altered."""
    scenario = copy.deepcopy(next(s for s in read(TRACES / "stage_script.jsonl") if s["id"] == name))
    change(scenario["steps"])
    return replay(scenario)


def test_an_altered_message_is_noticed():
    def change(steps):
        steps[5]["expect"]["effects"] = [{"call": "handle_demand", "demand": 1}]

    assert "effects expected" in altered("t-script-demand-pending-covers-ask", change).problems[1]


def test_a_mended_deviation_binds_up_to_its_step():
    def change(steps):
        steps[4]["expect"]["buffered"] = 4

    assert altered("t-script-broadcast-late-subscriber", change).problems[0].startswith("step 4")
