"""The consumer's side of a stage: its subscriptions and their demand windows.

Rules, numbered for the tests and for the explanation page:

1. Options are checked before anything happens; an unknown target is told from a dead one at once.
2. The producer gets the subscription, then the stage hears of it, then the first ask goes out.
3. A message of events is cut by the subscription's window (see ``demand``); a manual subscription has none,
   asks by hand and takes messages whole.
4. Each subscription ends once, whatever is still on the way: by a cancel, by the producer's end, or because
   its data has ended. The stage hears of it; then the cancel mode says whether the stage ends too.
5. The end of the data ends no stage while another of its subscriptions lives. Then a stage with a *permanent*
   subscription among those that finished ends ``Normal``: a consumer at once, a producer-consumer when what
   it holds has left.
6. Events of an unknown subscription are answered with a cancel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genstage._core.demand import Window
from genstage._core.messages import Ask, Cancel, Subscribe
from genstage._core.options import subscription_options
from genstage._core.reasons import AlreadySubscribed, BadReturn, NoProc, UnknownSubscription
from genstage._core.results import Exit, Stop
from genstage._core.subscription import Subscription
from genstage.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genstage._core.messages import Events, Tag
    from genstage._core.options import CancelMode
    from genstage._core.reasons import Reason
    from genstage._core.stage import StageCore
    from genstage._core.subscription import Cancellation

__all__ = ["Consuming", "Upstream"]


class Upstream:
    """One subscription to a producer.

    Attributes:
        window: Its demand window; ``None`` when the stage asks by hand.
        finished: Whether the producer has said that no event follows.
        refill: The usual ask, for a full batch: one message for all of them, since nobody changes a message.
        handled: How many of its events the stage has handled to the end.
    """

    __slots__ = ("cancel", "finished", "handled", "refill", "subscription", "watch", "window")

    def __init__(self, subscription: Subscription, watch: int, cancel: CancelMode) -> None:
        self.subscription = subscription
        self.watch = watch
        self.cancel = cancel
        self.window: Window | None = None
        self.finished = False
        self.refill: Ask | None = None
        self.handled = 0


class Consuming:
    """State and rules of a stage as consumer.

    Attributes:
        upstreams: The subscriptions that have not ended, by their tags.
        closed: Whether the stage takes no more events, because its own data has ended.
        events_in: How many events have come in.
        one_finished: Whether any producer has finished.
    """

    __slots__ = (
        "_core",
        "_finish_wanted",
        "_me",
        "_port",
        "closed",
        "events_in",
        "one_finished",
        "upstreams",
    )

    def __init__(self, core: StageCore) -> None:
        self._core = core
        self._port = core.port
        self._me = core.port.me
        self.upstreams: dict[Tag, Upstream] = {}
        self.closed = False
        self.events_in = 0
        self.one_finished = False
        self._finish_wanted = False

    def subscribe(
        self, target: Any, options: Mapping[str, Any], replaces: tuple[Tag, Reason] | None = None
    ) -> Subscription:
        """Subscribe to a producer.

        Returns:
            The subscription; if the target is an unknown name, one that has ended already.

        Raises:
            OptionError: An option is wrong; nothing has happened then.
            Exit: The stage ends, because the target is unknown or ``handle_subscribe`` says so. The
                subscription that the caller is owed stands in its ``subscription``.
        """
        port = self._port
        try:
            checked = subscription_options(options)
        except OptionError as error:
            port.report("invalid_subscription_option", option=error.option, value=error.value)
            raise
        peer = port.resolve(target)
        tag = port.new_tag()
        subscription = Subscription(peer, port.me, tag, port.send)
        if peer is None:
            if checked.cancel != "temporary":
                port.report("subscribe_target_not_alive", target=target)
                raise SubscriberExit(NoProc(), subscription)
            return subscription
        watch = port.watch(peer)
        upstream = self.upstreams[tag] = Upstream(subscription, watch, checked.cancel)
        self._core.watches[watch] = tag
        port.send(peer, Subscribe(port.me, tag, options, replaces))
        mode = self._core.stage.handle_subscribe("producer", options, subscription)
        if isinstance(mode, Stop):
            raise Exit(mode.reason)
        if mode in (None, "automatic"):
            window = upstream.window = Window(checked.max_demand, checked.min_demand)
            upstream.refill = Ask(port.me, tag, window.limit)
            port.send(peer, Ask(port.me, tag, checked.max_demand))
        elif mode != "manual":
            raise Exit(BadReturn("handle_subscribe", mode))
        return subscription

    def unknown(self, message: Events) -> None:
        """Events belong to no subscription: their sender is told to stop."""
        self._port.send(message.sender, Cancel(self._port.me, message.tag, UnknownSubscription()))

    def take(self, message: Events) -> None:
        """Let the stage handle a message, batch by batch, each followed by its ask."""
        upstream = self.upstreams.get(message.tag)
        if upstream is None:
            self.unknown(message)
            return
        events = message.events
        count = len(events)
        self.events_in += count
        subscription, window = upstream.subscription, upstream.window
        if window is None:
            self._take(events, subscription)
            upstream.handled += count
        elif count == window.limit and window.outstanding == window.max_demand:
            # Usual: a full batch, when all of the window is outstanding. It leaves the window as it is, and
            # the ask is always the same. Spelled out, it saves most of the work on a small batch.
            core = self._core
            result = core.stage.handle_events(events, subscription)
            if result is not None:
                core.emit("handle_events", result)
            upstream.handled += count
            if not (self.closed or upstream.finished):
                self._port.send(subscription.producer, upstream.refill)
        else:
            batches, excesses = window.split(events)
            for excess in excesses:
                self._port.report("excess_events", count=excess)
            for batch, ask in batches:
                self._take(batch, subscription)
                upstream.handled += len(batch)
                if self.closed:
                    return
                if ask and not upstream.finished:
                    self._port.send(subscription.producer, Ask(self._me, subscription.tag, ask))

    def take_late(self, message: Events) -> None:
        """Let the stage handle events whose subscription was cancelled while they waited for their turn."""
        self.events_in += len(message.events)
        self._take(message.events, Subscription(None, self._me, message.tag, self._port.send))

    def _take(self, events: Sequence[Any], subscription: Subscription) -> None:
        """Let the stage handle a batch."""
        core = self._core
        try:
            result = core.stage.handle_events(events, subscription)
            if result is not None:
                core.emit("handle_events", result)
        except BaseException:
            core.hand = "handle_events", events
            raise

    def end(self, tag: Tag, kind: str) -> Upstream | None:
        """A subscription ends; ``None`` if it is unknown or has ended before.

        One that finished keeps its window while events of it wait in a producer-consumer: they are handled
        as they would have been before. ``remove`` forgets it.
        """
        upstream = self.upstreams.get(tag)
        if upstream is None or upstream.finished:
            return None
        self._core.watches.pop(upstream.watch, None)
        if kind != "down":
            self._port.unwatch(upstream.watch)
        if kind == "finish":
            upstream.finished = self.one_finished = True
        else:
            del self.upstreams[tag]
        return upstream

    def remove(self, upstream: Upstream) -> None:
        """Forget a subscription whose end the stage is about to hear of."""
        self.upstreams.pop(upstream.subscription.tag, None)

    def after_end(self, upstream: Upstream, cancellation: Cancellation) -> None:
        """What the end of a subscription means for the stage, once ``handle_cancel`` has run.

        Raises:
            Exit: The cancel mode says that the stage ends too.
        """
        if self.closed:
            return
        reason = cancellation.reason
        if cancellation.kind == "finish":
            self._finish_wanted = self._finish_wanted or upstream.cancel == "permanent"
        elif isinstance(reason, AlreadySubscribed):
            pass  # the dispatcher holds the first subscription, which goes on
        elif upstream.cancel == "permanent" or (upstream.cancel == "transient" and not reason.tolerated):
            self._port.report("stopping_after_cancel", reason=reason)
            raise Exit(reason)
        if self._finish_wanted and not self.upstreams:
            self._core.upstreams_finished()


class SubscriberExit(Exit):
    """The stage ends because it cannot subscribe; whoever asked is still owed the subscription."""

    def __init__(self, reason: Reason, subscription: Subscription) -> None:
        super().__init__(reason)
        self.subscription = subscription
