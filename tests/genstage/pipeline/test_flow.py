import threading
from functools import partial
from operator import add, mul

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genstage import (
    Consumer,
    ConsumerSupervisor,
    Edge,
    Finish,
    Flow,
    GenstageError,
    Graph,
    GraphError,
    Node,
    OptionError,
    Pipeline,
    PipelineError,
    Producer,
    ProducerConsumer,
    Runtime,
    SourceError,
    Task,
)

DEADLINE_S = 20.0


def result(pipeline, **options):
    with pipeline.run(**options) as run:
        return run.wait(DEADLINE_S)


class Counter(Producer):
    def __init__(self, end=5):
        self.next, self.end = 0, end

    def handle_demand(self, demand):
        first, self.next = self.next, min(self.next + demand, self.end)
        events = range(first, self.next)
        return events if self.next < self.end else Finish(events)


class Doubler(ProducerConsumer):
    def __init__(self, factor=2):
        self.factor = factor

    def handle_events(self, events, _):
        return [self.factor * event for event in events]


class Keep(Consumer):
    def __init__(self, into):
        self.into = into

    def handle_events(self, events, _):
        self.into.extend(events)
        self.stage.set_result(len(self.into))


def double(number):
    return 2 * number


async def asynchronous(event):
    return event


async def asynchronous_generator(event):
    yield event


class Asynchronous:
    async def __call__(self, event):
        return event


def numbers(end=10, **options):
    return Flow.from_iterable(range(end), **options)


# -- what comes out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_demand", [1, 2, 7, 1000])
def test_three_stages_in_plain_functions(max_demand):
    pipeline = (
        Flow.from_iterable(range(1_000), name="numbers")
        .map(lambda n: 2 * n, name="double", max_demand=max_demand)
        .reduce(add, 0, name="total")
    )
    with pipeline.run() as run:
        assert run.wait(timeout_s=60) == 999_000
    stages = run.statistics().stages
    assert {name: (stage.events_in, stage.events_out) for name, stage in stages.items()} == {
        "numbers": (0, 1000),
        "double": (1000, 1000),
        "total": (1000, 0),
    }


@pytest.mark.parametrize("end", [0, 1, 2, 1000, 2345])
def test_every_stage_does_what_its_function_says(end):
    pipeline = (
        numbers(end)
        .map(double)
        .filter(lambda n: n % 3)
        .flat_map(lambda n: [n, str(n)] if n % 4 else ())
        .to_list(max_demand=10, min_demand=9)
    )
    expected = []
    for number in range(end):
        if (2 * number) % 3 and (2 * number) % 4:
            expected += [2 * number, str(2 * number)]
    assert result(pipeline) == expected


def test_producers_consumers_and_what_is_between_them_can_be_stages():
    into = []
    pipeline = Flow.from_producer(Counter).via(lambda: Doubler(3)).via(Doubler).to(lambda: Keep(into))
    assert result(pipeline) == 5
    assert into == [0, 6, 12, 18, 24]


def test_a_function_is_called_for_each():
    into = []
    assert result(numbers(3).for_each(into.append)) is None
    assert into == [0, 1, 2]


def test_a_child_for_each_event_can_close_a_flow():
    done = []
    pipeline = numbers(30).map(double).to(ConsumerSupervisor(lambda n: Task(done.append, n)), max_demand=4)
    assert result(pipeline) is None
    assert sorted(done) == list(range(0, 60, 2))
    assert (
        str(pipeline.graph).splitlines()[-1].strip()
        == "└─ ConsumerSupervisor (ConsumerSupervisor)  max_demand=4"
    )


def test_flows_are_merged():
    flow = (
        numbers(500, name="a").map(lambda n: ("a", n)).merge(numbers(300, name="b").map(lambda n: ("b", n)))
    )
    merged = result(flow.merge(Flow.from_iterable([("c", 0)])).map(lambda pair: pair).to_list())
    assert [n for name, n in merged if name == "a"] == list(range(500))
    assert [n for name, n in merged if name == "b"] == list(range(300))
    assert len(merged) == 801
    assert ("c", 0) in merged


def test_flows_can_be_merged_where_they_are_closed():
    assert sorted(result(numbers(3).merge(numbers(2), numbers(1)).to_list())) == [0, 0, 0, 1, 1, 2]


def test_a_blocking_stage_has_a_thread_that_others_have_not():
    flow = numbers(20).map(lambda _: threading.current_thread(), blocking=True, max_demand=4)
    pairs = result(flow.map(lambda own: (own, threading.current_thread()), max_demand=4).to_list())
    assert len(pairs) == 20
    own, others = ({pair[side] for pair in pairs} for side in (0, 1))
    assert len(own) == 1
    assert own.isdisjoint(others)


STEPS = {
    "double": (lambda flow, **o: flow.map(double, **o), lambda events: [2 * n for n in events]),
    "odd": (lambda flow, **o: flow.filter(lambda n: n % 2, **o), lambda events: [n for n in events if n % 2]),
    "none": (lambda flow, **o: flow.filter(lambda _: False, **o), lambda _: []),
    "repeat": (
        lambda flow, **o: flow.flat_map(lambda n: [n] * (n % 4), **o),
        lambda events: [n for n in events for _ in range(n % 4)],
    ),
    "add": (
        lambda flow, **o: flow.via(lambda: Doubler(3), **o),
        lambda events: [3 * n for n in events],
    ),
}
A_STEP = st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from([1, 2, 3, 10, 1000]))
A_LINE = st.tuples(st.lists(st.integers(0, 99), max_size=40), st.lists(A_STEP, max_size=5))


def test_any_flow_comes_to_what_plain_loops_do():
    def built(line):
        events, steps = line
        flow = Flow.from_iterable(events)
        for step, max_demand in steps:
            flow, events = STEPS[step][0](flow, max_demand=max_demand), STEPS[step][1](events)
        return flow, events

    with Runtime() as runtime:

        @given(A_LINE, st.lists(A_LINE, max_size=2), A_STEP)
        def check(line, others, last):
            flow, events = built(line)
            assert result(flow.to_list(), runtime=runtime) == events
            merged = [built(other) for other in others]
            flow = STEPS[last[0]][0](flow.merge(*(other for other, _ in merged)), max_demand=last[1])
            events = STEPS[last[0]][1](sum((other for _, other in merged), events))
            assert sorted(result(flow.to_list(), runtime=runtime)) == sorted(events)
            assert result(flow.reduce(add, 0), runtime=runtime) == sum(events)

        check()


# -- a recipe ---------------------------------------------------------------------------------------------


def test_a_flow_can_be_gone_on_with_in_several_ways():
    flow = numbers(4)
    doubled, tripled = flow.map(double), flow.map(lambda n: 3 * n)
    shown = repr(flow), repr(doubled)
    assert result(doubled.to_list()) == [0, 2, 4, 6]
    assert result(tripled.to_list()) == [0, 3, 6, 9]
    assert result(doubled.reduce(add, 0)) == 12
    assert (repr(flow), repr(doubled)) == shown == ("<Flow 'iterable' of 1>", "<Flow 'double' of 2>")


def test_runs_do_not_share_what_they_sum_up():
    def keep(seen, number):
        seen.append(number)
        return seen

    initial = [-1]
    pipeline = numbers(3).reduce(keep, initial)
    initial.append("changed")
    with pipeline.run() as first, pipeline.run() as second:
        found = [first.wait(DEADLINE_S), second.wait(DEADLINE_S), result(pipeline)]
    assert found == [[-1, 0, 1, 2]] * 3


def test_a_function_makes_the_events_anew_for_each_run():
    made = []

    def orders():
        made.append(1)
        return iter("abc")

    pipeline = Flow.from_iterable(orders).to_list()
    assert [result(pipeline), result(pipeline)] == [["a", "b", "c"]] * 2
    assert made == [1, 1]


def test_an_iterator_is_read_once():
    pipeline = Flow.from_iterable(iter("abc"), name="letters").to_list()
    assert result(pipeline) == ["a", "b", "c"]
    with pytest.raises(
        SourceError,
        match=r"^source letters: cannot be replayed: an iterator can be read once; "
        r"pass a list, or a function that makes it$",
    ):
        pipeline.run()


@pytest.mark.usefixtures("expected_errors")
def test_stages_that_begin_anew_cannot_have_an_iterator_again():
    def fail(letter):
        raise ValueError(letter)

    pipeline = Flow.from_iterable(iter("abc"), name="letters").map(fail).to_list()
    with pytest.raises(PipelineError) as caught:
        result(pipeline.with_options(max_restarts=2))
    replayed, crashed = caught.value.failures
    assert (replayed.stage, crashed.stage) == ("letters", "fail")
    assert str(replayed.exception).startswith(
        "source letters: cannot be replayed: an iterator can be read once;"
    )
    assert isinstance(crashed.exception, ValueError)


@pytest.mark.usefixtures("expected_errors")
def test_stages_do_not_begin_anew_unless_they_are_to():
    calls = []

    def fail(number):
        calls.append(number)
        raise ValueError(number)

    with pytest.raises(PipelineError):
        result(numbers().for_each(fail))
    assert calls == [0]


@pytest.mark.usefixtures("expected_errors")
def test_stages_begin_anew_from_a_list():
    failures = [ValueError("once")]

    def fail_once(letter):
        if failures:
            raise failures.pop()
        return letter

    pipeline = Flow.from_iterable(list("abc")).map(fail_once).to_list().with_options(max_restarts=1)
    with pipeline.run() as run:
        assert run.wait(DEADLINE_S) == ["a", "b", "c"]
    assert run.statistics().restarts == 1


def test_a_run_that_does_not_start_leaves_the_iterator_to_others():
    pipeline = Flow.from_iterable(iter("abc")).merge(Flow.from_iterable(iter("d"))).to_list()
    with Runtime() as runtime:
        pass
    with pytest.raises(GenstageError):
        pipeline.run(runtime=runtime)
    assert sorted(result(pipeline)) == ["a", "b", "c", "d"]


def test_two_runs_at_once_do_not_share_an_iterator():
    pipeline = Flow.from_iterable(iter("abc")).to_list()
    with pipeline.run() as run:
        with pytest.raises(SourceError):
            pipeline.run()
        assert run.wait(DEADLINE_S) == ["a", "b", "c"]


@pytest.mark.usefixtures("expected_errors")
def test_a_flow_can_be_supervised_and_an_iterator_once():
    pipeline = Flow.from_iterable(iter("abc"), name="letters").to_list()
    with Runtime() as runtime:
        assert runtime.supervise(pipeline, name="first").wait(DEADLINE_S) == ["a", "b", "c"]
        with pytest.raises(PipelineError) as caught:
            runtime.supervise(pipeline, name="second").wait(DEADLINE_S)
    assert str(caught.value.__cause__).startswith(
        "source letters: cannot be replayed: an iterator can be read"
    )


def test_a_pipeline_shows_its_graph():
    pipeline = numbers(name="numbers").map(double, max_demand=10).filter(bool).reduce(add, 0, name="total")
    assert str(pipeline.graph).splitlines() == [
        "numbers (IterableProducer)",
        "└─ double (Map)  max_demand=10",
        "   └─ bool (Filter)",
        "      └─ total (Reduce)",
    ]
    letters = Flow.from_iterable(iter("abc"), name="letters").to_list()
    assert str(letters.graph).splitlines()[0] == "letters (IterableProducer)"
    graph = Graph((Node("numbers", Counter), Node("keep", Keep)), (Edge("keep", "numbers"),))
    assert Pipeline.of("plain", graph).graph is graph


def test_options_of_a_pipeline_can_be_changed_in_a_copy():
    pipeline = numbers(4).reduce(add, 0, name="total")
    other = pipeline.with_options(name="sum", max_restarts=2, shutdown_s=1.5)
    assert (repr(pipeline), repr(other)) == ("<Pipeline 'total'>", "<Pipeline 'sum'>")
    assert (result(pipeline), result(other)) == (6, 6)
    assert other.with_options(name="total").graph is pipeline.graph
    with pytest.raises(OptionError):
        pipeline.with_options(max_restarts=-1)


def test_default_names_are_unique():
    pipeline = numbers().map(str).map(str, name="str-2").map(str).map(lambda e: e).map(lambda e: e)
    with pipeline.map(partial(mul, 2)).to_list().run() as run:
        run.wait(DEADLINE_S)
    assert set(run.statistics().stages) == {
        "iterable", "str", "str-2", "str-3", "map", "map-2", "mul", "to_list"
    }  # fmt: skip


# -- what is refused --------------------------------------------------------------------------------------

ASYNC = "must be a plain function of one event, for nobody would await it: run asynchronous code in it by"
INSTANCE = "got a {0} object; pass the class or a function that makes it, e.g. lambda: {0}(...)"
KIND = "is a {}, where a {} is needed"
NAME = "option 'name': must be text, at least a letter, got {!r}"
TWICE = "occurs twice; give each stage its own name"


@pytest.mark.parametrize(
    ("build", "node", "problem"),
    [
        (lambda flow: flow.via(Doubler(2), name="double"), "double", INSTANCE.format("Doubler")),
        (lambda flow: flow.to(Keep([])), "Keep", INSTANCE.format("Keep")),
        (lambda _: Flow.from_producer(Counter(), name="c"), "c", INSTANCE.format("Counter")),
        (
            lambda flow: flow.via(3),
            "via",
            "got 3; pass the class or a function that makes it, e.g. lambda: Counter(3)",
        ),
        (lambda flow: flow.via(Counter), "Counter", KIND.format("Producer", "ProducerConsumer")),
        (lambda flow: flow.via(partial(Keep, [])), "Keep", KIND.format("Consumer", "ProducerConsumer")),
        (lambda flow: flow.to(Doubler), "Doubler", KIND.format("ProducerConsumer", "Consumer")),
        (lambda _: Flow.from_producer(Keep), "Keep", KIND.format("Consumer", "Producer")),
        (
            lambda _: Flow.from_iterable("abc"),
            "iterable",
            "option 'iterable': must be an iterable of events (no text or mapping), or a function that makes",
        ),
        (lambda flow: flow.map(3), "map", "option 'function': must be a function of one event, got 3"),
        (
            lambda flow: flow.map(Doubler),
            "Doubler",
            "option 'function': must be a function of one event; a stage's class belongs in a node",
        ),
        (
            lambda flow: flow.map(asynchronous),
            "asynchronous",
            f"option 'function': {ASYNC} asyncio.run, with blocking=True, got {asynchronous!r}",
        ),
        (lambda flow: flow.filter(partial(asynchronous)), "asynchronous", f"option 'function': {ASYNC}"),
        (lambda flow: flow.flat_map(asynchronous_generator, name="x"), "x", f"option 'function': {ASYNC}"),
        (lambda flow: flow.for_each(Asynchronous()), "for_each", f"option 'function': {ASYNC}"),
        (
            lambda flow: flow.reduce(asynchronous, 0),
            "asynchronous",
            "option 'function': must be a plain function of the value so far and an event, for nobody",
        ),
        (
            lambda flow: flow.reduce(add, threading.Lock()),
            "add",
            "option 'initial': must be a value that can be copied: each run begins with its own",
        ),
        (
            lambda flow: flow.map(str, max_demand=0),
            "str",
            "option 'max_demand': must be 1 or more, got 0",
        ),
        (
            lambda flow: flow.map(str, max_demand=4, min_demand=4),
            "str",
            "option 'min_demand': must be 3 or less, got 4",
        ),
        (
            lambda flow: flow.map(str, blocking=1),
            "str",
            "option 'blocking': must be True or False, got 1",
        ),
        (lambda _: numbers(blocking=1), "iterable", "option 'blocking': must be True or False, got 1"),
        (
            lambda flow: flow.map(str, max_demnd=1),
            "str",
            "option 'max_demnd': there are name, max_demand, min_demand, blocking, got 1",
        ),
        (lambda flow: flow.map(str, name=3), "str", NAME.format(3)),
        (lambda _: numbers(name=""), "iterable", NAME.format("")),
        (lambda flow: flow.map(str, name="numbers"), "numbers", TWICE),
        (lambda flow: flow.to_list(name="numbers"), "numbers", TWICE),
        (lambda flow: flow.merge(numbers(name="numbers")), "numbers", TWICE),
        (
            lambda flow: flow.map(str).merge(flow.map(str)),
            "numbers",
            "is in both flows that are merged, and its events would go one way or the other; write a ",
        ),
    ],
)
def test_what_is_wrong_is_refused_when_it_is_written(build, node, problem):
    with pytest.raises(GraphError) as caught:
        build(numbers(name="numbers"))
    assert caught.value.node == node
    assert caught.value.problem.startswith(problem)


def test_a_flow_without_a_sink_cannot_run():
    with pytest.raises(
        AttributeError,
        match=r"^<Flow 'iterable' of 1> has no 'run' without a sink: "
        r"close it by reduce, to_list, for_each or to$",
    ):
        numbers().run()
    with pytest.raises(AttributeError, match=r"^<Flow 'iterable' of 1> has no 'child_spec' without a sink: "):
        numbers().child_spec("numbers")
    with pytest.raises(AttributeError, match=r"^'Flow' object has no attribute 'collect'$"):
        numbers().collect()


def test_a_stage_of_the_wrong_kind_fails_at_the_start():
    with pytest.raises(PipelineError) as caught:
        result(numbers().via(lambda: Counter(3), name="count").to_list())
    assert str(caught.value.__cause__) == (
        "node 'count': is a producer and cannot subscribe to another node; make it a ProducerConsumer"
    )


@pytest.mark.parametrize("wrong", ["ab", b"ab", {1: 2}, 3])
@pytest.mark.usefixtures("expected_errors")
def test_what_flat_map_would_take_apart_fails_the_run(wrong):
    with pytest.raises(PipelineError) as caught:
        result(numbers(1).flat_map(lambda _: wrong, name="flat").to_list())
    assert caught.value.failures[0].stage == "flat"
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.usefixtures("expected_errors")
def test_a_function_that_raises_fails_the_run_with_the_stage_and_its_exception():
    told = r"^pipeline 'add': stage 'inverse' failed: ZeroDivisionError"
    with pytest.raises(PipelineError, match=told) as caught:
        result(numbers().map(lambda n: 1 / n, name="inverse").reduce(add, 0))
    assert caught.value.__cause__.__notes__[0] == "at event 1 of 10: 0"
