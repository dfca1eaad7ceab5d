"""ConsumerSupervisor, as GenStage's own tests have it: how children start, fail, start again and stop."""

import math
import threading
from contextlib import suppress
from functools import partial
from queue import SimpleQueue

import pytest

from genstage import (
    CallTimeoutError,
    ChildError,
    Consumer,
    ConsumerSupervisor,
    DeadStageError,
    Killed,
    Named,
    NoProc,
    Normal,
    OptionError,
    Shutdown,
    StartError,
    Stop,
    Task,
    child_spec,
)
from genstage._core.messages import Events
from genstage._core.reasons import BadReturn
from genstage.testing import Simulation

from .conftest import DEADLINE_S, TellingProducer


class Child(Consumer):
    """Its event says how it starts; a list of ways is used up, one a start."""

    def __init__(self, event, told):
        self.event, self.told = event, told

    def init(self):
        way = self.event
        if isinstance(way, list):
            way = way.pop(0) if len(way) > 1 else way[0]
        if way == "ok":
            self.stage.send("up")
            return None
        self.told.put((way, None))
        if way == "ignore":
            return Stop(Normal())
        if way == "error":
            return Stop(Named("found"))
        if isinstance(way, BaseException):
            raise way
        return way  # garbage

    def handle_info(self, message):
        self.told.put((message, self.stage.ref))

    def handle_call(self, request, reply_to):
        return request(self, reply_to)


def ok_child(_event, told):
    """Whatever its event is, it starts."""
    return Child("ok", told)


class Supervised:
    """A ConsumerSupervisor of such children, and what they tell."""

    def __init__(self, stages, make=Child, **options):
        self.stages = stages
        self.told = SimpleQueue()
        recipe = ConsumerSupervisor(lambda event: make(event, self.told), **options)
        self.ref = stages.runtime.supervise(recipe, name="supervisor")

    def expect(self, way):
        """Wait until a child tells something; gives its reference."""
        told, ref = self.told.get(timeout=DEADLINE_S)
        assert told == way or told is way
        return ref

    def up(self):
        """Wait for the next child that has started."""
        return self.expect("up")

    def rest(self):
        """Wait until nothing happens any more; gives how much the children have told since."""
        self.stages.settle()
        self.ref.count_children()
        self.stages.settle()
        return self.told.qsize()

    @property
    def counts(self):
        """How many children run, and how many there are."""
        counts = self.ref.count_children()
        assert (counts.specs, counts.supervisors) == (1, 0)
        return counts.active, counts.workers

    @property
    def children(self):
        """The children's references; ``None`` for one that is being started again."""
        return [child.ref for child in self.ref.which_children()]


@pytest.fixture
def supervised(stages):
    return partial(Supervised, stages)


# -- starting the supervisor ----------------------------------------------------------------------------


def test_as_a_child_it_is_a_supervisor_and_its_specification_can_be_changed():
    recipe = ConsumerSupervisor(Task)
    spec = child_spec("jobs", recipe)
    assert (spec.id, spec.start, spec.type, spec.restart) == ("jobs", recipe, "supervisor", "permanent")
    assert (spec.shutdown_s, spec.name) == (math.inf, None)

    changed = child_spec("other", recipe, restart="temporary", shutdown_s=7, name="found")
    assert (changed.id, changed.restart, changed.shutdown_s, changed.name) == (
        "other",
        "temporary",
        7,
        "found",
    )
    assert changed.type == "supervisor"


@pytest.mark.parametrize(
    ("options", "option", "told"),
    [
        ({"restart": "permanent"}, "restart", "transient"),
        ({"restart": "sometimes"}, "restart", "temporary"),
        ({"shutdown_s": "never"}, "shutdown_s", "seconds"),
        ({"shutdown_s": -1}, "shutdown_s", "seconds"),
        ({"max_restarts": 1.5}, "max_restarts", "integer"),
        ({"max_restarts": -1}, "max_restarts", "0 or more"),
        ({"restart_window_s": "x"}, "restart_window_s", "seconds"),
        ({"restart_window_s": 0}, "restart_window_s", "more than 0"),
        ({"subscribe_to": 7}, "subscribe_to", "list"),
        ({"subscribe_to": [("producer", 7)]}, "subscribe_to", "pairs"),
        ({"subscribe_to": [("producer", {"max_demand": 0})]}, "max_demand", "1 or more"),
        ({"blocking": 1}, "blocking", "True"),
    ],
)
def test_a_wrong_option_is_refused_at_once(options, option, told):
    with pytest.raises(OptionError, match=told) as raised:
        ConsumerSupervisor(Task, **options)
    assert raised.value.option == option


@pytest.mark.parametrize("make", [None, [], [Task, Task], Task(print), "Task"])
def test_what_makes_no_children_is_refused_at_once(make):
    with pytest.raises(OptionError, match="make"):
        ConsumerSupervisor(make)


def test_a_name_nobody_has_in_subscribe_to_does_not_start_it(stages, expected_errors):
    recipe = ConsumerSupervisor(Task, subscribe_to=["nobody"])
    with pytest.raises(StartError) as raised:
        stages.runtime.supervise(recipe, name="supervisor")
    assert raised.value.reason == NoProc()
    assert [record.event for record in expected_errors] == ["subscribe target not alive"]


def test_it_is_found_by_its_name_and_ends_with_its_runtime(stages, supervised):
    ref = supervised().ref
    assert stages.runtime.find("supervisor") == ref
    assert type(stages.runtime.find("supervisor")) is type(ref)
    stages.runtime.close()
    assert ref.reason == Shutdown()


@pytest.mark.parametrize(
    "make",
    [Child, partial(Child), lambda way, told: Child(str(way), told)],
    ids=["class", "partial", "function"],
)
def test_children_are_made_by_a_class_or_a_function(supervised, make):
    supervisor = supervised(make)
    assert supervisor.ref.start_child("ok") == supervisor.up()
    assert supervisor.counts == (1, 1)


# -- start_child ----------------------------------------------------------------------------------------


def test_start_child(supervised):
    supervisor = supervised(restart="transient")
    assert supervisor.ref.start_child("ok") == supervisor.up()
    assert supervisor.ref.start_child("ignore") is None
    with pytest.raises(StartError) as raised:
        supervisor.ref.start_child("error")
    assert raised.value.reason == Named("found")
    with pytest.raises(StartError) as raised:
        supervisor.ref.start_child(7)
    assert raised.value.reason == BadReturn("init", 7)
    assert supervisor.counts == (1, 1)


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize("error", [ValueError("oops"), SystemExit(3)], ids=["error", "exit"])
def test_what_a_child_raises_in_its_start_is_the_cause(supervised, error):
    supervisor = supervised(restart="transient")
    with pytest.raises(StartError) as raised:
        supervisor.ref.start_child(error)
    assert raised.value.__cause__ is error
    assert supervisor.counts == (0, 0)
    assert supervisor.ref.start_child("ok").alive


def test_what_is_wrong_with_a_child_is_raised_where_it_is_started(supervised):
    supervisor = supervised(lambda event, _told: event)
    with pytest.raises(OptionError, match="Consumer"):
        supervisor.ref.start_child("no stage")
    assert supervisor.counts == (0, 0)


# -- restarts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [Normal(), Shutdown(), Named("whatever")])
def test_a_temporary_child_is_never_started_again(supervised, reason):
    supervisor = supervised(restart="temporary")
    supervisor.ref.start_child("ok").stop(reason)
    assert supervisor.counts == (0, 0)
    supervisor.stages.kill(supervisor.ref.start_child("ok"))
    assert supervisor.counts == (0, 0)


@pytest.mark.parametrize(
    ("reason", "counts"),
    [
        (Normal(), (0, 0)),
        (Shutdown(), (0, 0)),
        (Shutdown("signal"), (0, 0)),
        (Named("whatever"), (1, 1)),
        (NoProc(), (1, 1)),
    ],
)
def test_a_transient_child_is_started_again_unless_its_end_is_no_failure(supervised, reason, counts):
    supervisor = supervised(restart="transient")
    ref = supervisor.ref.start_child("ok")
    assert supervisor.up() == ref
    ref.stop(reason)
    if counts[0]:
        assert supervisor.up() != ref
    assert supervisor.rest() == 0
    assert supervisor.counts == counts


@pytest.mark.usefixtures("expected_errors")
def test_a_child_that_is_started_again_may_come_to_something_else(supervised):
    supervisor = supervised(restart="transient", max_restarts=100_000_000)
    kill = supervisor.stages.kill
    first = supervisor.ref.start_child(["ok"])
    assert supervisor.up() == first
    assert supervisor.children == [first]
    kill(first)
    again = supervisor.up()
    assert supervisor.children == [again]

    ignored = supervisor.ref.start_child(["ok", "ignore"])
    assert supervisor.up() == ignored
    assert set(supervisor.children) == {again, ignored}
    kill(ignored)
    supervisor.expect("ignore")
    assert supervisor.rest() == 0
    assert supervisor.counts == (1, 1)

    failing = supervisor.ref.start_child(["ok", "error"])
    assert supervisor.up() == failing
    kill(failing)
    supervisor.expect("error")
    assert supervisor.counts == (1, 2)
    assert set(supervisor.children) == {again, None}
    supervisor.expect("error")  # it is tried again and again
    supervisor.ref.terminate_child(failing)


@pytest.mark.usefixtures("expected_errors")
def test_a_failed_restart_is_tried_again(supervised):
    supervisor = supervised(restart="transient", max_restarts=2)
    ref = supervisor.ref.start_child(["ok", "error", "ok"])
    assert supervisor.up() == ref
    supervisor.stages.kill(ref)
    supervisor.expect("error")
    supervisor.up()
    assert supervisor.counts == (1, 1)


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize(("max_restarts", "starts"), [(0, 1), (1, 2), (10, 11)])
def test_too_many_restarts_are_its_end(supervised, max_restarts, starts):
    supervisor = supervised(restart="transient", max_restarts=max_restarts)
    other = supervisor.ref.start_child("ok")
    assert supervisor.up() == other
    ref = supervisor.ref.start_child(["ok", "error"])
    assert supervisor.up() == ref
    supervisor.stages.kill(ref)
    reason = supervisor.stages.ended(supervisor.ref)
    assert isinstance(reason, Shutdown)
    assert reason.detail.restarts == max_restarts
    assert other.reason == Shutdown()
    for _ in range(starts - 1):
        supervisor.expect("error")
    assert supervisor.told.empty()


@pytest.mark.usefixtures("expected_errors")
def test_each_restart_counts_whether_it_succeeds_or_not(supervised):
    supervisor = supervised(restart="transient")
    ref = supervisor.ref.start_child("ok")
    for _ in range(4):  # the fourth is one more than in 5 s
        assert supervisor.up() == ref or ref is not None
        ref = supervisor.children[0]
        supervisor.stages.kill(ref)
    assert isinstance(supervisor.stages.ended(supervisor.ref), Shutdown)


@pytest.mark.usefixtures("expected_errors")
def test_restarts_are_counted_within_a_window():
    with Simulation() as simulation:
        recipe = ConsumerSupervisor(
            lambda _: Consumer(), restart="transient", max_restarts=1, restart_window_s=2
        )
        ref = simulation.supervise(recipe)
        ref.start_child("event")

        def fail():
            (child,) = ref.which_children()
            simulation.kill(child.ref)
            simulation.run()

        for _ in range(3):
            fail()
            assert ref.alive
            simulation.advance(2.1)
        fail()
        simulation.advance(2)
        fail()  # just as old as the window is long
        assert ref.reason.detail.restarts == 1


# -- stopping -------------------------------------------------------------------------------------------


class Slow(Child):
    """Holds its end up until a gate opens."""

    gate = threading.Event()

    def terminate(self, _reason):
        self.told.put(("stopping", self.stage.ref))
        assert self.gate.wait(DEADLINE_S)


@pytest.fixture
def slow():
    Slow.gate = threading.Event()
    yield Slow
    Slow.gate.set()


@pytest.mark.parametrize(
    ("shutdown_s", "reason"),
    [(0, Killed()), (math.inf, Shutdown()), (DEADLINE_S, Shutdown())],
    ids=["killed", "unlimited", "seconds"],
)
@pytest.mark.parametrize("end", [Normal(), Shutdown(), Named("whatever")])
def test_it_stops_its_children_before_it_ends(supervised, shutdown_s, reason, end):
    supervisor = supervised(restart="transient", shutdown_s=shutdown_s)
    children = [supervisor.ref.start_child("ok") for _ in range(3)]
    supervisor.ref.stop(end, timeout_s=DEADLINE_S)
    assert [child.reason for child in children] == [reason] * 3
    assert supervisor.ref.reason == end


def test_it_waits_for_children_that_take_their_time(supervised, slow):
    supervisor = supervised(slow, restart="transient", shutdown_s=math.inf, blocking=True)
    children = [supervisor.ref.start_child("ok") for _ in range(3)]
    for _ in children:
        supervisor.up()
    with pytest.raises(CallTimeoutError):
        supervisor.ref.stop(timeout_s=0)
    for _ in children:
        supervisor.expect("stopping")
    assert supervisor.ref.alive
    assert all(child.alive for child in children)
    slow.gate.set()
    assert supervisor.stages.ended(supervisor.ref) == Normal()
    assert [child.reason for child in children] == [Shutdown()] * 3


class Stubborn(Child):
    """Ends with another reason than it is told to."""

    def terminate(self, _reason):
        raise ValueError("oops")


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize("shutdown_s", [math.inf, 5])
def test_what_its_children_end_with_is_their_own_affair(supervised, shutdown_s):
    supervisor = supervised(Stubborn, restart="transient", shutdown_s=shutdown_s)
    children = [supervisor.ref.start_child("ok") for _ in range(3)]
    supervisor.ref.stop()
    assert [str(child.reason) for child in children] == ["ValueError: oops"] * 3
    assert supervisor.ref.reason == Normal()


def test_children_that_take_too_long_are_killed(supervised, slow):
    def make(event, told):
        return slow("ok", told) if event == "slow" else Child("ok", told)

    supervisor = supervised(make, restart="transient", shutdown_s=0.05, blocking=True)
    one, two, three = (supervisor.ref.start_child(event) for event in ("quick", "slow", "quick"))
    supervisor.ref.stop(timeout_s=DEADLINE_S)
    assert [child.reason for child in (one, two, three)] == [Shutdown(), Killed(), Shutdown()]


# -- terminate_child ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shutdown_s", "reason"), [(0, Killed()), (1, Shutdown())])
def test_terminate_child(supervised, shutdown_s, reason):
    supervisor = supervised(restart="transient", shutdown_s=shutdown_s)
    child = supervisor.ref.start_child("ok")
    supervisor.ref.terminate_child(child)
    assert child.reason == reason
    with pytest.raises(ChildError, match="is not known"):
        supervisor.ref.terminate_child(child)
    assert supervisor.counts == (0, 0)


@pytest.mark.usefixtures("expected_errors")
def test_a_child_that_is_being_started_again_is_terminated_by_its_old_reference(supervised):
    supervisor = supervised(restart="transient", max_restarts=100_000_000)
    child = supervisor.ref.start_child(["ok", "error"])
    supervisor.stages.kill(child)
    supervisor.up()
    supervisor.expect("error")
    supervisor.ref.terminate_child(child)
    with pytest.raises(ChildError, match="is not known"):
        supervisor.ref.terminate_child(child)
    assert supervisor.counts == (0, 0)


# -- subscriptions --------------------------------------------------------------------------------------


def test_it_subscribes_and_asks_for_all_it_takes(stages, supervised):
    supervisor = supervised()
    producer = stages.producer()
    subscription = supervisor.ref.subscribe(producer)
    assert (subscription.producer, subscription.consumer) == (producer._actor, supervisor.ref._actor)
    stages.settle()
    assert stages.of("producer", "demand") == [1000]


@pytest.mark.usefixtures("expected_errors")
def test_wrong_options_of_a_subscription_are_refused(stages, supervised):
    supervisor = supervised()
    producer = stages.producer()
    with pytest.raises(OptionError, match="'max_demand': must be 1 or more, got 0"):
        supervisor.ref.subscribe(producer, max_demand=0)
    with pytest.raises(OptionError, match="'min_demand': must be 999 or less, got 2000"):
        supervisor.ref.subscribe(producer, min_demand=2000)
    assert supervisor.ref.alive


@pytest.mark.parametrize("cancel", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("known", [False, True])
def test_it_ends_if_a_producer_that_is_not_there_is_essential(stages, supervised, cancel, known, request):
    supervisor = supervised()
    producer = "nobody"
    if known:
        producer = stages.producer()
        producer.stop()
    elif cancel != "temporary":
        request.getfixturevalue("expected_errors")
    supervisor.ref.subscribe(producer, cancel=cancel)
    if cancel == "temporary":
        assert supervisor.counts == (0, 0)
    else:
        assert stages.ended(supervisor.ref) == NoProc()


# -- events ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("expected_errors")
def test_each_event_starts_a_child(stages, supervised):
    supervisor = supervised()
    producer = stages.producer()
    supervisor.ref.subscribe(producer, cancel="temporary")
    producer.call(["ok"])
    first = supervisor.up()
    assert supervisor.children == [first]
    producer.call(["ok"])
    second = supervisor.up()
    assert supervisor.counts == (2, 2)
    for way in ("error", "ignore", 7):
        producer.call([way])
        supervisor.expect(way)
        assert supervisor.rest() == 0
        assert set(supervisor.children) == {first, second}
        assert supervisor.counts == (2, 2)


def test_the_events_of_an_iterable_start_children(stages, supervised):
    supervisor = supervised()
    supervisor.ref.subscribe(stages.runtime.from_iterable(["ok"] * 3), cancel="temporary")
    for _ in range(3):
        supervisor.up()
    assert supervisor.ref.alive


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize("error", [ValueError("oops"), SystemExit(3)], ids=["error", "exit"])
def test_what_children_raise_in_their_start_does_not_end_it(stages, supervised, error):
    supervisor = supervised()
    producer = stages.producer()
    supervisor.ref.subscribe(producer, cancel="temporary")
    producer.call([error])
    supervisor.expect(error)
    assert supervisor.rest() == 0
    assert supervisor.children == []
    producer.call(["ok"])
    assert supervisor.children == [supervisor.up()]


@pytest.mark.usefixtures("expected_errors")
def test_children_are_never_more_than_max_demand(stages, supervised):
    supervisor = supervised()
    producer = stages.producer()
    supervisor.ref.subscribe(producer, cancel="temporary", max_demand=1, min_demand=0)
    producer.call(["ok", "error", "ignore", "ok", "ok", "ok"])
    first = supervisor.up()
    assert supervisor.rest() == 0
    assert (supervisor.children, supervisor.counts) == ([first], (1, 1))

    first.stop(Shutdown())
    supervisor.expect("error")
    supervisor.expect("ignore")
    second = supervisor.up()
    assert supervisor.rest() == 0
    assert (supervisor.children, supervisor.counts) == ([second], (1, 1))

    supervisor.ref.terminate_child(second)
    third = supervisor.up()
    assert supervisor.rest() == 0
    assert (supervisor.children, supervisor.counts) == ([third], (1, 1))


@pytest.mark.usefixtures("expected_errors")
def test_a_child_that_is_started_again_keeps_its_slot(stages, supervised):
    supervisor = supervised(restart="transient", max_restarts=100_000_000)
    producer = stages.producer()
    supervisor.ref.subscribe(producer, cancel="temporary", max_demand=1, min_demand=0)
    producer.call([["ok", "error"], "ok", "ok", "ok"])
    first = supervisor.up()
    assert (supervisor.children, supervisor.counts) == ([first], (1, 1))
    stages.kill(first)
    supervisor.expect("error")
    assert (supervisor.children, supervisor.counts) == ([None], (0, 1))

    supervisor.ref.terminate_child(first)
    while (told := supervisor.told.get(timeout=DEADLINE_S))[0] == "error":
        pass  # until the first was terminated, it was tried again
    second = told[1]
    assert (supervisor.children, supervisor.counts) == ([second], (1, 1))
    stages.kill(second)
    third = supervisor.up()
    assert supervisor.rest() == 0
    assert (supervisor.children, supervisor.counts) == ([third], (1, 1))


def test_children_remain_when_the_producer_has_gone(stages, supervised):
    supervisor = supervised()
    producer = stages.producer()
    supervisor.ref.subscribe(producer, cancel="temporary", max_demand=2, min_demand=0)
    producer.call(["ok", "ok"])
    first, second = supervisor.up(), supervisor.up()
    assert supervisor.counts == (2, 2)
    producer.stop(Shutdown())
    assert supervisor.counts == (2, 2)
    first.stop(Shutdown())
    assert supervisor.children == [second]
    supervisor.ref.terminate_child(second)
    assert (supervisor.children, supervisor.counts) == ([], (0, 0))


def test_it_asks_again_when_as_many_as_min_demand_have_ended(stages, supervised):
    supervisor = supervised()
    producer = stages.producer()
    supervisor.ref.subscribe(producer, cancel="temporary", max_demand=3, min_demand=2)
    producer.call(["ok"] * 3)
    children = [supervisor.up() for _ in range(3)]
    assert supervisor.counts == (3, 3)
    for child in children[:2]:
        child.stop(Shutdown())
    assert supervisor.counts == (1, 1)
    for _ in range(2):
        producer.call(["ok"])
        supervisor.up()
    assert supervisor.counts == (3, 3)
    producer.call(["ok"])
    assert supervisor.rest() == 0


def test_it_asks_for_nothing_before_a_child_has_ended(stages, supervised):
    supervisor = supervised(ok_child)
    producer = stages.producer(end=2)
    supervisor.ref.subscribe(producer, cancel="temporary", max_demand=3, min_demand=0)
    first, _second = supervisor.up(), supervisor.up()
    assert supervisor.rest() == 0
    assert stages.of("producer", "demand") == [3]
    first.stop()
    assert supervisor.rest() == 0
    assert stages.of("producer", "demand") == [3, 1]


# -- what GenStage's tests leave to try -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("max_demand", "min_demand", "asks"),
    [
        (10, 5, [0, 0, 0, 0, 5, 0, 0, 0, 0, 5]),
        (10, 2, [0, 2] * 5),
        (10, 0, [1] * 10),
        (10, 9, [0] * 8 + [9, 0]),
        (7, 3, [0, 0, 3, 0, 0, 3, 0]),
        (5, 4, [0, 0, 0, 4, 0]),
        (3, 2, [0, 2, 0]),
    ],
)
def test_what_is_asked_for_as_children_end(stages, supervised, max_demand, min_demand, asks):
    supervisor = supervised(ok_child)
    producer = stages.producer(end=max_demand)
    supervisor.ref.subscribe(producer, max_demand=max_demand, min_demand=min_demand)
    expected = [max_demand]
    for ask in asks:
        supervisor.up().stop()
        supervisor.rest()
        expected += [ask] if ask else []
        assert stages.of("producer", "demand") == expected


@pytest.mark.usefixtures("expected_errors")
def test_children_that_do_not_start_free_their_slots(stages, supervised):
    supervisor = supervised()
    producer = stages.producer()
    supervisor.ref.subscribe(producer, max_demand=10, min_demand=3)
    producer.call(["ok", "ignore", "error", "ok"])
    assert supervisor.rest() == 4
    assert stages.of("producer", "demand") == [10]
    producer.call([7])
    supervisor.stages.settle()
    assert supervisor.counts == (2, 2)
    stages.settle()
    assert stages.of("producer", "demand") == [10, 3]


def test_a_child_that_has_nothing_to_do_is_no_error(stages, supervised):
    supervisor = supervised()
    producer = stages.producer()
    supervisor.ref.subscribe(producer, max_demand=1, min_demand=0)
    producer.call(["ignore", "ignore", "ok"])
    supervisor.expect("ignore")
    supervisor.expect("ignore")
    assert supervisor.children == [supervisor.up()]


def test_a_child_that_does_not_start_is_logged_once(stages, supervised, expected_errors):
    supervisor = supervised()
    producer = stages.producer()
    supervisor.ref.subscribe(producer)
    producer.call(["error", ValueError("oops")])
    supervisor.expect("error")
    assert supervisor.told.get(timeout=DEADLINE_S)
    assert supervisor.rest() == 0
    told = sorted(record.event for record in expected_errors)
    assert told == ["child not started", "stage failed"]


class Pushing(TellingProducer):
    """Sends a subscriber more than it has asked for."""

    def handle_subscribe(self, _role, _options, subscription):
        self.subscription = subscription

    def handle_cast(self, ways):
        message = Events(self.stage.ref._actor, self.subscription.tag, ways)
        self.stage._port.send(self.subscription.consumer, message)


def test_events_in_excess_are_logged_and_get_their_children(stages, supervised, expected_errors):
    supervisor = supervised()
    producer = stages.producer(make=Pushing)
    supervisor.ref.subscribe(producer, max_demand=2, min_demand=1)
    producer.cast(["ok"] * 5)
    children = [supervisor.up() for _ in range(5)]
    assert supervisor.counts == (5, 5)
    (record,) = expected_errors
    assert (record.event, record.count) == ("excess events", "3")
    for child in children[:3]:
        child.stop()
    assert supervisor.rest() == 0
    assert stages.of("producer", "demand") == [2]  # there, three more would have been asked for
    children[3].stop()
    assert supervisor.rest() == 0
    assert stages.of("producer", "demand") == [2, 1]


def test_a_restart_asks_for_nothing(stages, supervised):
    supervisor = supervised(ok_child, restart="transient")
    producer = stages.producer(end=1)
    supervisor.ref.subscribe(producer, max_demand=1, min_demand=0)
    stages.kill(supervisor.up())
    again = supervisor.up()
    assert supervisor.rest() == 0
    assert stages.of("producer", "demand") == [1]
    assert supervisor.counts == (1, 1)
    again.stop()
    assert supervisor.rest() == 0
    assert stages.of("producer", "demand") == [1, 1]


@pytest.mark.parametrize("later", ["ignore", "error"])
def test_a_child_that_is_given_up_at_its_restart_frees_its_slot(stages, supervised, later, request):
    supervisor = supervised(restart="transient", max_restarts=100_000_000)
    producer = stages.producer()
    supervisor.ref.subscribe(producer, max_demand=1, min_demand=0)
    producer.call([["ok", later], "ok"])
    first = supervisor.up()
    stages.kill(first)
    supervisor.expect(later)
    if later == "error":
        request.getfixturevalue("expected_errors")
        supervisor.ref.terminate_child(first)
    while (told := supervisor.told.get(timeout=DEADLINE_S))[0] == later:
        pass
    assert supervisor.children == [told[1]]


def test_children_of_start_child_are_in_nobodys_demand(stages, supervised):
    supervisor = supervised()
    producer = stages.producer()
    supervisor.ref.subscribe(producer, max_demand=1, min_demand=0)
    one, two = supervisor.ref.start_child("ok"), supervisor.ref.start_child("ok")
    one.stop()
    supervisor.ref.terminate_child(two)
    assert (supervisor.up(), supervisor.up()) == (one, two)
    assert supervisor.rest() == 0
    assert stages.of("producer", "demand") == [1]


def test_a_terminated_child_frees_its_slot(stages, supervised):
    supervisor = supervised(ok_child)
    producer = stages.producer(end=2)
    supervisor.ref.subscribe(producer, max_demand=2, min_demand=0)
    supervisor.ref.terminate_child(supervisor.up())
    stages.settle()
    assert stages.of("producer", "demand") == [2, 1]


@pytest.mark.parametrize("cancelled", [True, False], ids=["cancel", "end"])
def test_the_children_of_a_subscription_that_has_ended_ask_for_nothing(stages, supervised, cancelled):
    supervisor = supervised(ok_child)
    producer, other = stages.producer(end=2), stages.producer("other")
    subscription = supervisor.ref.subscribe(producer, max_demand=2, min_demand=0, cancel="temporary")
    supervisor.ref.subscribe(other, max_demand=5, min_demand=0)
    first, second = supervisor.up(), supervisor.up()
    if cancelled:
        subscription.cancel()
    else:
        producer.stop()
    assert supervisor.rest() == 0
    first.stop()
    second.stop()
    assert supervisor.rest() == 0
    assert stages.of("producer", "demand") == [2]
    assert stages.of("other", "demand") == [5]


@pytest.mark.parametrize("reason", [Normal(), Shutdown(), Named("whatever")])
@pytest.mark.parametrize("cancelled", [True, False], ids=["cancel", "end"])
def test_the_end_of_an_essential_producer_is_its_end(stages, supervised, reason, cancelled):
    supervisor = supervised(ok_child)
    producer = stages.producer(end=1)
    subscription = supervisor.ref.subscribe(producer)
    child = supervisor.up()
    if cancelled:
        subscription.cancel(reason)
    else:
        producer.stop(reason)
    assert stages.ended(supervisor.ref) == reason
    assert child.reason == Shutdown()


def test_each_subscription_has_slots_of_its_own(stages, supervised):
    supervisor = supervised(ok_child)
    one, two = stages.producer("one", end=1), stages.producer("two", end=0)
    supervisor.ref.subscribe(one, max_demand=2, min_demand=1)
    supervisor.ref.subscribe(two, max_demand=4, min_demand=2)
    first = supervisor.up()
    stages.more(two, 2)
    second, third = supervisor.up(), supervisor.up()
    first.stop()
    assert supervisor.rest() == 0
    assert (stages.of("one", "demand"), stages.of("two", "demand")) == ([2, 1], [4])
    second.stop()
    assert supervisor.rest() == 0
    assert (stages.of("one", "demand"), stages.of("two", "demand")) == ([2, 1], [4])
    third.stop()
    assert supervisor.rest() == 0
    assert (stages.of("one", "demand"), stages.of("two", "demand")) == ([2, 1], [4, 2])


def test_casts_are_dropped_and_messages_logged(supervised, caplog):
    supervisor = supervised()
    supervisor.ref.cast("cast")
    supervisor.ref.send("message")
    assert supervisor.counts == (0, 0)
    assert [record.event for record in caplog.records] == ["unexpected message"]


def test_calls_are_refused(supervised):
    supervisor = supervised()
    with pytest.raises(NotImplementedError, match="asked for 'call'"):
        supervisor.ref.call("call")
    assert supervisor.counts == (0, 0)


def test_the_end_of_the_data_is_its_end_when_the_last_child_has_ended(stages, supervised):
    supervisor = supervised()
    supervisor.ref.subscribe(stages.runtime.from_iterable(["ok", "ok"]))
    added = supervisor.ref.start_child("ok")
    for child in {supervisor.up(), supervisor.up(), supervisor.up()} - {added}:
        child.stop(timeout_s=DEADLINE_S)
    assert supervisor.counts == (1, 1)
    added.stop(timeout_s=DEADLINE_S)
    assert stages.ended(supervisor.ref) == Normal()


def test_a_new_subscription_goes_on_where_the_data_has_ended(stages, supervised):
    supervisor = supervised()
    supervisor.ref.subscribe(stages.runtime.from_iterable(["ok"]))
    first = supervisor.up()
    assert supervisor.rest() == 0
    producer = stages.producer()
    supervisor.ref.subscribe(producer)
    first.stop()
    producer.call(["ok"])
    supervisor.up()
    assert supervisor.ref.alive


def test_what_is_asked_of_it_while_it_ends_is_answered_by_its_end(supervised, slow):
    supervisor = supervised(slow, shutdown_s=math.inf, blocking=True)
    supervisor.ref.start_child("ok")
    with pytest.raises(CallTimeoutError):
        supervisor.ref.stop(Shutdown("over"), timeout_s=0)
    supervisor.up()
    supervisor.expect("stopping")
    asked = []

    def ask():
        with suppress(DeadStageError):
            supervisor.ref.start_child("ok", timeout_s=DEADLINE_S)
        asked.append(supervisor.ref.reason)

    asking = threading.Thread(target=ask)
    asking.start()
    slow.gate.set()
    asking.join(DEADLINE_S)
    assert asked == [Shutdown("over")]
