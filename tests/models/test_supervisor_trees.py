"""Trees under accidents, on the simulated network with schedules that Hypothesis chooses.

Whatever ends whom at whatever moment: at rest, either everything that is to run does, or the tree has ended
with its reason and nothing of it is left. No child ever runs twice at a time, and where children
depend on those before them, they have started after them.
"""

from hypothesis import given
from hypothesis import strategies as st

from genstage import Backoff, Consumer, GaveUp, Killed, Named, Normal, Shutdown, Stop, Supervisor, child_spec
from genstage._core import messages
from genstage.supervision.supervising import Supervising
from genstage.testing import Simulation


class Census:
    """Who lives, by name; a second one of a name is a mistake."""

    def __init__(self):
        self.living = set()
        self.starts = 0

    def leaf(self, name, failing_starts):
        census = self

        class Leaf(Consumer):
            def init(self):
                census.starts += 1
                if census.starts in failing_starts:
                    return Stop(Named("not now"))
                return None

        return lambda: Leaf() if census.alone(name) else None

    def alone(self, name):
        actors = [actor for actor in self.network.actors if actor.name == name and actor.alive]
        assert len(actors) == 1, f"{name} lives twice"
        return True


STRATEGIES = st.sampled_from(("one_for_one", "one_for_all", "rest_for_one"))
RESTARTS = st.sampled_from(("permanent", "transient", "temporary"))
ENDS = (Normal(), Shutdown("enough"), Named("oops"), Killed())
BACKOFFS = st.one_of(st.none(), st.builds(Backoff, first_s=st.integers(1, 2), max_s=st.just(4)))
ACCIDENTS = st.lists(
    st.tuples(
        st.integers(0, 25),  # steps before it
        st.sampled_from(("a", "b", "c", "x", "y", "inner", "tree")),
        st.sampled_from(ENDS),
        st.integers(0, 3),  # seconds that pass before it
    ),
    max_size=8,
)


@given(
    STRATEGIES,
    STRATEGIES,
    BACKOFFS,
    st.tuples(RESTARTS, RESTARTS, RESTARTS, RESTARTS, RESTARTS, RESTARTS),
    st.integers(0, 3),
    ACCIDENTS,
    st.sets(st.integers(6, 14), max_size=3),
    st.data(),
)
def test_at_rest_a_tree_runs_or_has_ended_with_its_reason(  # noqa: PLR0917 - Hypothesis draws them
    outer, inside, backoff, restarts, most, accidents, failing_starts, data
):
    census = Census()
    a, b, c, x, y, of_inner = restarts

    def spec(name, restart):
        return child_spec(name, census.leaf(name, failing_starts), restart=restart)

    inner = Supervisor(spec("x", x), spec("y", y), strategy=inside, max_restarts=most, backoff=backoff)
    recipe = Supervisor(
        spec("a", a),
        child_spec("inner", inner, restart=of_inner),
        spec("b", b),
        spec("c", c),
        strategy=outer,
        max_restarts=most,
        backoff=backoff,
    )
    with Simulation(choose=lambda count: data.draw(st.integers(0, count - 1))) as simulation:
        census.network = network = simulation._network
        tree = simulation.supervise(recipe, name="tree")
        told = []
        for steps, name, reason, pause_s in accidents:
            for _ in range(steps):
                simulation.step()
            simulation.clock.advance(pause_s)
            actor = next((actor for actor in network.actors if actor.name == name), None)
            if actor is None:
                continue
            if name == "tree":
                told.append(reason)
            if isinstance(reason, Killed):
                network.kill(actor, reason)
            else:
                actor.tell(messages.Stop(reason))
        simulation.advance(100)  # whoever waits for a restart has had it

        if tree.alive:
            check_rest(tree._actor.behaviour, network.actors)
        else:
            assert network.actors == []
            gave_up = isinstance(tree.reason, Shutdown) and isinstance(tree.reason.detail, GaveUp)
            assert gave_up or tree.reason in told[:1] or (Killed() in told and tree.reason == Killed())
            if gave_up:
                assert tree.reason.detail.restarts == most


def check_rest(supervising, actors):
    """Nothing waits, and whoever is to run does; the actors are in order of their start."""
    assert isinstance(supervising, Supervising)
    assert supervising._operation is None
    assert not supervising._line
    for member in supervising._members.values():
        assert not member.restarting
        actor = member.child.actor
        if member.child.alive:
            assert actor.alive
            if isinstance(actor.behaviour, Supervising):
                check_rest(actor.behaviour, actors)
        else:
            assert not actor.alive
            assert member.restart == "transient"
            assert member.reason.tolerated
    if supervising._recipe.strategy != "one_for_one":
        running = [member.child.actor for member in supervising._members.values() if member.child.alive]
        assert running == [actor for actor in actors if actor in running]
