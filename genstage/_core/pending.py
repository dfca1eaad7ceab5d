"""What waits inside a producer-consumer until somebody wants its output.

Events, and behind them infos and ends of subscriptions: nothing overtakes what came before it. Rules,
numbered for the tests and for the explanation page:

1. Events are handled only while the dispatcher expects some and the buffer is empty. (GenStage 1.3.2 goes by
   a demand counter of its own, which a departed or late consumer leaves wrong: ``pc-orphan-demand`` and
   ``broadcast-pile-up``.)
2. A message of events is handled whole; what nobody waits for goes to the buffer.
3. Infos and ends are looked at in their turn and under the same condition. Only once a producer has finished
   and no events are queued any more, they need no demand: the end of the data must not wait for an ask that
   nobody has a reason to make.
4. When the stage's own data has ended, queued events are dropped, and the rest is looked at without demand.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genstage._core.messages import Events

if TYPE_CHECKING:
    from genstage._core.consuming import Consuming, Upstream
    from genstage._core.producing import Producing
    from genstage._core.stage import StageCore
    from genstage._core.subscription import Cancellation

__all__ = ["Pending", "PendingEnd", "PendingInfo"]


@dataclass(slots=True)
class PendingInfo:
    """An info."""

    message: Any


@dataclass(slots=True)
class PendingEnd:
    """A subscription that has ended."""

    upstream: Upstream
    cancellation: Cancellation


class Pending:
    """The queue of one producer-consumer."""

    __slots__ = ("_buffered", "_consuming", "_core", "_producing", "entries")

    def __init__(self, core: StageCore, producing: Producing, consuming: Consuming) -> None:
        self._core = core
        self._producing = producing
        self._consuming = consuming
        self._buffered = producing.buffer.entries
        self.entries: deque[Events | PendingInfo | PendingEnd] = deque()

    def __len__(self) -> int:
        return len(self.entries)

    def only_infos(self) -> bool:
        """Whether neither events nor ends are queued."""
        return all(isinstance(entry, PendingInfo) for entry in self.entries)

    def take(self, message: Events) -> None:
        """A producer sends events."""
        consuming = self._consuming
        if message.tag not in consuming.upstreams:
            consuming.unknown(message)
        elif self.entries or self._buffered or consuming.closed or not self._producing.dispatcher.expects():
            self.entries.append(message)
            self.work()
        else:  # usual: it would come out of the queue at once
            consuming.take(message)

    def work(self) -> None:
        """Handle what is queued, as long as there is a reason to (rules 1 to 3)."""
        entries = self.entries
        while entries and self._may_work():
            entry = entries.popleft()
            if not isinstance(entry, Events):
                self._look_at(entry)
            else:
                self._take(entry)

    def _take(self, message: Events) -> None:
        try:
            if message.tag in self._consuming.upstreams:
                self._consuming.take(message)
            else:
                self._consuming.take_late(message)
        except BaseException:
            self._core.hand = self._core.hand or ("handle_events", message.events)
            raise

    def settle(self) -> None:
        """The stage's own data has ended (rule 4)."""
        entries = self.entries
        while entries:
            entry = entries.popleft()
            if not isinstance(entry, Events):
                self._look_at(entry)

    def _may_work(self) -> bool:
        if self._buffered or self._consuming.closed:
            return False
        if self._producing.dispatcher.expects():
            return True
        return self._consuming.one_finished and not any(isinstance(entry, Events) for entry in self.entries)

    def _look_at(self, entry: PendingInfo | PendingEnd) -> None:
        if isinstance(entry, PendingInfo):
            self._producing.info(entry.message)
        else:
            self._core.upstream_gone(entry.upstream, entry.cancellation)
