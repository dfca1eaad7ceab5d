"""Schedules: which of the waiting messages is next; chosen, written down, and followed again."""

from __future__ import annotations

from itertools import chain, groupby, repeat
from random import Random
from typing import TYPE_CHECKING

from genstage.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Schedule"]


class Schedule:
    """Chooses, and remembers what it chose where there was a choice.

    Choice 0 is what waits longest; a schedule of zeros is the order of arrival. Its text is a list of
    choices, ``3*4`` for four times 3; after its end the order is that of arrival.

    Args:
        choose: Given how many there are, says which; from 0 on.

    Example:
        >>> schedule = Schedule.parse("1 0*2 2")
        >>> [schedule.choose(3) for _ in range(6)], schedule.text
        ([1, 0, 0, 2, 0, 0], '1 0*2 2')
    """

    def __init__(self, choose: Callable[[int], int]) -> None:
        self._choose = choose
        self._chosen: list[int] = []

    @classmethod
    def seeded(cls, seed: int) -> Schedule:
        """Choices at random, the same for the same seed."""
        return cls(Random(seed).randrange)  # noqa: S311 - an order of messages, no secret

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """The choices that a text tells.

        Raises:
            OptionError: It is no schedule.
        """
        choices = chain(list(_choices(text)), repeat(0))
        # The program may have changed since the schedule was written down: stay within what there is.
        return cls(lambda count: min(next(choices), count - 1))

    def choose(self, count: int, decided: int | None = None) -> int:
        """Choose one of ``count``, 1 or more, unless somebody else has decided."""
        if count == 1:
            return 0
        index = self._choose(count) if decided is None else decided
        self._chosen.append(index)
        return index

    @property
    def text(self) -> str:
        """What was chosen so far, for :meth:`parse`."""
        runs = [(choice, len(list(same))) for choice, same in groupby(self._chosen)]
        if runs and runs[-1][0] == 0:
            runs.pop()
        return " ".join(f"{choice}*{times}" if times > 1 else f"{choice}" for choice, times in runs)


def _choices(text: str) -> Iterator[int]:
    for word in text.split():
        choice, star, times = word.partition("*")
        if not choice.isdecimal() or (star and not times.isdecimal()):
            raise OptionError("schedule", text, "choices such as '1 0*2 3'")
        yield from repeat(int(choice), int(times) if star else 1)
