"""A run never hangs and tells its outcome once, whatever happens to it and when."""

from hypothesis import example, given, note
from hypothesis import strategies as st

from genstage import Killed
from tests.models.runs import SHAPES, World

WHATS = ("stop", "drain", "pause", "resume", "kill", "crash", "kill supervisor", "kill step")


def plans():
    """Runs, and up to five things that happen to them."""
    happens = st.tuples(st.integers(0, 60), st.sampled_from(WHATS), st.integers(0, 4))
    fails = st.tuples(
        st.integers(0, 4),
        st.sampled_from(("init", "events", "drain", "end", "terminate")),
        st.integers(0, 2),
        st.sampled_from(("raise", "stop")),
    )
    return st.fixed_dictionaries(
        {
            "shape": st.sampled_from(sorted(SHAPES)),
            "total": st.integers(0, 20),
            "at_once": st.integers(1, 5),
            "max_demand": st.integers(1, 6),
            "restarts": st.integers(0, 2),
            "whole": st.booleans(),
            "endless": st.booleans(),
            "enough": st.sampled_from((None, None, None, 3)),
            "fails": st.lists(fails, max_size=2),
            "job fails": st.sampled_from((None, None, None, None, "attempt", "complete", "abandon")),
            "happens": st.lists(happens, max_size=4),
        }
    )


def run(plan, seed):
    world = World(plan, seed)
    try:
        world.go()
        world.check()
    except BaseException:
        note(world.simulation.explain())
        raise
    finally:
        for actor in list(world.network.actors):
            world.network.kill(actor, Killed())
    return world


PLAIN = {
    "shape": "line",
    "total": 3,
    "at_once": 1,
    "max_demand": 1,
    "restarts": 0,
    "whole": True,
    "endless": False,
    "enough": None,
    "fails": [],
    "job fails": None,
    "happens": [],
}
STOPPED_TWICE = [(10, "stop", 0), (0, "stop", 0), (17, "kill supervisor", 0)]


@example(PLAIN | {"shape": "two sources, two ways", "enough": 3}, 0)  # one way had enough, the other hung
@example(PLAIN | {"shape": "fan-in", "total": 0, "happens": STOPPED_TWICE}, 0)  # it was abandoned twice
@example(PLAIN | {"shape": "fan-out", "total": 0, "happens": [(12, "pause", 0), (0, "drain", 0)]}, 0)
@example(PLAIN | {"happens": [(36, "kill step", 0)]}, 0)  # publishing, taken for done
@given(plan=plans(), seed=st.integers(0, 2**32))
def test_a_run_ends_once_whatever_happens(plan, seed):
    run(plan, seed)
