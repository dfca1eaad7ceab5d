import subprocess
import sys
from pathlib import Path

import pytest

from genstage import Consumer, Finish, Producer, ProducerConsumer, Runtime, StartError
from genstage._core.results import Reply

PUBLIC = {
    Producer: {"handle_demand", "handle_drain"},
    ProducerConsumer: {"handle_events"},
    Consumer: {"handle_events"},
}
CALLBACKS = {
    "init",
    "handle_subscribe",
    "handle_cancel",
    "handle_call",
    "handle_cast",
    "handle_info",
    "terminate",
    "format_discarded",
}


@pytest.mark.parametrize("base", PUBLIC)
def test_the_names_a_base_class_takes_are_few(base):
    names = {name for name in dir(base) if not name.startswith("_")}

    assert names == CALLBACKS | PUBLIC[base] | {"stage"}


def test_a_stage_is_a_plain_object():
    class Counter(Producer):
        def __init__(self):
            self.next = 0

        def handle_demand(self, demand):
            first, self.next = self.next, self.next + demand
            return Finish(range(first, self.next))

    assert Counter().handle_demand(2) == Finish(range(2))
    assert vars(Counter()) == {"next": 0}


@pytest.mark.parametrize("base", PUBLIC)
def test_a_stage_that_does_not_run_says_so_when_its_context_is_used(base):
    with pytest.raises(
        AttributeError, match=f"this {base.__name__} has no attribute 'stage': .* from init on"
    ):
        base().stage  # noqa: B018 - it is the look-up that raises


def test_the_context_takes_no_other_attributes(expected_errors):
    """``trap_exits`` is a method."""

    class Slip(Consumer):
        def init(self):
            self.stage.trap_exits = True

    with Runtime() as runtime, pytest.raises(StartError, match="trap_exits"):
        runtime.start(Slip)
    assert [record.event for record in expected_errors] == ["stage failed"]


async def plain(*_arguments):
    """A coroutine function."""


async def generator(*_arguments):
    """An asynchronous generator function."""
    yield


@pytest.mark.parametrize("function", [plain, generator])
@pytest.mark.parametrize(
    ("base", "callback"), [(base, name) for base in PUBLIC for name in sorted(CALLBACKS | PUBLIC[base])]
)
def test_async_callbacks_are_refused_where_the_class_is_defined(base, callback, function):
    with pytest.raises(TypeError) as caught:
        type("Waits", (base,), {callback: function})

    assert str(caught.value) == (
        f"Waits.{callback} is async, and nobody would await it: write a plain method, "
        "start the stage with blocking=True, and run asynchronous code in it by asyncio.run"
    )


def test_an_inherited_async_callback_is_refused_and_other_async_methods_are_not():
    class Mixin:
        handle_events = plain

    with pytest.raises(TypeError, match=r"^Mixed.handle_events is async"):
        type("Mixed", (Mixin, Consumer), {})
    assert type("Fine", (Consumer,), {"fetch": plain}).fetch is plain


def test_class_keywords_reach_other_bases():
    class Registered:
        def __init_subclass__(cls, **options):
            cls.options = options

    class Mine(Consumer, Registered, color="blue"):
        pass

    assert Mine.options == {"color": "blue"}


def test_the_context_of_a_running_stage(caplog):
    class Looks(Consumer):
        def handle_call(self, _request, _reply_to):
            self.stage.log.warning("seen")
            return Reply((self.stage.name, self.stage.log is self.stage.log))

    with Runtime() as runtime:
        assert runtime.start(Looks, name="shown").call(None) == ("shown", True)

    assert [(record.name, record.stage) for record in caplog.records] == [("genstage.stage.user", "shown")]


TYPED = """
from collections.abc import Sequence

from genstage import Consumer, Finish, Producer, ProducerConsumer, Reason, Reply, Runtime, Stop, Subscription


class Numbers(Producer[int]):
    def handle_demand(self, demand: int) -> Sequence[int] | Finish[int]:
        return Finish(range(demand))


class Texts(ProducerConsumer[int, str]):
    def handle_events(self, events: Sequence[int], origin: Subscription) -> Sequence[str]:
        return [str(event) for event in events]


class Prints(Consumer[str]):
    def handle_events(self, events: Sequence[str], origin: Subscription) -> None:
        print(*events)


class Anything(Consumer[object]):
    def handle_events(self, events: Sequence[object], origin: Subscription) -> None:
        print(*events)


class Once(Consumer[str]):
    def handle_events(self, events: Sequence[str], origin: Subscription) -> Stop | None:
        return Stop() if "end" in events else None

    def terminate(self, reason: Reason) -> None:
        print(reason)


class Fed(Producer[int]):
    def handle_cast(self, request: int | None) -> Sequence[int] | Finish[int]:
        return Finish() if request is None else [request]

    def handle_call(self, request: object, reply_to: object) -> Reply:
        return Reply("closed", Finish())


class Waits(Consumer[str]):
    async def handle_events(self, events: Sequence[str], origin: Subscription) -> None:  # refused
        print(*events)


class Texty(Producer[int]):
    def handle_demand(self, demand: int) -> Sequence[str]:  # refused
        return ["text"] * demand


with Runtime() as runtime:
    numbers = runtime.start(Numbers)
    texts = runtime.start(Texts, blocking=True)
    prints = runtime.start(lambda: Prints(), name="prints")
    anything = runtime.start(Anything)
    texts.subscribe(numbers, max_demand=10)
    prints.subscribe(texts, min_demand=0)
    anything.subscribe(texts)
    anything.subscribe(numbers, cancel="transient")
    texts.resubscribe(texts.subscribe("numbers"), numbers, max_demand=5)
    texts.async_subscribe(numbers)
    texts.set_demand("forward")
    numbers.set_demand("accumulate")
    waiting: int = numbers.estimate_buffered_count() + texts.estimate_buffered_count()
    child = runtime.start(Texts, linked_to=texts)
    letters = runtime.from_iterable(["a", "b"], on_cancel="stop")
    prints.subscribe(letters, max_demand=5)
    waiting += next(runtime.stream([numbers, (numbers, {"max_demand": 5}), "numbers"], producers=[texts]))
    for number in runtime.stream([(numbers, {"max_demand": 5, "cancel": "temporary"}), (numbers, {})]):
        waiting += number
    for text in runtime.stream([texts, letters]):
        print(text.upper())
    for number in runtime.stream([texts]):  # refused
        print(number)
    texts.subscribe(letters)  # refused
    runtime.from_iterable(5)  # refused
    runtime.from_iterable(letters)  # refused
    runtime.from_iterable([1], on_cancel="never")  # refused
    runtime.stream([prints])  # refused
    runtime.stream(numbers)  # refused
    runtime.stream([numbers], demand="never")  # refused
    texts.set_demand("stop")  # refused
    prints.set_demand("forward")  # refused
    prints.estimate_buffered_count()  # refused
    numbers.resubscribe(child, numbers)  # refused
    prints.async_subscribe(numbers)  # refused
    prints.resubscribe(prints.subscribe(texts), numbers)  # refused
    runtime.start(Texts, linked_to=Texts)  # refused
    prints.subscribe(numbers)  # refused
    texts.subscribe(texts)  # refused
    prints.subscribe(prints)  # refused
    prints.subscribe(texts, cancel="never")  # refused
    numbers.subscribe(texts)  # refused
    runtime.start(Prints())  # refused
    runtime.start(dict)  # refused
    runtime.start(Prints, "prints")  # refused
"""


def test_mypy_refuses_what_does_not_fit_and_nothing_else(tmp_path):
    snippet = tmp_path / "snippet.py"
    snippet.write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context"]
    cache = ["--cache-dir", str(tmp_path / "cache")]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*command, *cache, str(snippet)], capture_output=True, text=True, check=False, cwd=root
    )

    lines = done.stdout.splitlines()
    found = {int(line.split(":")[1]) for line in lines if ": error:" in line}
    expected = {n for n, line in enumerate(TYPED.splitlines(), 1) if line.endswith("# refused")}
    assert found == expected, done.stdout + done.stderr
