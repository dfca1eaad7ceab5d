"""How totals are computed: each keeps a small amount of data per group, whatever the group's size.

A tally of a group is made of the tallies of its parts, in order, so that it does not matter where
the records were cut into chunks, and an inner group is added to the outer one when it ends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import ROUND_05UP, Context, Decimal, DivisionByZero, InvalidOperation, localcontext
from typing import TYPE_CHECKING, Any

from renderers.model.figures import EXACT
from renderers.model.formats import compile_format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from renderers.model.formats import Format
    from renderers.model.report import Function

__all__ = ["Tally", "tally"]

# More places than any format shows (20, and 2 more for percent).
_QUOTIENT_DIGITS = 30


class Tally(ABC):
    """One function over the values of one column. It holds no data: that is passed in and out.

    Attributes:
        format: The compiled format of its result.
    """

    def __init__(self, column: Format, result: Format) -> None:
        self._column = column
        self.format = result

    @property
    @abstractmethod
    def empty(self) -> Any:
        """The tally of no values."""

    @abstractmethod
    def of(self, values: Sequence[Any]) -> Any:
        """The tally of typed values, none of them ``None``, at least one."""

    @abstractmethod
    def joined(self, first: Any, second: Any) -> Any:
        """The tally of what the two tallies cover, ``first`` before ``second``."""

    def result(self, tally: Any) -> Any:
        """The typed value to show."""
        return tally

    def dump(self, tally: Any) -> Any:
        """A tally as a JSON value."""
        return None if tally is None else self._column.dump(tally)

    def load(self, state: Any) -> Any:
        """Read what :meth:`dump` has written."""
        return None if state is None else self._column.load(state)


class _Sum(Tally):
    @property
    def empty(self) -> Any:
        return self._column.load("0")

    def of(self, values: Sequence[Any]) -> Any:
        with localcontext(EXACT):
            return sum(values, self.empty)

    def joined(self, first: Any, second: Any) -> Any:
        with localcontext(EXACT):
            return first + second


class _Count(Tally):
    @property
    def empty(self) -> int:
        return 0

    def of(self, values: Sequence[Any]) -> int:
        return len(values)

    def joined(self, first: int, second: int) -> int:
        return first + second

    def dump(self, tally: int) -> int:
        return tally

    def load(self, state: int) -> int:
        return state


class _Average(Tally):
    def __init__(self, column: Format, result: Format) -> None:
        super().__init__(column, result)
        self._sum = _Sum(column, column)

    @property
    def empty(self) -> tuple[Any, int]:
        return self._sum.empty, 0

    def of(self, values: Sequence[Any]) -> tuple[Any, int]:
        return self._sum.of(values), len(values)

    def joined(self, first: tuple[Any, int], second: tuple[Any, int]) -> tuple[Any, int]:
        return self._sum.joined(first[0], second[0]), first[1] + second[1]

    def result(self, tally: tuple[Any, int]) -> Decimal | None:
        total, count = tally
        return _quotient(Decimal(total), count) if count else None

    def dump(self, tally: tuple[Any, int]) -> list[Any]:
        return [self._sum.dump(tally[0]), tally[1]]

    def load(self, state: list[Any]) -> tuple[Any, int]:
        return self._sum.load(state[0]), state[1]


class _Smallest(Tally):
    @property
    def empty(self) -> None:
        return None

    def of(self, values: Sequence[Any]) -> Any:
        return min(values)

    def joined(self, first: Any, second: Any) -> Any:
        # Of equal values the first stays, as within one call of ``of``: 1.0 and 1.00 are equal.
        known = [tally for tally in (first, second) if tally is not None]
        return self.of(known) if known else None


class _Largest(_Smallest):
    def of(self, values: Sequence[Any]) -> Any:
        return max(values)


def _quotient(total: Decimal, count: int) -> Decimal:
    """An average: exact if it has few digits, otherwise cut so that later rounding sees it was cut."""
    # A quotient that was itself rounded could fall on a half, and be rounded a second time, wrongly.
    # ROUND_05UP never leaves a 5 or 0 at the end of what is not exact.
    context = Context(
        prec=_QUOTIENT_DIGITS + max(0, total.adjusted()),
        rounding=ROUND_05UP,
        Emax=EXACT.Emax,
        Emin=EXACT.Emin,
        clamp=0,
        traps=[InvalidOperation, DivisionByZero],
    )
    return context.divide(total, Decimal(count))


_TALLIES: dict[Function, type[Tally]] = {
    "sum": _Sum,
    "count": _Count,
    "average": _Average,
    "min": _Smallest,
    "max": _Largest,
}


def tally(function: Function, column: Format) -> Tally:
    """Choose how a total is computed, and how it is shown.

    A count is shown as an integer whatever the column's format, and the average of integers with a fraction.

    Args:
        function: The total's function.
        column: Compiled format of its column.
    """
    shown = column
    if function == "count":
        shown = compile_format("integer", column.locale, column.column)
    elif function == "average" and column.spec == "integer":
        shown = compile_format("decimal", column.locale, column.column)
    return _TALLIES[function](column, shown)
