import pytest

from genstage.pipeline import PipelineStatistics
from renderers.cli.running import _activity


@pytest.mark.parametrize(
    ("state", "records", "expected", "activity"),
    [
        ("preparing", 0, None, "reading"),
        ("starting", 0, 10, "reading"),
        ("running", 5, 10, "reading"),
        ("finalizing", 9, 10, "writing"),
        ("finalizing", 10, 10, "finishing"),
        ("finalizing", 10, None, "writing"),
        ("publishing", 10, None, "finishing"),
        ("stopping", 5, 10, "stopping"),
        ("abandoning", 5, 10, "stopping"),
    ],
)
def test_what_a_run_is_doing(state, records, expected, activity):
    statistics = PipelineStatistics(state, records, expected, elapsed_s=1.0, restarts=0, stages={})
    assert _activity(statistics) == activity
