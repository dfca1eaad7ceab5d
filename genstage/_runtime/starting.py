"""Starting an actor and waiting until it has started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genstage._core.checks import check_seconds
from genstage._core.reasons import Killed, exception_of
from genstage._runtime.calls import Answer
from genstage._runtime.refs import refuse_silenced
from genstage._runtime.watch import link, unlink
from genstage.errors import OptionError, StartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver
    from genstage._runtime.engine import Engine
    from genstage._runtime.launch import Behaviour

__all__ = ["start_error", "start_listed"]


def start_listed(
    engine: Engine,
    make: Callable[[Driver], Behaviour],
    *,
    name: str,
    own_lane: bool = False,
    control: bool = False,
    register: bool = False,
    timeout_s: float | None = None,
    partner: LaneActor | None = None,
) -> LaneActor:
    """Start an actor that can be found by its name, and wait until it has started.

    Args:
        engine: Where.
        make: As in ``Engine.spawn``, and so are the next ones.
        name: Its name.
        own_lane: Whether it gets a thread of its own.
        control: Whether it is a supervisor.
        register: Whether pykka's registry knows it.
        timeout_s: Seconds to wait; ``None`` for ever.
        partner: To link it with before it gets any message.

    Raises:
        OptionError: The name is taken, or what it is made of refuses an option.
        StartError: It did not start; ``__cause__`` is the exception this goes back to.
        CallTimeoutError: It has not started in time; it is killed.
        ForkedRuntimeError: The runtime was made before a fork, in the parent.
        DeadStageError: The caller is a callback whose stage has been killed in it.
    """
    seconds = None if timeout_s is None else check_seconds("timeout_s", timeout_s)
    refuse_silenced()
    answer = Answer()
    born: list[LaneActor] = []

    def made(port: Driver) -> Behaviour:
        born.append(port.me)
        return make(port)

    def started(reason: Reason | None) -> None:  # in its own thread, before it gets any message
        if reason is None and partner is not None:
            link(born[0], partner)
        answer.deliver(reason)

    actor = engine.spawn(
        made if partner is not None else make,
        name=name,
        own_lane=own_lane,
        control=control,
        listed=True,
        registered=register,
        near=engine.current_actor(),
        on_started=started,
    )
    try:
        reason = answer.get(name, seconds, to="start")
    except BaseException:  # out of time, or Ctrl-C: nobody would hold a reference to it
        if partner is not None:
            unlink(actor, partner)
        engine.kill(actor, Killed())
        raise
    if reason is not None:
        raise start_error(name, reason)
    return actor


def start_error(name: str, reason: Reason) -> Exception:
    """What to raise for something that did not start: a refused option is the caller's own mistake."""
    exception = exception_of(reason)
    if isinstance(exception, OptionError):
        return exception
    error = StartError(name, reason)
    error.__cause__ = exception
    return error
