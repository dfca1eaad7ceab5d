"""The supervisor, on the simulated network: orders, restarts, giving up, and what it can be asked for."""

import math
import pickle

import pytest

from genstage import (
    Backoff,
    ChildError,
    ConsumerRef,
    Crash,
    DeadStageError,
    FailedToStart,
    Finish,
    GaveUp,
    Killed,
    Named,
    Normal,
    OptionError,
    Producer,
    Shutdown,
    StartError,
    Stop,
    Supervisor,
    SupervisorError,
    SupervisorRef,
    child_spec,
)
from genstage import Consumer as PlainConsumer
from genstage._core import messages
from genstage.testing import Simulation


class Log(list):
    """What happened to stages, in order; and what they are to do in ``init``."""

    def __init__(self):
        super().__init__()
        self.init = {}

    def taken(self):
        taken = list(self)
        self.clear()
        return taken


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def simulation():
    with Simulation(seed=11) as simulation:
        yield simulation


@pytest.fixture
def stage(log):
    """Makes the specification of a stage that writes down its starts and ends."""

    def stage(name, listed_as=None, **options):
        class Kid(PlainConsumer):
            def init(self):
                log.append(f"{name} starts")
                if name in log.init:
                    return log.init[name]()
                return None

            def handle_cast(self, end):
                return end()

            def terminate(self, reason):
                log.append(f"{name} ends: {reason}")

        return child_spec(name, Kid, name=listed_as, **options)

    return stage


def fail(error=None):
    def end():
        raise error or ValueError("it fails")

    return end


def end(reason):
    return lambda: Stop(reason)


@pytest.fixture
def make(simulation, stage):
    """Starts a supervisor of stages, each a name or a specification."""

    def make(*kids, of_kids=None, **options):
        specs = [stage(kid, **of_kids or {}) if isinstance(kid, str) else kid for kid in kids]
        ref = simulation.supervise(Supervisor(*specs, **options), name="tree")
        simulation.run()
        return ref

    return make


@pytest.fixture
def hit(simulation, log):
    """Lets a child end, and everything come to rest; gives what happened."""

    def hit(supervisor, child, how):
        log.clear()
        supervisor.child(child).cast(how)
        simulation.run()
        return log.taken()

    return hit


def alive(supervisor):
    return [child.id for child in supervisor.which_children() if child.ref is not None]


# -- orders -------------------------------------------------------------------------------------------


def test_children_start_in_order_and_stop_in_reverse(make, log, simulation):
    supervisor = make("a", "b", "c")
    assert isinstance(supervisor, SupervisorRef)
    assert log.taken() == ["a starts", "b starts", "c starts"]

    supervisor.stop(Shutdown())
    assert log.taken() == ["c ends: shutdown", "b ends: shutdown", "a ends: shutdown"]
    assert supervisor.reason == Shutdown()
    assert simulation._network.actors == []


def test_a_supervisor_of_nobody_runs(make):
    supervisor = make()
    assert supervisor.count_children().specs == 0
    supervisor.stop()
    assert supervisor.reason == Normal()


def test_a_child_that_does_not_start_stops_those_that_have(make, log, simulation, expected_errors):
    log.init["b"] = fail(KeyError("no such table"))
    with pytest.raises(StartError, match="no such table") as raised:
        make("a", "b", "c")
    assert log == ["a starts", "b starts", "a ends: shutdown"]
    reason = raised.value.reason
    assert reason == Shutdown(FailedToStart("tree", "b", reason.detail.reason))
    assert isinstance(raised.value.__cause__, KeyError)
    assert simulation._network.actors == []
    assert expected_errors


def test_a_refused_option_of_a_child_is_raised_as_it_is(make, stage, simulation):
    simulation.start(PlainConsumer, name="taken")
    with pytest.raises(OptionError, match="a name that no running stage has"):
        make("a", stage("b", "taken"))


def test_a_child_that_has_nothing_to_do_rests(make, log):
    log.init["b"] = end(Normal())
    supervisor = make("a", "b", "c")
    assert alive(supervisor) == ["a", "c"]
    assert supervisor.count_children().specs == 3


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("steps", range(12))
def test_a_stop_that_comes_while_children_start_stops_those_that_have(stage, log, seed, steps):
    with Simulation(seed=seed) as simulation:
        launch = Supervisor(stage("a"), stage("b"), stage("c")).launch("tree")
        reasons = []
        actor = simulation._network.spawn(launch.make, name="tree", on_started=reasons.append)
        for _ in range(steps):
            simulation.step()
        actor.tell(messages.Stop(Shutdown("so soon")))
        simulation.run()
        started = [line.split()[0] for line in log if line.endswith("starts")]
        ended = [line.split()[0] for line in log if "ends" in line]
        assert ended == started[::-1]
        assert actor.reason == Shutdown("so soon")
        assert reasons == ([None] if len(started) == 3 and reasons[0] is None else [actor.reason])
        assert simulation._network.actors == []


def test_a_normal_stop_in_the_middle_of_a_start_is_a_failed_start(simulation, stage):
    """A supervisor above it must not take it for one that has nothing to do, and let it rest."""
    launch = Supervisor(stage("a"), stage("b")).launch("tree")
    actor = simulation._network.spawn(launch.make, name="tree", on_started=lambda _: None)
    simulation.step()
    actor.tell(messages.Stop(Normal()))
    simulation.run()
    assert actor.reason == Shutdown("stopped before it had started")


# -- crashes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "again"),
    [
        ("one_for_one", ["b ends: ValueError: it fails", "b starts"]),
        (
            "one_for_all",
            [
                "b ends: ValueError: it fails",
                "c ends: shutdown",
                "a ends: shutdown",
                "a starts",
                "b starts",
                "c starts",
            ],
        ),
        ("rest_for_one", ["b ends: ValueError: it fails", "c ends: shutdown", "b starts", "c starts"]),
    ],
)
def test_who_starts_again_with_a_child_that_fails(make, hit, strategy, again, expected_errors):
    supervisor = make("a", "b", "c", strategy=strategy)
    assert hit(supervisor, "b", fail()) == again
    assert alive(supervisor) == ["a", "b", "c"]
    assert expected_errors


@pytest.mark.parametrize("how", [end(Normal()), end(Shutdown("enough")), end(Named("mine")), fail()])
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
def test_whether_a_child_starts_again(make, hit, restart, how, expected_errors):
    supervisor = make("a", of_kids={"restart": restart})
    again = "a starts" in hit(supervisor, "a", how)
    tolerated = isinstance(how.__closure__[0].cell_contents, Normal | Shutdown)
    assert again == (restart == "permanent" or (restart == "transient" and not tolerated))
    assert supervisor.count_children().specs == (restart != "temporary")
    expected_errors.append(None)


def test_children_that_fail_at_the_same_time_all_start_again(make, simulation, expected_errors):
    supervisor = make("a", "b", "c", max_restarts=2)
    refs = [supervisor.child(kid) for kid in "abc"]
    for ref in refs[:2]:
        ref.cast(fail())
    simulation.run()
    assert alive(supervisor) == ["a", "b", "c"]
    assert [supervisor.child(kid) == ref for kid, ref in zip("abc", refs, strict=True)] == [
        False,
        False,
        True,
    ]
    assert expected_errors


def test_one_for_all_counts_children_that_failed_at_once_as_one_failure(make, simulation, expected_errors):
    supervisor = make("a", "b", "c", strategy="one_for_all", max_restarts=1)
    for kid in "ab":
        simulation.kill(supervisor.child(kid))
    simulation.run()
    assert alive(supervisor) == ["a", "b", "c"]
    expected_errors.append(None)


def test_a_killed_child_starts_again(make, simulation, log):
    supervisor = make("a", "b")
    log.clear()
    simulation.kill(supervisor.child("a"))
    simulation.run()
    assert log == ["a starts"]


def test_a_listed_child_is_found_again(make, stage, hit, simulation, expected_errors):
    spec = stage("a", "the a")
    supervisor = make(spec)
    before = simulation.find("the a")
    hit(supervisor, spec, fail())
    assert simulation.find("the a") == supervisor.child(spec) != before
    assert expected_errors


def test_a_restart_that_fails_is_tried_again_and_counts(make, hit, log, expected_errors):
    supervisor = make("a", "b", max_restarts=3)
    tries = []

    def sometimes():
        tries.append(None)
        if len(tries) < 3:
            raise OSError("not yet")

    log.init["a"] = sometimes
    assert hit(supervisor, "a", fail())[1:] == ["a starts"] * 3
    assert alive(supervisor) == ["a", "b"]
    hit(supervisor, "a", fail())
    assert isinstance(supervisor.reason.detail, GaveUp)
    assert expected_errors


# -- giving up ----------------------------------------------------------------------------------------


def test_it_gives_up_when_its_restarts_are_used_up(make, hit, simulation, expected_errors):
    supervisor = make("a", "b", max_restarts=2, restart_window_s=5)
    for _ in range(2):
        hit(supervisor, "b", fail())
    simulation.advance(5.5)
    for _ in range(2):
        hit(supervisor, "b", fail())
    error = ValueError("once too often")
    assert hit(supervisor, "b", fail(error))[1:] == ["a ends: shutdown"]

    assert supervisor.reason == Shutdown(GaveUp("tree", "b", 2, 5.0, Crash(error)))
    with pytest.raises(SupervisorError, match="'tree' gave up, after 2 restarts within 5 s") as raised:
        supervisor.wait()
    assert raised.value.__cause__ is error
    assert simulation._network.actors == []
    assert [record.event for record in expected_errors][-1] == "gave up"


def test_it_never_restarts_with_no_restarts_allowed(make, hit, expected_errors):
    supervisor = make("a", max_restarts=0)
    hit(supervisor, "a", fail())
    assert supervisor.reason.detail.restarts == 0
    assert expected_errors


def test_what_gives_up_gives_up_upward_with_the_whole_chain(make, stage, simulation, log, expected_errors):
    """Each level starts the one below it again as often as it may."""
    tree = Supervisor(
        child_spec("middle", Supervisor(stage("leaf"), max_restarts=1)), stage("other"), max_restarts=1
    )
    top = make(child_spec("inner", tree), "neighbour", max_restarts=1)
    error = RuntimeError("always")
    for _ in range(8):
        if not top.alive:
            break
        top.child("inner").child("middle").child("leaf").cast(fail(error))
        simulation.run()

    inner = top.reason.detail
    assert (inner.supervisor, inner.child) == ("tree", "inner")
    middle = inner.reason.detail
    assert (middle.supervisor, middle.child) == ("inner", "middle")
    leaf = middle.reason.detail
    assert (leaf.supervisor, leaf.child, leaf.reason) == ("middle", "leaf", Crash(error))
    assert str(top.reason).count("gave up") == 3
    assert pickle.loads(pickle.dumps(top.reason)).detail.child == "inner"  # noqa: S301 - our own bytes
    with pytest.raises(SupervisorError) as raised:
        top.wait()
    assert raised.value.__cause__ is error
    assert log.count("leaf starts") == 8
    assert simulation._network.actors == []
    assert expected_errors


@pytest.mark.parametrize(
    ("auto_shutdown", "ends"),
    [("any_significant", "a"), ("any_significant", "c"), ("all_significant", "a"), ("all_significant", "ab")],
)
def test_it_ends_with_its_significant_children(make, stage, hit, auto_shutdown, ends):
    over = (auto_shutdown, ends) in {("any_significant", "a"), ("all_significant", "ab")}
    supervisor = make(
        stage("a", restart="transient", significant=True),
        stage("b", restart="temporary", significant=True),
        stage("c", restart="transient"),
        auto_shutdown=auto_shutdown,
    )
    for kid in ends:
        hit(supervisor, kid, end(Normal()))
    assert supervisor.reason == (Shutdown() if over else None)
    if over:
        supervisor.wait()


# -- ends that wait their turn --------------------------------------------------------------------------


@pytest.fixture
def meanwhile(log, stage):
    """Starts a tree with a child more, "last": when that starts again, others end. Lets it come to this."""

    def meanwhile(seed, specs, first, then, **options):
        simulation = Simulation(seed=seed)
        ends = {}

        def init():
            if len([line for line in log if line == "last starts"]) > 1:
                for name, reason in then.items():
                    ends[name].tell(messages.Stop(reason))

        log.clear()
        log.init["last"] = init
        tree = simulation.supervise(Supervisor(*specs, stage("last"), **options), name="tree")

        def living():
            return {actor.name: actor for actor in simulation._network.actors}

        for name in first:
            living()[name].tell(messages.Stop(Named("failed")))
        while simulation.step():
            ends.update(living())
        return tree

    return meanwhile


@pytest.mark.parametrize("seed", range(40))
def test_only_the_last_end_of_a_child_counts(meanwhile, stage, log, seed):
    specs = [stage("a"), stage("b", restart="transient")]
    tree = meanwhile(seed, specs, ["a", "b"], {"b": Normal()}, strategy="one_for_all")
    assert log.count("b starts") == 2, "it has ended normally since"
    assert alive(tree) == ["a", "last"]


@pytest.mark.parametrize("seed", range(40))
def test_a_significant_child_that_is_yet_to_start_again_keeps_it_alive(meanwhile, stage, seed):
    specs = [stage(name, restart="transient", significant=True) for name in ("a", "b")]
    then = {"a": Normal(), "b": Named("failed")}
    tree = meanwhile(seed, specs, ["last"], then, auto_shutdown="all_significant")
    assert alive(tree) == ["b", "last"]


@pytest.mark.parametrize("seed", range(10))
def test_who_asks_for_a_child_that_has_just_ended_gets_the_next_one(stage, seed):
    simulation = Simulation(seed=seed)
    tree = simulation.supervise(Supervisor(stage("a")))
    first = tree.child("a")
    simulation.kill(first)  # the supervisor has not heard of it
    assert tree.child("a") != first
    assert tree.child("a").alive


# -- back-off -----------------------------------------------------------------------------------------


def test_it_waits_before_a_restart_and_goes_on_meanwhile(make, hit, log, simulation, expected_errors):
    supervisor = make("a", "b", backoff=Backoff(first_s=2, jitter=0), max_restarts=10)
    assert hit(supervisor, "a", fail()) == ["a ends: ValueError: it fails"]
    assert [(child.id, child.restarting) for child in supervisor.which_children()] == [
        ("a", True),
        ("b", False),
    ]
    assert supervisor.count_children().active == 1
    with pytest.raises(DeadStageError, match="being started again"):
        supervisor.child("a")
    simulation.advance(1.9)
    assert log == []
    simulation.advance(0.2)
    assert log.taken() == ["a starts"]
    hit(supervisor, "a", fail())
    simulation.advance(3.9)
    assert log == []
    simulation.advance(0.2)
    assert log == ["a starts"]
    assert expected_errors


def test_a_child_that_waits_can_be_terminated_and_stays_so(make, hit, log, simulation, expected_errors):
    supervisor = make("a", "b", strategy="one_for_all", backoff=Backoff(first_s=2, jitter=0))
    hit(supervisor, "b", fail())
    supervisor.terminate_child("a")
    log.clear()
    simulation.advance(3)
    assert log == ["b starts"]
    assert supervisor.restart_child("a").alive
    assert expected_errors


def test_children_that_wait_start_with_those_before_them(make, hit, log, simulation, expected_errors):
    supervisor = make("a", "b", strategy="rest_for_one", backoff=Backoff(first_s=2, jitter=0))
    hit(supervisor, "b", fail())
    simulation.advance(1)
    hit(supervisor, "a", fail())
    simulation.advance(1.5)  # b alone would have waited long enough
    assert log == []
    simulation.advance(1)
    assert log == ["a starts", "b starts"]
    assert expected_errors


def test_a_stop_does_not_wait_for_the_back_off(make, hit, simulation, expected_errors):
    supervisor = make("a", "b", backoff=Backoff(first_s=100, max_s=100))
    hit(supervisor, "a", fail())
    supervisor.stop()
    assert not supervisor.alive
    assert simulation._network.actors == []
    assert expected_errors


# -- requests -----------------------------------------------------------------------------------------


def test_a_child_can_be_added(make, stage, hit, expected_errors):
    supervisor = make("a")
    spec = stage("b", restart="transient")
    ref = supervisor.start_child(spec)
    assert isinstance(ref, ConsumerRef)
    assert supervisor.child(spec) == ref
    assert [child.id for child in supervisor.which_children()] == ["a", "b"]
    assert "b starts" in hit(supervisor, "b", fail())
    with pytest.raises(ChildError) as raised:
        supervisor.start_child(stage("b"))
    assert (raised.value.supervisor, raised.value.child, raised.value.problem) == (
        "tree",
        "b",
        "already_started",
    )
    hit(supervisor, "b", end(Normal()))
    with pytest.raises(ChildError, match="known, but does not run"):
        supervisor.start_child(stage("b"))
    assert expected_errors


def test_a_child_that_cannot_be_added_leaves_nothing(make, stage, log, expected_errors):
    supervisor = make("a")
    log.init["b"] = fail(LookupError("nothing there"))
    with pytest.raises(StartError, match="nothing there") as raised:
        supervisor.start_child(stage("b"))
    assert isinstance(raised.value.__cause__, LookupError)
    assert supervisor.count_children().specs == 1
    with pytest.raises(OptionError, match="a ChildSpec"):
        supervisor.start_child(PlainConsumer)
    assert expected_errors


def test_a_child_can_be_terminated_restarted_and_deleted(make, log):
    supervisor = make("a", "b")
    log.clear()
    supervisor.terminate_child("b")
    supervisor.terminate_child("b")
    assert log.taken() == ["b ends: shutdown"]
    assert [(child.id, child.ref is None) for child in supervisor.which_children()] == [
        ("a", False),
        ("b", True),
    ]
    with pytest.raises(DeadStageError, match="shutdown"):
        supervisor.child("b")

    assert supervisor.restart_child("b").alive
    assert log.taken() == ["b starts"]
    for refused in (supervisor.restart_child, supervisor.delete_child):
        with pytest.raises(ChildError, match="is running: terminate it first"):
            refused("b")
    supervisor.terminate_child("b")
    supervisor.delete_child("b")
    for refused in (
        supervisor.restart_child,
        supervisor.delete_child,
        supervisor.terminate_child,
        supervisor.child,
    ):
        with pytest.raises(ChildError, match="is not known"):
            refused("b")
        with pytest.raises(OptionError, match="the id of a child"):
            refused(3)


def test_a_terminated_temporary_child_is_forgotten(make, stage):
    supervisor = make(stage("a", restart="temporary"))
    supervisor.terminate_child("a")
    assert supervisor.which_children() == []


def test_a_child_that_is_being_started_again_cannot_be_restarted_or_deleted(make, hit, expected_errors):
    supervisor = make("a", backoff=Backoff(first_s=100, max_s=100))
    hit(supervisor, "a", fail())
    for refused in (supervisor.restart_child, supervisor.delete_child):
        with pytest.raises(ChildError, match="is being started again"):
            refused("a")
    assert expected_errors


def test_a_restart_by_hand_that_fails_says_so_and_the_child_rests(make, log, expected_errors):
    supervisor = make("a")
    supervisor.terminate_child("a")
    log.init["a"] = fail()
    with pytest.raises(StartError):
        supervisor.restart_child("a")
    assert [child.restarting for child in supervisor.which_children()] == [False]
    del log.init["a"]
    assert supervisor.restart_child("a").alive
    assert expected_errors


def test_counts_tell_supervisors_from_workers(make, stage):
    supervisor = make("a", child_spec("inner", Supervisor(stage("b"))), "c")
    supervisor.terminate_child("c")
    counts = supervisor.count_children()
    assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (3, 2, 1, 2)
    assert isinstance(supervisor.child("inner"), SupervisorRef)
    assert repr(supervisor.child("inner")) == "<SupervisorRef 'inner' running>"


def test_a_reference_to_a_dead_supervisor_says_so(make):
    supervisor = make("a")
    supervisor.stop()
    for request in (supervisor.which_children, supervisor.count_children, lambda: supervisor.child("a")):
        with pytest.raises(DeadStageError):
            request()
    with pytest.raises(TypeError, match="pass the recipe"):
        pickle.dumps(supervisor)


def test_a_killed_supervisor_takes_its_children_along(make, simulation):
    supervisor = make("a", "b")
    simulation._network.kill(supervisor._actor, Killed())
    assert simulation._network.actors == []
    with pytest.raises(SupervisorError, match="killed"):
        supervisor.wait()


# -- the recipe ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("specs", "options", "option", "said"),
    [
        ([PlainConsumer], {}, "specs", "child_spec"),
        ([child_spec("a", PlainConsumer), child_spec("a", PlainConsumer)], {}, "specs", "'a'"),
        ([], {"strategy": "simple_one_for_one"}, "strategy", "one_for_one, one_for_all, rest_for_one"),
        ([], {"auto_shutdown": True}, "auto_shutdown", "never"),
        ([], {"max_restarts": -1}, "max_restarts", "0 or more"),
        ([], {"restart_window_s": 0}, "restart_window_s", "more than 0"),
        ([], {"backoff": 3}, "backoff", "a Backoff"),
        (
            [child_spec("a", PlainConsumer, restart="transient", significant=True)],
            {},
            "significant",
            "auto_shutdown",
        ),
    ],
)
def test_what_is_wrong_is_refused(specs, options, option, said):
    with pytest.raises(OptionError, match=said) as raised:
        Supervisor(*specs, **options)
    assert raised.value.option == option


def test_a_recipe_can_be_started_many_times_and_pickles(simulation):
    recipe = Supervisor(child_spec("a", PlainConsumer), strategy="rest_for_one")
    assert repr(recipe) == "<Supervisor rest_for_one of 'a'>"
    copy = pickle.loads(pickle.dumps(recipe))  # noqa: S301 - our own bytes
    first, second, third = (simulation.supervise(one) for one in (recipe, recipe, copy))
    assert len({ref.child("a") for ref in (first, second, third)}) == 3


def test_a_pipeline_of_supervised_stages_by_names(simulation):
    """As in GenStage's guide: the consumer subscribes in its init, and starts again after its producer."""
    seen = []

    class Numbers(Producer):
        def handle_demand(self, _demand):
            return Finish([1, 2, 3])

    class Sink(PlainConsumer):
        def init(self):
            return {"subscribe_to": ["numbers"]}

        def handle_events(self, events, _):
            seen.extend(events)

    supervisor = simulation.supervise(
        Supervisor(
            child_spec("source", Numbers, name="numbers", restart="transient"),
            child_spec("sink", Sink, restart="transient", significant=True),
            strategy="rest_for_one",
            auto_shutdown="all_significant",
        )
    )
    simulation.run()
    assert seen == [1, 2, 3]
    assert supervisor.reason == Shutdown()


def test_each_child_has_its_own_time_to_stop(simulation, stage, log):
    """One after the other: what the last one takes does not cost the first one anything."""

    class Deaf:
        own_lane = control = False

        def start(self):
            return None

        def handle(self, message):
            pass

        def make(self, _port):
            return self

        def handle_of(self, actor):
            return actor

        def over(self):
            pass

    class DeafRecipe:
        child_type = "worker"

        def launch(self, _name):
            return Deaf()

    supervisor = simulation.supervise(
        Supervisor(
            child_spec("first", DeafRecipe(), shutdown_s=2),
            stage("between", shutdown_s=math.inf),
            child_spec("last", DeafRecipe(), shutdown_s=3),
        )
    )
    actor = supervisor._actor
    first, _, last = (life.child.actor for life in actor.behaviour._members.values())
    log.clear()
    actor.tell(messages.Stop(Shutdown()))
    simulation.advance(2.9)
    assert (last.reason, log) == (None, [])
    simulation.advance(0.2)
    assert (last.reason, log) == (Killed(), ["between ends: shutdown"])
    simulation.advance(1.8)
    assert first.reason is None
    simulation.advance(0.2)
    assert first.reason == Killed()
    assert supervisor.reason == Shutdown()


def test_a_recipe_that_refuses_to_be_started_again_is_a_failed_start(simulation):
    class Refusing:
        child_type = "supervisor"
        launches = 0

        def launch(self, name):
            self.launches += 1
            if self.launches > 1:
                raise OptionError("source", name, "there")
            return Supervisor().launch(name)

    tree = simulation.supervise(Supervisor(child_spec("it", Refusing())))
    tree.terminate_child("it")
    with pytest.raises(OptionError, match="source"):
        tree.restart_child("it")
    assert tree.alive


def test_a_transient_supervisor_that_does_not_start_again_is_tried_again(
    make, hit, stage, log, expected_errors
):
    tries = iter([None, Stop(Named("not yet")), None])
    log.init["x"] = lambda: next(tries)
    inner = child_spec("inner", Supervisor(stage("x")), restart="transient")
    tree = make("a", inner, "b", strategy="one_for_all", max_restarts=2)
    hit(tree, "a", end(Named("failed")))
    assert next(tries, "all used") == "all used"
    assert alive(tree) == ["a", "inner", "b"]
    assert expected_errors
