"""Stages made from plain functions: what ``Flow`` builds its pipelines of, and nodes for a graph.

Each takes a batch of events at a time; a function costs its call, and nothing is added per event. What it
raises gets a note with the event it was called with.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from functools import partial, reduce
from inspect import isasyncgenfunction, iscoroutinefunction
from itertools import chain
from operator import length_hint
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from genstage._core.reasons import shown
from genstage.errors import OptionError
from genstage.stage import Consumer, ProducerConsumer, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from genstage._core.dispatchers.base import Dispatcher
    from genstage._core.reasons import Reason
    from genstage._core.subscription import Subscription

__all__ = ["Filter", "FlatMap", "ForEach", "Map", "Reduce", "ToList", "check_function", "copied", "name_of"]

In = TypeVar("In")
Out = TypeVar("Out")
R = TypeVar("R")


def check_function(function: object, takes: str = "one event") -> None:
    """Refuse what cannot be called once per event and give its result at once.

    Args:
        function: What was given.
        takes: What it is called with.

    Raises:
        OptionError: It is no function, is a stage, or is asynchronous.
    """
    if isinstance(function, type) and issubclass(function, Stage):
        raise OptionError("function", function, f"a function of {takes}; a stage's class belongs in a node")
    if isinstance(function, Stage) or not callable(function):
        raise OptionError("function", function, f"a function of {takes}")
    if any(map(_is_async, (function, getattr(function, "__call__", None)))):  # noqa: B004 - an object's own
        raise OptionError(
            "function",
            function,
            f"a plain function of {takes}, for nobody would await it: run asynchronous code in it by "
            "asyncio.run, with blocking=True",
        )


def name_of(function: object) -> str | None:
    """What a function or class calls itself; ``None`` for a lambda and for what has no name."""
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__name__", "")
    return name if isinstance(name, str) and name.isidentifier() else None


class _Transforming(ProducerConsumer[In, Out]):
    """What the transforming stages have in common.

    Args:
        function: A function of one event.
        dispatcher: Decides which consumer gets what; ``DemandDispatcher()`` by default.

    Raises:
        OptionError: ``function`` is none, or is asynchronous.
    """

    def __init__(self, function: Callable[[Any], Any], *, dispatcher: Dispatcher | None = None) -> None:
        check_function(function)
        self._function = function
        self._dispatcher = dispatcher

    def init(self) -> Mapping[str, Any]:
        """Choose the dispatcher."""
        return {"dispatcher": self._dispatcher}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {name_of(self._function) or repr(self._function)}>"


class Map(_Transforming[In, Out]):
    """Emits a function's result for each event.

    Args:
        function: A function of one event.
        dispatcher: Decides which consumer gets what; ``DemandDispatcher()`` by default.

    Raises:
        OptionError: ``function`` is none, or is asynchronous.

    Example:
        >>> Map(str.upper).handle_events(["a", "b"], None)
        ['A', 'B']
    """

    def __init__(self, function: Callable[[In], Out], *, dispatcher: Dispatcher | None = None) -> None:
        super().__init__(function, dispatcher=dispatcher)

    def handle_events(self, events: Sequence[In], origin: Subscription) -> Sequence[Out]:  # noqa: ARG002
        """Call the function with each."""
        rest = iter(events)
        try:
            return list(map(self._function, rest))
        except Exception as error:
            _tell(error, events, rest)
            raise


class Filter(_Transforming[In, In]):
    """Emits the events for which a function's result is true.

    Args:
        function: A function of one event.
        dispatcher: Decides which consumer gets what; ``DemandDispatcher()`` by default.

    Raises:
        OptionError: ``function`` is none, or is asynchronous.

    Example:
        >>> Filter(str.isdigit).handle_events(["1", "a", "2"], None)
        ['1', '2']
    """

    def __init__(self, function: Callable[[In], object], *, dispatcher: Dispatcher | None = None) -> None:
        super().__init__(function, dispatcher=dispatcher)

    def handle_events(self, events: Sequence[In], origin: Subscription) -> Sequence[In]:  # noqa: ARG002
        """Call the function with each."""
        rest = iter(events)
        try:
            return list(filter(self._function, rest))
        except Exception as error:
            _tell(error, events, rest)
            raise


class FlatMap(_Transforming[In, Out]):
    """Emits all that a function returns for each event: none, one or many.

    Args:
        function: A function of one event, which returns an iterable: no text or mapping, whose letters or
            keys nobody means.
        dispatcher: Decides which consumer gets what; ``DemandDispatcher()`` by default.

    Raises:
        OptionError: ``function`` is none, or is asynchronous.

    Example:
        >>> FlatMap(str.split).handle_events(["a b", "", "c"], None)
        ['a', 'b', 'c']
    """

    def __init__(
        self, function: Callable[[In], Iterable[Out]], *, dispatcher: Dispatcher | None = None
    ) -> None:
        super().__init__(function, dispatcher=dispatcher)

    def handle_events(self, events: Sequence[In], origin: Subscription) -> Sequence[Out]:  # noqa: ARG002
        """Call the function with each."""
        rest = iter(events)
        try:
            return list(chain.from_iterable(self._results(rest)))
        except Exception as error:
            _tell(error, events, rest)
            raise

    def _results(self, events: Iterator[In]) -> Iterator[Iterable[Out]]:
        for event in events:
            result = self._function(event)
            if isinstance(result, str | bytes | bytearray | Mapping):
                raise TypeError(f"{self!r} takes an iterable of events, not {result!r}: put it in a list")
            yield result


class _Valued(Consumer[In], Generic[In, R]):
    """What consumers with a result have in common: it is set when they end."""

    _value: R

    def terminate(self, reason: Reason) -> None:  # noqa: ARG002 - it counts when it is normal
        """Set the result."""
        self.stage.set_result(self._value)


class Reduce(_Valued[In, R]):
    """Brings all events together in one value, as ``functools.reduce`` does; its result is that value.

    Args:
        function: A function of the value so far and an event, which returns the value with it.
        initial: The value before the first event. It is copied, so each stage begins with its own.

    Raises:
        OptionError: ``function`` is none, or is asynchronous; or ``initial`` cannot be copied.
    """

    def __init__(self, function: Callable[[R, In], R], initial: R) -> None:
        check_function(function, "the value so far and an event")
        self._function = function
        self._value = copied(initial)

    def handle_events(self, events: Sequence[In], origin: Subscription) -> None:  # noqa: ARG002
        """Call the function with each."""
        rest = iter(events)
        try:
            self._value = reduce(self._function, rest, self._value)
        except Exception as error:
            _tell(error, events, rest)
            raise


class ToList(_Valued[In, list[In]]):
    """Keeps all events; its result is the list of them, in the order in which they came."""

    def __init__(self) -> None:
        self._value = []

    def handle_events(self, events: Sequence[In], origin: Subscription) -> None:  # noqa: ARG002
        """Keep them."""
        self._value.extend(events)


class ForEach(Consumer[In]):
    """Calls a function with each event, and takes no notice of what it returns.

    Args:
        function: A function of one event.

    Raises:
        OptionError: ``function`` is none, or is asynchronous.
    """

    def __init__(self, function: Callable[[In], object]) -> None:
        check_function(function)
        self._function = function

    def handle_events(self, events: Sequence[In], origin: Subscription) -> None:  # noqa: ARG002
        """Call the function with each."""
        rest = iter(events)
        try:
            for event in rest:
                self._function(event)
        except Exception as error:
            _tell(error, events, rest)
            raise


def copied(initial: R) -> R:
    """A copy of what a reduction begins with.

    Raises:
        OptionError: It cannot be copied.
    """
    try:
        return deepcopy(initial)
    except Exception as error:
        raise OptionError(
            "initial", initial, "a value that can be copied: each run begins with its own"
        ) from error


def _tell(error: Exception, events: Sequence[Any], rest: Iterator[Any]) -> None:
    """Add a note with the event at which it happened: the one before the rest."""
    number = len(events) - length_hint(rest)
    with suppress(Exception):  # one that takes no notes, such as a frozen dataclass
        error.add_note(f"at event {number} of {len(events)}: {shown(events[number - 1], reprlib.repr)}")


def _is_async(function: object) -> bool:
    return iscoroutinefunction(function) or isasyncgenfunction(function)
