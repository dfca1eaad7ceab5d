import re
from dataclasses import FrozenInstanceError
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genstage import (
    BroadcastDispatcher,
    Consumer,
    ConsumerSupervisor,
    DemandDispatcher,
    Edge,
    Graph,
    GraphError,
    Node,
    PartitionDispatcher,
    Producer,
    ProducerConsumer,
)


def stage():
    """A factory whose kind nobody can see."""


def nodes(*names):
    return tuple(Node(name, stage) for name in names)


def names(graph):
    return [node.name for node in graph.consumers_first()]


def test_consumers_come_before_all_they_subscribe_to():
    graph = Graph(nodes("a", "b", "c", "d"), (Edge("b", "a"), Edge("c", "a"), Edge("d", "b"), Edge("d", "c")))

    order = names(graph)

    assert order[0] == "d"
    assert order[-1] == "a"
    assert set(order) == {"a", "b", "c", "d"}


def test_the_order_is_the_same_each_time():
    edges = tuple(Edge(sink, "source") for sink in "vwxyz")
    assert names(Graph(nodes("source", *"vwxyz"), edges)) == [*"vwxyz", "source"]


def test_sources_subscribe_to_nobody():
    graph = Graph(nodes("a", "b", "c"), (Edge("c", "a"), Edge("c", "b")))
    assert graph.sources() == ("a", "b")


@pytest.mark.parametrize(
    ("of", "edges", "node", "problem"),
    [
        ((), (), "", "there is none; a pipeline has at least a producer and a consumer"),
        (("alone",), (), "alone", "is not connected to any other; add an edge or leave it out"),
        (
            ("a", "b"),
            (Edge("b", "a", {"cancel": "temporary"}),),
            "b",
            "leave the option 'cancel' out; in a pipeline the supervisor decides",
        ),
        (("a", ""), (Edge("", "a"),), "", "is no name; give the node text, at least a letter"),
        ((1, "a"), (Edge("a", 1),), "1", "is no name; give the node text, at least a letter"),
        (("a", "a"), (), "a", "occurs 2 times; give each node its own name"),
        (("a", "b"), (Edge("b", "x"),), "x", "is named by an edge, but there are only a, b"),
        (
            ("a", "b", "c"),
            (Edge("b", "a"),),
            "c",
            "is not connected to any other; add an edge or leave it out",
        ),
        (("a", "b"), (Edge("a", "b"), Edge("b", "a")), "a", "is in a cycle: a -> b -> a"),
        (("a", "b"), (Edge("a", "a"),), "a", "subscribes to itself; name the node whose events it takes"),
        (("a", "b"), (Edge("b", "a"), Edge("b", "a")), "b", "subscribes to 'a' twice; leave one edge out"),
        (
            ("a", "b"),
            (Edge("b", "a", {"partition": 1}), Edge("b", "a", {"partition": 1, "max_demand": 2})),
            "b",
            "subscribes to 'a' twice; leave one edge out",
        ),
        (
            ("a", "b"),
            (Edge("b", "a", {"max_demand": 0}),),
            "b",
            "option 'max_demand': must be 1 or more, got 0",
        ),
        (
            ("a", "b"),
            (Edge("b", "a", {"max_demnd": 1}),),
            "b",
            "option 'max_demnd': must be written max_demand, got 1",
        ),
    ],
)
def test_a_wrong_graph_is_refused_with_the_name_of_the_node(of, edges, node, problem):
    with pytest.raises(GraphError) as caught:
        Graph(nodes(*of), edges)

    assert caught.value.node == node
    assert caught.value.problem == problem


def test_sinks_are_those_nobody_subscribes_to():
    graph = Graph(nodes("a", "b", "c"), (Edge("b", "a"), Edge("c", "a")))
    assert graph.sinks() == ("b", "c")


PRODUCER = "is a producer and cannot subscribe to another node; make it a ProducerConsumer"
CONSUMER = "is a consumer and has no events to subscribe to; make it a ProducerConsumer"


@pytest.mark.parametrize(
    ("kinds", "node", "problem"),
    [
        ({"a": "producer", "b": "producer"}, "b", PRODUCER),
        ({"a": "consumer", "b": "consumer"}, "a", CONSUMER),
        ({"a": "producer_consumer"}, "a", "takes events, but subscribes to no node; add an edge"),
        ({"b": "producer_consumer"}, "b", "emits events, but no node subscribes to it; add an edge"),
    ],
)
def test_nodes_of_the_wrong_kind_are_refused(kinds, node, problem):
    graph = Graph(nodes("a", "b"), (Edge("b", "a"),))
    graph.check_kinds({"a": "producer", "b": "consumer"})
    graph.check_kinds({})

    with pytest.raises(GraphError) as caught:
        graph.check_kinds(kinds)

    assert (caught.value.node, caught.value.problem) == (node, problem)


def test_an_instance_is_refused_with_what_to_write_instead():
    class Doubler(ProducerConsumer[int, int]):
        pass

    with pytest.raises(
        GraphError,
        match=r"^node 'double': got a Doubler object; "
        r"pass the class or a function that makes it, e\.g\. lambda: Doubler\(\.\.\.\)$",
    ):
        Graph((Node("double", Doubler()), Node("sum", Consumer)), (Edge("sum", "double"),))


@pytest.mark.parametrize(
    ("factories", "edges", "node", "problem"),
    [
        ((Producer, Producer), (Edge("b", "a"),), "b", PRODUCER),
        ((Consumer, stage), (Edge("b", "a"),), "a", CONSUMER),
        ((ConsumerSupervisor(stage), stage), (Edge("b", "a"),), "a", CONSUMER),
        ((partial(Consumer), stage), (Edge("b", "a"),), "a", CONSUMER),
        (
            (ProducerConsumer, Consumer),
            (Edge("b", "a"),),
            "a",
            "takes events, but subscribes to no node; add an edge",
        ),
        (
            (Producer, partial(ProducerConsumer)),
            (Edge("b", "a"),),
            "b",
            "emits events, but no node subscribes to it; add an edge",
        ),
        (
            (Producer(), Consumer),
            (Edge("b", "a"),),
            "a",
            "got a Producer object; pass the class or a function that makes it, e.g. lambda: Producer(...)",
        ),
        (
            (Producer, None),
            (Edge("b", "a"),),
            "b",
            "got None; pass the class or a function that makes it, e.g. lambda: Counter(3)",
        ),
    ],
)
def test_a_wrong_factory_is_refused_when_the_graph_is_made(factories, edges, node, problem):
    with pytest.raises(GraphError) as caught:
        Graph(tuple(map(Node, "ab", factories)), edges)
    assert (caught.value.node, caught.value.problem) == (node, problem)


def test_a_graph_cannot_be_changed():
    options = {"max_demand": 3}
    given = list(nodes("a", "b")), [Edge("b", "a", options)]
    graph = Graph(*given)
    options["max_demand"] = 0
    for part in given:
        part.clear()

    assert graph == Graph(nodes("a", "b"), (Edge("b", "a", {"max_demand": 3}),))
    with pytest.raises(FrozenInstanceError):
        graph.nodes = ()
    with pytest.raises(TypeError):
        graph.edges[0].options["max_demand"] = 0


# -- dispatchers ------------------------------------------------------------------------------------------

UNTAKEN = (
    "has a partition 1 that no node takes, so its events would stay; add an edge with the option partition=1"
)
UNKNOWN = "has the option {!r}, which 'a' does not know; leave it out, or give 'a' a {}"
SORTED = PartitionDispatcher(["new", "paid"], hash=lambda order: (order, order["state"]))


@pytest.mark.parametrize(
    ("dispatcher", "options", "node", "problem"),
    [
        (
            SORTED,
            ({"partition": "new"}, {"partition": "lost"}),
            "c",
            "takes partition 'lost' of 'a'; give its edge the option 'partition', one of 'new', 'paid'",
        ),
        (
            SORTED,
            ({"partition": "new"}, {}),
            "c",
            "takes no partition of 'a'; give its edge the option 'partition', one of 'new', 'paid'",
        ),
        (
            SORTED,
            ({"partition": "new"}, {"partition": []}),
            "c",
            "takes partition [] of 'a'; give its edge the option 'partition', one of 'new', 'paid'",
        ),
        (
            SORTED,
            ({"partition": "new"}, {"partition": "new"}),
            "c",
            "takes partition 'new' of 'a', which 'b' takes; a partition has one consumer",
        ),
        (
            PartitionDispatcher(3),
            ({"partition": 0}, {"partition": 2}),
            "a",
            UNTAKEN,
        ),
        (
            DemandDispatcher(),
            ({}, {"partition": 0}),
            "c",
            UNKNOWN.format("partition", "PartitionDispatcher"),
        ),
        (
            BroadcastDispatcher(),
            ({"partition": 0}, {}),
            "b",
            UNKNOWN.format("partition", "PartitionDispatcher"),
        ),
        (
            DemandDispatcher(),
            ({"selector": bool}, {}),
            "b",
            UNKNOWN.format("selector", "BroadcastDispatcher"),
        ),
    ],
)
def test_partitions_and_options_that_nobody_knows_are_refused(dispatcher, options, node, problem):
    graph = Graph(
        nodes("a", "b", "c"), tuple(Edge(name, "a", each) for name, each in zip("bc", options, strict=True))
    )
    with pytest.raises(GraphError) as caught:
        graph.check_dispatchers({"a": dispatcher})
    assert (caught.value.node, caught.value.problem) == (node, problem)


def test_each_partition_has_its_consumer_and_one_may_have_several():
    edges = [
        Edge("b", "a", {"partition": 0}),
        Edge("b", "a", {"partition": 2}),
        Edge("c", "a", {"partition": 1}),
    ]
    Graph(nodes("a", "b", "c"), edges).check_dispatchers({"a": PartitionDispatcher(3)})


def test_a_dispatcher_of_the_users_own_may_know_any_option():
    class Own(DemandDispatcher):
        pass

    graph = Graph(nodes("a", "b"), (Edge("b", "a", {"partition": 3, "selector": bool}),))
    graph.check_dispatchers({"a": Own()})
    graph.check_dispatchers({})


# -- drawings ---------------------------------------------------------------------------------------------


def shop():
    """Two sources, a diamond, a stage that blocks and options."""
    return Graph(
        (
            Node("orders", Producer),
            Node("split", lambda: None),
            Node("new", partial(ProducerConsumer)),
            Node("paid", ProducerConsumer, blocking=True),
            Node("sum", Consumer),
            Node("returns", Producer),
        ),
        (
            Edge("split", "orders", {"max_demand": 10, "min_demand": 5}),
            Edge("new", "split", {"partition": "new"}),
            Edge("paid", "split", {"partition": "paid"}),
            Edge("sum", "new", {"selector": bool}),
            Edge("sum", "paid"),
            Edge("sum", "returns"),
        ),
    )


def test_a_graph_prints_itself_as_text():
    assert str(shop()) == shop().text()
    assert shop().text().splitlines() == [
        "orders (Producer)",
        "└─ split  max_demand=10, min_demand=5",
        "   ├─ new (ProducerConsumer)  partition='new'",
        "   │  └─ sum (Consumer)  selector=bool",
        "   └─ paid (ProducerConsumer, blocking)  partition='paid'",
        "      └─ ↑ sum",
        "returns (Producer)",
        "└─ ↑ sum",
    ]


def test_a_graph_prints_itself_as_mermaid():
    assert shop().mermaid().splitlines() == [
        "flowchart TD",
        '    n0["orders<br/>Producer"]',
        '    n1["split"]',
        '    n2["new<br/>ProducerConsumer"]',
        '    n3["paid<br/>ProducerConsumer, blocking"]',
        '    n4["sum<br/>Consumer"]',
        '    n5["returns<br/>Producer"]',
        '    n0 -->|"max_demand=10, min_demand=5"| n1',
        """    n1 -->|"partition='new'"| n2""",
        """    n1 -->|"partition='paid'"| n3""",
        '    n2 -->|"selector=bool"| n4',
        "    n3 --> n4",
        "    n5 --> n4",
    ]


MERMAID_NODE = re.compile(r'    (n\d+)\["([^"]*)<br/>([^"]*)"\]')
MERMAID_EDGE = re.compile(r'    (n\d+) -->(?:\|"([^"]*)"\|)? (n\d+)')


def plain(label):
    """A label as Mermaid shows it: it may hold no sign that means something, and codes of characters."""
    assert re.fullmatch(r"(\w|[ _\-.,=()']|#\d+;)*", label)
    return re.sub(r"#(\d+);", lambda code: chr(int(code[1])), label)


@given(
    names=st.lists(st.text(min_size=1), min_size=2, max_size=6, unique=True),
    option=st.text(),
    choose=st.randoms(use_true_random=False),
)
def test_any_name_can_be_read_back_from_mermaid(names, option, choose):
    edges = tuple(
        Edge(consumer, choose.choice(names[:number]), {"note": option})
        for number, consumer in enumerate(names)
        if number
    )
    graph = Graph(nodes(*names), edges)
    head, *lines = graph.mermaid().split("\n")

    assert head == "flowchart TD"
    found = [MERMAID_NODE.fullmatch(line) for line in lines[: len(names)]]
    called = {node[1]: plain(node[2]) for node in found}
    assert list(called.values()) == names
    assert {node[3] for node in found} == {"stage"}
    found = [MERMAID_EDGE.fullmatch(line) for line in lines[len(names) :]]
    assert [(called[edge[3]], called[edge[1]], plain(edge[2])) for edge in found] == [
        (edge.consumer, edge.producer, f"note={option!r}") for edge in edges
    ]


def test_a_name_stays_on_its_line():
    graph = Graph(nodes("a\nb", "c"), (Edge("c", "a\nb"),))
    assert str(graph) == "'a\\nb' (stage)\n└─ c (stage)"


def test_a_long_line_can_be_drawn():
    names = [f"n{number}" for number in range(1500)]
    graph = Graph(nodes(*names), [Edge(after, before) for before, after in pairwise(names)])
    assert len(graph.text().splitlines()) == len(names)
