import contextvars
import logging

import pytest

from genstage import PipelineError, Producer, Runtime
from genstage.logger import get_logger, log_chunk, log_for


def test_fields_are_attributes_of_the_record(caplog):
    get_logger("genstage.example", stage="double").warning("late", seconds=3)

    (record,) = caplog.records
    assert (record.name, record.levelno, record.event) == ("genstage.example", logging.WARNING, "late")
    assert (record.stage, record.seconds) == ("double", 3)
    assert record.getMessage() == "late (stage=double, seconds=3)"


def test_a_message_without_fields_is_as_it_is(expected_errors):
    get_logger("genstage.example").error("late", exc_info=ValueError("boom"))

    assert [record.getMessage() for record in expected_errors] == ["late"]


@pytest.mark.parametrize("field", ["name", "message", "args", "levelname", "thread", "asctime"])
def test_a_field_with_a_name_of_the_records_own_gets_another(caplog, field):
    get_logger("genstage.example").warning("late", **{field: "mine"})

    (record,) = caplog.records
    assert getattr(record, f"{field}_") == "mine"
    assert record.name == "genstage.example"


def test_positional_arguments_are_filled_in(caplog):
    get_logger("genstage.example").warning("%d of %s", 3, "four")

    assert caplog.records[0].event == "3 of four"


def test_an_exception_is_the_records_exception(expected_errors):
    error = ValueError("boom")
    get_logger("genstage.example").error("failed", exc_info=error)

    assert [record.exc_info[1] for record in expected_errors] == [error]


def test_what_nobody_wants_to_see_is_not_made(caplog):
    get_logger("genstage.example").debug("%d", "no number")  # would raise if it were

    assert caplog.records == []


class Origin:
    log_fields = {"runtime": "billing", "stage": "double", "pipeline": "orders"}  # noqa: RUF012 - never changed


def in_a_context(function):
    contextvars.Context().run(function)


def logged(caplog):
    names = ("runtime", "pipeline", "stage", "chunk", "late")
    return [{name: value for name, value in vars(one).items() if name in names} for one in caplog.records]


def test_a_record_carries_whom_its_context_is_about(caplog):
    def about_a_stage():
        log_for(Origin)
        get_logger("genstage.example").warning("one", late=True)
        log_chunk(7)
        get_logger("genstage.example", **Origin.log_fields).warning("two")
        log_chunk(None)
        get_logger("genstage.example").warning("three")

    in_a_context(about_a_stage)
    get_logger("genstage.example").warning("four")

    assert logged(caplog) == [
        {**Origin.log_fields, "late": True},
        {**Origin.log_fields, "chunk": 7},
        Origin.log_fields,
        {},
    ]


def test_a_record_about_somebody_else_carries_nothing_of_its_context(caplog):
    def about_a_stage():
        log_for(Origin)
        log_chunk(7)
        get_logger("genstage.example", runtime="billing", stage="other").warning("one")
        get_logger("genstage.example", runtime="billing", stage=None).warning("two", late=None)

    in_a_context(about_a_stage)

    assert logged(caplog) == [{"runtime": "billing", "stage": "other"}, {"runtime": "billing", "late": None}]


class Broken(logging.Handler):
    """Breaks the standard library's rule that a handler raises nothing."""

    def emit(self, _record):
        raise OSError("the disk is full")


@pytest.fixture
def broken():
    """The package's loggers have such a handler."""
    logger, handler = logging.getLogger("genstage"), Broken()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.mark.usefixtures("broken")
def test_a_handler_that_raises_does_not_reach_who_logs(capsys):
    get_logger("genstage.test").warning("told")

    assert "OSError: the disk is full" in capsys.readouterr().err


def test_a_wrong_format_does_not_either(capsys, monkeypatch):
    get_logger("genstage.test").warning("%d", "text")
    assert "TypeError" in capsys.readouterr().err

    monkeypatch.setattr(logging, "raiseExceptions", False)
    get_logger("genstage.test").warning("%d", "text")
    assert not capsys.readouterr().err


@pytest.mark.usefixtures("broken", "expected_errors")
def test_nothing_that_a_handler_raises_breaks_off_an_end():
    def fails(_):
        raise ValueError

    told = []
    with Runtime() as runtime:
        runtime.telemetry.attach("fails", fails, events=["stage.crash"])
        ref = runtime.start(Producer)
        ref.on_end(fails)
        ref.on_end(told.append)
        ref.cast("nobody handles this")
        with pytest.raises(PipelineError):
            ref.wait(timeout_s=20)
        assert len(told) == 1
        assert runtime._engine._actors == {}
