"""The formats of figures: exact, and rounded only when they are shown, half to even.

Babel's pattern says where digits and signs go; the digits come from Python's own formatting, which
knows grouping in threes. Symbols are then exchanged in a whole column at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
    Subnormal,
    localcontext,
)
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from babel.numbers import get_currency_precision, get_currency_symbol, parse_pattern

from renderers.model.specs import Format, parse_locale, parse_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from babel import Locale

    from renderers.model.specs import Spec

__all__ = ["EXACT", "FigureFormat", "IntegerFormat", "Notation"]

# What a column takes: every float, and no figure so long that adding it up could fill the memory.
_READ = Context(
    prec=400,
    Emax=399,
    Emin=-399,
    rounding=ROUND_HALF_EVEN,
    clamp=0,
    traps=[InvalidOperation, Inexact, Overflow, Subnormal, FloatOperation],
)

EXACT = Context(
    prec=2_000,
    Emax=999_999,
    Emin=-999_999,
    rounding=ROUND_HALF_EVEN,
    clamp=0,
    traps=[InvalidOperation, Inexact, Overflow, DivisionByZero, FloatOperation],
)
"""Context for sums of column values: they are exact, whatever the calling thread's own context is."""

_THREES = (3, 3)


@dataclass(frozen=True, slots=True)
class Notation:
    """How figures are written in a locale: a Babel pattern with its symbols filled in.

    Attributes:
        prefix, suffix: Around the digits of a positive figure.
        negative_prefix, negative_suffix: Around those of a negative one, with its sign.
        group, point: The symbols between groups of digits and before the fraction.
        grouping: Digits in the last group, and in those before it.
        least, most: Places of the fraction; zeros beyond ``least`` are left out.
        scale: Powers of ten the figure is multiplied by: 2 for percent.
    """

    prefix: str
    suffix: str
    negative_prefix: str
    negative_suffix: str
    group: str
    point: str
    grouping: tuple[int, int]
    least: int
    most: int
    scale: int

    @classmethod
    def of(cls, spec: Spec, locale: Locale) -> Notation:
        """Take the notation for a format from the locale."""
        if spec.kind == "currency":
            pattern = locale.currency_formats["standard"]
            least = most = get_currency_precision(spec.argument)
            symbol = get_currency_symbol(spec.argument, locale)
        else:
            styles = locale.percent_formats if spec.kind == "percent" else locale.decimal_formats
            pattern = parse_pattern(styles[None])
            least, most = pattern.frac_prec
            symbol = ""
            if spec.kind == "integer":
                least = most = 0
            elif spec.argument:
                least = most = int(spec.argument)
        symbols = locale.number_symbols["latn"]
        affixes = [_affix(text, symbol) for text in (*pattern.prefix, *pattern.suffix)]
        return cls(
            prefix=affixes[0],
            negative_prefix=affixes[1],
            suffix=affixes[2],
            negative_suffix=affixes[3],
            group=symbols.get("group", ","),
            point=symbols.get("decimal", "."),
            grouping=pattern.grouping,
            least=least,
            most=most,
            scale=pattern.scale,
        )

    @property
    def digits(self) -> str:
        """Python's format for the digits, without the type: with commas if it can group them."""
        return "," if self.grouping == _THREES else ""

    def write(self, figures: list[str]) -> list[str]:
        """Turn figures as Python writes them, such as ``"-1,234.50"``, into the locale's texts."""
        if not figures:
            return []
        if self.least < self.most:
            figures = [_trimmed(figure, self.most - self.least) for figure in figures]
        if self.grouping != _THREES:
            figures = [_grouped(figure, *self.grouping) for figure in figures]
        if (self.group, self.point) != (",", "."):
            column = "\n".join(figures).replace(",", "\r").replace(".", self.point)
            figures = column.replace("\r", self.group).split("\n")
        before, after = self.prefix, self.suffix
        below, beyond = self.negative_prefix, self.negative_suffix
        return [
            below + figure[1:] + beyond if figure[0] == "-" else before + figure + after for figure in figures
        ]


def _affix(text: str, symbol: str) -> str:
    """What stands before or after the digits: the currency put in, quotes taken off."""
    return re.sub("'([^']*)'", lambda quoted: quoted[1] or "'", text.replace("¤", symbol))


def _trimmed(figure: str, optional: int) -> str:
    """Leave out zeros at the end of the last ``optional`` places, and a point without places."""
    return (figure[:-optional] + figure[-optional:].rstrip("0")).removesuffix(".")


def _grouped(figure: str, last: int, others: int) -> str:
    """Put commas between groups of digits that are not all threes, as in ``12,34,567.00``."""
    sign = "-" if figure[0] == "-" else ""
    whole, point, fraction = figure[len(sign) :].partition(".")
    groups = [whole[-last:]]
    end = len(whole) - last
    while end > 0:
        groups.append(whole[max(0, end - others) : end])
        end -= others
    return sign + ",".join(reversed(groups)) + point + fraction


class FigureFormat(Format):
    """Decimals, percentages and amounts of money. Values are ``Decimal``."""

    align: ClassVar[Literal["start", "end"]] = "end"

    def __init__(self, spec: str, locale: str, column: str) -> None:
        parsed = parse_spec(spec)
        super().__init__(spec, locale, column, width=1.0 if parsed.kind == "integer" else 1.2)
        self._notation = Notation.of(parsed, parse_locale(locale))
        self._digits = f"{self._notation.digits}.{self._notation.most}f"

    def values(self, raw: Sequence[Any]) -> list[Any]:
        """As :meth:`Format.values`; a figure is a number or its text, finite, of at most 400 digits."""
        types = set(map(type, raw))
        try:
            if types <= {str, int, Decimal}:
                return self._convert(raw)
            if types <= {str, int, Decimal, float, NoneType}:
                # A float means its shortest decimal: what users see elsewhere, and what they expect a sum of.
                figures = [
                    repr(value) if type(value) is float else value for value in raw if value is not None
                ]
                return _spread(self._convert(figures), raw)
        except (ArithmeticError, ValueError):
            pass  # the next line finds the value
        return [None if value is None else self._read(value) for value in raw]

    def _read(self, value: object) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal | float):
            raise self.refusal(value)
        try:
            return self._convert([float.__repr__(value) if isinstance(value, float) else value])[0]
        except (ArithmeticError, ValueError) as error:
            raise self.refusal(value) from error

    def _convert(self, figures: Sequence[str | int | Decimal]) -> list[Any]:
        return _decimals(figures)

    def texts(self, values: Sequence[Any]) -> list[str]:
        """As :meth:`Format.texts`."""
        figures = [value for value in values if value is not None]
        with localcontext(EXACT):
            if self._notation.scale:
                figures = [figure.scaleb(self._notation.scale) for figure in figures]
            digits = self._digits
            texts = self._notation.write([format(figure, digits) for figure in figures])
        return _spread(texts, values, "")

    def dump(self, value: Any) -> str:
        """As :meth:`Format.dump`."""
        return str(value)

    def load(self, text: str) -> Any:
        """As :meth:`Format.load`."""
        return Decimal(text)


class IntegerFormat(FigureFormat):
    """Whole numbers. Values are ``int``; a figure with a fraction is refused, not rounded."""

    def __init__(self, spec: str, locale: str, column: str) -> None:
        super().__init__(spec, locale, column)
        self._digits = f"{self._notation.digits}d"

    def _convert(self, figures: Sequence[str | int | Decimal]) -> list[int]:
        decimals = _decimals(figures)
        whole = list(map(int, decimals))
        if whole != decimals:
            raise ValueError(figures)
        return whole

    def load(self, text: str) -> int:
        """As :meth:`Format.load`."""
        return int(text)


def _decimals(figures: Sequence[str | int | Decimal]) -> list[Decimal]:
    decimals = list(map(_READ.create_decimal, figures))
    if not all(map(Decimal.is_finite, decimals)):
        raise ValueError(figures)
    return decimals


def _spread(found: list[Any], places: Sequence[Any], missing: str | None = None) -> list[Any]:
    """Put what was made of the values that are there into their places."""
    if len(found) == len(places):
        return found
    following = iter(found)
    return [missing if place is None else next(following) for place in places]
