"""Elixir's GenStage for Python, on pykka actors: demand-driven stages under supervision."""

from genstage._core.messages import Down
from genstage._core.reasons import Crash, Killed, Named, NoProc, Normal, Reason, Shutdown
from genstage._core.results import Finish, Reply, Stop, Unanswered
from genstage._core.subscription import Cancellation, Subscription
from genstage._runtime.watch import Exited
from genstage.client import (
    AsyncEventStream,
    ConsumerRef,
    EventStream,
    ProducerConsumerRef,
    ProducerRef,
    Runtime,
    StageRef,
)
from genstage.dispatchers import BroadcastDispatcher, DemandDispatcher, Dispatcher, PartitionDispatcher
from genstage.errors import (
    CallTimeoutError,
    DeadStageError,
    ForkedRuntimeError,
    GenstageError,
    GraphError,
    NotAConsumerError,
    OptionError,
    OutputError,
    PipelineError,
    SourceError,
    StageFailure,
    StartError,
    SubscriptionError,
)
from genstage.pipeline import Edge, Flow, Graph, Node, Pipeline, PipelineStatistics, Run, StageStatistics
from genstage.stage import Consumer, Producer, ProducerConsumer
from genstage.supervision import Task

__all__ = [
    "AsyncEventStream",
    "BroadcastDispatcher",
    "CallTimeoutError",
    "Cancellation",
    "Consumer",
    "ConsumerRef",
    "Crash",
    "DeadStageError",
    "DemandDispatcher",
    "Dispatcher",
    "Down",
    "Edge",
    "EventStream",
    "Exited",
    "Finish",
    "Flow",
    "ForkedRuntimeError",
    "GenstageError",
    "Graph",
    "GraphError",
    "Killed",
    "Named",
    "NoProc",
    "Node",
    "Normal",
    "NotAConsumerError",
    "OptionError",
    "OutputError",
    "PartitionDispatcher",
    "Pipeline",
    "PipelineError",
    "PipelineStatistics",
    "Producer",
    "ProducerConsumer",
    "ProducerConsumerRef",
    "ProducerRef",
    "Reason",
    "Reply",
    "Run",
    "Runtime",
    "Shutdown",
    "SourceError",
    "StageFailure",
    "StageRef",
    "StageStatistics",
    "StartError",
    "Stop",
    "Subscription",
    "SubscriptionError",
    "Task",
    "Unanswered",
]
