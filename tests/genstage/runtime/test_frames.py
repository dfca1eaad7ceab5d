import threading
from types import SimpleNamespace

import pytest

from genstage._runtime.frames import frames, place

DEADLINE_S = 20.0

LANE = ("genstage._runtime.shared_lane", "/lib/genstage/_runtime/shared_lane.py", "run")
CORE = ("genstage._core.consuming", "/lib/genstage/_core/consuming.py", "take")
SINK = ("genstage.streaming.sink", "/lib/genstage/streaming/sink.py", "handle_events")
USER = ("shop.reports.sales", "/app/shop/reports/sales.py", "consume_chunk")
INIT = ("shop", "/app/shop/__init__.py", "handle_events")
SCRIPT = ("__main__", "/app/job.py", "handle_events")
LAMBDA = ("__main__", "/app/job.py", "<lambda>")
LIBRARY = ("typesetter.page", "/lib/site-packages/typesetter/page.py", "compile")
STDLIB = ("threading", "/lib/python3.11/threading.py", "wait")
FROZEN = ("importlib._bootstrap", "<frozen importlib._bootstrap>", "_load")
NOBODY = (None, "<string>", "<module>")


def frame(*calls):
    """The innermost frame of calls, the outermost first; the line is their number."""
    found = None
    for number, (module, file, name) in enumerate(calls, 1):
        found = SimpleNamespace(
            f_globals={} if module is None else {"__name__": module},
            f_code=SimpleNamespace(co_filename=file, co_name=name),
            f_lineno=number,
            f_back=found,
        )
    return found


@pytest.mark.parametrize(
    ("calls", "callback", "at"),
    [
        ((STDLIB, LANE, CORE, USER), "consume_chunk", "shop/reports/sales.py:4"),
        ((LANE, CORE, USER, STDLIB, STDLIB), "consume_chunk", "shop/reports/sales.py:3"),
        ((LANE, CORE, SINK, USER, LIBRARY, STDLIB), "consume_chunk", "typesetter/page.py:5"),
        ((LANE, CORE, SINK, STDLIB), "handle_events", "genstage/streaming/sink.py:3"),
        ((LANE, CORE, SINK, LAMBDA), "handle_events", "job.py:4"),
        ((LANE, CORE, LAMBDA), "<lambda>", "job.py:3"),
        ((LANE, CORE, SCRIPT, CORE, LANE, STDLIB), "handle_events", "job.py:3"),
        ((LANE, CORE, INIT, FROZEN), "handle_events", "shop/__init__.py:3"),
        ((LANE, NOBODY), "<module>", "<string>:2"),
    ],
)
def test_the_callback_is_the_outermost_and_the_line_the_innermost_of_those_that_matter(calls, callback, at):
    assert place(frame(*calls)) == (callback, at)


@pytest.mark.parametrize("calls", [(), (STDLIB,), (STDLIB, LANE, CORE, STDLIB)])
def test_within_the_runtime_there_is_nothing_to_tell(calls):
    assert place(frame(*calls)) is None


def test_a_thread_that_waits_is_found_at_its_line():
    inside, gate = threading.Event(), threading.Event()

    def consume():
        inside.set()
        gate.wait(DEADLINE_S)

    thread = threading.Thread(target=consume)
    thread.start()
    assert inside.wait(DEADLINE_S)
    found = place(frames()[thread.ident])
    gate.set()
    thread.join()

    line = consume.__code__.co_firstlineno + 2
    assert found == ("consume", f"{__name__.replace('.', '/')}.py:{line}")
