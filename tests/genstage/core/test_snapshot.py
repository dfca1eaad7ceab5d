"""A look at a queue while it changes."""

import threading
from collections import deque

from genstage._core.snapshot import snapshot


def test_it_is_what_was_in_it():
    queue = deque("abc")
    seen = snapshot(queue)
    queue.clear()
    assert seen == ["a", "b", "c"]


def test_a_change_in_the_middle_is_no_failure():
    """The queue never has less than 200 numbers, and they follow each other."""
    queue = deque(range(200))
    stop = threading.Event()

    def turn():
        number = 200
        while not stop.is_set():
            queue.append(number)
            queue.popleft()
            number += 1

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        for _ in range(300):
            seen = snapshot(queue)
            assert 199 <= len(seen) <= 201
            assert seen == list(range(seen[0], seen[0] + len(seen)))
    finally:
        stop.set()
        thread.join()
