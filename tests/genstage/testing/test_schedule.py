import pytest

from genstage.errors import OptionError
from genstage.testing.schedule import Schedule


def test_a_seed_gives_the_same_choices_again():
    assert len({Schedule.seeded(seed).choose(10) for seed in range(20)}) > 5
    first, second = Schedule.seeded(3), Schedule.seeded(3)
    assert [first.choose(4) for _ in range(50)] == [second.choose(4) for _ in range(50)]


def test_only_choices_are_remembered():
    schedule = Schedule.parse("")
    for count in (1, 1, 2, 1):
        schedule.choose(count)
    assert schedule.text == ""  # a single zero is what happens anyway


@pytest.mark.parametrize("text", ["", "1", "2*3", "0*12 1 0 2*2"])
def test_a_text_is_followed_and_told_again(text):
    schedule = Schedule.parse(text)
    chosen = [schedule.choose(3) for _ in range(40)]
    assert schedule.text == text
    again = Schedule.parse(schedule.text)
    assert [again.choose(3) for _ in range(40)] == chosen


def test_a_schedule_of_another_program_stays_within_what_there_is():
    assert Schedule.parse("5").choose(2) == 1


def test_a_decision_from_outside_is_remembered():
    schedule = Schedule.parse("")
    assert schedule.choose(3, 2) == 2
    assert schedule.text == "2"


@pytest.mark.parametrize("text", ["x", "1*", "-1", "1*x", "*2", "1 2 ?"])
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(OptionError, match="schedule"):
        Schedule.parse(text)
