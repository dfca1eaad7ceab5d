import queue
import threading

import pytest

from genstage import (
    Consumer,
    DeadStageError,
    Down,
    Exited,
    Killed,
    Named,
    NoProc,
    Normal,
    OptionError,
    Shutdown,
    StartError,
)
from genstage._core.reasons import Crash
from genstage._core.results import Reply, Stop
from genstage._runtime.calls import Answer

DEADLINE_S = 20.0


class Kin(Consumer):
    """Does what it is asked to, and hears of ends."""

    def __init__(self, init=lambda _: None):
        self.heard = queue.Queue()
        self.terminated = []
        self.init = lambda: init(self)

    def handle_call(self, request, _reply_to):
        return Reply(request(self))

    def handle_cast(self, request):
        return request(self)

    def handle_info(self, message):
        self.heard.put(message)

    def terminate(self, reason):
        self.terminated.append(reason)

    def hears(self):
        return self.heard.get(timeout=DEADLINE_S)


@pytest.fixture
def kin(runtime):
    """Starts a Kin; gives its reference and the stage itself."""

    def kin(**options):
        stage = Kin(options.pop("init", lambda _: None))
        return runtime.start(lambda: stage, **options), stage

    return kin


@pytest.fixture
def pair(kin):
    def pair(*, blocking=False):
        (one, one_stage), (two, two_stage) = kin(blocking=blocking), kin()
        one.call(lambda stage: stage.stage.link(two))
        return one, one_stage, two, two_stage

    return pair


def kill(runtime, ref):
    runtime._engine.kill(ref._actor, Killed())


def ended(ref):
    assert ref._actor.actor_stopped.wait(DEADLINE_S)
    return ref.reason


def linked(ref):
    return {peer.name for peer in ref._actor.links}


# -- links --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [Shutdown(), Shutdown("enough"), Named("oops")])
@pytest.mark.parametrize("first", [0, 2])
@pytest.mark.parametrize("blocking", [False, True])
def test_an_end_goes_along_a_link_both_ways(pair, reason, first, blocking):
    both = pair(blocking=blocking)
    ref, other, stage = both[first], both[2 - first], both[3 - first]
    ref.stop(reason)

    assert ended(other) == reason
    assert stage.terminated == [reason]
    assert linked(ref) == linked(other) == set()


def test_a_normal_end_does_not(pair):
    one, _, two, _ = pair()
    one.stop()

    assert two.call(lambda _: "alive") == "alive"
    assert linked(two) == set()


def test_a_crash_goes_on_as_it_is_and_is_told_once(pair, expected_errors):
    one, _, two, two_stage = pair()
    cause = ValueError("boom")

    def raises(_stage):
        raise cause

    one.cast(raises)
    assert ended(two) == Crash(cause)
    assert two_stage.terminated == [Crash(cause)]
    assert len(expected_errors) == 1


def test_a_kill_goes_on_as_killed_even_while_the_killed_stage_is_stuck(runtime, pair, stuck):
    one, one_stage, two, two_stage = pair(blocking=True)
    stuck(one)
    kill(runtime, one)

    assert ended(two) == Killed()
    assert two_stage.terminated == [Killed()]
    assert one_stage.terminated == []


def test_an_end_goes_along_a_chain_of_links_and_round_a_ring(kin):
    refs = [kin()[0] for _ in range(5)]
    for ref, following in zip(refs, refs[1:] + refs[:1], strict=True):
        ref.call(lambda stage, following=following: stage.stage.link(following))
    refs[2].stop(Named("oops"))

    assert [ended(ref) for ref in refs] == [Named("oops")] * 5


def test_linking_twice_is_one_link_and_oneself_none(pair):
    one, _, two, two_stage = pair()
    two.call(lambda stage: stage.stage.trap_exits())
    two.call(lambda stage: stage.stage.link(one))
    two.call(lambda stage: stage.stage.link(stage.stage.ref))
    assert linked(two) == {one.name}
    one.stop()

    assert two_stage.hears() == Exited(one, Normal())
    two.call(lambda _: None)
    assert two_stage.heard.empty()


@pytest.mark.parametrize("side", [0, 2])
def test_a_link_is_taken_back_from_either_side(pair, side):
    both = pair()
    ref, other = both[side], both[2 - side]
    ref.call(lambda stage: stage.stage.unlink(other))
    assert linked(ref) == linked(other) == set()
    ref.stop(Named("oops"))

    assert other.call(lambda _: "alive") == "alive"


def test_linking_the_dead_is_an_end_at_once(kin):
    (dead, _), (ref, _), (trapping, stage) = kin(), kin(), kin()
    dead.stop()
    trapping.call(lambda stage: stage.stage.trap_exits())
    for linking in (ref, trapping):
        linking.call(lambda stage: stage.stage.link(dead))

    assert ended(ref) == NoProc()
    assert stage.hears() == Exited(dead, NoProc())
    assert linked(dead) == linked(trapping) == set()


def test_who_traps_exits_hears_of_them_and_lives(runtime, pair, expected_errors):
    for end, reason in (
        (lambda ref: ref.stop(), Normal()),
        (lambda ref: ref.stop(Shutdown("enough")), Shutdown("enough")),
        (lambda ref: kill(runtime, ref), Killed()),
        (lambda ref: ref.cast(lambda _: 1 / 0), None),
    ):
        one, _, two, two_stage = pair()
        two.call(lambda stage: stage.stage.trap_exits())
        end(one)
        heard = two_stage.hears()

        assert (heard.stage, heard.reason) == (one, reason or one.reason)
        assert isinstance(heard.stage, type(one))
        two.call(lambda stage: stage.stage.trap_exits(on=False))
    assert len(expected_errors) == 1


def test_links_by_name(kin):
    (one, _), (two, _) = kin(name="one"), kin(name="two")
    two.call(lambda stage: stage.stage.link("one"))
    assert linked(one) == {"two"}
    two.call(lambda stage: stage.stage.unlink("one"))
    assert linked(one) == set()


@pytest.mark.parametrize("target", ["nobody", 7, None])
def test_a_link_needs_a_stage(kin, target):
    ref, _ = kin()

    def link(stage):
        with pytest.raises(OptionError) as caught:
            stage.stage.link(target)
        return caught.value.value

    assert ref.call(link) == target


@pytest.mark.repeat
@pytest.mark.parametrize("killed", [False, True])
def test_a_link_made_while_the_other_ends_is_one_end_and_leaves_nothing(runtime, kin, killed):
    for _ in range(50):
        (mortal, _), (ref, stage) = kin(blocking=True), kin()
        together = threading.Barrier(2)

        def link(stage, mortal=mortal, together=together):
            stage.stage.trap_exits()
            together.wait()
            while mortal.alive:
                stage.stage.link(mortal)
            stage.stage.link(mortal)

        ref.cast(link)
        together.wait()
        if killed:
            kill(runtime, mortal)
        else:
            mortal.stop(Named("oops"))

        heard = [stage.hears()]
        ref.call(lambda _: None)
        while not stage.heard.empty():
            heard.append(stage.hears())
        told = [message.reason for message in heard if message.reason != NoProc()]
        assert {message.stage for message in heard} == {mortal}
        assert told in ([], [mortal.reason])  # NoProc: it was linked when it had ended
        assert linked(mortal) == linked(ref) == set()
        ref.stop()


# -- started with a link ------------------------------------------------------------------------------


def test_a_stage_started_linked_ends_with_its_partner_and_the_other_way_round(kin):
    for first in (0, 1):
        parent, _ = kin()
        child, _ = kin(linked_to=parent)
        ref, other = (parent, child) if first == 0 else (child, parent)
        ref.stop(Shutdown("enough"))

        assert ended(other) == Shutdown("enough")


def test_a_stage_started_alone_is_linked_with_nobody(kin):
    assert linked(kin()[0]) == set()


def test_a_start_that_fails_does_no_harm_to_the_partner(kin):
    parent, _ = kin()
    with pytest.raises(StartError):
        kin(linked_to=parent, init=lambda _: Stop(Named("no")))

    assert parent.call(lambda _: "alive") == "alive"
    assert linked(parent) == set()


def test_a_start_that_is_interrupted_does_no_harm_to_the_partner(kin, monkeypatch):
    parent, _ = kin()
    get = Answer.get

    def interrupted(answer, *arguments, to="answer"):
        get(answer, *arguments, to=to)
        if to == "start":
            raise KeyboardInterrupt

    monkeypatch.setattr(Answer, "get", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kin(linked_to=parent)
    monkeypatch.undo()

    assert parent.call(lambda _: "alive") == "alive"
    assert linked(parent) == set()


def test_a_link_to_the_dead_or_to_no_stage_is_refused(kin):
    parent, _ = kin()
    parent.stop(Named("oops"))
    with pytest.raises(DeadStageError) as dead:
        kin(linked_to=parent)
    with pytest.raises(OptionError) as wrong:
        kin(linked_to="parent")

    assert dead.value.reason == Named("oops")
    assert wrong.value.option == "linked_to"


def test_a_stage_that_ends_in_its_first_message_has_its_link(kin):
    parent, _ = kin()
    child, _ = kin(linked_to=parent, init=lambda stage: stage.stage.stop(Named("at once")))

    assert ended(child) == ended(parent) == Named("at once")


# -- watches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [Normal(), Shutdown("enough"), Named("oops")])
def test_a_watch_hears_of_any_end_and_the_watcher_lives(kin, reason):
    (ref, stage), (mortal, _) = kin(), kin()
    watch = ref.call(lambda stage: stage.stage.watch(mortal))
    mortal.stop(reason)

    assert stage.hears() == Down(watch, reason)
    assert ref.call(lambda stage: stage.stage._port.watched) == {}


def test_each_watch_has_its_own_down_and_can_be_taken_back(kin):
    (ref, stage), (mortal, _) = kin(), kin(name="mortal")
    watches = ref.call(lambda stage: [stage.stage.watch("mortal") for _ in range(3)])
    ref.call(lambda stage: stage.stage.unwatch(watches[1]))
    mortal.stop()

    assert [stage.hears(), stage.hears()] == [Down(watch, Normal()) for watch in (watches[0], watches[2])]
    ref.call(lambda _: None)
    assert stage.heard.empty()


def test_the_dead_and_the_unknown_are_down_at_once(kin):
    (ref, stage), (dead, _) = kin(), kin()
    dead.stop()
    for target in (dead, "nobody"):
        watch = ref.call(lambda stage, target=target: stage.stage.watch(target))
        assert stage.hears() == Down(watch, NoProc())


def test_a_watch_goes_with_its_stage(kin):
    (ref, _), (mortal, _) = kin(), kin()
    ref.call(lambda stage: stage.stage.watch(mortal))
    assert len(mortal._actor._watchers) == 1
    ref.stop()

    assert mortal._actor._watchers == {}


def test_the_down_comes_after_what_the_stage_has_sent(kin):
    (ref, stage), (mortal, _) = kin(), kin(blocking=True)
    watch = ref.call(lambda stage: stage.stage.watch(mortal))

    def speak_and_stop(stage):
        for number in range(3):
            ref.send(number)
        stage.stage.stop()

    mortal.cast(speak_and_stop)
    assert [stage.hears() for _ in range(4)] == [0, 1, 2, Down(watch, Normal())]
