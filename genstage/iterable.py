"""A producer over any iterable."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from inspect import isasyncgenfunction, iscoroutinefunction
from itertools import islice
from sys import maxsize
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from genstage._core.checks import check_choice
from genstage._core.results import Finish, Stop
from genstage.errors import OptionError
from genstage.stage import Producer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from genstage._core.dispatchers.base import Dispatcher
    from genstage._core.options import DemandMode
    from genstage._core.reasons import Reason
    from genstage._core.subscription import Cancellation, Subscription

__all__ = ["IterableProducer", "OnCancel"]

Out = TypeVar("Out")

OnCancel = Literal["continue", "stop"]

_EXPECTED = "an iterable of events (no text or mapping), or a function that makes one"


class IterableProducer(Producer[Out]):
    """Emits what an iterable yields, pulling exactly as much as is asked for.

    When the iterable ends, so does the data, and with it the stage. That the iterable has no more is noticed
    when it yields less than was asked for. A generator is closed at the stage's end.

    Args:
        iterable: The events: an iterable, or a function that makes one, called in the stage's own thread. An
            iterator can be read once, so a stage over one cannot be started again; a function is.
        dispatcher: Decides which consumer gets what; ``DemandDispatcher()`` by default.
        demand: Its demand mode at first.
        on_cancel: What happens when the last consumer has gone: ``"continue"``, and wait for others, or
            ``"stop"``, and end normally.

    Raises:
        OptionError: ``iterable`` is neither, or is text or a mapping, whose letters or keys nobody means; or
            an option is wrong.

    Example:
        >>> IterableProducer(range(3))
        <IterableProducer over range(0, 3)>

    Source:
        GenStage's streamer, started there by ``from_enumerable/2``.
    """

    def __init__(
        self,
        iterable: Iterable[Out] | Callable[[], Iterable[Out]],
        *,
        dispatcher: Dispatcher | None = None,
        demand: DemandMode = "forward",
        on_cancel: OnCancel = "continue",
    ) -> None:
        made_later = callable(iterable) and not isinstance(iterable, Iterable)
        if (
            iscoroutinefunction(iterable)
            or isasyncgenfunction(iterable)
            or not (made_later or _is_fit(iterable))
        ):
            raise OptionError("iterable", iterable, _EXPECTED)
        self._iterable = iterable
        self._options = {"dispatcher": dispatcher, "demand": demand}
        self._stops = check_choice("on_cancel", on_cancel, get_args(OnCancel)) == "stop"
        self._events: Iterator[Out] = iter(())
        self._consumers = 0

    def init(self) -> Mapping[str, Any]:
        """Begin to iterate."""
        iterable = self._iterable
        if not isinstance(iterable, Iterable):
            iterable = iterable()
            if not _is_fit(iterable):
                raise OptionError("iterable", iterable, _EXPECTED)
        self._events = iter(iterable)
        return self._options

    def handle_demand(self, demand: int) -> Sequence[Out] | Finish[Out]:
        """Pull that much."""
        events = list(islice(self._events, min(demand, maxsize)))  # islice takes no more
        return events if len(events) == demand else Finish(events)

    def handle_subscribe(self, role: str, options: Mapping[str, Any], subscription: Subscription) -> None:  # noqa: ARG002
        """Count."""
        self._consumers += 1

    def handle_cancel(self, cancellation: Cancellation, subscription: Subscription) -> Stop | None:  # noqa: ARG002
        """End with the last one, if that is wanted."""
        self._consumers -= 1
        return Stop() if self._stops and not self._consumers else None

    def terminate(self, reason: Reason) -> None:  # noqa: ARG002
        """Close a generator."""
        if isinstance(self._events, Generator):
            self._events.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._iterable!r}>"


def _is_fit(iterable: object) -> bool:
    unmeant = isinstance(iterable, str | bytes | bytearray | Mapping)
    return isinstance(iterable, Iterable) and not unmeant
