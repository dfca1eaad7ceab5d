import threading

import pytest

from genstage import Producer, Runtime


class Doer(Producer):
    """Does what it is told: requests and messages are functions of the stage."""

    def __init__(self, init=lambda: None):
        self.init = init
        self.terminated = []

    def handle_demand(self, demand):
        pass

    def handle_call(self, request, reply_to):
        return request(self, reply_to)

    def handle_cast(self, request):
        return request(self)

    def terminate(self, reason):
        self.terminated.append(reason)


@pytest.fixture
def runtime():
    with Runtime(name="test", shutdown_s=20) as running:
        yield running


@pytest.fixture
def start(runtime):
    """Starts a Doer; gives its reference and the stage itself."""

    def start(**options):
        stage = Doer()
        return runtime.start(lambda: stage, **options), stage

    return start


@pytest.fixture
def gate():
    """Something to block on, opened at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def stuck(gate):
    """Keeps a stage busy until the gate opens; gives the thread it is in."""

    def stuck(ref, then=lambda _: None):
        inside = threading.Event()
        threads = []

        def wait(stage):
            threads.append(threading.current_thread())
            inside.set()
            gate.wait()
            return then(stage)

        ref.cast(wait)
        assert inside.wait(20)
        return threads[0]

    return stuck


@pytest.fixture
def doer():
    return Doer
