"""The dynamic supervisor, on the simulated network."""

import pickle

import pytest

from genstage import (
    ChildError,
    Consumer,
    ConsumerRef,
    DynamicSupervisor,
    GaveUp,
    Killed,
    Normal,
    OptionError,
    Shutdown,
    StartError,
    Stop,
    Supervisor,
    SupervisorError,
    child_spec,
)
from genstage.testing import Simulation


@pytest.fixture
def simulation():
    with Simulation(seed=5) as simulation:
        yield simulation


@pytest.fixture
def make(simulation):
    def make(**options):
        return simulation.supervise(DynamicSupervisor(**options), name="sessions")

    return make


class Session(Consumer):
    def handle_cast(self, how):
        return how()


def fail():
    raise ValueError("it fails")


def leave():
    return Stop(Normal())


def test_children_come_and_go(make, simulation):
    sessions = make()
    first, second = (sessions.start_child(child_spec("session", Session, restart="transient")) for _ in "ab")
    assert isinstance(first, ConsumerRef)
    assert [child.ref for child in sessions.which_children()] == [first, second]
    first.cast(leave)
    simulation.run()
    assert [child.ref for child in sessions.which_children()] == [second]
    counts = sessions.count_children()
    assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (1, 1, 0, 1)


def test_a_child_that_fails_starts_again(make, simulation, expected_errors):
    sessions = make()
    ref = sessions.start_child(child_spec("session", Session))
    ref.cast(fail)
    simulation.run()
    (child,) = sessions.which_children()
    assert child.ref.alive
    assert child.ref != ref
    assert expected_errors


def test_a_child_can_be_terminated_by_reference_or_id(make, simulation):
    sessions = make()
    one, two = (sessions.start_child(child_spec(name, Session)) for name in ("one", "two"))
    sessions.terminate_child(one)
    sessions.terminate_child("two")
    assert (one.reason, two.reason) == (Shutdown(), Shutdown())
    assert sessions.which_children() == []
    for unknown in (one, "two"):
        with pytest.raises(ChildError, match="is not known"):
            sessions.terminate_child(unknown)
    with pytest.raises(OptionError, match="a reference to a child, or its id"):
        sessions.terminate_child(3)
    assert [actor.name for actor in simulation._network.actors] == ["sessions"]


def test_a_child_with_a_name_goes_by_its_id(make, simulation):
    sessions = make()
    ref = sessions.start_child(child_spec("id", Session, name="name"))
    assert simulation.find("name") == ref
    assert [child.id for child in sessions.which_children()] == ["id"]
    with pytest.raises(ChildError, match="'name' is not known"):
        sessions.terminate_child("name")
    sessions.terminate_child("id")
    assert ref.reason == Shutdown()


def test_there_are_no_more_children_than_allowed(make):
    sessions = make(max_children=1)
    ref = sessions.start_child(child_spec("one", Session))
    with pytest.raises(ChildError, match="max_children") as raised:
        sessions.start_child(child_spec("two", Session))
    assert raised.value.problem == "max_children"
    sessions.terminate_child(ref)
    assert sessions.start_child(child_spec("two", Session)).alive


def test_a_child_that_does_not_start_leaves_nothing(make, expected_errors):
    class Broken(Consumer):
        def init(self):
            raise LookupError("nothing there")

    sessions = make()
    with pytest.raises(StartError, match="nothing there") as raised:
        sessions.start_child(child_spec("broken", Broken))
    assert isinstance(raised.value.__cause__, LookupError)
    with pytest.raises(OptionError, match="auto_shutdown"):
        sessions.start_child(child_spec("it", Session, restart="temporary", significant=True))
    with pytest.raises(OptionError, match="a ChildSpec"):
        sessions.start_child(Session)
    assert sessions.count_children().specs == 0
    assert expected_errors


def test_it_gives_up_when_its_restarts_are_used_up(make, simulation, expected_errors):
    sessions = make(max_restarts=1)
    other = sessions.start_child(child_spec("other", Session))
    sessions.start_child(child_spec("session", Session))
    for _ in range(2):
        sessions.which_children()[-1].ref.cast(fail)
        simulation.run()
    assert isinstance(sessions.reason.detail, GaveUp)
    assert other.reason == Shutdown()
    with pytest.raises(SupervisorError, match="it fails"):
        sessions.wait()
    assert simulation._network.actors == []
    assert expected_errors


def test_when_it_stops_all_children_do(make, simulation):
    sessions = make()
    refs = [sessions.start_child(child_spec("session", Session)) for _ in range(3)]
    tree = sessions.start_child(child_spec("tree", Supervisor(child_spec("leaf", Session))))
    leaf = tree.child("leaf")
    sessions.stop()
    assert [ref.reason for ref in (*refs, tree, leaf)] == [Shutdown()] * 5
    assert sessions.reason == Normal()
    assert simulation._network.actors == []


def test_a_killed_one_takes_its_children_along(make, simulation):
    sessions = make()
    ref = sessions.start_child(child_spec("session", Session))
    simulation._network.kill(sessions._actor, Killed())
    assert ref.reason == Killed()


@pytest.mark.parametrize(
    ("options", "option"),
    [({"max_children": -1}, "max_children"), ({"max_restarts": 1.5}, "max_restarts")],
)
def test_what_is_wrong_is_refused(options, option):
    with pytest.raises(OptionError) as raised:
        DynamicSupervisor(**options)
    assert raised.value.option == option


def test_the_recipe_pickles_and_shows_itself():
    copy = pickle.loads(pickle.dumps(DynamicSupervisor(max_children=3)))  # noqa: S301 - our own bytes
    assert repr(copy) == "<DynamicSupervisor of at most 3>"
    assert repr(DynamicSupervisor()) == "<DynamicSupervisor>"
