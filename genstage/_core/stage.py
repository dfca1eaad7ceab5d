"""The state machine of one stage. ``StageCore.handle`` is the only way in, its port the only way out.

Rules that make it sound:

1. The state is consistent before every call on the port or of a callback.
2. The port never raises into the core.
3. ``port.stop`` is the last call of a turn, after the stage's ``terminate``.
4. A callback that raises, or returns what it must not, ends the stage: there is no half-handled message.
5. What the stage sends to itself (released infos, asks for what a selector rejected, ``Drained``) waits
   behind the messages that are there already, so that nobody is starved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from genstage._core import messages as m
from genstage._core.consuming import Consuming, SubscriberExit
from genstage._core.dispatchers.demand import DemandDispatcher
from genstage._core.incident import blamed, hand_of
from genstage._core.messages import Ask, Events
from genstage._core.options import stage_options
from genstage._core.pending import Pending, PendingEnd, PendingInfo
from genstage._core.producing import Producing
from genstage._core.reasons import BadReturn, Crash, Normal, Reason
from genstage._core.results import Exit, Reply, Stop, Unanswered, checked_events
from genstage._core.subscription import Cancellation
from genstage.errors import AtHand, NotAConsumerError, OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from genstage._core.consuming import Upstream
    from genstage._core.port import Port

__all__ = ["Kind", "StageCore"]

Kind = Literal["producer", "producer_consumer", "consumer"]


class StageCore:
    """One stage.

    Args:
        stage: The user's object, with the callbacks.
        kind: What it is.
        port: The way out.
        name: For errors.

    Attributes:
        finishing: Whether its own data has ended.
        drained: Whether that is because it was drained.
        hand: The callback that has just failed, with its argument.
    """

    __slots__ = (
        "_drained_sent",
        "consuming",
        "drained",
        "finishing",
        "hand",
        "kind",
        "name",
        "pending",
        "port",
        "producing",
        "stage",
        "watches",
    )

    def __init__(self, stage: Any, kind: Kind, port: Port, name: str) -> None:
        self.stage = stage
        self.kind: Kind = kind
        self.port = port
        self.name = name
        self.watches: dict[int, m.Tag] = {}
        self.producing: Producing | None = None
        self.consuming: Consuming | None = None
        self.pending: Pending | None = None
        self.finishing = False
        self.drained = False
        self.hand: tuple[str, Any] | None = None
        self._drained_sent = False

    def start(self) -> Reason | None:
        """Run ``init`` and the subscriptions it asks for.

        Returns:
            ``None``, or why the stage does not start; ``terminate`` does not run then.
        """
        try:
            options = self.stage.init()
            if isinstance(options, Stop):
                return _checked(options.reason)
            if options is not None and not hasattr(options, "items"):
                return BadReturn("init", options)
            self._configure(options)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it must not take the thread down
            return _checked(error.reason) if isinstance(error, Exit) else Crash(error, at_hand=AtHand("init"))
        return None

    def handle(self, message: Any) -> None:
        """Handle one message, to the end."""
        try:
            kind = type(message)
            if kind is Events:  # these two are nearly all of the traffic
                if self.pending is not None:
                    self.pending.take(message)
                elif self.consuming is not None:
                    self.consuming.take(message)
                else:
                    self._wrong_kind(message)
            elif kind is Ask:
                if self.producing is not None:
                    self.producing.ask(message)
                    if self.pending is not None and self.pending.entries:
                        self.pending.work()
                else:
                    self._wrong_kind(message)
            else:
                self._HANDLERS[kind](self, message)
            if self.finishing:
                self._finish_when_drained()
        except BaseException as error:  # noqa: BLE001 - SystemExit in a callback is the stage's end, not ours
            self.hand = self.hand or hand_of(message)
            self._end(_checked(error.reason) if isinstance(error, Exit) else Crash(error))

    # -- called by the two sides ----------------------------------------------------------------------

    def emit(self, callback: str, result: Any) -> None:
        """Send on what a callback returned."""
        if self.producing is not None:
            self.producing.emit(callback, result)
        elif result is not None and checked_events(callback, result):
            self.port.report("consumer_cannot_emit", callback=callback)

    def upstream_gone(self, upstream: Upstream, cancellation: Cancellation) -> None:
        """Tell the stage that one of its own subscriptions has ended."""
        self._consuming.remove(upstream)
        self.emit("handle_cancel", self.stage.handle_cancel(cancellation, upstream.subscription))
        self._consuming.after_end(upstream, cancellation)

    def upstreams_finished(self) -> None:
        """All producers have finished: so does the stage, when what it holds has left.

        Raises:
            Exit: It holds nothing, being no producer.
        """
        if self.producing is None:
            raise Exit(Normal())
        if self.pending is None or self.pending.only_infos():
            self.begin_end()  # else the last end that is queued gets here again

    def begin_end(self) -> None:
        """No more data comes in, and none is asked for."""
        self.finishing = True
        self._producing.pulls = False
        if self.consuming is not None:
            self.consuming.closed = True

    # -- messages -------------------------------------------------------------------------------------

    def _configure(self, given: Mapping[str, Any] | None) -> None:
        options = stage_options(self.kind, given, DemandDispatcher)
        if self.kind != "consumer":
            self.producing = Producing(self, options)
        if self.kind == "producer":
            return
        consuming = self.consuming = Consuming(self)
        if self.producing is not None:
            self.pending = Pending(self, self.producing, consuming)
        for entry in options.subscribe_to:
            target, wanted = entry if isinstance(entry, tuple) else (entry, {})
            consuming.subscribe(target, wanted)

    def _on_subscribe(self, message: m.Subscribe) -> None:
        if self._is_producer(message):
            self._producing.subscribe(message)
            self._work()

    def _on_ask_later(self, message: m.AskLater) -> None:
        self._producing.replenish(message)
        self._work()

    def _on_cancel(self, message: m.Cancel) -> None:
        if self._is_producer(message):
            self._producing.consumer_gone(message.tag, Cancellation("cancel", message.reason))
            self._work()

    def _on_cancelled(self, message: m.Cancelled) -> None:
        if self._is_consumer(message):
            self._upstream_ended(message.tag, Cancellation("cancel", message.reason))

    def _on_drain(self, message: m.Drain) -> None:
        if self.kind == "producer":
            self.drained = self.drained or not self.finishing
            self._producing.drain(None if self.finishing else self.stage.handle_drain())
        else:
            self._wrong_kind(message)

    def _on_drained(self, _message: m.Drained) -> None:
        self._drained_sent = False
        if not self.pending and self._producing.finished():
            self._producing.say_finished()
            raise Exit(Normal())

    def _on_finished(self, message: m.Finished) -> None:
        if self._is_consumer(message):
            self._upstream_ended(message.tag, Cancellation("finish", Normal()))

    def _on_down(self, message: m.Down) -> None:
        tag = self.watches.pop(message.watch, None)
        if tag is None:
            return
        cancellation = Cancellation("down", message.reason)
        if self.producing is not None and tag in self.producing.consumers:
            self.producing.consumer_gone(tag, cancellation)
            self._work()
        else:
            self._upstream_ended(tag, cancellation)

    def _on_subscribe_to(self, message: m.SubscribeTo) -> None:
        if self.consuming is None:
            self.port.report("not_a_consumer", target=message.target)
            self.port.reply(message.reply, NotAConsumerError(self.name))
            return
        try:
            subscription = self.consuming.subscribe(message.target, message.options, message.replaces)
        except OptionError as error:
            self.port.reply(message.reply, error)
        except SubscriberExit as exit_:
            self.port.reply(message.reply, exit_.subscription)
            raise
        else:
            self.port.reply(message.reply, subscription)

    def _on_cancel_upstream(self, message: m.CancelUpstream) -> None:
        upstream = None if self.consuming is None else self.consuming.upstreams.get(message.tag)
        if upstream is not None:
            upstream.subscription.cancel(message.reason)

    def _on_ask_upstream(self, message: m.AskUpstream) -> None:
        upstream = None if self.consuming is None else self.consuming.upstreams.get(message.tag)
        if upstream is not None:
            upstream.subscription.ask(message.count)

    def _on_call(self, message: m.Call) -> None:
        result = self.stage.handle_call(message.request, message.reply)
        if isinstance(result, Reply):
            self._emit_unasked("handle_call", result.events)
            self.port.reply(message.reply, result.value)
        elif isinstance(result, Unanswered):
            self._emit_unasked("handle_call", result.events)
        elif isinstance(result, Stop) and isinstance(result.reply, Reply | None):
            if result.reply is not None:
                self.emit("handle_call", result.reply.events)
                self.port.reply(message.reply, result.reply.value)
            raise Exit(result.reason)
        else:
            raise Exit(BadReturn("handle_call", result))

    def _on_cast(self, message: m.Cast) -> None:
        self._emit_unasked("handle_cast", self.stage.handle_cast(message.request))

    def _on_info(self, message: m.Info) -> None:
        if message.reply is not None:
            self.port.reply(message.reply, None)
        if self.pending:
            self.pending.entries.append(PendingInfo(message.message))
        elif self.producing is not None:
            self.producing.info(message.message)
        else:
            self._on_message(m.Message(message.message))

    def _on_message(self, message: m.Message) -> None:
        self._emit_unasked("handle_info", self.stage.handle_info(message.message))

    def _emit_unasked(self, callback: str, result: Any) -> None:
        """Send on what a callback returned that nobody has asked for events; once drained, discard it."""
        if self.drained:
            self._producing.discard(len(self._producing.events_of(callback, result)))
        else:
            self.emit(callback, result)

    def _on_apply(self, message: m.Apply) -> None:
        try:
            value = message.function(self.stage)
        except Exception as error:
            if message.reply is None:
                raise
            value = error
        self.port.reply(message.reply, value)

    def _on_set_demand(self, message: m.SetDemand) -> None:
        if self.kind == "producer":
            self._producing.set_mode(message.mode)
        elif self.kind == "consumer" or message.mode == "accumulate":
            self.port.report("demand_mode_not_supported", mode=message.mode)

    def _on_get_demand(self, message: m.GetDemand) -> None:
        self.port.reply(message.reply, "forward" if self.producing is None else self.producing.mode)

    def _on_estimate_buffered(self, message: m.EstimateBuffered) -> None:
        if self.producing is None:
            self.port.report("not_a_producer")
        self.port.reply(message.reply, 0 if self.producing is None else self.producing.estimate_buffered())

    def _on_stop(self, message: m.Stop) -> None:
        raise Exit(message.reason)

    # -- both sides -----------------------------------------------------------------------------------

    @property
    def _producing(self) -> Producing:
        assert self.producing is not None  # noqa: S101 - callers have checked the kind
        return self.producing

    @property
    def _consuming(self) -> Consuming:
        assert self.consuming is not None  # noqa: S101 - callers have checked the kind
        return self.consuming

    def _wrong_kind(self, message: Any) -> None:
        self.port.report("wrong_kind_message", message=message)

    def _is_producer(self, message: Any) -> bool:
        if self.producing is None:
            self._wrong_kind(message)
        return self.producing is not None

    def _is_consumer(self, message: Any) -> bool:
        if self.consuming is None:
            self._wrong_kind(message)
        return self.consuming is not None

    def _upstream_ended(self, tag: m.Tag, cancellation: Cancellation) -> None:
        consuming = self.consuming
        upstream = None if consuming is None else consuming.end(tag, cancellation.kind)
        if upstream is None:
            return
        if self.pending:
            self.pending.entries.append(PendingEnd(upstream, cancellation))
            self.pending.work()
        else:
            self.upstream_gone(upstream, cancellation)

    def _work(self) -> None:
        if self.pending is not None:
            self.pending.work()

    # -- end of data ----------------------------------------------------------------------------------

    def _finish_when_drained(self) -> None:
        if self.pending:
            self.pending.settle()
        if self._producing.finished() and not self._drained_sent:
            self._drained_sent = True
            self.port.send(self.port.me, m.Drained())

    def _end(self, reason: Reason) -> None:
        hand, self.hand = self.hand, None
        if isinstance(reason, BadReturn) and reason.stage is None:  # the runtime logs an exception
            self.port.report("bad_return", problem=str(reason))
        reason = blamed(reason, self.name, hand)
        try:
            self.stage.terminate(reason)
        except BaseException as error:  # noqa: BLE001 - a failing terminate is the reason that counts
            reason = Crash(error, self.name, AtHand("terminate"))
        self.port.stop(reason)

    _HANDLERS: ClassVar[dict[type, Callable[[StageCore, Any], None]]] = {
        m.Apply: _on_apply,
        m.AskLater: _on_ask_later,
        m.AskUpstream: _on_ask_upstream,
        m.Call: _on_call,
        m.Cancel: _on_cancel,
        m.CancelUpstream: _on_cancel_upstream,
        m.Cancelled: _on_cancelled,
        m.Cast: _on_cast,
        m.Down: _on_down,
        m.Drain: _on_drain,
        m.Drained: _on_drained,
        m.EstimateBuffered: _on_estimate_buffered,
        m.Finished: _on_finished,
        m.GetDemand: _on_get_demand,
        m.Info: _on_info,
        m.Message: _on_message,
        m.SetDemand: _on_set_demand,
        m.Stop: _on_stop,
        m.Subscribe: _on_subscribe,
        m.SubscribeTo: _on_subscribe_to,
    }


def _checked(reason: Any) -> Reason:
    """The reason that a callback's ``Stop`` gives, which can be anything."""
    return reason if isinstance(reason, Reason) else BadReturn("Stop", reason)
