import pytest

from genstage import Consumer, Edge, Graph, GraphError, Node, Producer, ProducerConsumer


def nodes(*names):
    return tuple(Node(name, Producer) for name in names)


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
        (("a", "a"), (), "a", "occurs 2 times; give each node its own name"),
        (("a", "b"), (Edge("b", "x"),), "x", "is named by an edge, but there are only a, b"),
        (
            ("a", "b", "c"),
            (Edge("b", "a"),),
            "c",
            "is not connected to any other; add an edge or leave it out",
        ),
        (("a", "b"), (Edge("a", "b"), Edge("b", "a")), "a", "is in a cycle: a -> b -> a"),
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


@pytest.mark.parametrize(
    ("kinds", "node", "problem"),
    [
        ({"a": "producer", "b": "producer"}, "b", "is a producer and cannot subscribe to another node"),
        ({"a": "consumer", "b": "consumer"}, "a", "is a consumer and has no events to subscribe to"),
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
