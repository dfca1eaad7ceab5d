import pytest

from genstage import Killed, Named, OptionError
from genstage.errors import SourceError, StageFailure
from genstage.supervision import RestartPlan


def crash(stage, error):
    return StageFailure(stage, "crash", error)


def failed(stage, reason=Killed()):  # noqa: B008 - immutable
    return StageFailure(stage, reason)


@pytest.mark.parametrize(
    ("max_restarts", "failures", "expected"),
    [
        # the budget
        (0, [failed("a")], False),
        (1, [failed("a")], True),
        (1, [failed("a"), failed("b")], False),
        (2, [failed("a"), failed("b")], True),
        (2, [failed("a"), failed("b"), failed("c")], False),
        # an error of the package's own is a verdict
        (9, [crash("a", SourceError("db", "no such table"))], False),
        (9, [crash("a", OptionError("n", 1, "2"))], False),
        (9, [crash("a", SourceError("db", "locked")), crash("a", ValueError())], True),
        (9, [crash("a", ValueError()), crash("a", SourceError("db", "locked"))], False),
        # the same failure of the same stage twice in a row
        (9, [failed("a"), failed("a")], False),
        (9, [failed("a"), failed("b")], True),
        (9, [failed("a"), failed("b"), failed("a")], True),
        (9, [failed("a"), failed("a", Named("other"))], True),
        (9, [failed("a", Named("same")), failed("a", Named("same"))], False),
        (9, [crash("a", ValueError("x")), crash("a", ValueError("x"))], False),
        (9, [crash("a", ValueError("x")), crash("a", ValueError("y"))], True),
        (9, [crash("a", ValueError("x")), crash("a", TypeError("x"))], True),
        (9, [crash("a", ValueError("x")), crash("b", ValueError("x"))], True),
        (9, [crash("a", ValueError("x")), failed("a")], True),
    ],
)
def test_restarts(max_restarts, failures, expected):
    assert RestartPlan(max_restarts).restarts(failures) is expected
