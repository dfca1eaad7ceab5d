"""The simulated network: what it promises about order, ends, requests and time, and how it is replayed."""

from collections import deque
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genstage import (
    Consumer,
    Crash,
    Finish,
    Killed,
    Named,
    NoProc,
    Normal,
    Producer,
    ProducerConsumer,
    Reply,
    Shutdown,
    Stop,
    Unanswered,
)
from genstage._core.messages import Down
from genstage._runtime.launch import STARTING
from genstage._runtime.watch import Exited
from genstage.errors import CallTimeoutError, DeadStageError, OptionError, StartError
from genstage.supervision import Child, ChildEnded, ChildrenStarted, Group
from genstage.testing import Simulation


class Counter(Producer):
    def __init__(self, end):
        self.left = deque(range(end))

    def handle_demand(self, demand):
        events = [self.left.popleft() for _ in range(min(demand, len(self.left)))]
        return events if self.left else Finish(events)


class Doubler(ProducerConsumer):
    def handle_events(self, events, _origin):
        return [2 * event for event in events]


class Collector(Consumer):
    def __init__(self):
        self.got = []
        self.cancellations = []

    def handle_events(self, events, _origin):
        self.got += events

    def handle_cancel(self, cancellation, _subscription):
        self.cancellations.append(cancellation)


class Doer(Producer):
    """Does what it is told: requests and messages are functions of the stage."""

    def __init__(self):
        self.terminated = []

    def handle_demand(self, _demand):
        return []

    def handle_call(self, request, reply_to):
        return request(self, reply_to)

    def handle_cast(self, request):
        return request(self)

    def handle_info(self, message):
        return message(self)

    def terminate(self, reason):
        self.terminated.append(reason)


class Actor:
    """A behaviour that writes its messages down, and does those that are functions."""

    def __init__(self, port, log):
        self.port = port
        self.log = log

    def start(self):
        return None

    def handle(self, message):
        if callable(message):
            message(self.port)
        else:
            self.log.append(message)


@pytest.fixture
def spawn():
    """Puts a bare actor into a simulation; gives it and its log."""

    def spawn(simulation, name):
        log = []
        started = []
        actor = simulation._network.spawn(
            lambda port: Actor(port, log), name=name, at_once=True, on_started=started.append
        )
        assert started == [None]
        return actor, log

    return spawn


def chain(simulation, end=20):
    sink = Collector()
    counter = simulation.start(lambda: Counter(end), name="counter")
    doubler = simulation.start(Doubler, name="doubler")
    collector = simulation.start(lambda: sink, name="sink")
    collector.subscribe(doubler, max_demand=4)
    doubler.subscribe(counter, max_demand=6, min_demand=2)
    return sink, (counter, doubler, collector)


@given(st.integers(0, 2**32))
def test_a_chain_comes_to_its_end_whatever_the_schedule(seed):
    with Simulation(seed=seed) as simulation:
        sink, refs = chain(simulation)
        assert simulation.run() > 0
        assert [ref.reason for ref in refs] == [Normal()] * 3
    assert sink.got == [2 * n for n in range(20)]
    assert [cancellation.kind for cancellation in sink.cancellations] == ["finish"]


def course(**options):
    with Simulation(**options) as simulation:
        chain(simulation)
        simulation.run()
        return simulation.schedule, [str(delivery) for delivery in simulation._network.delivered]


def test_the_same_seed_goes_the_same_way_and_so_does_the_schedule_it_tells():
    courses = [course(seed=seed) for seed in range(5)]
    assert len({schedule for schedule, _ in courses}) == 5
    for seed, expected in enumerate(courses):
        assert course(seed=seed) == expected
        assert course(schedule=expected[0]) == expected


def test_without_a_seed_the_course_is_the_same_too():
    assert course() == course()


@given(st.data())
def test_hypothesis_can_choose(data):
    with Simulation(choose=lambda count: data.draw(st.integers(0, count - 1))) as simulation:
        sink, _ = chain(simulation, end=3)
        simulation.run()
        assert sink.got == [0, 2, 4]


def test_seed_schedule_and_function_exclude_each_other():
    with pytest.raises(OptionError, match="schedule"):
        Simulation(seed=1, schedule="0")


def test_a_failure_tells_the_schedule_and_the_last_steps():
    simulation = Simulation(seed=3)

    def fail():
        with simulation:
            chain(simulation)
            simulation.run()
            assert 1 / 0

    with pytest.raises(ZeroDivisionError) as caught:
        fail()
    (note,) = caught.value.__notes__
    assert f"Simulation(schedule={simulation.schedule!r})" in note
    assert "counter > doubler: Finished(" in note
    assert len(note.splitlines()) <= 23 + 1


def test_a_failure_that_takes_no_notes_stays_what_it_is():
    @dataclass(frozen=True)
    class FrozenError(Exception):
        def add_note(self, _note):
            raise TypeError

    with pytest.raises(FrozenError), Simulation():
        raise FrozenError


class Tree:
    """A recipe whose behaviour starts as it is told."""

    child_type = "supervisor"
    control = True

    def __init__(self, start):
        self.begin = start

    def launch(self, name):
        assert name.startswith("Tree-")
        return self

    def make(self, port):
        self.port = port
        return self

    def start(self):
        return self.begin(self)

    def handle(self, message):
        """As a behaviour, a message; as a launch, what one holds of an actor."""
        if message == "go on":
            self.port.started()
        return message


def test_a_tree_is_started_when_all_of_it_has():
    def later(tree):
        tree.port.send(tree.port.me, "go on")
        return STARTING

    with Simulation() as simulation:
        actor = simulation.supervise(Tree(later))
        assert actor.alive
        assert actor.name == "Tree-1"


@pytest.mark.parametrize(
    ("start", "error"), [(lambda _: Named("refused"), StartError), (lambda _: STARTING, CallTimeoutError)]
)
def test_a_tree_that_does_not_start_says_so(start, error):
    with Simulation() as simulation:
        with pytest.raises(error):
            simulation.supervise(Tree(start))
        assert simulation.find("Tree-1") is None


# -- order ----------------------------------------------------------------------------------------------


def orders(spawn, send):
    """The orders in which ``c`` gets what is sent, over many schedules."""
    seen = []
    for seed in range(200):
        with Simulation(seed=seed) as simulation:
            actors = {name: spawn(simulation, name) for name in "abc"}
            send({name: actor for name, (actor, _) in actors.items()})
            simulation.run()
            order = list(actors["c"][1])
            if order not in seen:
                seen.append(order)
    return seen


def test_each_pair_keeps_its_order_and_others_may_overtake(spawn):
    def send(actors):
        actors["a"].tell(lambda port: [port.send(actors["c"], number) for number in (1, 2, 3)])
        actors["b"].tell(lambda port: [port.send(actors["c"], number) for number in (10, 20)])

    seen = orders(spawn, send)
    assert len(seen) == 10  # all ways to merge three with two
    for order in seen:
        assert [number for number in order if number < 10] == [1, 2, 3]
        assert [number for number in order if number >= 10] == [10, 20]


def test_without_other_choice_messages_arrive_in_the_order_in_which_they_were_sent(spawn):
    with Simulation(schedule="") as simulation:
        (a, _), (b, _), (c, log) = (spawn(simulation, name) for name in "abc")
        for number in range(10):
            sender = a if number % 3 else b
            sender.driver.send(c, number)
        simulation.run()
        assert log == list(range(10))


def test_a_down_comes_behind_everything_the_dying_one_sent(spawn):
    def send(actors):
        actors["c"].tell(lambda port: port.watch(actors["a"]))
        actors["a"].tell(lambda port: [port.send(actors["c"], 1), port.send(actors["c"], 2)])
        actors["b"].tell(lambda port: port.kill(actors["a"], Killed()))

    for order in orders(spawn, send):
        assert [type(message).__name__ for message in order] in (
            ["int", "int", "Down"],
            ["Down"],  # it was dead before it could send
        )
    reasons = [order[-1].reason for order in orders(spawn, send)]
    assert Killed() in reasons
    assert NoProc() in reasons


def test_a_watch_can_be_taken_back(spawn):
    with Simulation() as simulation:
        (a, _), (b, log) = (spawn(simulation, name) for name in "ab")
        first, second = b.driver.watch(a), b.driver.watch(a)
        b.driver.unwatch(first)
        simulation._network.kill(a, Killed())
        simulation.run()
        assert log == [Down(second, Killed())]


def test_nothing_reaches_or_leaves_the_dead(spawn):
    with Simulation() as simulation:
        (a, dead), (b, alive) = (spawn(simulation, name) for name in "ab")
        a.tell("before")
        simulation._network.kill(a, Killed())
        a.tell("after")
        a.driver.send(b, "from beyond")
        assert simulation.run() == 0
        assert (dead, alive) == ([], [])


def test_the_watches_of_the_dead_end_with_it(spawn):
    with Simulation() as simulation:
        (a, _), (b, _) = (spawn(simulation, name) for name in "ab")
        b.driver.watch(a)
        simulation._network.kill(b, Killed())
        assert a._watchers == {}


# -- references ------------------------------------------------------------------------------------------


def test_calls_run_the_simulation_until_they_are_answered():
    with Simulation(seed=1) as simulation:
        doer = simulation.start(Doer)
        assert doer.call(lambda stage, _: Reply(stage.stage.name)) == doer.name

        def later(stage, reply_to):
            stage.stage.send(lambda stage: stage.stage.reply(reply_to, "late"))
            return Unanswered()

        assert doer.call(later) == "late"


def test_a_call_that_nobody_answers_times_out_when_nothing_moves():
    with Simulation() as simulation:
        doer = simulation.start(Doer, name="doer")
        with pytest.raises(CallTimeoutError, match="'doer' did not answer within 3 s"):
            doer.call(lambda *_: Unanswered(), timeout_s=3)


def test_a_call_learns_of_the_end(expected_errors):
    with Simulation() as simulation:
        doer = simulation.start(Doer)
        with pytest.raises(DeadStageError) as caught:
            doer.call(lambda *_: 1 / 0)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        with pytest.raises(DeadStageError):
            doer.call(lambda *_: Reply(1))
    assert len(expected_errors) == 1


def test_a_stage_cannot_wait_in_its_turn():
    with Simulation() as simulation:
        first, second = simulation.start(Doer), simulation.start(Doer)
        told = []

        def ask(_stage):
            with pytest.raises(RuntimeError) as caught:
                second.call(lambda *_: Reply(1))
            told.append(str(caught.value))
            with pytest.raises(RuntimeError, match="in its turn"):
                simulation.run()

        first.cast(ask)
        simulation.run()
        assert "cast, send or async_subscribe" in told[0]


def test_stages_end_by_stop_crash_and_kill(expected_errors):
    with Simulation() as simulation:
        stages = [Doer() for _ in range(4)]
        stopped, crashed, killed, left = (simulation.start(lambda stage=stage: stage) for stage in stages)
        stopped.stop(Shutdown("enough"))
        simulation.crash(crashed, ValueError("injected"))
        simulation.kill(killed)
        assert (stopped.reason, killed.reason) == (Shutdown("enough"), Killed())
        assert crashed.reason == Crash(expected_errors[0].exc_info[1])
        with pytest.raises(DeadStageError):
            stopped.stop()
    assert left.reason == Shutdown()
    assert [stage.terminated for stage in stages] == [
        [Shutdown("enough")],
        [crashed.reason],
        [],
        [Shutdown()],
    ]


def test_a_start_that_fails_is_told():
    class Refuses(Doer):
        def init(self):
            return Stop(Shutdown("not today"))

    class Wrong(Doer):
        def init(self):
            return {"buffer_size": -1}

    with Simulation() as simulation:
        with pytest.raises(StartError, match="not today"):
            simulation.start(Refuses)
        with pytest.raises(OptionError, match="buffer_size"):
            simulation.start(Wrong)
        simulation.start(Doer, name="taken")
        with pytest.raises(OptionError, match="name"):
            simulation.start(Doer, name="taken")
        with pytest.raises(OptionError, match="factory"):
            simulation.start(Doer())


def test_stages_of_two_simulations_do_not_meet():
    with Simulation() as one, Simulation() as other:
        with pytest.raises(OptionError, match="to"):
            one.start(Collector).subscribe(other.start(Doer), timeout_s=1)
        with pytest.raises(TypeError, match="simulated"):
            assert one.start(Doer).pykka


def test_a_stage_is_found_by_its_name():
    class Named(Collector):
        def init(self):
            return {"subscribe_to": ["counter"]}

    with Simulation() as simulation:
        simulation.start(lambda: Counter(3), name="counter")
        sink = Named()
        simulation.start(lambda: sink)
        simulation.run()
        assert sink.got == [0, 1, 2]


def test_what_never_rests_is_given_up():
    with Simulation() as simulation:
        doer = simulation.start(Doer)

        def again(stage):
            stage.stage.send(again)

        doer.send(again)
        with pytest.raises(RuntimeError, match="within 50 steps"):
            simulation.run(most_steps=50)
        assert simulation.step()


def test_links_and_the_users_watches_work_as_in_the_runtime():
    for seed in range(20):
        with Simulation(seed=seed) as simulation:
            first, second, third = (simulation.start(Doer, name=name) for name in ("a", "b", "c"))
            told = []

            def watch(stage, told=told):
                stage.handle_info = told.append
                stage.stage.trap_exits()
                stage.stage.watch("a")
                stage.stage.link("b")

            third.cast(watch)
            first.cast(lambda stage: stage.stage.link("b"))
            simulation.run()
            simulation.kill(first)
            simulation.run()
            assert second.reason == Killed()
            assert sorted(type(message).__name__ for message in told) == ["Down", "Exited"]
            (exited,) = [message for message in told if isinstance(message, Exited)]
            assert (exited.stage, exited.reason) == (second, Killed())
            assert third.alive


def test_a_reference_from_a_callback_waits_in_the_simulation_too():
    with Simulation() as simulation:
        doer = simulation.start(Doer, name="doer")
        itself = doer.call(lambda stage, _: Reply(stage.stage.ref))
        assert itself == doer
        assert itself.call(lambda *_: Reply(1)) == 1
        assert simulation.find("doer") == doer
        assert simulation.find("nobody") is None


# -- time ------------------------------------------------------------------------------------------------


def ticker(told, simulation):
    def tick(stage):
        told.append(simulation.clock.now_s)
        stage.stage.send_after(1.0, tick)

    return tick


def test_timers_run_when_the_clock_is_moved():
    with Simulation() as simulation:
        doer = simulation.start(Doer)
        told = []
        doer.send(ticker(told, simulation))
        simulation.run()
        assert told == [0.0]
        simulation.advance(3.5)
        assert told == [0.0, 1.0, 2.0, 3.0]
        assert simulation.clock.now_s == 3.5
        simulation.clock.advance(2.0)  # time only: the tick waits
        assert told[-1] == 3.0
        (waiting,) = simulation.waiting
        assert waiting.startswith(f"clock > {doer.name}: Message(")
        with pytest.raises(OptionError, match="seconds"):
            simulation.advance(-1)


# -- supervisors -----------------------------------------------------------------------------------------


class Boss:
    """A supervisor: a group and what it says."""

    def __init__(self, port, children, told):
        self.group = Group(port, children)
        self.told = told

    def start(self):
        self.group.start()

    def handle(self, message):
        if message == "stop":
            self.group.stop()
        else:
            self.told.append(self.group.handle(message))


class Stubborn(Actor):
    def handle(self, _message):
        pass


class StubbornLaunch:
    control = False

    def __init__(self, *, own_lane=False):
        self.own_lane = own_lane

    def make(self, port):
        return Stubborn(port, [])


@pytest.mark.parametrize("seed", range(10))
def test_supervisors_run_on_it(seed):
    with Simulation(seed=seed) as simulation:
        told = []
        children = [
            Child("stubborn", StubbornLaunch(), shutdown_s=5),
            Child("own", StubbornLaunch(own_lane=True), shutdown_s=5),
        ]
        boss = simulation._network.spawn(
            lambda port: Boss(port, children, told), name="boss", on_started=lambda _: None
        )
        simulation.run()
        assert told == [None, ChildrenStarted()]
        assert [actor.name for actor in simulation._network.actors] == ["boss", "stubborn", "own"]
        boss.tell("stop")
        simulation.run()
        assert told[2:] == []
        simulation.advance(5)
        ends = [event for event in told[2:] if event is not None]
        assert {(end.child.name, end.reason) for end in ends} == {("stubborn", Killed()), ("own", Killed())}
        assert all(isinstance(end, ChildEnded) for end in ends)
        assert boss.behaviour.group.ended


def test_waiting_for_an_end_that_does_not_come_says_so():
    with Simulation() as simulation:
        ref = simulation.start(Doer, name="it")
        with pytest.raises(CallTimeoutError, match="'it' did not end within inf s"):
            ref.wait()
        ref.call(lambda *_: Reply(1))
        assert "reply=<answer>" in simulation.explain()
