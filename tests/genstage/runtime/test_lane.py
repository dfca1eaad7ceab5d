import logging
import threading
import time
import weakref
from collections import deque

import pytest

from genstage._core.snapshot import snapshot
from genstage._runtime.lane import ThreadLane, current_resident, give_way
from genstage._runtime.shared_lane import SharedLane, _LockedLane, shared_lane

DEADLINE_S = 20.0


class Actor:
    """A resident whose turns are calls of a function."""

    def __init__(self, function=lambda _: None):
        self.handle = function
        self.backlog = None
        self.errors = []
        self.timed_s = self.sampled_s = 0.0

    def run(self, handle, message):
        handle(message)

    def fail(self, error):
        self.errors.append(error)


class Recorder(Actor):
    def __init__(self):
        super().__init__(self.record)
        self.turns = []
        self.threads = set()

    def record(self, message):
        self.threads.add(threading.current_thread())
        self.turns.append(message)


def put(lane, actor, message=None):
    lane.append((actor, message))
    if lane.sleeping:
        lane.wake()


def end(lane):
    lane.close()
    lane.join(DEADLINE_S, stuck_s=DEADLINE_S)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


def in_turn(lane, gate):
    """A turn that waits for the gate, and is under way; gives its actor."""
    inside = threading.Event()
    actor = Actor(lambda _: (inside.set(), gate.wait(DEADLINE_S)))
    put(lane, actor)
    assert inside.wait(DEADLINE_S)
    return actor


def handled(lane):
    """Wait until the lane has handled what came before."""
    done = threading.Event()
    put(lane, Actor(lambda _: done.set()))
    assert done.wait(DEADLINE_S)


@pytest.fixture(params=[ThreadLane, SharedLane, _LockedLane])
def lane(request):
    made = request.param("lane")
    yield made
    end(made)


@pytest.fixture(params=[SharedLane, _LockedLane])
def shared(request):
    """A shared lane whose monitor looks no more."""
    made = request.param("lane")
    made._monitor.park()
    yield made
    end(made)


# -- both kinds ---------------------------------------------------------------------------------------


def test_messages_are_handled_in_order_of_arrival_across_actors(lane):
    seen = []
    actors = [Actor() for _ in range(2)]
    for actor in actors:
        actor.handle = lambda message, actor=actor: seen.append((actor, message))
    sent = [(actor, number) for number in range(100) for actor in actors]
    for pair in sent:
        put(lane, *pair)
    end(lane)

    assert seen == sent


def test_each_threads_messages_keep_their_order_when_many_put_at_once(lane):
    recorder = Recorder()

    def put_all(sender):
        for number in range(2_000):
            put(lane, recorder, (sender, number))

    threads = [threading.Thread(target=put_all, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end(lane)

    assert len(recorder.turns) == 8_000
    for sender in range(4):
        assert [number for who, number in recorder.turns if who == sender] == list(range(2_000))


def test_close_lets_what_came_before_be_handled_and_nothing_after(lane):
    recorder = Recorder()
    for number in range(1_000):
        put(lane, recorder, number)
    lane.close()
    put(lane, recorder, "late")
    end(lane)

    assert recorder.turns == list(range(1_000))


def test_it_knows_whose_turn_a_thread_is_in(lane):
    seen = []
    actor = Actor(lambda _: seen.append((current_resident(), lane.thread_of(actor), threading.get_ident())))
    put(lane, actor)
    end(lane)

    ((resident, thread_id, ident),) = seen
    assert resident is actor
    assert thread_id == ident
    assert lane.thread_of(actor) is None
    assert current_resident() is None


def test_a_turn_that_raises_is_told_to_its_actor_and_the_lane_goes_on(lane):
    recorder = Recorder()
    broken = Actor(lambda _: 1 / 0)
    put(lane, broken)
    put(lane, recorder, "next")
    end(lane)

    assert [type(error) for error in broken.errors] == [ZeroDivisionError]
    assert recorder.turns == ["next"]


def test_it_tells_of_a_turn_since_when_it_is_under_way_and_what_waits_behind_it(lane, gate):
    before_s = time.monotonic()
    actor = in_turn(lane, gate)
    for number in range(3):
        put(lane, actor, number)
    while (turn := lane.turn_of(actor)).began_s is None:  # until the monitor has looked twice
        threading.Event().wait(0.001)

    assert before_s <= turn.began_s <= time.monotonic()
    assert turn.thread_id == lane.thread_of(actor)
    assert lane.queued(actor) == 3
    assert lane.turn_of(Actor()) is None
    gate.set()
    end(lane)
    assert lane.turn_of(actor) is None
    assert lane.queued(actor) == 0


def test_a_turn_that_takes_long_is_put_to_the_clock(lane, gate):
    actor = in_turn(lane, gate)
    while (turn := lane.turn_of(actor)).began_s is None:
        threading.Event().wait(0.001)
    gate.set()
    end(lane)

    assert 0 < actor.timed_s <= time.monotonic() - turn.began_s


def test_what_was_handled_is_not_kept_alive_while_the_lane_waits(lane):
    class Chunk:
        pass

    gone, chunk = threading.Event(), Chunk()
    weakref.finalize(chunk, gone.set)
    put(lane, Actor(), chunk)
    del chunk

    # Though nothing else comes. In pieces: without a GIL an object goes when the thread that made it looks.
    assert any(gone.wait(0.001) for _ in range(20_000))


def test_all_turns_of_a_thread_lane_run_in_its_thread_also_when_they_give_way():
    lane, recorder = ThreadLane("lane"), Recorder()
    for _ in range(3):
        put(lane, recorder)
        put(lane, Actor(lambda _: give_way()))
    end(lane)

    assert len(recorder.threads) == 1


def test_outside_of_a_turn_there_is_nothing_to_give_way():
    give_way()
    assert current_resident() is None


def test_only_what_is_sent_to_an_actor_counts_as_waiting_for_it(shared, gate):
    before, after = threading.Event(), threading.Event()
    lost = in_turn(shared, before)
    shared.steal(shared.in_turn())
    in_turn(shared, gate)  # from here on the lane stands still
    one, other = Actor(), Actor()
    for number in range(5):
        put(shared, one, number)
        put(shared, other, number)
    put(shared, other)
    before.set()
    while not any(actor is lost for actor, _ in snapshot(shared._queue)):  # its turn ends
        after.wait(0.001)

    assert [shared.queued(actor) for actor in (one, other, lost)] == [5, 6, 0]
    gate.set()


# -- the baton of the shared lane ---------------------------------------------------------------------


def test_a_turn_that_gives_way_lets_the_others_go_on_and_keeps_its_own_messages_in_order(shared, gate):
    heard, recorder = [], Recorder()
    inside, last = threading.Event(), threading.Event()

    def handle(message):
        if message == 0:
            give_way()
            give_way()  # twice is once
            inside.set()
            gate.wait(DEADLINE_S)
            heard.append(current_resident())
        heard.append(message)
        if message == 5:
            last.set()

    actor = Actor(handle)
    for message in range(5):
        put(shared, actor, message)
        put(shared, recorder, message)
    assert inside.wait(DEADLINE_S)
    handled(shared)
    assert recorder.turns == [0, 1, 2, 3, 4]
    assert heard == []
    assert actor.backlog == [1, 2, 3, 4]
    put(shared, actor, 5)
    gate.set()
    assert last.wait(DEADLINE_S)  # the lane's end would not wait for the turn that has given way
    end(shared)

    assert heard == [actor, 0, 1, 2, 3, 4, 5]
    assert actor.backlog is None


def test_the_monitor_takes_the_lane_from_a_turn_that_blocks(gate):
    lane = shared_lane("lane")
    recorder = Recorder()
    actor = in_turn(lane, gate)
    handled(lane)
    put(lane, recorder, "beside it")
    handled(lane)

    assert recorder.turns == ["beside it"]
    assert lane.steals >= 1
    assert lane.thread_of(actor) is not None
    gate.set()
    end(lane)
    assert lane.thread_of(actor) is None


def test_a_take_over_that_was_not_needed_does_no_harm(shared):
    seen, running = [], set()

    def handle(message):
        assert not running
        running.add(message)
        shared.steal(shared.in_turn())
        running.remove(message)
        seen.append(message)

    actor = Actor(handle)
    for message in range(500):
        put(shared, actor, message)
    end(shared)

    assert seen == list(range(500))
    assert actor.errors == []
    assert shared.steals == 500


def test_a_killed_turn_is_abandoned_and_its_thread_comes_back(shared, gate):
    actor = in_turn(shared, gate)
    thread_id = shared.thread_of(actor)
    shared.abandon(Actor())  # somebody else: nothing happens
    assert shared.in_turn()[0] is actor
    shared.abandon(actor)
    shared.abandon(actor)
    handled(shared)

    assert shared.steals == 0
    assert len(shared._runners) == 2
    gate.set()
    while len(shared._spares) < 1:
        handled(shared)
    assert shared._spares[0].thread.ident == thread_id


class Interrupted:
    """The lock that wakes a lane; Ctrl-C comes once, when it has been asked or released."""

    def __init__(self, lock, at):
        self.lock, self.at = lock, at
        self.acquire = lock.acquire

    def locked(self):
        return self._interrupt("locked", self.lock.locked())

    def release(self):
        self._interrupt("release", self.lock.release())

    def _interrupt(self, at, result):
        if self.at == at:
            self.at = None
            raise KeyboardInterrupt
        return result


@pytest.mark.parametrize("at", ["locked", "release"])
def test_a_lane_whose_waking_was_interrupted_is_woken_by_the_next_message(at):
    lane = shared_lane("lane")
    handled(lane)
    pause = threading.Event()
    while not (lane.sleeping and lane._monitor._parked):
        pause.wait(0.001)
    lane._wakeup = Interrupted(lane._wakeup, at)
    with pytest.raises(KeyboardInterrupt):
        put(lane, Actor(lambda _: None))

    handled(lane)
    end(lane)


def test_spares_are_made_as_they_are_needed_and_only_some_are_kept(gate, monkeypatch):
    monkeypatch.setattr("genstage._runtime.shared_lane._MAX_SPARES", 3)
    lane = shared_lane("lane")
    inside = threading.Barrier(11)

    def wait(_):
        give_way()
        inside.wait(DEADLINE_S)
        gate.wait(DEADLINE_S)

    for _ in range(10):
        put(lane, Actor(wait))
    inside.wait(DEADLINE_S)
    runners = list(lane._runners)
    assert len(runners) == 11
    gate.set()
    while len(lane._runners) > 4:
        handled(lane)
    assert len(lane._spares) <= 3
    for runner in runners:
        if runner not in lane._runners:
            runner.thread.join(DEADLINE_S)  # the lane has let go of it, and it is about to end
    end(lane)


def test_at_the_bound_the_lane_waits_for_a_turn_to_end_and_the_log_is_told_once(gate, caplog):
    lane = SharedLane("lane", runtime="billing", max_runners=3)
    recorder = Recorder()
    inside = threading.Semaphore(0)

    def wait(_):
        give_way()
        inside.release()
        gate.wait(DEADLINE_S)

    for _ in range(6):
        put(lane, Actor(wait))
    for _ in range(3):
        assert inside.acquire(timeout=DEADLINE_S)
    put(lane, recorder, "at last")
    assert recorder.turns == []
    gate.set()
    handled(lane)
    end(lane)

    assert recorder.turns == ["at last"]
    (record,) = caplog.records
    assert (record.levelno, record.event) == (
        logging.WARNING,
        "all threads of a lane are in turns that block",
    )
    assert (record.runtime, record.lane, record.threads) == ("billing", "lane", 3)


def test_at_the_bound_a_kill_makes_room_for_another_thread(gate, caplog):
    lane, recorder = SharedLane("lane", max_runners=2), Recorder()
    inside = threading.Semaphore(0)

    def wait(_):
        give_way()
        inside.release()
        gate.wait(DEADLINE_S)

    stuck = [Actor(wait), Actor(wait)]
    for actor in stuck:
        put(lane, actor)
        assert inside.acquire(timeout=DEADLINE_S)
    put(lane, recorder, "waits")
    lane.abandon(stuck[0])
    handled(lane)
    assert recorder.turns == ["waits"]
    assert len(lane._runners) == 3
    assert len(caplog.records) == 1
    gate.set()
    end(lane)


def test_a_message_sent_by_the_garbage_collector_under_the_lock_wakes_the_lane(monkeypatch):
    recorder, sent = Recorder(), threading.Event()

    class Collected(deque):
        """Lets an object be found while the lane falls asleep; its finalizer sends a message."""

        def __bool__(self):
            if not len(self) and not sent.is_set():
                sent.set()
                put(lane, recorder, "from a finalizer")
            return len(self) > 0

    monkeypatch.setattr("genstage._runtime.shared_lane.deque", Collected)
    sent.set()
    lane = SharedLane("lane")
    for number in range(3):
        sent.clear()
        put(lane, recorder, number)
        assert sent.wait(DEADLINE_S)
        handled(lane)
    end(lane)

    assert [turn for turn in recorder.turns if turn != "from a finalizer"] == [0, 1, 2]
    assert recorder.turns.count("from a finalizer") == 3


def test_when_no_thread_can_be_started_the_lane_waits_for_a_turn_to_end(gate, monkeypatch, caplog):
    lane, recorder = shared_lane("lane"), Recorder()
    inside = threading.Semaphore(0)

    def wait(_):
        give_way()
        inside.release()
        gate.wait(DEADLINE_S)

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    for _ in range(2):
        put(lane, Actor(wait))
        assert inside.acquire(timeout=DEADLINE_S)
    put(lane, recorder, "at last")
    gate.set()
    handled(lane)
    monkeypatch.undo()
    end(lane)

    assert recorder.turns == ["at last"]
    assert len(caplog.records) == 1


def test_a_turn_that_never_ends_does_not_keep_the_lane_from_closing(gate):
    lane = shared_lane("lane")
    actor = in_turn(lane, gate)
    lane.abandon(actor)
    lane.close()
    lane.join(DEADLINE_S, stuck_s=0.01)

    assert [thread.ident for thread in threading.enumerate() if thread.name.startswith("lane")] == [
        lane.thread_of(actor)
    ]
    gate.set()
    end(lane)


def given_way(lane, gate):
    """A turn that has given way and waits for the gate; gives its actor and what it has handled since."""
    inside, heard = threading.Event(), []

    def handle(message):
        if message is None:
            give_way()
            inside.set()
            gate.wait(DEADLINE_S)
        heard.append(message)

    actor = Actor(handle)
    put(lane, actor)
    assert inside.wait(DEADLINE_S)
    return actor, heard


def test_close_waits_for_turns_that_have_lost_the_baton_and_for_what_waits_for_them(gate):
    lane = shared_lane("lane")
    turns = [given_way(lane, gate) for _ in range(3)]
    for number in range(10):
        for actor, _ in turns:
            put(lane, actor, number)
    lane.close()
    lane.join(0.01, stuck_s=0)
    assert [heard for _, heard in turns] == [[]] * 3
    gate.set()
    end(lane)

    assert [heard for _, heard in turns] == [[None, *range(10)]] * 3


@pytest.mark.parametrize("closed_before", [False, True])
def test_close_does_not_wait_for_turns_that_were_abandoned(gate, closed_before):
    lane, recorder = shared_lane("lane"), Recorder()
    actor, heard = given_way(lane, gate)
    put(lane, actor, "too late")
    put(lane, recorder, "in time")
    if closed_before:
        lane.close()
    lane.abandon(actor)
    lane.abandon(actor)
    if not closed_before:
        lane.close()
    lane.join(DEADLINE_S, stuck_s=0.01)

    assert lane._closed
    assert recorder.turns == ["in time"]
    gate.set()
    end(lane)
    assert heard == [None]


def asleep(lane):
    """Wait until the lane sleeps."""
    pause = threading.Event()
    for _ in range(20_000):
        if lane.sleeping:
            return True
        pause.wait(0.001)
    return False


def test_the_end_of_a_turn_that_had_lost_the_baton_wakes_a_lane_that_sleeps(shared, gate):
    actor, heard = given_way(shared, gate)
    last = threading.Event()
    put(shared, actor, 1)
    actor.handle = lambda message: (heard.append(message), last.set())
    assert asleep(shared)
    gate.set()

    assert last.wait(DEADLINE_S)  # though nobody puts anything
    assert heard == [None, 1]


class Meddling:
    """A lock that puts a pair just before its holder of the baton goes to sleep: the put saw it awake."""

    def __init__(self, lane, pair):
        self.lane, self.lock, self.pair = lane, lane._lock, pair

    def __enter__(self):
        pair, self.pair = self.pair, None
        if pair is not None:
            self.lane.append(pair)
        return self.lock.__enter__()

    def __exit__(self, *error):
        return self.lock.__exit__(*error)


def test_a_put_that_meets_a_lane_on_its_way_to_sleep_is_seen(shared):
    done = threading.Event()
    assert asleep(shared)

    def meddle(_):
        shared._lock = Meddling(shared, (Actor(lambda _: done.set()), None))

    put(shared, Actor(meddle))
    assert done.wait(DEADLINE_S)


def test_an_actor_that_was_abandoned_and_comes_back_is_one_like_any_other(gate):
    lane = shared_lane("lane")
    actor, heard = given_way(lane, gate)
    lane.abandon(actor)
    put(lane, actor, 1)
    gate.set()
    while actor.backlog is not None:
        handled(lane)
    end(lane)

    assert heard == [None, 1]
    assert (lane._busy, lane._abandoned) == (0, set())


# -- rest ---------------------------------------------------------------------------------------------


def parked(lane):
    """Wait until the monitor parks."""
    pause = threading.Event()
    for _ in range(5_000):
        if lane._monitor._parked:
            return True
        pause.wait(0.001)
    return False


def test_the_monitor_parks_when_the_lane_sleeps_and_the_next_put_unparks_it():
    lane = shared_lane("lane")
    assert parked(lane)
    lane._monitor._interval_s = 3_600  # it takes its time to park again
    handled(lane)

    assert not lane._monitor._parked
    end(lane)


def test_the_monitor_parks_beside_a_turn_that_blocks_when_nothing_else_comes(gate):
    lane = shared_lane("lane")
    in_turn(lane, gate)
    assert parked(lane)
    assert lane.steals == 1
    gate.set()
    end(lane)
