"""A run of a pipeline in a simulation, to which accidents happen, and what must hold of it at rest.

Messages reach each actor in the order in which they were sent, as in the runtime; who is next is the
schedule's choice. Any stage, or a step of the run's own work, may fail or be killed at any message.
"""

from collections import Counter

from genstage import (
    BroadcastDispatcher,
    Consumer,
    Crash,
    Edge,
    Finish,
    Graph,
    Killed,
    Named,
    Node,
    PartitionDispatcher,
    Producer,
    ProducerConsumer,
    Shutdown,
    Stop,
)
from genstage._core import messages as m
from genstage.pipeline.launch import RunLaunch
from genstage.pipeline.supervisor import DrainRun, Pause, Resume
from genstage.supervision import RestartPlan
from genstage.testing import Simulation

MOST_STEPS = 20_000
SHUTDOWN_S = 5.0


class PlannedError(Exception):
    """What is raised by plan."""


class Failing:
    """What the stages have in common: each callback may be where the stage is to fail."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.attempt = world.attempts

    def at(self, moment):
        for stage, when, attempt, how in self.world.plan["fails"]:
            if (stage, when, attempt) == (self.world.index(self.name), moment, self.attempt):
                self.world.accidents += 1
                if how == "raise":
                    raise PlannedError(len(self.world.calls), self.name, moment, attempt)
                return Stop(Named(f"{self.name} {moment} {attempt}"))
        return None

    def init(self):
        return self.at("init") or self.options()

    def options(self):
        return {}

    def terminate(self, _reason):
        self.at("terminate")

    def handle_cancel(self, cancellation, _subscription):
        return self.at("end") if cancellation.kind == "finish" else None


class Source(Failing, Producer):
    """Brings what it is asked for, a few at a time."""

    def __init__(self, world, name):
        super().__init__(world, name)
        self.next = self.owed = 0
        world.made[name] = self.next

    def options(self):
        return {"dispatcher": self.world.dispatcher()}

    def handle_demand(self, demand):
        self.owed += demand
        return self.at("events") or (self.bring() if self.owed == demand else None)

    def handle_info(self, _message):
        return self.bring()

    def handle_drain(self):
        self.owed = 0
        return self.at("drain")

    def bring(self):
        plan = self.world.plan
        count = min(self.owed, plan["at_once"], plan["total"] - self.next)
        first, self.next = self.next, self.next + count
        self.owed -= count
        self.world.made[self.name] = self.next
        events = [(self.name, number) for number in range(first, self.next)]
        if self.next == plan["total"] and not plan["endless"]:
            return Finish(events)
        if self.owed and self.next < plan["total"]:
            self.stage.send("more")
        return events


class Middle(Failing, ProducerConsumer):
    def options(self):
        return {"dispatcher": self.world.dispatcher()} if self.world.plan["shape"] == "late fan-out" else {}

    def handle_events(self, events, _origin):
        return self.at("events") or events


class Sink(Failing, Consumer):
    """Takes events, until it has had enough; its result is how many it has taken."""

    def __init__(self, world, name):
        super().__init__(world, name)
        world.taken[name] = Counter()

    def handle_events(self, events, _origin):
        taken = self.world.taken[self.name]
        taken.update(events)
        self.stage.set_result(taken.total())
        enough = self.world.plan["enough"]
        if enough and taken.total() >= enough:
            return Stop()
        return self.at("events")


SHAPES = {
    "line": (("s",), ("m",), ("t",), (("m", "s"), ("t", "m"))),
    "fan-in": (("s", "r"), (), ("t",), (("t", "s"), ("t", "r"))),
    "fan-out": (("s",), (), ("t", "u"), (("t", "s"), ("u", "s"))),
    "late fan-out": (("s",), ("m",), ("t", "u"), (("m", "s"), ("t", "m"), ("u", "m"))),
    "diamond": (("s",), ("m", "n"), ("t",), (("m", "s"), ("n", "s"), ("t", "m"), ("t", "n"))),
    "partitions": (("s",), (), ("t", "u"), (("t", "s"), ("u", "s"))),
    "two sources, two ways": (
        ("s", "r"),
        ("m",),
        ("t", "u"),
        (("m", "s"), ("m", "r"), ("t", "m"), ("u", "r")),
    ),
}
KINDS = (Source, Middle, Sink)


class World:
    """A run, as its plan says; satisfies the protocol of a job itself."""

    def __init__(self, plan, seed):
        self.plan = plan
        self.calls = []
        self.attempts = 0
        self.accidents = 0
        self.made = {}
        self.taken = {}
        self.told = []
        self.wanted = set()  # what its user has done: stop, drain, pause, resume
        self.simulation = Simulation(seed=seed)
        self.network = self.simulation._network
        self.network._pairs = self.in_order
        self.launch = RunLaunch(
            "run", lambda: self, plan=RestartPlan(plan["restarts"]), shutdown_s=SHUTDOWN_S
        )
        self.launch.settled.on_set(lambda: self.told.append(self.launch.outcome))
        self.actor = self.network.spawn(
            self.launch.make, name="supervisor", control=True, at_once=True, on_started=lambda _: None
        )

    # -- the job --------------------------------------------------------------------------------------

    @property
    def whole_when_drained(self):
        return self.plan["whole"]

    def attempt(self, epoch):
        self.attempts = epoch
        self.call("attempt")
        sources, middles, sinks, edges = SHAPES[self.plan["shape"]]
        self.made.clear()
        self.taken.clear()
        nodes = [
            Node(name, lambda kind=kind, name=name: kind(self, name))
            for kind, names in zip(KINDS, (sources, middles, sinks), strict=True)
            for name in names
        ]
        return Graph(tuple(nodes), tuple(Edge(*edge, self.edge_options(edge)) for edge in edges))

    def complete(self, restarts, results):
        assert restarts == self.attempts
        self.call("complete")
        return dict(results)

    def abandon(self, failures):
        self.failures = failures
        self.call("abandon")

    def records(self):
        return 0

    def expected(self):
        return None

    def call(self, name):
        self.calls.append(name)
        if self.plan["job fails"] == name:
            self.accidents += 1
            raise PlannedError(name)

    def edge_options(self, edge):
        options = {"max_demand": self.plan["max_demand"], "min_demand": self.plan["max_demand"] // 2}
        return options | ({"partition": edge[0]} if self.plan["shape"] == "partitions" else {})

    def dispatcher(self):
        if self.plan["shape"] == "partitions":
            return PartitionDispatcher(["t", "u"], hash=lambda event: (event, "tu"[event[1] % 2]))
        return BroadcastDispatcher()

    # -- the course of things -------------------------------------------------------------------------

    def in_order(self):
        """Of the messages that wait for an actor, the oldest is next."""
        queues = self.network._queues
        first = {}
        for pair in sorted(queues, key=lambda pair: queues[pair][0][0]):
            first.setdefault(pair[1], pair)
        return list(first.values())

    @property
    def supervisor(self):
        return self.launch.present.supervisor

    @property
    def stages(self):
        return sum(SHAPES[self.plan["shape"]][:3], ())

    def index(self, name):
        return self.stages.index(name)

    def happen(self, what, place):
        """Something happens."""
        if what in {"stop", "drain", "pause", "resume"}:
            self.wanted.add(what)
            if what == "stop" and self.supervisor.state in {"preparing", "starting"}:
                self.wanted.add("stop before it runs")
            message = {
                "stop": m.Stop(Shutdown("enough")),
                "drain": DrainRun(),
                "pause": Pause(),
                "resume": Resume(),
            }[what]
            self.network.post("outside", self.actor, message)
        elif what == "kill supervisor":
            self.kill(self.actor)
        else:
            others = [actor for actor in self.network.actors if actor is not self.actor]
            tasks = [actor for actor in others if actor.name not in self.stages]
            below = tasks if what == "kill step" else [actor for actor in others if actor not in tasks]
            if below and what == "crash":
                self.accidents += 1
                self.network.post("outside", below[place % len(below)], m.Stop(Crash(PlannedError("crash"))))
            elif below:
                self.kill(below[place % len(below)])

    def kill(self, actor):
        if actor.alive:
            self.accidents += 1
            self.network.kill(actor, Killed())

    def go(self):
        """Let everything happen that is planned, and come to rest."""
        for steps, what, place in self.plan["happens"]:
            for _ in range(steps):
                self.network.step()
            self.happen(what, place)
        self.rest()
        self.check_pause()
        self.happen("resume", 0)
        self.rest()
        if self.plan["endless"] and not self.told:
            self.happen("drain" if self.plan["whole"] else "stop", 0)
            self.rest()

    def rest(self):
        self.network.run_until(lambda: False, MOST_STEPS)
        self.simulation.advance(2 * SHUTDOWN_S)  # for those that overstay

    # -- what must hold -------------------------------------------------------------------------------

    def check_pause(self):
        last = [what for _, what, _ in self.plan["happens"] if what in {"pause", "resume"}][-1:]
        if last == ["pause"] and not self.told and "drain" not in self.wanted:
            assert self.supervisor.state in {"paused", "finalizing"}, self.supervisor.state

    def check(self):
        """The outcome has been told, once, is right, and nobody is left."""
        assert len(self.told) == 1, f"told {len(self.told)} times; {self.state()}"
        assert [actor.name for actor in self.network.actors] == []
        (outcome,) = self.told
        assert self.launch.present.outcome is outcome
        assert self.supervisor.state == outcome.state
        self.check_calls(outcome)
        if outcome.state == "completed":
            assert "stop" not in self.wanted or "complete" in self.calls
            assert "stop before it runs" not in self.wanted
            self.check_events(outcome)
        elif outcome.state == "failed":
            assert outcome.failures
            assert self.accidents, outcome.failures
        else:
            assert not outcome.failures
            assert "stop" in self.wanted or ("drain" in self.wanted and not self.plan["whole"])
        if not self.accidents and "stop" not in self.wanted:
            assert outcome.state == (
                "completed" if self.plan["whole"] or "drain" not in self.wanted else outcome.state
            )

    def check_calls(self, outcome):
        """The job is begun, and ended once."""
        steps_killed = any(what == "kill step" for _, what, _ in self.plan["happens"])
        if steps_killed or not self.calls:
            return
        ends = [call for call in self.calls if call != "attempt"]
        if outcome.state == "completed":
            assert ends == ["complete"]
        else:
            assert ends in (["abandon"], ["complete", "abandon"])
            assert len(ends) == 1 or self.plan["job fails"] == "complete"
        assert self.calls[: len(self.calls) - len(ends)] == ["attempt"] * (self.attempts + 1)

    def check_events(self, outcome):
        """What the sources have made has reached the sinks, each event as often as there are ways for it."""
        assert outcome.value == {name: taken.total() or None for name, taken in self.taken.items()}
        if self.plan["enough"]:
            return
        _, _, sinks, edges = SHAPES[self.plan["shape"]]
        below = {name: [edge[0] for edge in edges if edge[1] == name] for name in self.stages}

        def ways(stage, sink):
            return 1 if stage == sink else sum(ways(next_, sink) for next_ in below[stage])

        for sink in sinks:
            expected = Counter()
            for source, count in self.made.items():
                for number in range(count):
                    if self.plan["shape"] != "partitions" or "tu"[number % 2] == sink:
                        expected[source, number] = ways(source, sink)
            assert self.taken[sink] == +expected
        if "drain" not in self.wanted:
            assert set(self.made.values()) == {self.plan["total"]}

    def state(self):
        present = self.launch.present
        return "no incarnation" if present is None else f"{present.supervisor.state}; {self.network.actors}"
