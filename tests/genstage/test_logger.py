import logging

import pytest

from genstage.logger import get_logger


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
