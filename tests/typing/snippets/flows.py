"""What a type checker says of flows: the type of every result, and what it refuses."""

from collections.abc import Sequence
from operator import add
from typing import assert_type

from genstage import (
    ChildSpec,
    Consumer,
    ConsumerSupervisor,
    Flow,
    Pipeline,
    Producer,
    ProducerConsumer,
    Run,
    Runtime,
    Subscription,
    Supervisor,
    Task,
    child_spec,
)


class Words(Producer[str]): ...


class Length(ProducerConsumer[str, int]):
    def handle_events(self, events: Sequence[str], origin: Subscription) -> Sequence[int]:
        return list(map(len, events))


class Sum(Consumer[int]): ...


def words() -> list[str]:
    return ["to", "be"]


def shout(word: str) -> Task:
    return Task(print, word.upper())


async def fetched(word: str) -> str:
    return word


numbers = Flow.from_iterable(range(3), name="numbers")
assert_type(numbers, Flow[int])
assert_type(Flow.from_iterable(words), Flow[str])
assert_type(Flow.from_iterable(iter(words())), Flow[str])
assert_type(Flow.from_producer(Words), Flow[str])
assert_type(Flow.from_producer(lambda: Words()), Flow[str])

assert_type(numbers.map(lambda n: 2 * n, name="double", max_demand=100), Flow[int])
assert_type(numbers.map(str), Flow[str])
assert_type(numbers.filter(lambda n: n > 1), Flow[int])
assert_type(numbers.flat_map(lambda n: [str(n)] * n), Flow[str])
assert_type(Flow.from_iterable(words).via(Length), Flow[int])
assert_type(numbers.merge(Flow.from_iterable(words)), Flow[int | str])

assert_type(numbers.to_list(), Pipeline[list[int]])
assert_type(numbers.reduce(add, 0, name="total"), Pipeline[int])
assert_type(numbers.reduce(lambda text, n: text + str(n), ""), Pipeline[str])
assert_type(numbers.for_each(print, blocking=True), Pipeline[None])
assert_type(numbers.to(Sum), Pipeline[object])
assert_type(numbers.to(ConsumerSupervisor(lambda n: Task(print, n + 1))), Pipeline[object])

with numbers.map(lambda n: 2 * n).reduce(add, 0).run() as run:
    assert_type(run, Run[int])
    total = run.wait(timeout_s=60)
    assert_type(total, int)
    text: str = run.wait()  # refused: assignment

spec = numbers.reduce(max, 0).child_spec("loading", restart="transient", shutdown_s=30)
assert_type(spec, ChildSpec[Run[int]])
with Runtime() as runtime:
    assert_type(runtime.supervise(numbers.to_list()), Run[list[int]])
    supervisor = runtime.supervise(Supervisor(child_spec("sum", Sum), spec, strategy="rest_for_one"))
    assert_type(supervisor.child(spec), Run[int])
    supervisor.child(spec).wait().upper()  # refused: attr-defined
    Supervisor(Sum())  # refused: arg-type

integers_are_numbers: Flow[float] = numbers
texts_are_not: Flow[int] = Flow.from_iterable(words)  # refused: arg-type

numbers.run()  # refused: attr-defined
numbers.child_spec("numbers")  # refused: attr-defined
numbers.map(len)  # refused: arg-type
numbers.map(str.upper)  # refused: arg-type
numbers.map(str).map(abs)  # refused: arg-type
numbers.flat_map(lambda n: n)  # refused: arg-type, return-value
numbers.reduce(lambda text, n: len(text) + n, "")  # refused: arg-type, return-value
numbers.via(Length)  # refused: arg-type
numbers.via(Sum)  # refused: arg-type
numbers.to(Length)  # refused: arg-type
numbers.map(str).to(Sum)  # refused: arg-type
numbers.to(ConsumerSupervisor(shout))  # refused: arg-type
numbers.to(Sum())  # refused: arg-type
Flow.from_iterable(words).map(fetched).map(str.upper)  # refused: arg-type
Flow.from_producer(Words())  # refused: arg-type
Flow.from_producer(Sum)  # refused: arg-type
Flow.from_iterable(3)  # refused: arg-type
numbers.map(str, max_demand="3")  # refused: arg-type
numbers.map(str, max_demnd=3)  # refused: call-arg
