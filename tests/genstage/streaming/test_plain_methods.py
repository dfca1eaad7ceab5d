"""A method that would only make a coroutine or a generator is refused: an empty file would be no report."""

import pytest

from genstage import OptionError, PipelineError
from genstage.streaming import SinkSpec, StreamPlan, stream

from .conftest import Lines, ListSource


async def coroutine(*_arguments):
    pass


def generator(*_arguments):
    yield


async def asynchronous_generator(*_arguments):
    yield


class Same:
    """A transform that changes nothing."""

    def begin(self):
        return 0

    def apply(self, chunk, state):
        return chunk, state


FUNCTIONS = [coroutine, generator, asynchronous_generator]
PLACES = [
    *((Lines, name) for name in ("begin", "consume_chunk", "finalize")),
    *((Same, name) for name in ("begin", "apply")),
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("base", "name"), PLACES)
def test_it_is_refused_before_anything_is_written(tmp_path, base, name, function):
    wrong = type("Wrong", (base,), {name: function})
    consumer, transform = (wrong, Same) if base is Lines else (Lines, wrong)
    plan = StreamPlan(ListSource(25), [SinkSpec("a", "a.txt", consumer)], transform)
    pipeline = stream("orders", lambda: plan, out=tmp_path, max_restarts=0)
    with pytest.raises(PipelineError) as caught:
        pipeline.run().wait(timeout_s=20)
    assert isinstance(caught.value.__cause__, OptionError)
    told = str(caught.value.__cause__)
    assert told.startswith(f"option '{name}': must be a plain method, without async and yield")
    assert "Wrong" in told
    assert list(tmp_path.iterdir()) == []
