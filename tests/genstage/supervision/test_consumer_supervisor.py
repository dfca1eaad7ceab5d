"""What a ConsumerSupervisor does on the runtime beside what GenStage's does."""

import pickle
import threading
import time
from operator import attrgetter
from queue import SimpleQueue

import pytest

from genstage import (
    ChildError,
    Consumer,
    ConsumerSupervisor,
    ConsumerSupervisorRef,
    Killed,
    Named,
    Normal,
    OptionError,
    Producer,
    Runtime,
    Shutdown,
    StartError,
    Stop,
    Supervisor,
    SupervisorError,
    Task,
    child_spec,
)
from genstage._core.messages import Stop as StopMessage
from genstage.iterable import IterableProducer
from genstage.supervision import consumer_core
from genstage.testing import Simulation

DEADLINE_S = 20.0


def until(true):
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


@pytest.fixture
def runtime():
    with Runtime(name="test", shutdown_s=DEADLINE_S) as running:
        yield running


def test_it_never_changes_and_pickles():
    recipe = ConsumerSupervisor(Task, restart="transient", subscribe_to=["a", ("b", {"max_demand": 7})])
    assert recipe.subscribe_to == ("a", ("b", {"max_demand": 7}))
    assert pickle.loads(pickle.dumps(recipe)) == recipe  # noqa: S301 - our own bytes
    with pytest.raises(AttributeError):
        recipe.restart = "temporary"


def test_producers_in_subscribe_to_are_references_or_names(runtime):
    consumer = runtime.start(Consumer)
    with pytest.raises(OptionError, match="producer"):
        ConsumerSupervisor(Task, subscribe_to=[consumer])
    seen = []
    numbers = runtime.from_iterable([1, 2], name="numbers")
    more = runtime.from_iterable([3], name="more")
    producers = [numbers, ("more", {"max_demand": 1})]
    ref = runtime.supervise(
        ConsumerSupervisor(lambda event: Task(seen.append, event), subscribe_to=producers)
    )
    ref.wait(timeout_s=DEADLINE_S)
    assert sorted(seen) == [1, 2, 3]
    assert not more.alive


def test_it_subscribes_anew_and_is_resubscribed_like_any_consumer(runtime):
    seen = []
    ref = runtime.supervise(ConsumerSupervisor(lambda event: Task(seen.append, event)))
    numbers = runtime.from_iterable(iter(range(100)), demand="accumulate")
    old = ref.subscribe(numbers, cancel="temporary", max_demand=10)
    new = ref.resubscribe(old, numbers, max_demand=20)
    assert new != old
    numbers.set_demand("forward")
    ref.wait(timeout_s=DEADLINE_S)
    assert sorted(seen) == list(range(100))


def test_children_that_block_have_threads_of_their_own(runtime):
    meeting = threading.Barrier(4)
    names = []

    def meet(_event):
        meeting.wait(DEADLINE_S)
        names.append(threading.current_thread().name)

    ref = runtime.supervise(
        ConsumerSupervisor(lambda event: Task(meet, event), blocking=True), name="meetings"
    )
    ref.subscribe(runtime.from_iterable(range(4)), max_demand=4)
    ref.wait(timeout_s=DEADLINE_S)
    assert sorted(names) == [f"test-meetings-{number}" for number in range(1, 5)]


def test_the_first_children_of_many_events_work_while_the_last_ones_are_yet_to_start():
    made, made_at_first_work = [], []

    class Job(Consumer):
        def init(self):
            made.append(self)
            self.stage.send("work")

        def handle_info(self, _message):
            made_at_first_work.append(len(made))

    with Simulation(choose=lambda _: 0) as simulation:  # in order of arrival, as on a lane
        numbers = simulation.start(lambda: IterableProducer(range(100)))
        ref = simulation.supervise(ConsumerSupervisor(lambda _: Job()))
        ref.subscribe(numbers, cancel="temporary")
        simulation.run()
        assert ref.count_children().active == 100
    assert made_at_first_work[0] < 100
    assert len(made) == 100
    assert consumer_core.STARTS_A_TURN < 100


def test_events_that_have_come_get_their_children_though_the_subscription_has_ended():
    with Simulation(choose=lambda _: 0) as simulation:
        numbers = simulation.start(lambda: IterableProducer(range(100)))
        ref = simulation.supervise(ConsumerSupervisor(lambda _: Consumer()))
        ref.subscribe(numbers, cancel="temporary")
        while not (waiting := ref._actor.behaviour._waiting):
            simulation.step()
        assert len(waiting) < 100
        simulation.kill(numbers)
        simulation.run()
        assert ref.count_children().active == 100


def test_events_whose_children_have_not_been_started_are_lost_when_it_is_stopped():
    made = []
    with Simulation(choose=lambda _: 0) as simulation:
        numbers = simulation.start(lambda: IterableProducer(range(100)))
        ref = simulation.supervise(ConsumerSupervisor(lambda _: made.append(1) or Consumer()))
        ref.subscribe(numbers, cancel="temporary")
        while not ref._actor.behaviour._waiting:
            simulation.step()
        simulation._network.turn(ref._actor, StopMessage(Shutdown()))
        simulation.run()
        assert ref.reason == Shutdown()
    assert len(made) <= consumer_core.STARTS_A_TURN


@pytest.mark.parametrize("last", [("More", "Finished"), ("Finished", "More"), ("More",)])
def test_it_does_not_end_before_all_events_have_had_their_children(last):
    made = []

    class Idle(Consumer):
        def init(self):
            made.append(self)
            return Stop()

    def rank(delivery):
        return max((last[::-1].index(name) + 1 for name in last if name in str(delivery)), default=0)

    with Simulation() as simulation:
        numbers = simulation.start(lambda: IterableProducer(range(99)))
        ref = simulation.supervise(ConsumerSupervisor(lambda _: Idle()))
        ref.subscribe(numbers)
        while waiting := simulation.waiting:
            simulation.step(min(range(len(waiting)), key=lambda place: rank(waiting[place])))
        assert ref.reason == Normal()
    assert len(made) == 99


def test_a_kill_takes_its_children_along(runtime):
    ref = runtime.supervise(ConsumerSupervisor(lambda _: Consumer(), shutdown_s=0))
    children = [ref.start_child(number) for number in range(3)]
    runtime._engine.kill(ref._actor, Killed())
    for child in children:
        child._actor.wait_end(DEADLINE_S)
    assert [child.reason for child in children] == [Killed()] * 3


def test_children_are_named_after_it_and_are_not_found_by_name(runtime):
    ref = runtime.supervise(ConsumerSupervisor(lambda _: Consumer()), name="jobs")
    children = [ref.start_child(number) for number in range(2)]
    assert [child.name for child in children] == ["jobs-1", "jobs-2"]
    assert runtime.find("jobs-1") is None
    assert [(child.id, child.ref, child.type, child.restarting) for child in ref.which_children()] == [
        ("jobs-1", children[0], "worker", False),
        ("jobs-2", children[1], "worker", False),
    ]
    assert repr(ref) == "<ConsumerSupervisorRef 'jobs' running in=0 lane=shared>"


def test_restarts_and_giving_up_are_told_to_telemetry(runtime, expected_errors):
    heard = []
    events = ["supervisor.restart", "supervisor.gave_up"]
    runtime.telemetry.attach("list", heard.append, events=events)
    recipe = ConsumerSupervisor(lambda _: Consumer(), restart="transient", max_restarts=1)
    ref = runtime.supervise(recipe, name="jobs")
    failed = Named("failed")
    first = ref.start_child("event")
    first.stop(failed)
    until(lambda: ref.which_children()[0].ref not in {None, first})  # it has been started again
    ref.which_children()[0].ref.stop(failed)
    assert ref._actor.wait_end(DEADLINE_S)

    assert [(event.name, event.measurements) for event in heard] == [
        ("supervisor.restart", {"restarts": 1, "delay_s": 0.0}),
        ("supervisor.gave_up", {"restarts": 1}),
    ]
    about = [(event.metadata["supervisor"], event.metadata["child"]) for event in heard]
    assert about == [("jobs", "jobs-1")] * 2
    assert str(ref.reason) == (
        "shutdown: 'jobs' gave up, after 1 restarts within 5 s, because of 'jobs-1': failed"
    )
    assert [record.event for record in expected_errors] == ["gave up"]


def test_whoever_waits_for_it_is_told_that_it_gave_up(runtime, expected_errors):
    error = ValueError("oops")

    def fail(_event):
        raise error

    recipe = ConsumerSupervisor(lambda event: Task(fail, event), restart="transient", max_restarts=0)
    ref = runtime.supervise(recipe, name="jobs")
    ref.subscribe(runtime.from_iterable([1]))
    with pytest.raises(SupervisorError, match="'jobs' gave up") as raised:
        ref.wait(timeout_s=DEADLINE_S)
    assert raised.value.__cause__ is error
    assert "gave up" in {record.event for record in expected_errors}


def test_under_a_supervisor_it_is_started_again_and_finds_its_producers(runtime):
    seen = SimpleQueue()
    letters = child_spec("letters", Letters, name="letters")
    recipe = ConsumerSupervisor(lambda event: Task(seen.put, event), subscribe_to=["letters"])
    jobs = child_spec("jobs", recipe)
    tree = runtime.supervise(Supervisor(letters, jobs, strategy="rest_for_one"))
    first = tree.child(jobs)
    assert isinstance(first, ConsumerSupervisorRef)
    tree.child(letters).cast(["a"])
    assert seen.get(timeout=DEADLINE_S) == "a"

    restarts = SimpleQueue()
    runtime.telemetry.attach("queue", restarts.put, events=["supervisor.restart"])
    runtime._engine.kill(first._actor, Killed())
    assert restarts.get(timeout=DEADLINE_S).metadata["child"] == "jobs"
    again = tree.child(jobs)
    tree.child(letters).cast(["b"])
    assert seen.get(timeout=DEADLINE_S) == "b"
    assert again.alive
    assert not first.alive


class Letters(Producer):
    """Emits what it is told to."""

    def handle_demand(self, _demand):
        return []

    def handle_cast(self, letters):
        return letters


def test_what_is_no_child_is_not_terminated(runtime):
    ref = runtime.supervise(ConsumerSupervisor(lambda _: Consumer()))
    other = runtime.start(Consumer)
    for wrong in (other, "other"):
        with pytest.raises(ChildError, match="is not known"):
            ref.terminate_child(wrong)
    with pytest.raises(OptionError, match="its id"):
        ref.terminate_child(7)
    child = ref.start_child("event")
    ref.terminate_child(child.name)
    assert child.reason == Shutdown()
    assert other.alive


def test_a_child_whose_start_has_not_been_heard_of_can_be_terminated():
    refs = []

    class Tells(Consumer):
        def init(self):
            refs.append(self.stage.ref)

    with Simulation(choose=lambda _: 0) as simulation:
        ref = simulation.supervise(ConsumerSupervisor(lambda _: Tells()))
        ref.subscribe(simulation.start(lambda: IterableProducer([1])), cancel="temporary")
        while not refs:
            simulation.step()
        assert not any(child.started for child in ref._actor.behaviour._family.members)
        ref.terminate_child(refs[0])
        assert not refs[0].alive
        assert ref.which_children() == []


class Heard(Consumer):
    """Is heard of when its supervisor has heard of its start."""

    def __init__(self, heard):
        self.heard = heard

    def init(self):
        self.stage.send(self.stage.ref)

    def handle_info(self, message):
        self.heard.put(message)


@pytest.fixture
def gate():
    event = threading.Event()
    yield event
    event.set()


class Starting(Consumer):
    """Takes until the gate opens to start; the first time only if it is told so."""

    def __init__(self, gate, starts, slow):
        self.gate, self.starts, self.slow = gate, starts, slow

    def init(self):
        self.starts.append(self.stage.ref)
        if len(self.starts) in self.slow:
            self.inside.set()
            assert self.gate.wait(DEADLINE_S)


@pytest.fixture
def starting(runtime, gate):
    """A supervisor whose children take until the gate opens to start, if it is their turn to."""

    def starting(*slow, **options):
        Starting.inside = threading.Event()
        starts = []
        recipe = ConsumerSupervisor(lambda _: Starting(gate, starts, slow), blocking=True, **options)
        return runtime.supervise(recipe, name="starts"), starts

    return starting


def test_a_child_counts_when_it_has_started(runtime, starting, gate):
    ref, starts = starting(1)
    ref.subscribe(runtime.from_iterable([1]), cancel="temporary")
    assert Starting.inside.wait(DEADLINE_S)
    assert (ref.which_children(), ref.count_children().workers) == ([], 0)
    gate.set()
    starts[0].sync_info("are you there?", timeout_s=DEADLINE_S)  # it has started when it hears this
    assert [child.ref for child in ref.which_children()] == starts


def test_a_child_that_is_starting_again_counts_but_is_not_active(starting, gate):
    ref, starts = starting(2, restart="transient")
    ref.start_child(1).stop(Named("failed"))
    assert Starting.inside.wait(DEADLINE_S)
    (child,) = ref.which_children()
    assert (child.ref, child.restarting) == (None, True)
    counts = ref.count_children()
    assert (counts.active, counts.workers) == (0, 1)
    gate.set()
    ref.terminate_child(starts[0])
    assert starts[1].reason == Shutdown()
    assert ref.which_children() == []


def test_a_child_that_is_terminated_while_it_starts_is_no_failure(runtime, starting):
    ref, starts = starting(1, shutdown_s=0)
    ref.subscribe(runtime.from_iterable([1]), cancel="temporary")
    assert Starting.inside.wait(DEADLINE_S)
    ref.terminate_child(starts[0])
    assert starts[0].reason == Killed()


def test_what_is_wrong_with_the_child_of_an_event_is_logged(runtime, expected_errors):
    ref = runtime.supervise(ConsumerSupervisor(lambda event: event))
    ref.subscribe(runtime.from_iterable(["no stage"]))
    ref.wait(timeout_s=DEADLINE_S)
    (record,) = expected_errors
    assert record.event == "child not started"
    assert "Consumer" in record.reason


def test_a_start_that_is_refused_is_a_failure_though_it_is_no_crash(runtime):
    class Refuses(Consumer):
        def init(self):
            return Stop(Shutdown("not today"))

    ref = runtime.supervise(ConsumerSupervisor(lambda _: Refuses()))
    with pytest.raises(StartError, match="not today"):
        ref.start_child(1)


def test_one_that_waits_for_its_last_child_can_be_stopped(runtime):
    heard = SimpleQueue()
    ref = runtime.supervise(ConsumerSupervisor(lambda _: Heard(heard)))
    ref.subscribe(runtime.from_iterable([1]))
    child = heard.get(timeout=DEADLINE_S)
    ref.stop(Shutdown("enough"), timeout_s=DEADLINE_S)
    assert ref.reason == Shutdown("enough")
    assert child.reason == Shutdown()


def test_its_specification_gives_its_reference(runtime):
    spec = child_spec("jobs", ConsumerSupervisor(lambda _: Consumer()), restart="transient")
    launch = spec.launch()
    assert (launch.own_lane, launch.control) == (False, True)
    assert isinstance(launch.handle(runtime.start(Consumer)._actor), ConsumerSupervisorRef)
    assert attrgetter("type", "restart")(spec) == ("supervisor", "transient")


def test_children_and_data_that_end_normally_end_it_normally(runtime):
    ref = runtime.supervise(ConsumerSupervisor(lambda event: Task(event.append, 1)))
    done = []
    ref.subscribe(runtime.from_iterable([done] * 1000), max_demand=10)
    ref.wait(timeout_s=DEADLINE_S)
    assert ref.reason == Normal()
    assert len(done) == 1000
