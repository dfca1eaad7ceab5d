import threading

import pytest

from genstage import Consumer, Edge, Finish, Graph, Node, Producer, ProducerConsumer
from genstage._runtime.typed_refs import ref_to
from genstage.pipeline.job import GraphJob
from genstage.pipeline.supervisor import RunSupervisor
from genstage.pipeline.work import Work
from genstage.supervision import RestartPlan
from genstage.testing import Simulation


class Numbers(Producer):
    """Emits 0 to end - 1, at most five at a time, then finishes."""

    def __init__(self, end, trap):
        self.next, self.end, self.trap = 0, end, trap

    def init(self):
        self.trap("init")

    def handle_demand(self, demand):
        first, self.next = self.next, min(self.next + min(demand, 5), self.end)
        self.owed = demand - (self.next - first)
        return self.emit(range(first, self.next))

    def handle_info(self, message):
        return self.handle_demand(message)

    def emit(self, events):
        for event in events:
            self.trap(event)
        if self.next == self.end:
            self.trap("end")
            return Finish(events)
        if self.owed:
            self.stage.send(self.owed)
        return events


class Through(ProducerConsumer):
    """Passes events on."""

    def __init__(self, trap):
        self.trap = trap

    def init(self):
        self.trap("init")

    def handle_events(self, events, _):
        for event in events:
            self.trap(event)
        return events

    def handle_cancel(self, cancellation, _):
        if cancellation.kind == "finish":
            self.trap("end")


class Collect(Consumer):
    """Keeps events."""

    def __init__(self, trap, into, result):
        self.trap, self.into, self.result = trap, into, result

    def init(self):
        self.into.clear()
        self.trap("init")

    def handle_events(self, events, _):
        for event in events:
            self.trap(event)
            self.into.append(event)

    def handle_cancel(self, cancellation, _):
        if cancellation.kind == "finish":
            self.trap("end")
            self.result(self.stage.set_result)


class Line:  # its kinds of stages can be exchanged
    """numbers → through → left and right, with a trap that can be set in each of them.

    A trap is called for ``init``, for each event and for ``end``.
    """

    STAGES = ("numbers", "through", "left", "right")
    source, middle, sink = Numbers, Through, Collect

    def __init__(self, end=40):
        self.end = end
        self.traps = dict.fromkeys(self.STAGES, lambda _: None)
        self.left = []
        self.right = []
        self.results = {}

    def graph(self):
        def trap(name):
            return lambda moment: self.traps[name](moment)  # noqa: PLW0108 - the trap may change

        def collect(name, into):
            def result(set_result):
                if name in self.results:
                    set_result(self.results[name])

            return Node(name, lambda: self.sink(trap(name), into, result), blocking=True)

        return Graph(
            (
                Node("numbers", lambda: self.source(self.end, trap("numbers"))),
                Node("through", lambda: self.middle(trap("through"))),
                collect("left", self.left),
                collect("right", self.right),
            ),
            (
                Edge("through", "numbers", {"max_demand": 8, "min_demand": 4}),
                Edge("left", "through", {"max_demand": 4}),
                Edge("right", "through", {"max_demand": 4}),
            ),
        )


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def gate():
    """Something to block on, opened at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


class SimulatedRun:
    """A run in a simulation: its supervisor, and what can be seen of it."""

    def __init__(self, simulation, job):
        self.simulation = simulation
        self.outcomes = []
        supervisors = []

        def make(port):
            work = Work(lambda: job, self.settle)
            supervisors.append(
                RunSupervisor(port, name="simulated", work=work, plan=RestartPlan(3), shutdown_s=5.0)
            )
            return supervisors[0]

        simulation._network.spawn(make, name="run", at_once=True, on_started=lambda _: None)
        (self.supervisor,) = supervisors
        simulation.run()

    def settle(self, outcome):
        self.supervisor.settle(outcome, 0.0)
        self.outcomes.append(outcome)

    @property
    def state(self):
        return self.supervisor.state

    @property
    def figures(self):
        return self.supervisor.figures()

    def explain(self):
        return self.supervisor.explain()

    def stage(self, name):
        return ref_to(self.supervisor._attempt.group.actors[name])


@pytest.fixture
def simulated():
    """Runs a graph in a simulation until it is at rest."""
    with Simulation(seed=1) as simulation:
        yield lambda graph: SimulatedRun(simulation, GraphJob(graph, dict))
