"""What goes to another process as a copy, and what refuses to and says what to pass instead."""

import copy
import importlib
import inspect
import pickle
import pkgutil
from decimal import Decimal
from pathlib import Path

import pytest

import genstage
import renderers
from genstage import Consumer, Flow, GaveUp, GenstageError, Runtime, StageFailure, Supervisor, child_spec
from genstage._core import reasons
from genstage.telemetry import TelemetryEvent
from renderers import Column, Group, Report, Summary, sum_of

FIELDS = {
    "failures": (StageFailure("double", reasons.Killed()),),
    "key": {"id": 7},
    "known": ("html", "pdf"),
    "position": 7,
    "problem": "not_found",  # one that a child can have
    "reason": reasons.Named("no"),
    "record": 3,
    "timeout_s": 2.5,
    "value": -1,
}
"""What the arguments of errors are, by their names; others are texts."""


def kinds_of(base):
    """All classes below one, in the modules of both packages."""
    for package in (genstage, renderers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found, more = set(), [base]
    while more:
        kind = more.pop()
        more += kind.__subclasses__()
        found.add(kind)
    return {kind for kind in found if kind.__module__.split(".")[0] in ("genstage", "renderers")} - {base}


ERRORS = sorted(kinds_of(GenstageError), key=lambda kind: kind.__name__)


def copied(value):
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_keeps_its_fields_and_its_text(kind):
    names = [] if kind.__init__ is Exception.__init__ else inspect.signature(kind).parameters
    error = kind(**{name: FIELDS.get(name, f"a {name}") for name in names})
    error.add_note("in stage 'double'")
    for twin in (copied(error), copy.copy(error)):
        assert type(twin) is kind
        assert (str(twin), vars(twin), twin.args) == (str(error), vars(error), error.args)
        assert vars(twin).keys() >= set(names) - {"to"}


def test_errors_are_found():
    assert {"CallTimeoutError", "GapError", "ReportError"} < {kind.__name__ for kind in ERRORS}


REASONS = [
    reasons.Normal(),
    reasons.Shutdown(),
    reasons.Shutdown(GaveUp("tree", "double", 3, 5.0, reasons.Killed())),
    reasons.Killed(),
    reasons.NoProc(),
    reasons.BadReturn("handle_demand", "text"),
    reasons.Named("enough"),
    reasons.AlreadySubscribed(),
    reasons.UnknownSubscription(),
    reasons.DuplicatedSubscription(),
]


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: type(reason).__name__)
def test_a_reason_is_a_value(reason):
    assert copied(reason) == reason


def test_a_crash_keeps_what_was_raised():
    twin = copied(reasons.Crash(ValueError("boom", 7), "double"))
    assert (type(twin.exception), twin.exception.args, twin.stage) == (ValueError, ("boom", 7), "double")


def test_all_reasons_are_tried():
    tried = {type(reason).__name__ for reason in REASONS} | {"Crash"}
    assert tried == {kind.__name__ for kind in kinds_of(reasons.Reason)}  # those with slots are there twice


REPORT = Report(
    "sales",
    title="Sales",
    columns=[Column("amount", format="currency:EUR")],
    groups=[Group("region")],
    totals=[sum_of("amount")],
)
VALUES = [
    child_spec("cache", Consumer, restart="transient", shutdown_s=3),
    REPORT,
    Summary(1, 2.0, 0.5, {"pdf": 0.1}, 7, 0, 0, {"pdf": Path("a.pdf")}, {"pdf": Decimal(3)}),
    TelemetryEvent("stage.stop", {}, {"stage": "double", "reason": reasons.Normal()}),
    StageFailure("double", reasons.Killed()),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_recipe_or_figure_is_a_value(value):
    assert copied(value) == value


def test_what_lives_in_this_process_refuses_and_says_what_to_pass():
    flow = Flow.from_iterable(range(3), name="three")
    tree = copied(Supervisor(child_spec("cache", Consumer)))  # a recipe
    with Runtime(name="billing") as runtime:
        stage = runtime.start(Consumer, name="sink")
        numbers = runtime.from_iterable(range(3), name="numbers")
        pipeline = flow.to_list(name="all")
        with pipeline.run(runtime=runtime) as run, flow.stream(runtime=runtime) as stream:
            refused = {
                runtime: "runtime 'billing' cannot be pickled: .*; make one over there",
                stage: "a reference to stage 'sink' cannot be pickled: .*; pass the stage's name",
                runtime.supervise(tree, name="tree"): "a reference to supervisor 'tree' .*; pass the recipe",
                run: r"run '.*' cannot be pickled: .*; pass its statistics\(\)",
                pipeline.run_async(
                    runtime=runtime
                ): r"run '.*' cannot be pickled: .*; pass its statistics\(\)",
                stream: "stream '.*' cannot be pickled: .*; pass the events",
                flow.stream_async(runtime=runtime): "stream '.*' cannot be pickled: .*; pass the events",
                runtime.stream([numbers]): "stream '.*' cannot be pickled: .*; pass the events",
            }
            for thing, told in refused.items():
                with pytest.raises(TypeError, match=told):
                    pickle.dumps(thing)
            assert list(stream) == [0, 1, 2]
            assert run.wait(timeout_s=20) == [0, 1, 2]
