import threading
import weakref

from genstage._runtime.lane import Lane

DEADLINE_S = 20.0


class Recorder:
    def __init__(self):
        self.turns = []
        self.threads = set()

    def turn(self, message):
        self.threads.add(threading.current_thread())
        self.turns.append(message)


def test_messages_are_handled_in_order_of_arrival_across_actors():
    seen = []

    class Actor:
        def turn(self, message):
            seen.append((self, message))

    one, two = Actor(), Actor()
    lane = Lane("lane")
    sent = [(actor, number) for number in range(100) for actor in (one, two)]
    for pair in sent:
        lane.put(pair)
    lane.close()
    lane.join(DEADLINE_S)

    assert seen == sent


def test_each_threads_messages_keep_their_order_when_many_put_at_once():
    recorder, lane = Recorder(), Lane("lane")

    def put(sender):
        for number in range(2_000):
            lane.put((recorder, (sender, number)))

    threads = [threading.Thread(target=put, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lane.close()
    lane.join(DEADLINE_S)

    assert len(recorder.turns) == 8_000
    for sender in range(4):
        assert [number for who, number in recorder.turns if who == sender] == list(range(2_000))
    assert len(recorder.threads) == 1


def test_close_lets_what_came_before_be_handled_and_nothing_after():
    recorder, lane = Recorder(), Lane("lane")
    for number in range(1_000):
        lane.put((recorder, number))
    lane.close()
    lane.put((recorder, "late"))
    lane.join(DEADLINE_S)

    assert recorder.turns == list(range(1_000))


def test_it_knows_whose_turn_it_is_and_who_runs_on_it():
    seen = {}

    class Actor:
        def turn(self, _):
            seen.update(turning=lane.turning, current=lane.current, ident=threading.get_ident())

    lane, actor = Lane("lane"), Actor()
    lane.put((actor, None))
    ident = lane.thread_id
    lane.close()
    lane.join(DEADLINE_S)

    assert seen == {"turning": actor, "current": True, "ident": ident}
    assert lane.turning is None
    assert not lane.current


def test_a_thread_that_got_the_identifier_of_an_ended_lane_is_not_on_it():
    lane = Lane("lane")
    lane.close()
    lane.join(DEADLINE_S)
    reused = []

    def look():
        if threading.get_ident() == lane.thread_id:
            reused.append(lane.current)

    for _ in range(100):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    assert not any(reused)


def test_what_was_handled_is_not_kept_alive_while_the_lane_waits():
    class Chunk:
        pass

    class Actor:
        def turn(self, message):
            pass

    gone = threading.Event()
    lane, chunk = Lane("lane"), Chunk()
    weakref.finalize(chunk, gone.set)
    lane.put((Actor(), chunk))
    del chunk

    assert gone.wait(DEADLINE_S)  # though nothing else comes
    lane.close()
    lane.join(DEADLINE_S)
