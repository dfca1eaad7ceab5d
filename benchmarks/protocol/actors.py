"""What a message between two actors costs, and the start of one: on a lane, and on threads of pykka's."""

from __future__ import annotations

import threading
from functools import partial
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pykka

from benchmarks.measuring import interleaved, ratios
from benchmarks.protocol.idle import start_idle
from benchmarks.protocol.result import Result, Target
from genstage import Consumer, Reply, Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["call", "start", "tell"]

_TELLS = 50_000
_CALLS = 2_000
_STARTS = 2_000
_THREADS_SHARE = 0.1
_PATIENCE_S = 600.0
_MICRO = 1e6


def tell(scale: float) -> Iterator[Result]:
    """Two stages on one lane, and two actors with a thread each, send a number to and fro until it is 0."""
    yield _beside("tell", scale * _TELLS, _tell_stages, _tell_actors, 2.0)


def call(scale: float) -> Iterator[Result]:
    """A neighbour, and a thread, call a stage or an actor with a thread, and wait for each answer."""
    yield _beside("call", scale * _CALLS, _call_stage_by_stage, _call_actor_by_actor, None)
    yield _beside("call_from_thread", scale * _CALLS, _call_stage, _call_actor, None)


def start(scale: float) -> Iterator[Result]:
    """A supervisor starts stages one after the other; pykka starts actors."""
    yield _beside("start", scale * _STARTS, _start_stages, _start_actors, 50.0)


def _beside(
    workload: str,
    number: float,
    ours: Callable[[int], float],
    anchor: Callable[[int], float],
    bound: float | None,
) -> Result:
    """Microseconds each of ours and of pykka's threads."""
    many, few = max(1, int(number)), max(1, int(number * _THREADS_SHARE))
    costs = interleaved(
        {"ours": lambda: ours(many) / many * _MICRO, "pykka_threads": lambda: anchor(few) / few * _MICRO}
    )
    figures = {
        "number": many,
        **{name: median(found) for name, found in costs.items()},
        **ratios(costs["pykka_threads"], costs["ours"], "times_threads"),
    }
    targets = () if bound is None else (Target("ours", bound, at_most=True),)
    return Result(workload, "µs each", figures, targets)


class _Player(Consumer[Any]):
    """Sends each number back, less one, until it comes to 0."""

    def __init__(self, over: threading.Event) -> None:
        self._over = over

    def handle_cast(self, other: Any) -> None:
        """Meet the other one."""
        self._send = other.send

    def handle_info(self, left: int) -> None:
        """Send it back."""
        if left:
            self._send(left - 1)
        else:
            self._over.set()

    def handle_call(self, request: Any, reply_to: Any) -> Reply:  # noqa: ARG002
        """Do what is asked, if it is something to do."""
        return Reply(request() if callable(request) else request)


class _PlayerActor(pykka.ThreadingActor):
    """The same on a thread."""

    def __init__(self, over: threading.Event) -> None:
        super().__init__()
        self._over = over

    def on_receive(self, left: Any) -> Any:
        if callable(left):
            return left()
        if isinstance(left, pykka.ActorRef):
            self._send = left.tell
        elif left > 0:
            self._send(left - 1)
        elif not left:
            self._over.set()
        return left


def _tell_stages(messages: int) -> float:
    over = threading.Event()
    with Runtime() as runtime:
        one, two = (runtime.start(partial(_Player, over)) for _ in range(2))
        one.cast(two)
        two.cast(one)
        return _took_s(lambda: one.send(messages), over)


def _tell_actors(messages: int) -> float:
    over = threading.Event()
    one, two = (_PlayerActor.start(over) for _ in range(2))
    one.tell(two)
    two.tell(one)
    took_s = _took_s(lambda: one.tell(messages), over)
    for actor in (one, two):
        actor.stop()
    return took_s


def _call_stage(calls: int) -> float:
    with Runtime() as runtime:
        stage = runtime.start(partial(_Player, threading.Event()))
        return _calls_took_s(stage.call, calls)


def _call_actor(calls: int) -> float:
    actor = _PlayerActor.start(threading.Event())
    took_s = _calls_took_s(actor.ask, calls)
    actor.stop()
    return took_s


def _call_stage_by_stage(calls: int) -> float:
    with Runtime() as runtime:
        one, two = (runtime.start(partial(_Player, threading.Event())) for _ in range(2))
        return float(one.call(partial(_calls_took_s, two.call, calls), timeout_s=_PATIENCE_S))


def _call_actor_by_actor(calls: int) -> float:
    one, two = (_PlayerActor.start(threading.Event()) for _ in range(2))
    took_s: Any = one.ask(partial(_calls_took_s, two.ask, calls), timeout=_PATIENCE_S)
    for actor in (one, two):
        actor.stop()
    return float(took_s)


def _calls_took_s(ask: Callable[[int], Any], calls: int) -> float:
    began = perf_counter()
    for number in range(1, calls + 1):
        ask(-number)
    return perf_counter() - began


def _took_s(begin: Callable[[], None], over: threading.Event) -> float:
    began = perf_counter()
    begin()
    if not over.wait(_PATIENCE_S):
        raise RuntimeError("the last message does not come")
    return perf_counter() - began


def _start_stages(number: int) -> float:
    with Runtime() as runtime:
        return start_idle(runtime, number)


def _start_actors(number: int) -> float:
    began = perf_counter()
    actors = [_PlayerActor.start(threading.Event()) for _ in range(number)]
    took_s = perf_counter() - began
    for actor in actors:
        actor.stop(block=False)
    for actor in actors:
        actor.actor_stopped.wait()
    return took_s
