"""The errors of the package, one tree.

::

    GenstageError
    ├── OptionError            (also ValueError)    an option is missing, unknown or out of range
    ├── GraphError             (also ValueError)    a pipeline's nodes do not fit together
    ├── StartError                                  a stage did not start
    ├── ChildError                                  a supervisor cannot do that to this child
    ├── SupervisorError                             a supervisor has given up
    ├── NotAConsumerError                           something that takes no events was asked to subscribe
    ├── DeadStageError                              the stage is gone
    ├── SubscriptionError                           a producer has refused or cancelled a subscription
    ├── CallTimeoutError       (also TimeoutError)  no answer within the deadline
    ├── ForkedRuntimeError                          a runtime was used in the child of a fork
    ├── SourceError                                 a data source cannot be read
    ├── OutputError                                 an output cannot be written
    ├── PipelineError                               a run ended without its result
    └── LostError                                   in the place of an exception that cannot be pickled

Every error keeps its facts in fields, so that a program never has to read the text.
"""

from __future__ import annotations

import pickle
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AtHand",
    "CallTimeoutError",
    "ChildError",
    "DeadStageError",
    "ForkedRuntimeError",
    "GenstageError",
    "GraphError",
    "LostError",
    "NotAConsumerError",
    "OptionError",
    "OutputError",
    "PipelineError",
    "SourceError",
    "StageFailure",
    "StartError",
    "SubscriptionError",
    "SupervisorError",
    "portable",
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


class ChildError(GenstageError):
    """A supervisor cannot do to a child what it was asked to.

    Args:
        supervisor: The supervisor's name.
        child: The child's id.
        problem: Why: ``"not_found"``, ``"running"``, ``"restarting"``, ``"already_started"``,
            ``"already_present"`` (it is known, but does not run) or ``"max_children"``.
    """

    def __init__(self, supervisor: str, child: str, problem: str) -> None:
        super().__init__(f"supervisor {supervisor!r}: child {child!r} {_CHILD_PROBLEMS[problem]}")
        self.supervisor = supervisor
        self.child = child
        self.problem = problem


_CHILD_PROBLEMS = {
    "not_found": "is not known",
    "running": "is running: terminate it first",
    "restarting": "is being started again: terminate it first",
    "already_started": "is running already",
    "already_present": "is known, but does not run: restart it or delete it",
    "max_children": "would be one more than max_children",
}


class SupervisorError(GenstageError):
    """A supervisor has given up: its restarts were used up, or a child did not start.

    ``__cause__`` is the exception of the child that failed in the end, if there was one.

    Args:
        name: The supervisor's name.
        reason: Its exit reason, whose detail is the whole chain.
    """

    def __init__(self, name: str, reason: object) -> None:
        super().__init__(f"supervisor {name!r} has ended: {reason}")
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


class LostError(GenstageError):
    """Stands in for an exception that cannot be pickled, where a failure has been.

    Args:
        kind: Name of the exception's class.
        message: What it said.
        text: Its traceback, as Python prints it.
    """

    def __init__(self, kind: str, message: str, text: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.text = text


def portable(value: Any) -> Any:
    """What can be pickled instead of a foreign object: the object itself, if it comes back from it."""
    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - anything can be wrong in there
        if isinstance(value, BaseException):
            text = "".join(traceback.format_exception(value))
            return LostError(type(value).__name__, _shown(value, str), text)
        return _shown(value, repr)
    return value


def _shown(value: Any, how: Callable[[Any], str]) -> str:
    try:
        return how(value)
    except Exception:  # noqa: BLE001 - as above
        return f"<{type(value).__name__} that cannot be shown>"


@dataclass(frozen=True, slots=True)
class AtHand:
    """What a stage was doing when it failed.

    Attributes:
        callback: Which callback it was in.
        shown: What the callback was called with, as text of bounded length; empty for nothing.
        events: How many events that were; ``None`` if it was something else.

    Example:
        >>> print(AtHand("handle_events", "[1, 2]", 2))
        handle_events, 2 events: [1, 2]
    """

    callback: str
    shown: str = ""
    events: int | None = None

    def __str__(self) -> str:
        if not self.shown:
            return self.callback
        if self.events is None:
            return f"{self.callback}: {self.shown}"
        return f"{self.callback}, {self.events} event{'s' * (self.events != 1)}: {self.shown}"


@dataclass(frozen=True, slots=True)
class StageFailure:
    """What a failed stage left behind. It can be pickled: what it holds that cannot is replaced.

    Attributes:
        stage: The stage's name.
        reason: Its exit reason.
        exception: The exception, with its traceback, if there was one.
    """

    stage: str
    reason: object
    exception: BaseException | None = None

    @property
    def at_hand(self) -> AtHand | None:
        """Which callback has failed, and with what; ``None`` if that is not known."""
        return getattr(self.reason, "at_hand", None)

    def __reduce__(self) -> tuple[Any, ...]:
        return StageFailure, (self.stage, portable(self.reason), portable(self.exception))


class PipelineError(GenstageError):
    """A run ended without its result.

    ``__cause__`` is the failed stage's own exception; of several stages that failed together, an
    ``ExceptionGroup`` of theirs.

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

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_caused, (*super().__reduce__()[1], portable(self.__cause__))


def _rebuild_caused(
    kind: type[GenstageError], args: tuple[Any, ...], fields: dict[str, Any], cause: BaseException | None
) -> GenstageError:
    error = _rebuild(kind, args, fields)
    error.__cause__ = cause
    return error
