"""What a type checker says of stages and their references."""

from collections.abc import Sequence
from functools import partial
from operator import add
from typing import assert_type

from genstage import (
    BroadcastDispatcher,
    Consumer,
    ConsumerRef,
    Edge,
    EventStream,
    Finish,
    Graph,
    Node,
    Pipeline,
    Producer,
    ProducerConsumer,
    ProducerConsumerRef,
    ProducerRef,
    Runtime,
    Subscription,
)
from genstage.pipeline import IterableProducer, Map, Reduce, ToList

Ints = Sequence[int]


class Counter(Producer[int]):
    def __init__(self, end: int) -> None:
        self.next, self.end = 0, end

    def handle_demand(self, demand: int) -> Sequence[int] | Finish[int]:
        first, self.next = self.next, min(self.next + demand, self.end)
        events = range(first, self.next)
        return events if self.next < self.end else Finish(events)


class Doubler(ProducerConsumer[int, int]):
    def handle_events(self, events: Sequence[int], origin: Subscription) -> Sequence[int]:
        return [2 * n for n in events]


class Printer(Consumer[int]):
    def handle_events(self, events: Sequence[int], origin: Subscription) -> None:
        print(*events)


class Words(Producer[str]):
    def handle_demand(self, demand: int) -> Sequence[str]:
        return ["word"] * demand


class AsyncDoubler(ProducerConsumer[int, int]):
    async def handle_events(self, events: Ints, origin: Subscription) -> Ints:  # refused: override
        return [2 * n for n in events]


class AsyncCounter(Producer[int]):
    async def handle_demand(self, demand: int) -> Ints:  # refused: override
        return range(demand)


class Liar(ProducerConsumer[int, str]):
    def handle_events(self, events: Ints, origin: Subscription) -> Ints:  # refused: override
        return events


with Runtime() as runtime:
    counter = runtime.start(lambda: Counter(end=1_000), name="counter")
    doubler = runtime.start(Doubler, name="doubler")
    printer = runtime.start(Printer, name="printer")
    words = runtime.start(Words)
    assert_type(counter, ProducerRef[int])
    assert_type(doubler, ProducerConsumerRef[int, int])
    assert_type(printer, ConsumerRef[int])
    assert_type(runtime.from_iterable("ab"), ProducerRef[str])
    assert_type(runtime.stream([counter]), EventStream[int])
    assert_type(printer.subscribe(doubler, max_demand=10), Subscription)
    doubler.subscribe(counter, max_demand=100, min_demand=50)

    printer.subscribe(words)  # refused: arg-type
    doubler.subscribe(words)  # refused: arg-type
    doubler.subscribe(printer)  # refused: arg-type
    counter.subscribe(doubler)  # refused: attr-defined
    runtime.start(Doubler())  # refused: call-overload
    printer.subscribe(doubler, max_demand="10")  # refused: arg-type

graph = Graph(
    (
        Node("counter", partial(Counter, 3)),
        Node("names", lambda: IterableProducer(["a", "b"], dispatcher=BroadcastDispatcher())),
        Node("double", partial(Map, lambda n: 2 * n)),
        Node("printer", Printer, blocking=True),
        Node("total", partial(Reduce, add, 0)),
        Node("list", ToList),
    ),
    (Edge("printer", "double", {"max_demand": 10}), Edge("double", "counter"), Edge("total", "names")),
)
print(graph, graph.mermaid())
assert_type(Pipeline.of("print", graph).run().wait()["printer"], object)
Node("double", Doubler())  # refused: arg-type
Node("count", Counter)  # refused: arg-type
