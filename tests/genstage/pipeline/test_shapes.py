"""Graphs of each shape as whole runs on the real runtime: whole outputs are compared."""

from itertools import chain

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from genstage import (
    BroadcastDispatcher,
    ConsumerSupervisor,
    DemandDispatcher,
    Edge,
    Graph,
    Node,
    PartitionDispatcher,
    Pipeline,
    PipelineError,
    Runtime,
    Task,
)
from genstage.iterable import IterableProducer
from genstage.pipeline import Filter, ForEach, Map, ToList

DEADLINE_S = 60.0
NARROW = {"max_demand": 7, "min_demand": 3}


def sink(name):
    return Node(name, ToList)


def run(nodes, *edges):
    """What the sinks of a graph have kept, by their names."""
    with Pipeline.of("shape", Graph(tuple(nodes), edges)).run() as run:
        return run.wait(DEADLINE_S)


def numbers(name, end, dispatcher=lambda: None):
    return Node(name, lambda: IterableProducer(range(end), dispatcher=dispatcher()))


def mapped(name, function, dispatcher=lambda: None):
    return Node(name, lambda: Map(function, dispatcher=dispatcher()))


def test_fan_out_by_demand_sends_each_event_to_one():
    nodes = numbers("numbers", 1000), sink("left"), sink("right")
    outputs = run(nodes, Edge("left", "numbers", NARROW), Edge("right", "numbers", {"max_demand": 100}))

    assert sorted(outputs["left"] + outputs["right"]) == list(range(1000))
    assert all(kept == sorted(kept) and kept for kept in outputs.values())


def test_fan_out_by_broadcast_sends_each_event_to_all():
    nodes = numbers("numbers", 1000, BroadcastDispatcher), *map(sink, "abc")
    outputs = run(
        nodes, Edge("a", "numbers", NARROW), Edge("b", "numbers"), Edge("c", "numbers", {"max_demand": 1})
    )

    assert outputs == {name: list(range(1000)) for name in "abc"}


def test_broadcast_with_selectors_sends_each_what_it_selects():
    nodes = numbers("numbers", 1000, BroadcastDispatcher), *map(sink, ["even", "all", "none"])
    outputs = run(
        nodes,
        Edge("even", "numbers", {"selector": lambda n: n % 2 == 0, **NARROW}),
        Edge("all", "numbers"),
        Edge("none", "numbers", {"selector": lambda _: False, "max_demand": 2}),
    )

    assert outputs == {"even": list(range(0, 1000, 2)), "all": list(range(1000)), "none": []}


def test_fan_in_takes_all_events_of_several_sources():
    nodes = numbers("a", 700), numbers("b", 300), numbers("none", 0), sink("all")
    outputs = run(nodes, Edge("all", "a", NARROW), Edge("all", "b"), Edge("all", "none"))

    assert sorted(outputs["all"]) == sorted([*range(700), *range(300)])


def test_a_diamond_brings_both_ways_together():
    outputs = run(
        (
            numbers("numbers", 500, BroadcastDispatcher),
            mapped("double", lambda n: ("double", 2 * n)),
            mapped("square", lambda n: ("square", n * n)),
            sink("both"),
        ),
        Edge("double", "numbers", NARROW),
        Edge("square", "numbers"),
        Edge("both", "double"),
        Edge("both", "square", NARROW),
    )

    for name, function in (("double", lambda n: 2 * n), ("square", lambda n: n * n)):
        assert [value for way, value in outputs["both"] if way == name] == list(map(function, range(500)))
    assert len(outputs["both"]) == 1000


def test_several_sources_and_several_sinks_share_the_stages_between():
    outputs = run(
        (
            numbers("a", 300),
            numbers("b", 200),
            mapped("plus", lambda n: n + 1, BroadcastDispatcher),
            Node("odd", lambda: Filter(lambda n: n % 2)),
            *map(sink, ["odd numbers", "all numbers"]),
        ),
        Edge("plus", "a", NARROW),
        Edge("plus", "b", NARROW),
        Edge("odd", "plus", NARROW),
        Edge("odd numbers", "odd"),
        Edge("all numbers", "plus", NARROW),
    )

    expected = sorted([*range(1, 301), *range(1, 201)])
    assert sorted(outputs["all numbers"]) == expected
    assert sorted(outputs["odd numbers"]) == [n for n in expected if n % 2]


@pytest.mark.parametrize("demand", [{}, NARROW, {"max_demand": 1}])
def test_partitions_sort_events_by_their_hash(demand):
    def by_rest():
        return PartitionDispatcher(3, hash=lambda n: (n, n % 3))

    outputs = run(
        (numbers("numbers", 1000, by_rest), *map(sink, ["0", "1", "2"])),
        *(Edge(str(rest), "numbers", {"partition": rest, **demand}) for rest in range(3)),
    )

    assert outputs == {str(rest): list(range(rest, 1000, 3)) for rest in range(3)}


def test_one_node_can_take_several_partitions_and_others_be_dropped():
    def sort(n):
        return None if n % 10 == 9 else (n, "low" if n < 100 else "high" if n < 800 else "top")

    outputs = run(
        (
            numbers("numbers", 1000),
            mapped(
                "sorted",
                lambda n: n,
                lambda: PartitionDispatcher(["low", "high", "top"], hash=sort, replace_discarded=True),
            ),
            *map(sink, ["ends", "middle"]),
        ),
        Edge("sorted", "numbers", NARROW),
        Edge("ends", "sorted", {"partition": "low"}),
        Edge("middle", "sorted", {"partition": "high", **NARROW}),
        Edge("ends", "sorted", {"partition": "top"}),
    )

    kept = [n for n in range(1000) if n % 10 != 9]
    assert outputs["middle"] == [n for n in kept if 100 <= n < 800]
    assert sorted(outputs["ends"]) == [n for n in kept if n < 100 or n >= 800]


def test_events_can_have_children_in_a_branch():
    done = []
    outputs = run(
        (
            numbers("numbers", 100, BroadcastDispatcher),
            Node("work", ConsumerSupervisor(lambda n: Task(done.append, n))),
            sink("all"),
        ),
        Edge("work", "numbers", {"selector": lambda n: n % 2, **NARROW}),
        Edge("all", "numbers"),
    )

    assert outputs == {"work": None, "all": list(range(100))}
    assert sorted(done) == list(range(1, 100, 2))


@pytest.mark.usefixtures("expected_errors")
def test_children_that_fail_too_often_fail_the_run():
    def fail(number):
        raise ValueError(number)

    workers = ConsumerSupervisor(lambda n: Task(fail, n), restart="transient", max_restarts=2)
    graph = Graph((numbers("numbers", 10), Node("work", workers)), (Edge("work", "numbers"),))
    with pytest.raises(PipelineError) as caught, Pipeline.of("work", graph).run() as run:
        run.wait(DEADLINE_S)
    assert caught.value.failures[0].stage == "work"
    assert "ValueError" in str(caught.value)


def test_a_partition_that_nobody_takes_fails_the_run_before_the_first_event():
    asked = []

    def generate():
        asked.append(1)
        yield 1

    graph = Graph(
        (
            Node("numbers", lambda: IterableProducer(generate(), dispatcher=PartitionDispatcher(2))),
            sink("one"),
        ),
        (Edge("one", "numbers", {"partition": 1}),),
    )
    with pytest.raises(PipelineError) as caught, Pipeline.of("lost", graph).run() as run:
        run.wait(DEADLINE_S)
    assert str(caught.value.__cause__).startswith("node 'numbers': has a partition 0 that no node takes")
    assert asked == []


# -- any graph --------------------------------------------------------------------------------------------


@st.composite
def drawn_graphs(draw):
    """Nodes, each behind those it subscribes to: (these, broadcasts, blocks, events, demand).

    Nodes that subscribe to none are sources; those that nobody subscribes to are sinks, or sources left out.
    """
    flags = st.tuples(st.booleans(), st.booleans())
    drawn = [((), *draw(flags), draw(st.integers(0, 40)), 1)]
    for number in range(1, draw(st.integers(2, 8))):
        producers = draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True))
        length = 0 if producers else draw(st.integers(0, 40))
        demand = draw(st.sampled_from([1, 2, 5, 1000]))
        drawn.append((tuple(producers), *draw(flags), length, demand))
    return drawn


class Traced:
    """A drawn graph whose events tell where they began and their way: ``(source, number, way)``."""

    def __init__(self, drawn):
        self.drawn = drawn
        self.seen = [[] for _ in drawn]  # by each node, in this order

    def consumers(self, number):
        return [each for each, (producers, *_) in enumerate(self.drawn) if number in producers]

    def graph(self):
        nodes, edges = [], []
        for number, (producers, broadcasts, blocking, _, demand) in enumerate(self.drawn):
            consumers = self.consumers(number)
            if producers or consumers:
                make = self.maker(number, BroadcastDispatcher if broadcasts else DemandDispatcher)
                nodes.append(Node(str(number), make, blocking))
            edges += [Edge(str(number), str(producer), {"max_demand": demand}) for producer in producers]
        return Graph(nodes, edges)

    def maker(self, number, dispatcher):
        producers, *_, length, _ = self.drawn[number]
        seen = self.seen[number]

        def go_on(event):
            seen.append(event)
            source, n, way = event
            return source, n, (*way, number)

        if not producers:
            seen += [(number, n, ()) for n in range(length)]
            return lambda: IterableProducer(list(self.emitted(number)), dispatcher=dispatcher())
        if not self.consumers(number):
            return lambda: ForEach(go_on)
        return lambda: Map(go_on, dispatcher=dispatcher())

    def emitted(self, number):
        return [(source, n, (*way, number)) for source, n, way in self.seen[number]]

    def check(self):
        """Each node has sent all that it has seen, in order: to all its consumers, or each event to one."""
        for number, (_, broadcasts, *_) in enumerate(self.drawn):
            sent = self.emitted(number)
            taken = [
                [event for event in self.seen[to] if event[2][-1] == number] for to in self.consumers(number)
            ]
            if broadcasts:
                assert taken == [sent] * len(taken)
            elif taken:
                assert sorted(chain.from_iterable(taken)) == sorted(sent)
                assert all(part == [event for event in sent if event in set(part)] for part in taken)


def test_any_graph_delivers_each_event_where_it_belongs_once_and_in_order():
    with Runtime() as runtime:

        @given(drawn_graphs())
        def check(drawn):
            traced = Traced(drawn)
            assume(any(producers for producers, *_ in drawn))
            with Pipeline.of("drawn", traced.graph()).run(runtime=runtime) as run:
                run.wait(DEADLINE_S)
            traced.check()

        check()
