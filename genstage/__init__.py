"""Elixir's GenStage for Python, on pykka actors: demand-driven stages under supervision."""

from genstage._core.reasons import Crash, Killed, Named, NoProc, Normal, Shutdown
from genstage._core.results import Finish, Reply, Stop, Unanswered
from genstage._core.subscription import Cancellation, Subscription
from genstage.client import ConsumerRef, ProducerConsumerRef, ProducerRef, Runtime, StageRef
from genstage.dispatchers import BroadcastDispatcher, DemandDispatcher, Dispatcher
from genstage.stage import Consumer, Producer, ProducerConsumer

__all__ = sorted(n for n in dir() if n[0].isupper())
