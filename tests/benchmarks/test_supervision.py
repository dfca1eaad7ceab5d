import json
import threading
from itertools import pairwise

import pytest

from benchmarks import __main__
from benchmarks.supervision.accidents import KINDS, Accident, schedule
from benchmarks.supervision.meter import InjectedError, Meter, Trap
from benchmarks.supervision.result import Recovery, recoveries_of
from benchmarks.supervision.shapes import SHAPES, make_pipeline, nodes_of
from benchmarks.supervision.suite import measure
from genstage import Normal, PipelineError, Shutdown

STAGES = [("a", "b"), ("a", "b", "c")]


def test_accidents_come_from_the_seed():
    accidents = list(schedule(STAGES, seconds=50, rate=20, seed=7))

    assert accidents == list(schedule(STAGES, seconds=50, rate=20, seed=7))
    assert accidents != list(schedule(STAGES, seconds=50, rate=20, seed=8))
    assert 900 < len(accidents) < 1100
    assert all(earlier.at_s < later.at_s < 50 for earlier, later in pairwise(accidents))
    assert {accident.kind for accident in accidents} == set(KINDS)
    for number, stages in enumerate(STAGES):
        assert {accident.stage for accident in accidents if accident.pipeline == number} == set(stages)
    assert all(accident.stage != accident.other for accident in accidents)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("paced", [True, False])
def test_every_shape_comes_to_its_sums_and_tells_each_event(shape, paced):
    meter = Meter()
    pipeline = make_pipeline(shape, shape, meter, 777, paced=paced)
    with pipeline.run() as run:
        run.wait(60)
    total = sum(range(777)) * {"line": 2, "fan_out": 2, "fan_in": 2, "diamond": 2}.get(shape, 1)
    results = run.results

    assert not meter.wrong
    assert sum(results.values()) == total
    assert meter.events == 777 * (2 if shape in {"fan_out", "fan_in", "diamond"} else 1)


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize("shape", SHAPES)
def test_every_stage_of_every_shape_has_its_accidents(shape):
    for stage in nodes_of(make_pipeline(shape, shape, Meter(), 1, paced=True)):
        meter = Meter()
        meter.let_crash(stage)
        run = make_pipeline(shape, shape, meter, None, paced=True).run()
        with pytest.raises(PipelineError, match=f"stage '{stage}' failed") as caught:
            run.wait(60)
        assert isinstance(caught.value.__cause__, InjectedError)
        assert [(kind, hit) for _, kind, hit in meter.hits] == [("crash", stage)]


def test_a_sink_that_has_come_to_something_else_is_told_of():
    meter = Meter()
    pipeline = make_pipeline("line", "line", meter, 100, paced=False)
    sink = next(node.factory for node in pipeline.graph.nodes if node.name == "sink")
    lossy = sink()
    lossy.total = 5
    lossy.terminate(Shutdown())
    assert not meter.wrong
    lossy.terminate(Normal())
    assert list(meter.wrong) == ["sink came to 5, not 9900"]


def test_only_a_sink_made_after_the_accident_shows_a_recovery():
    meter = Meter()
    meter.hit("kill", "a")
    meter.hit("crash", "b")
    meter.took(3, made_s=0.0)
    assert (meter.recovering, meter.recoveries, meter.events) == (True, [], 3)
    meter.took(4, made_s=float("inf"))
    assert not meter.recovering
    assert [kind for kind, _ in meter.recoveries] == ["kill", "crash"]
    assert meter.recoveries[0][1] >= meter.recoveries[1][1] > 0


def test_a_trap_holds_one_callback():
    meter, trap = Meter(), Trap(Accident(0.0, 0, "a", "b", "stuck"))
    meter.set_trap(trap)
    meter.passing("b")
    inside = threading.Thread(target=meter.passing, args=("a",))
    inside.start()
    assert trap.inside.wait(60)
    assert inside.is_alive()
    meter.passing("a")
    trap.gate.set()
    inside.join(60)
    assert not inside.is_alive()


def test_recoveries_are_told_by_kind():
    times = [("kill", n / 1000) for n in range(1, 201)] + [("crash", 0.5)]

    assert recoveries_of(times) == {
        "all": Recovery(201, 101.0, 199.0, 500.0),
        "crash": Recovery(1, 500.0, 500.0, 500.0),
        "kill": Recovery(200, 100.5, 198.0, 200.0),
    }
    assert recoveries_of([]) == {}


@pytest.mark.usefixtures("expected_errors")
def test_pipelines_get_over_their_accidents_and_none_hangs(tmp_path, capsys):
    file = tmp_path / "supervision.json"
    command = "supervision --pipelines 7 --seconds 2 --seed 5 --rate 20 --hang-after 60 --json"

    assert __main__.main([*command.split(), str(file)]) == 0
    kept = json.loads(file.read_text())
    result = kept["result"]
    printed = capsys.readouterr().out
    assert printed.splitlines()[0] == "7 pipelines for 2 s, seed 5"
    assert printed.splitlines()[-1] == "    hangs: 0"
    assert (kept["suite"], result["hangs"], result["wrong"], result["left"]) == ("supervision", [], [], [])
    assert sum(result["accidents"].values()) + result["missed"] > 20
    assert result["kills"] > 5
    assert all(count > 0 for count in result["restarts"].values())
    assert result["recovery"]["all"]["median_ms"] > 0
    assert sum(result["outcomes"].values()) == 7
    assert set(result["reasons"]) <= {"line 7"}  # the temporary one


def test_a_hang_is_found_and_explained(capsys):
    command = "supervision --pipelines 3 --seconds 0.5 --seed 5 --rate 6 --hang-after 2 --plant-hang"

    assert __main__.main(command.split()) == 1
    told = capsys.readouterr().out
    assert "hangs: 1\npipeline 'fan_in 3' has not moved for 2.0 s\n" in told
    assert "'one' owes 100 events to 'sink'" in told
    assert "thread chaos-shared-1:\n" in told


@pytest.mark.parametrize("option", [["--pipelines", "0"], ["--seconds", "0"], ["--rate", "-1"]])
def test_wrong_options_are_refused(option, capsys):
    with pytest.raises(SystemExit):
        __main__.main(["supervision", *option])
    assert f"invalid {'_count' if option[0] == '--pipelines' else '_scale'} value" in capsys.readouterr().err


def test_without_accidents_nothing_is_started_again():
    result = measure(3, 0.3, 1, rate=1e-6, hang_after_s=60)

    assert result.good
    assert (result.kills, result.accidents, result.recovery) == (0, {}, {})
    assert result.restarts["by pipelines"] == 0
    assert sum(result.outcomes.values()) == 3
    assert not result.reasons
    assert str(result).endswith("hangs: 0")
