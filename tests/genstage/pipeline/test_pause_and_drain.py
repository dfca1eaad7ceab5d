"""Runs that are paused, drained and stopped, at every moment and in every position."""

import threading

import pytest

from genstage import (
    BroadcastDispatcher,
    CallTimeoutError,
    Consumer,
    Edge,
    Finish,
    Graph,
    Node,
    PartitionDispatcher,
    Pipeline,
    PipelineError,
    Producer,
    ProducerConsumer,
    Runtime,
    Shutdown,
)

DEADLINE_S = 20.0
STAGES = ("numbers", "through", "left", "right")
MOMENTS = ("init", 0, 17, 39, "end")


def until(true):
    """Wait for something that nobody can be asked to tell."""
    deadline = threading.Event()
    for _ in range(int(DEADLINE_S * 1000)):
        if true():
            return
        deadline.wait(0.001)
    pytest.fail("it did not come")


def pipeline(line, **options):
    return Pipeline.of("line", line.graph(), **options)


def hold(line, gate, stage, moment):
    """Have a stage wait at a moment for the gate; gives what is set then."""
    reached = threading.Event()
    sinks = ("left", "right")  # which of them gets what is not fixed
    either = stage in sinks and isinstance(moment, int)

    def trap(now):
        if now == moment:
            reached.set()
            gate.wait(DEADLINE_S)

    for one in sinks if either else (stage,):
        line.traps[one] = trap
    return reached


def meanwhile(function):
    """Call a function in a thread of its own; gives a function that waits for what it returns or raises."""
    results = []

    def call():
        try:
            results.append(function())
        except Exception as error:  # noqa: BLE001 - for the test to look at
            results.append(error)

    thread = threading.Thread(target=call)
    thread.start()

    def join():
        thread.join(DEADLINE_S)
        assert results, "it hangs"
        return results[0]

    return join


def is_quiet(run):
    """Whether nothing waits for any stage, and no event is on its way or in a callback."""
    before = run.statistics()
    again = run.statistics()
    if again.oldest_in_flight_s is not None:
        return False
    moves = [(one.queue, one.events_in, one.events_out) for one in before.stages.values()]
    still = [(one.queue, one.events_in, one.events_out) for one in again.stages.values()]
    return moves == still and not any(one.queue for one in again.stages.values())


# -- pause --------------------------------------------------------------------------------------------


@pytest.mark.repeat
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("moment", ["init", 0, 3])
def test_a_pause_holds_the_sources_and_loses_nothing(line, gate, stage, moment):
    line.end = 400
    reached = hold(line, gate, stage, moment)
    with pipeline(line).run() as run:
        assert reached.wait(DEADLINE_S)
        run.pause()
        gate.set()
        until(lambda: run.statistics().state == "paused" and is_quiet(run))
        taken = len(line.left + line.right)
        assert taken < line.end
        assert sorted(line.left + line.right) == list(range(taken))
        assert taken == run.statistics().stages["numbers"].events_out
        assert moment != "init" or taken == 0
        run.resume()
        run.wait(DEADLINE_S)

    assert sorted(line.left + line.right) == list(range(line.end))


def test_a_second_pause_or_resume_changes_nothing(line, gate):
    hold(line, gate, "numbers", "init")  # or it may be over before it is paused
    with pipeline(line).run() as run:
        run.pause()
        run.pause()
        gate.set()
        until(lambda: run.statistics().state == "paused")
        run.resume()
        run.resume()
        run.wait(DEADLINE_S)

    assert sorted(line.left + line.right) == list(range(line.end))


def test_a_pause_after_the_end_changes_nothing(line):
    with pipeline(line).run() as run:
        run.wait(DEADLINE_S)
        run.pause()
        run.resume()

    assert run.statistics().state == "completed"


def test_a_run_whose_stages_begin_anew_stays_paused(line, gate, expected_errors):
    crashes = []

    def trap(moment):
        if moment == 17 and not crashes:
            crashes.append(moment)
            gate.wait(DEADLINE_S)
            raise ValueError("once")

    line.traps["through"] = trap
    with pipeline(line, max_restarts=1).run() as run:
        until(lambda: crashes)
        run.pause()
        gate.set()
        until(lambda: run.statistics().restarts == 1 and run.statistics().state == "paused")
        assert line.left + line.right == []
        run.resume()
        run.wait(DEADLINE_S)

    assert sorted(line.left + line.right) == list(range(line.end))
    assert expected_errors


def test_a_paused_run_can_be_stopped(line, gate):
    hold(line, gate, "numbers", "init")
    with pipeline(line).run() as run:
        run.pause()
        gate.set()
        until(lambda: run.statistics().state == "paused")
        run.stop(timeout_s=DEADLINE_S)

    assert run.statistics().state == "cancelled"


def test_a_paused_run_can_be_drained(line, gate):
    reached = hold(line, gate, "through", 17)
    with pipeline(line).run() as run:
        assert reached.wait(DEADLINE_S)
        run.pause()
        gate.set()
        until(lambda: run.statistics().state == "paused" and is_quiet(run))
        run.drain(timeout_s=DEADLINE_S)
        run.wait(DEADLINE_S)

    taken = sorted(line.left + line.right)
    assert taken == list(range(len(taken)))
    assert 17 < len(taken) < line.end


def test_a_pause_does_not_hold_up_a_drain(line, gate):
    reached = hold(line, gate, "right", "end")
    with pipeline(line).run() as run:
        assert reached.wait(DEADLINE_S)
        drained = meanwhile(lambda: run.drain(timeout_s=DEADLINE_S))
        until(lambda: run.statistics().state == "draining")
        run.pause()
        assert run.statistics().state == "draining"
        gate.set()
        assert drained() is None
        run.wait(DEADLINE_S)


# -- drain --------------------------------------------------------------------------------------------


@pytest.mark.repeat
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("moment", MOMENTS)
def test_draining_at_any_moment_completes_the_run_with_all_that_was_on_its_way(line, gate, stage, moment):
    line.results = {"left": "L", "right": "R"}
    reached = hold(line, gate, stage, moment)
    with pipeline(line).run() as run:
        assert reached.wait(DEADLINE_S)
        drained = meanwhile(lambda: run.drain(timeout_s=DEADLINE_S))
        until(lambda: run._supervisor._draining)
        gate.set()
        assert drained() is None
        assert run.wait(DEADLINE_S) == {"left": "L", "right": "R"}

    statistics = run.statistics()
    assert statistics.state == "completed"
    taken = sorted(line.left + line.right)
    assert taken == list(range(len(taken)))
    assert len(taken) == statistics.stages["numbers"].events_out == statistics.stages["through"].events_in
    if moment == "init":
        assert taken == []
    elif isinstance(moment, int):
        assert moment in taken


def test_a_drain_before_the_stages_start_ends_them_at_once(line, gate):
    begun = threading.Event()

    class Slow:
        whole_when_drained = True

        def attempt(self, _epoch):
            begun.set()
            gate.wait(DEADLINE_S)
            return line.graph()

        def complete(self, _restarts, results):
            return results

        def records(self):
            return 0

        def expected(self):
            return None

    with Pipeline("slow", Slow).run() as run:
        assert begun.wait(DEADLINE_S)
        drained = meanwhile(lambda: run.drain(timeout_s=DEADLINE_S))
        until(lambda: run._supervisor._draining)
        gate.set()
        assert drained() is None
        assert run.wait(DEADLINE_S) == {"left": None, "right": None}
    assert line.left + line.right == []


def test_a_drain_that_takes_too_long_tells_who_holds_it_up_and_goes_on(line, gate, caplog):
    reached = hold(line, gate, "left", "init")
    with pipeline(line).run() as run:
        assert reached.wait(DEADLINE_S)
        with pytest.raises(CallTimeoutError, match=r"'line' did not drain within 0\.01 s") as caught:
            run.drain(timeout_s=0.01)
        (note,) = caught.value.__notes__
        assert note.startswith("run 'line' is starting")
        assert "'left'" in note
        (record,) = (record for record in caplog.records if record.event == "drain timed out")
        assert (record.levelname, record.pipeline, record.explanation) == ("WARNING", "line", note)
        gate.set()
        run.drain(timeout_s=DEADLINE_S)
        run.wait(DEADLINE_S)


def test_a_drain_after_the_end_changes_nothing(line):
    with pipeline(line).run() as run:
        run.wait(DEADLINE_S)
        run.drain(timeout_s=DEADLINE_S)
        assert run.wait(DEADLINE_S) == {"left": None, "right": None}


def test_a_drain_can_be_cut_short_by_a_stop(line, gate):
    reached = hold(line, gate, "right", "end")
    with pipeline(line).run() as run:
        assert reached.wait(DEADLINE_S)
        drained = meanwhile(lambda: run.drain(timeout_s=DEADLINE_S))
        until(lambda: run.statistics().state == "draining")
        stopped = meanwhile(lambda: run.stop(timeout_s=DEADLINE_S))
        until(lambda: run.statistics().state == "stopping")
        gate.set()
        assert drained() is stopped() is None
    assert run.statistics().state in {"cancelled", "completed"}


def test_what_fails_in_a_drain_fails_the_run_and_does_not_begin_anew(line, gate, expected_errors):
    def trap(moment):
        if moment == 17:
            reached.set()
            gate.wait(DEADLINE_S)
            raise ValueError("boom")

    reached = threading.Event()
    line.traps["through"] = trap
    run = pipeline(line, max_restarts=3).run()
    assert reached.wait(DEADLINE_S)
    drained = meanwhile(lambda: run.drain(timeout_s=DEADLINE_S))
    until(lambda: run.statistics().state == "draining")
    gate.set()
    assert drained() is None
    with pytest.raises(PipelineError, match="boom"):
        run.wait(DEADLINE_S)
    assert run.statistics().restarts == 0
    assert expected_errors


class Queue(Producer):
    """Has events that nobody has asked for, and gives them out at last."""

    def __init__(self, events):
        self.waiting = list(events)

    def handle_demand(self, _demand):
        events, self.waiting = self.waiting[:1], self.waiting[1:]
        return events

    def handle_drain(self):
        return self.waiting


class Take(Consumer):
    def __init__(self, into):
        self.into = into

    def handle_events(self, events, _):
        self.into.extend(events)


def test_a_source_gives_out_what_it_has_queued():
    taken = []
    graph = Graph(
        (Node("queue", lambda: Queue(range(10))), Node("take", lambda: Take(taken))),
        (Edge("take", "queue", {"max_demand": 2}),),
    )
    with Pipeline.of("queue", graph).run() as run:
        until(lambda: taken)
        run.drain(timeout_s=DEADLINE_S)

    assert taken == list(range(10))


class Count(Producer):
    def __init__(self, first=0, step=1, **options):
        self.next, self.step, self.options = first, step, options

    def init(self):
        return self.options

    def handle_demand(self, demand):
        first, self.next = self.next, self.next + demand * self.step
        return range(first, self.next, self.step)


class Pass(ProducerConsumer):
    def __init__(self, **options):
        self.options = options

    def init(self):
        return self.options

    def handle_events(self, events, _):
        return events


def drained_in_the_middle(graph, *taken):
    with Pipeline.of("graph", graph).run() as run:
        until(lambda: all(len(one) > 50 for one in taken))
        run.drain(timeout_s=DEADLINE_S)
        run.wait(DEADLINE_S)
    assert run.statistics().state == "completed"
    return run.statistics().stages


def test_several_sources_are_drained_together():
    taken = []
    graph = Graph(
        (
            Node("even", lambda: Count(0, 2)),
            Node("odd", lambda: Count(1, 2), blocking=True),
            Node("take", lambda: Take(taken), blocking=True),
        ),
        (Edge("take", "even", {"max_demand": 10}), Edge("take", "odd", {"max_demand": 3})),
    )
    stages = drained_in_the_middle(graph, taken)

    for parity, name in enumerate(("even", "odd")):
        got = [number for number in taken if number % 2 == parity]
        assert got == list(range(parity, 2 * len(got), 2))
        assert len(got) == stages[name].events_out


def test_both_ways_of_a_diamond_get_everything():
    taken = []
    graph = Graph(
        (
            Node("count", lambda: Count(dispatcher=BroadcastDispatcher())),
            Node("fast", Pass),
            Node("slow", lambda: Pass(buffer_size=1000), blocking=True),
            Node("take", lambda: Take(taken), blocking=True),
        ),
        (
            Edge("fast", "count", {"max_demand": 10}),
            Edge("slow", "count", {"max_demand": 4}),
            Edge("take", "fast", {"max_demand": 10}),
            Edge("take", "slow", {"max_demand": 2}),
        ),
    )
    stages = drained_in_the_middle(graph, taken)

    count = stages["count"].events_out // 2
    assert sorted(taken) == sorted([*range(count), *range(count)])


def test_each_partition_gets_what_is_kept_for_it():
    even, odd = [], []
    graph = Graph(
        (
            Node(
                "count",
                lambda: Count(
                    dispatcher=PartitionDispatcher(
                        ["even", "odd"], hash=lambda n: (n, ("even", "odd")[n % 2])
                    )
                ),
            ),
            Node("even", lambda: Take(even)),
            Node("odd", lambda: Take(odd), blocking=True),
        ),
        (
            Edge("even", "count", {"partition": "even", "max_demand": 20}),
            Edge("odd", "count", {"partition": "odd", "max_demand": 2}),
        ),
    )
    stages = drained_in_the_middle(graph, even, odd)

    assert even == list(range(0, 2 * len(even), 2))
    assert odd == list(range(1, 2 * len(odd), 2))
    assert len(even) + len(odd) == stages["count"].events_out
    assert abs(len(even) - len(odd)) <= 1


class Flood(Producer):
    """Emits what nobody has asked for, and more and more of it; only its end stops it."""

    def __init__(self):
        self.next = 0

    def init(self):
        self.stage.send("more")
        return {"buffer_size": 100, "buffer_keep": "first"}

    def handle_demand(self, _demand):
        return ()

    def format_discarded(self, _count):
        return False

    def handle_info(self, _message):
        self.stage.send("more")
        self.next += 5
        return range(self.next - 5, self.next)


def test_a_source_that_never_stops_by_itself_is_drained_too():
    taken = []
    graph = Graph(
        (Node("flood", Flood), Node("take", lambda: Take(taken), blocking=True)),
        (Edge("take", "flood", {"max_demand": 3}),),
    )
    drained_in_the_middle(graph, taken)

    assert len(set(taken)) == len(taken)


# -- stop ---------------------------------------------------------------------------------------------


class Told(Consumer):
    def __init__(self, reasons):
        self.reasons = reasons

    def handle_events(self, events, _):
        pass

    def terminate(self, reason):
        self.reasons.append(reason)


def test_the_stages_learn_why_the_run_is_stopped():
    reasons = []
    graph = Graph((Node("count", Count), Node("told", lambda: Told(reasons))), (Edge("told", "count"),))
    with Pipeline.of("told", graph).run() as run:
        until(lambda: run.statistics().state == "running")
        run.stop("enough for today", timeout_s=DEADLINE_S)

    assert reasons == [Shutdown("enough for today")]


class Finished(Producer):
    def handle_demand(self, _demand):
        return Finish([1, 2, 3])


def test_two_runs_in_one_runtime_are_paused_and_drained_alone():
    taken = [], []
    with Runtime() as runtime:
        runs = [
            Pipeline.of(
                f"run {number}",
                Graph(
                    (Node("count", Count), Node("take", lambda n=number: Take(taken[n]))),
                    (Edge("take", "count"),),
                ),
            ).run(runtime=runtime)
            for number in range(2)
        ]
        runs[0].pause()
        until(lambda: runs[0].statistics().state == "paused")
        seen = len(taken[1])
        until(lambda: len(taken[1]) > seen)
        for run in runs:
            run.drain(timeout_s=DEADLINE_S)
        assert [run.statistics().state for run in runs] == ["completed", "completed"]
