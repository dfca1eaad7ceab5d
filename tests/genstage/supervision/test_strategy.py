"""Who is stopped and started when a child ends: by example, and against a model."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from genstage import Crash, Killed, Named, Normal, Shutdown
from genstage.supervision.strategy import Consequence, consequence, is_restarted

FAILED = Crash(ValueError())


@dataclass
class Kid:
    restart: str = "permanent"
    active: bool = True
    significant: bool = False


def family(*restarts, ended, **of_ended):
    kids = [Kid(restart) for restart in restarts]
    kids[ended] = Kid(restarts[ended], active=False, **of_ended)
    return kids


def test_who_is_started_again():
    reasons = (Normal(), Shutdown(), Shutdown("enough"), FAILED, Killed(), Named("mine"))
    assert [is_restarted("permanent", reason) for reason in reasons] == [True] * 6
    assert [is_restarted("transient", reason) for reason in reasons] == [False] * 3 + [True] * 3
    assert [is_restarted("temporary", reason) for reason in reasons] == [False] * 6


def test_one_for_one():
    kids = family("permanent", "permanent", "permanent", ended=1)
    assert consequence("one_for_one", "never", kids, 1, FAILED) == Consequence(start=(1,))


def test_one_for_all_takes_all_even_those_that_rested():
    kids = family("permanent", "transient", "permanent", "transient", ended=2)
    kids[1].active = False
    assert consequence("one_for_all", "never", kids, 2, FAILED) == Consequence(
        stop=(3, 0), start=(0, 1, 2, 3)
    )


def test_rest_for_one_takes_those_started_later():
    kids = family("permanent", "permanent", "permanent", "permanent", ended=1)
    assert consequence("rest_for_one", "never", kids, 1, FAILED) == Consequence(stop=(3, 2), start=(1, 2, 3))


def test_temporary_ones_are_stopped_with_the_others_and_not_started():
    kids = family("temporary", "permanent", "temporary", ended=1)
    assert consequence("one_for_all", "never", kids, 1, FAILED) == Consequence(stop=(2, 0), start=(1,))


def test_one_that_is_not_started_again_takes_nobody_with_it():
    for strategy in ("one_for_one", "one_for_all", "rest_for_one"):
        kids = family("permanent", "transient", "permanent", ended=1)
        assert consequence(strategy, "never", kids, 1, Normal()) == Consequence()
        kids = family("permanent", "temporary", "permanent", ended=1)
        assert consequence(strategy, "never", kids, 1, FAILED) == Consequence(forget=True)


def test_the_supervisor_ends_with_any_significant_child():
    kids = family("transient", "transient", ended=0, significant=True)
    kids[1].significant = True
    assert consequence("one_for_one", "any_significant", kids, 0, Normal()).shut_down
    assert not consequence("one_for_one", "any_significant", kids, 0, FAILED).shut_down
    assert not consequence("one_for_one", "all_significant", kids, 0, Normal()).shut_down
    assert not consequence("one_for_one", "never", kids, 0, Normal()).shut_down


def test_the_supervisor_ends_with_the_last_significant_child():
    kids = family("transient", "transient", "permanent", ended=0, significant=True)
    kids[1].significant, kids[1].active = True, False
    assert consequence("one_for_one", "all_significant", kids, 0, Normal()).shut_down
    kids[0].significant = False
    assert not consequence("one_for_one", "all_significant", kids, 0, Normal()).shut_down


kids = st.builds(
    Kid,
    restart=st.sampled_from(("permanent", "transient", "temporary")),
    active=st.booleans(),
    significant=st.booleans(),
)


@given(
    st.lists(kids, min_size=1, max_size=6),
    st.integers(0, 5),
    st.sampled_from(("one_for_one", "one_for_all", "rest_for_one")),
    st.sampled_from(("never", "any_significant", "all_significant")),
    st.sampled_from((Normal(), Shutdown(), FAILED, Killed())),
)
def test_it_is_what_otp_says(children, ended, strategy, auto_shutdown, reason):
    ended %= len(children)
    children[ended].active = False
    what = consequence(strategy, auto_shutdown, children, ended, reason)

    again = is_restarted(children[ended].restart, reason)
    assert bool(what.start) == again
    assert what.forget == (children[ended].restart == "temporary")
    if what.shut_down:
        assert not again
        assert children[ended].significant
        assert auto_shutdown != "never"
        others = [child for child in children if child.significant and child.active]
        assert auto_shutdown == "any_significant" or not others
    reached = {
        "one_for_one": {ended},
        "one_for_all": set(range(len(children))),
        "rest_for_one": set(range(ended, len(children))),
    }[strategy]
    if again:
        assert set(what.stop) == {place for place in reached - {ended} if children[place].active}
        assert set(what.start) == {place for place in reached if children[place].restart != "temporary"}
        assert ended in what.start
    else:
        assert what.stop == ()
    assert list(what.stop) == sorted(what.stop, reverse=True)
    assert list(what.start) == sorted(what.start)
