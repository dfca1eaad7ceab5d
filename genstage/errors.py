"""The errors of the package, one tree.

::

    GenstageError
    ├── OptionError            (also ValueError)    an option is missing, unknown or out of range
    ├── GraphError             (also ValueError)    a pipeline's nodes do not fit together
    ├── StartError                                  a stage did not start
    ├── NotAConsumerError                           something that takes no events was asked to subscribe
    ├── DeadStageError                              the stage is gone
    ├── SubscriptionError                           a producer has refused or cancelled a subscription
    ├── CallTimeoutError       (also TimeoutError)  no answer within the deadline
    ├── ForkedRuntimeError                          a runtime was used in the child of a fork
    ├── SourceError                                 a data source cannot be read
    ├── OutputError                                 an output cannot be written
    └── PipelineError                               a run ended without its result

Every error keeps its facts in fields, so that a program never has to read the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = [
    "CallTimeoutError",
    "DeadStageError",
    "ForkedRuntimeError",
    "GenstageError",
    "GraphError",
    "NotAConsumerError",
    "OptionError",
    "OutputError",
    "PipelineError",
    "SourceError",
    "StageFailure",
    "StartError",
    "SubscriptionError",
]


class GenstageError(Exception):
    """Base of every error this package raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by fields: the subclasses take keyword arguments, which ``Exception`` forgets."""
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(kind: type[GenstageError], args: tuple[Any, ...], fields: dict[str, Any]) -> GenstageError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class OptionError(GenstageError, ValueError):
    """An option was refused.

    Args:
        option: Its name.
        value: What was given.
        expected: What would be right, as the end of a sentence that begins "must be".
    """

    def __init__(self, option: str, value: object, expected: str) -> None:
        super().__init__(f"option {option!r}: must be {expected}, got {value!r}")
        self.option = option
        self.value = value
        self.expected = expected


class GraphError(GenstageError, ValueError):
    """The nodes of a pipeline do not fit together.

    Args:
        node: Name of the node that is wrong.
        problem: What is wrong with it and what to write instead.
    """

    def __init__(self, node: str, problem: str) -> None:
        super().__init__(f"node {node!r}: {problem}")
        self.node = node
        self.problem = problem


class StartError(GenstageError):
    """A stage or run did not start.

    Args:
        name: The stage's or run's name.
        reason: The exit reason (see ``genstage.Crash`` and its siblings).
    """

    def __init__(self, name: str, reason: object) -> None:
        super().__init__(f"{name!r} did not start: {reason}")
        self.name = name
        self.reason = reason


class NotAConsumerError(GenstageError):
    """A stage that takes no events was asked to subscribe to a producer.

    Args:
        name: The stage's name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"stage {name!r} is a producer: it cannot subscribe")
        self.name = name


class DeadStageError(GenstageError):
    """The stage is gone, or went before it answered.

    Args:
        name: The stage's name.
        reason: Why it ended.
    """

    def __init__(self, name: str, reason: object) -> None:
        super().__init__(f"stage {name!r} is not alive: {reason}")
        self.name = name
        self.reason = reason


class SubscriptionError(GenstageError):
    """A producer has refused or cancelled a subscription that was needed.

    Args:
        name: The producer's name.
        reason: The reason it gave.
    """

    def __init__(self, name: str, reason: object) -> None:
        super().__init__(f"stage {name!r} has ended the subscription: {reason}")
        self.name = name
        self.reason = reason


class CallTimeoutError(GenstageError, TimeoutError):
    """Something was not done within its deadline; the stage or run itself goes on.

    Args:
        name: The stage's or run's name.
        timeout_s: The deadline, in seconds.
        to: What it was to do.
    """

    def __init__(self, name: str, timeout_s: float, *, to: str = "answer") -> None:
        super().__init__(f"{name!r} did not {to} within {timeout_s:g} s")
        self.name = name
        self.timeout_s = timeout_s


class ForkedRuntimeError(GenstageError):
    """A runtime, or a stage of one, was used in the child of a fork: its threads are in the parent.

    Args:
        name: The runtime's name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            f"runtime {name!r} belongs to the process that made it, not to its fork: make one after the fork"
        )
        self.name = name


class SourceError(GenstageError):
    """A data source cannot be opened or read.

    Args:
        source: The source, with any password masked.
        problem: What is wrong, in one line.
    """

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(f"source {source}: {problem}")
        self.source = source
        self.problem = problem


class OutputError(GenstageError):
    """An output cannot be written.

    Args:
        path: The file or folder.
        problem: What the operating system said.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"output {path}: {problem}")
        self.path = path
        self.problem = problem


@dataclass(frozen=True, slots=True)
class StageFailure:
    """What a failed stage left behind.

    Attributes:
        stage: The stage's name.
        reason: Its exit reason.
        exception: The exception, with its traceback, if there was one.
    """

    stage: str
    reason: object
    exception: BaseException | None = None


class PipelineError(GenstageError):
    """A run ended without its result; ``__cause__`` is the first stage's own exception.

    Args:
        name: The pipeline's name.
        failures: One entry per failed stage, the first failure first.
    """

    def __init__(self, name: str, failures: tuple[StageFailure, ...]) -> None:
        first = failures[0] if failures else None
        detail = "was stopped" if first is None else f"stage {first.stage!r} failed: {first.reason}"
        super().__init__(f"pipeline {name!r}: {detail}")
        self.name = name
        self.failures = failures
