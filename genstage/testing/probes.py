"""Probes: the other sides of a stage, driven by a test by hand.

A probe keeps to the protocol, and watches that the stage does: events that were not asked for, or that come
after the end, fail the next expectation. Expectations are met in order: each takes what it expects from the
front of what has come in, and says, if that is something else, what did happen.
"""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from genstage._core import messages as m
from genstage._core.checks import check_count, check_reason
from genstage._core.reasons import Normal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from genstage._core.reasons import Reason
    from genstage._runtime.driver import Driver
    from genstage._runtime.refs import StageRef

__all__ = ["DownstreamProbe", "Ground", "Probe", "UpstreamProbe"]

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


class Ground(Protocol):
    """Where probes live: a simulation or a runtime."""

    def rest(self) -> None:
        """Return when what has been set off so far has been handled."""

    def wait(self, changed: Condition, done: Callable[[], bool]) -> None:
        """Return when something is done, or when it is no use to wait any longer."""


class Probe:
    """One side of one subscription, in the hands of a test.

    Args:
        ground: Where it lives.
        stage: The stage under test.

    Attributes:
        stage: The stage under test.
    """

    _side = ""

    def __init__(self, ground: Ground, stage: StageRef) -> None:
        self.stage = stage
        self._ground = ground
        self._changed = Condition()
        self._unseen: deque[tuple[str, Any]] = deque()
        self._history: list[str] = []
        self._ended = False
        self._tag: m.Tag | None = None
        self._watch: int | None = None
        self._port: Driver

    # -- as an actor ----------------------------------------------------------------------------------

    def attach(self, port: Driver) -> Probe:
        """Become the behaviour of an actor."""
        self._port = port
        return self

    def start(self) -> Reason | None:
        """As a behaviour: called first."""
        return None

    def handle(self, message: Any) -> None:
        """As a behaviour: take a message."""
        if isinstance(message, m.Call):
            self._port.reply(message.reply, None)
        elif isinstance(message, m.Stop):
            self._port.stop(message.reason)
        elif isinstance(message, m.Down):
            if message.watch == self._watch:
                self._end("down", message.reason)
        else:
            self._take(message)

    def _take(self, message: Any) -> None:
        raise NotImplementedError

    def _saw(self, kind: str, value: Any, text: str) -> None:
        with self._changed:
            self._unseen.append((kind, value))
            self._history.append(f"got {text}")
            self._changed.notify_all()

    def _end(self, kind: str, value: Any) -> None:
        if self._watch is not None and kind != "down":
            self._port.unwatch(self._watch)
        self._watch = None
        self._saw(kind, value, _TEXTS[kind](value))
        self._ended = True

    def _tell(self, message: Any, text: str) -> None:
        with self._changed:
            self._history.append(text)
        self._port.send(self._port.resolve(self.stage), message)

    # -- what a test does -----------------------------------------------------------------------------

    def expect_nothing(self) -> None:
        """Nothing has come in that was not expected yet, and nothing more does."""
        self._ground.rest()
        self._check(not self._unseen, "nothing")

    def expect_cancelled(self, reason: Reason | None = None) -> None:
        """The stage cancels the subscription.

        Args:
            reason: Why; any reason, if it is not given.
        """
        self._expect("cancelled", reason)

    def expect_down(self, reason: Reason | None = None) -> None:
        """The stage ends without a word about the subscription.

        Args:
            reason: Why; any reason, if it is not given.
        """
        self._expect("down", reason)

    def fail(self, reason: Reason) -> None:
        """End: the stage hears that this side has gone."""
        with self._changed:
            self._history.append(f"ended ({reason})")
        self._port.stop(reason)

    def _expect(self, kind: str, value: Any) -> None:
        self._settle(lambda: bool(self._unseen))
        met = bool(self._unseen) and self._unseen[0][0] == kind and value in (None, self._unseen[0][1])
        self._check(met, _TEXTS[kind]("any reason" if value is None else value))
        self._unseen.popleft()

    def _now(self) -> list[tuple[str, Any]]:
        with self._changed:
            return list(self._unseen)

    def _settle(self, done: Callable[[], bool]) -> None:
        self._ground.rest()
        self._ground.wait(self._changed, done)

    def _check(self, met: bool, expected: str) -> None:  # noqa: FBT001 - like an assert
        if not met:
            got = ", then ".join(_TEXTS[kind](value) for kind, value in _joined(self._now())) or "nothing"
            state = "alive" if self.stage.alive else "not alive"
            raise AssertionError(
                f"{self._side} of {self.stage.name!r}: expected {expected}, got {got}\n"
                f"so far: {'; '.join(self._history) or 'nothing'}; the stage is {state}"
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.stage.name!r}>"


class UpstreamProbe(Probe, Generic[In_contra]):
    """Plays the producer of a stage under test."""

    _side = "upstream"

    def __init__(self, ground: Ground, stage: StageRef) -> None:
        super().__init__(ground, stage)
        self._asked = 0

    @property
    def demand(self) -> int:
        """How many events the stage has asked for and not been sent."""
        return 0 if self._ended else self._asked

    def expect_demand(self, count: int) -> None:
        """The stage asks for ``count`` more events, at once or little by little.

        Args:
            count: How many since the last expectation, 1 or more.
        """
        check_count("count", count, 1)
        self._settle(lambda: self._demand() >= count or any(kind != "ask" for kind, _ in self._now()))
        demand = self._demand()
        self._check(demand == count, f"a demand of {count}")
        while self._unseen and self._unseen[0][0] == "ask":
            self._unseen.popleft()

    def emit(self, *events: In_contra) -> None:
        """Send events, all in one message. The stage must have asked for them.

        Args:
            events: What to send.
        """
        self._settle(lambda: self._asked >= len(events))
        self._check(self._asked >= len(events), f"a demand of {len(events)} or more ({self._asked} is open)")
        self._asked -= len(events)
        self._tell(m.Events(self._port.me, self._open_tag(), list(events)), f"sent {_events(events)}")

    def finish(self) -> None:
        """Tell the stage that the data has ended."""
        self._leave(m.Finished(self._port.me, self._open_tag()), "finished")

    def cancel(self, reason: Reason | None = None) -> None:
        """Cancel the subscription from above; by default normally."""
        reason = check_reason(reason)
        self._leave(m.Cancelled(self._port.me, self._open_tag(), reason), f"cancelled ({reason})")

    def _leave(self, message: Any, text: str) -> None:
        if self._watch is not None:
            self._port.unwatch(self._watch)
        self._ended, self._watch = True, None
        self._tell(message, text)

    def _open_tag(self) -> m.Tag:
        self._settle(lambda: self._tag is not None)
        self._check(self._tag is not None and not self._ended, "a subscription")
        assert self._tag is not None  # noqa: S101 - it has been checked
        return self._tag

    def _demand(self) -> int:
        total = 0
        for kind, value in self._now():
            if kind != "ask":
                break
            total += value
        return total

    def _take(self, message: Any) -> None:
        if isinstance(message, m.Subscribe):
            self._tag, self._ended, self._asked = message.tag, False, 0
            self._watch = self._port.watch(message.consumer)
            with self._changed:
                self._history.append("got a subscription")
                self._changed.notify_all()
        elif getattr(message, "tag", None) != self._tag or self._ended:
            return  # it was on its way when the subscription ended
        elif isinstance(message, m.Ask):
            self._asked += message.count
            self._saw("ask", message.count, f"a demand of {message.count}")
        elif isinstance(message, m.Cancel):
            self._end("cancelled", message.reason)
            self._port.send(message.sender, m.Cancelled(self._port.me, message.tag, message.reason))


class DownstreamProbe(Probe, Generic[Out_co]):
    """Plays a consumer of a stage under test.

    Args:
        ground: Where it lives.
        stage: The stage under test.
        options: Of the subscription, for the dispatcher and for ``handle_subscribe``.
    """

    _side = "downstream"

    def __init__(self, ground: Ground, stage: StageRef, options: Mapping[str, Any]) -> None:
        super().__init__(ground, stage)
        self._options = options
        self._asked = 0
        self._events: list[Any] = []

    @property
    def events(self) -> list[Any]:
        """All events that have come in, expected or not."""
        with self._changed:
            return list(self._events)

    @property
    def ended(self) -> bool:
        """Whether the subscription is over."""
        return self._ended

    def start(self) -> Reason | None:
        """As a behaviour: subscribe."""
        port = self._port
        producer = port.resolve(self.stage)
        assert producer is not None  # noqa: S101 - a reference is always known
        self._tag = port.new_tag()
        self._watch = port.watch(producer)
        port.send(producer, m.Subscribe(port.me, self._tag, self._options))
        return None

    def ask(self, count: int) -> None:
        """Ask for more events.

        Args:
            count: How many, 1 or more.
        """
        assert self._tag is not None  # noqa: S101 - it has been started
        with self._changed:
            self._asked += check_count("count", count, 1)
        self._tell(m.Ask(self._port.me, self._tag, count), f"asked for {count}")

    def cancel(self, reason: Reason | None = None) -> None:
        """Cancel the subscription; by default normally. The stage confirms it: ``expect_cancelled``."""
        assert self._tag is not None  # noqa: S101 - it has been started
        reason = check_reason(reason)
        self._tell(m.Cancel(self._port.me, self._tag, reason), f"cancelled ({reason})")

    def expect_events(self, *events: Any) -> None:
        """Exactly these events come next, in this order; more may follow.

        Args:
            events: One or more.
        """
        count = len(events)
        self._settle(lambda: len(self._unseen) >= count or any(kind != "event" for kind, _ in self._now()))
        got = [value for kind, value in self._now()[:count] if kind == "event"]
        self._check(got == list(events), _events(events))
        for _ in range(count):
            self._unseen.popleft()

    def take(self, count: int) -> list[Any]:
        """The next events, whatever they are.

        Args:
            count: How many must come, 1 or more.
        """
        self._settle(lambda: len(self._unseen) >= count or any(kind != "event" for kind, _ in self._now()))
        kinds = [kind for kind, _ in self._now()[:count]]
        self._check(kinds == ["event"] * count, f"{count} events")
        return [self._unseen.popleft()[1] for _ in range(count)]

    def expect_finished(self) -> None:
        """The data has ended, behind the last event."""
        self._expect("finished", None)

    def _take(self, message: Any) -> None:
        if isinstance(message, m.Events):
            self._take_events(message.events)
        elif self._ended or getattr(message, "tag", None) != self._tag:
            self._saw("wrong", f"{message!r} after the end", repr(message))
        elif isinstance(message, m.Finished):
            self._end("finished", Normal())
        elif isinstance(message, m.Cancelled):
            self._end("cancelled", message.reason)

    def _take_events(self, events: Any) -> None:
        with self._changed:
            self._asked -= len(events)
            excess = -self._asked
            self._history.append(f"got {_events(events)}")
            self._events.extend(events)
            self._unseen.extend(("event", event) for event in events)
            if self._ended:
                self._unseen.append(("wrong", "events after the end"))
            elif excess > 0:
                self._unseen.append(("wrong", f"{excess} events more than it asked for"))
            self._changed.notify_all()


def _events(events: Any) -> str:
    return f"the events {list(events)!r}" if events else "no events"


_TEXTS: dict[str, Callable[[Any], str]] = {
    "ask": lambda count: f"a demand of {count}",
    "cancelled": lambda reason: f"a cancel ({reason})",
    "down": lambda reason: f"the end of the stage ({reason})",
    "event": _events,
    "finished": lambda _: "the end of the data",
    "wrong": str,
}


def _joined(items: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """With events that follow each other told as one."""
    joined: list[tuple[str, Any]] = []
    for kind, value in items:
        if kind == "event" and joined and joined[-1][0] == "event":
            joined[-1][1].append(value)
        else:
            joined.append((kind, [value] if kind == "event" else value))
    return joined
