"""ConsumerSupervisor under schedules that Hypothesis picks: children end and fail, producers go."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genstage import (
    ChildError,
    Consumer,
    ConsumerSupervisor,
    Finish,
    Killed,
    Named,
    Normal,
    Producer,
    Shutdown,
    Stop,
)
from genstage._core.messages import Ask
from genstage._core.messages import Stop as StopMessage
from genstage.supervision import consumer_core
from genstage.testing import Simulation


@pytest.fixture(autouse=True, scope="module")
def _few_starts_a_turn():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consumer_core, "STARTS_A_TURN", 2)
        yield


WAYS = ["work", "work", "work", "ignore", "refuse", "raise"]
NAME = "supervisor"


class Source(Producer):
    """Emits when it is told to, and never more than it was asked for."""

    def __init__(self, world, number):
        self.world, self.number, self.emitted, self.owed = world, number, 0, 0

    def handle_demand(self, demand):
        self.owed += demand

    def handle_cast(self, ways):
        if ways is None:
            return Finish([])
        ways = ways[: self.owed]
        first, self.emitted, self.owed = self.emitted, self.emitted + len(ways), self.owed - len(ways)
        return [(self.number, first + place, way) for place, way in enumerate(ways)]

    def handle_cancel(self, _cancellation, _subscription):
        self.owed = 0


class Work(Consumer):
    """The child of an event."""

    def __init__(self, world, event):
        self.world, self.event = world, event

    def init(self):
        world, event = self.world, self.event
        world.incarnations[event] += 1
        assert event not in world.working, "two children of one event"
        way = event[2]
        if way == "ignore":
            return Stop()
        if way == "refuse" or (world.incarnations[event] == 2 and event[1] % 3 == 0):
            return Stop(Named("refused"))  # every third gets up again at the second try only
        if way == "raise":
            raise ValueError(way)
        world.working[event] = self.stage.ref
        return None

    def handle_cast(self, reason):
        return Stop(reason)

    def terminate(self, _reason):
        self.world.working.pop(self.event)


class World:
    def __init__(self, choose, plan, cancel="temporary"):
        self.simulation = Simulation(choose=choose)
        self.network = self.simulation._network
        self.incarnations, self.working = Counter(), {}
        self.asked, self.went, self.vain = Counter(), set(), []
        post = self.network.post

        def counted(source, target, message):
            if isinstance(message, Ask):
                self.asked[target.name] += message.count
                core = source.behaviour
                if core._ending is not None or message.tag not in core.consuming.upstreams:
                    self.vain.append(message)
            post(source, target, message)

        self.network.post = counted
        recipe = ConsumerSupervisor(
            lambda event: Work(self, event), restart=plan["restart"], max_restarts=plan["max_restarts"]
        )
        self.ref = self.simulation.supervise(recipe, name=NAME)
        self.sources, self.stages, self.windows, self.subscriptions = [], [], [], []
        for number, window in enumerate(plan["windows"]):
            stage = Source(self, number)
            self.stages.append(stage)
            self.sources.append(self.simulation.start(lambda stage=stage: stage, name=f"source{number}"))
            self.windows.append(window)
            options = {"max_demand": window[0], "min_demand": window[1], "cancel": cancel}
            self.subscriptions.append(self.ref.subscribe(self.sources[number], **options))

    def check(self):
        """What holds at any time."""
        assert self.vain == [], "demand of what has ended"
        for number, (max_demand, _) in enumerate(self.windows):
            working = [event for event in self.working if event[0] == number]
            assert len(working) <= max_demand
            asked = self.asked[f"source{number}"]
            assert self.stages[number].emitted <= asked
            ended = self.stages[number].emitted - len(working)
            assert asked <= max_demand + ended

    def check_events(self):
        """Every event has had its child."""
        emitted = {
            (number, place) for number, stage in enumerate(self.stages) for place in range(stage.emitted)
        }
        assert {event[:2] for event in self.incarnations} == emitted

    def check_at_rest(self):
        """What holds when nothing moves and no child works any more."""
        self.check_events()
        counts = self.ref.count_children()
        assert (counts.active, counts.workers) == (0, 0)
        for number, (max_demand, min_demand) in enumerate(self.windows):
            if number not in self.went:
                owed = max_demand + self.stages[number].emitted - self.asked[f"source{number}"]
                assert 0 <= owed < max(1, min_demand), "demand has leaked"


@st.composite
def windows(draw):
    max_demand = draw(st.integers(1, 5))
    return max_demand, draw(st.integers(0, max_demand - 1))


PLANS = st.fixed_dictionaries(
    {
        "restart": st.sampled_from(["temporary", "transient"]),
        "max_restarts": st.just(10_000),
        "windows": st.lists(windows(), min_size=1, max_size=2),
    }
)
END = {"end": Normal(), "fail": Named("failed")}
ACTIONS = ["deliver"] * 6 + ["emit"] * 3 + ["end", "end", "fail", "kill", "terminate", "cancel", "crash"]


@given(plan=PLANS, data=st.data())
def test_every_event_has_one_child_within_max_demand_and_no_demand_leaks(plan, data):
    world = World(lambda count: data.draw(st.integers(0, count - 1)), plan)
    simulation = world.simulation
    for _ in range(data.draw(st.integers(0, 40))):
        act(world, data.draw(st.sampled_from(ACTIONS)), data)
        world.check()
    for _ in range(1000):
        while simulation.step(0):
            world.check()
        if not world.working:
            break
        next(iter(world.working.values())).cast(Named("failed") if data.draw(st.booleans()) else Normal())
    world.check_at_rest()
    world.ref.stop()
    simulation.close()


@given(plan=PLANS, data=st.data())
def test_whenever_it_is_stopped_no_child_is_left(plan, data):
    world = World(lambda count: data.draw(st.integers(0, count - 1)), plan)
    for _ in range(data.draw(st.integers(0, 20))):
        act(world, data.draw(st.sampled_from(ACTIONS)), data)
    world.ref._actor.tell(StopMessage(Shutdown()))
    while world.simulation.step():
        world.check()
    assert world.ref.reason == Shutdown()
    assert world.working == {}
    assert [actor for actor in world.network.actors if actor.name.startswith(NAME)] == []


@given(plan=PLANS, data=st.data())
def test_when_the_data_has_ended_it_ends_with_its_last_child(plan, data):
    world = World(lambda count: data.draw(st.integers(0, count - 1)), plan, cancel="permanent")
    for _ in range(data.draw(st.integers(0, 20))):
        act(
            world,
            data.draw(st.sampled_from(["deliver", "deliver", "emit", "end", "fail", "terminate"])),
            data,
        )
    for source in world.sources:
        source.cast(None)
    for _ in range(1000):
        while world.simulation.step(0):
            world.check()
        if not world.working:
            break
        assert world.ref.alive
        next(iter(world.working.values())).cast(Normal())
    world.check_events()
    assert world.ref.reason == Normal()


def act(world, action, data):
    simulation = world.simulation
    number = data.draw(st.integers(0, len(world.sources) - 1))
    working = list(world.working.items())
    if action == "deliver":
        simulation.step()
    elif action == "emit":
        world.sources[number].cast(data.draw(st.lists(st.sampled_from(WAYS), min_size=1, max_size=5)))
    elif action == "cancel" and number not in world.went:
        world.went.add(number)
        world.subscriptions[number].cancel()
    elif action == "crash" and number not in world.went:
        world.went.add(number)
        simulation.crash(world.sources[number])
    elif working:
        event, ref = data.draw(st.sampled_from(working))
        if action in END:
            ref.cast(END[action])
        elif action == "kill":
            world.working.pop(event)
            simulation._network.kill(ref._actor, Killed())
        elif action == "terminate":
            try:
                world.ref.terminate_child(ref)
            except ChildError:  # it has been told to end before
                assert not ref.alive
