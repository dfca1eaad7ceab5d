"""How long a supervisor waits before it starts a child again. Pure: time and randomness come in."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from random import Random

from genstage._core.checks import check_seconds
from genstage.errors import OptionError

__all__ = ["Backoff", "Delays"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that grow with each restart of a child, up to a bound. Not in OTP, and off by default.

    The first restart waits ``first_s``, each next one ``factor`` times as long as the one before, at most
    ``max_s``. A child that has run for ``max_s`` begins at ``first_s`` again.

    Args:
        first_s: Seconds before the first restart.
        max_s: The longest wait, in seconds.
        factor: What each wait is multiplied by, 1 or more.
        jitter: The share of a wait that is left to chance, 0 to 1: with 0.5, a wait of 10 s is one of 5 to
            10 s. It keeps what has failed together from coming back together.
        seed: Of that chance; the same seed, the same waits.

    Raises:
        OptionError: An option is out of range.

    Example:
        >>> delays = Delays(Backoff(first_s=1, max_s=5, jitter=0))
        >>> [delays.next_s("child", now_s) for now_s in (0, 1, 3, 7)]
        [1.0, 2.0, 4.0, 5.0]
    """

    _: KW_ONLY
    first_s: float = 0.1
    max_s: float = 30.0
    factor: float = 2.0
    jitter: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        check_seconds("first_s", self.first_s)
        if check_seconds("max_s", self.max_s) < self.first_s:
            raise OptionError("max_s", self.max_s, "as long as first_s or longer")
        _check_number("factor", self.factor, 1.0, float("inf"))
        _check_number("jitter", self.jitter, 0.0, 1.0)


def _check_number(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        wanted = f"a number, {low:g} or more" if high == float("inf") else f"a number, {low:g} to {high:g}"
        raise OptionError(name, value, wanted)


class Delays:
    """The waits of one supervisor's children.

    Args:
        backoff: How they grow; ``None`` for no waits.
    """

    def __init__(self, backoff: Backoff | None) -> None:
        self._backoff = backoff
        self._random = Random(None if backoff is None else backoff.seed)  # noqa: S311 - to spread, not to hide
        self._last: dict[str, tuple[float, float]] = {}  # by child: its last wait, and when that was over

    def next_s(self, child: str, now_s: float) -> float:
        """Seconds to wait before the child is started again.

        Args:
            child: Its id.
            now_s: The time.
        """
        backoff = self._backoff
        if backoff is None:
            return 0.0
        wait_s, over_s = self._last.get(child, (0.0, now_s))
        grows = child in self._last and now_s - over_s < backoff.max_s
        wait_s = min(wait_s * backoff.factor if grows else float(backoff.first_s), float(backoff.max_s))
        chosen_s = wait_s * (1.0 - backoff.jitter * self._random.random())
        self._last[child] = (wait_s, now_s + chosen_s)
        return chosen_s

    def forget(self, child: str) -> None:
        """The child is no more."""
        self._last.pop(child, None)
