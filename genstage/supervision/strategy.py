"""What the end of a child means for it and for the other children of its supervisor. A pure decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genstage._core.reasons import Reason
    from genstage.supervision.spec import Restart

__all__ = ["AutoShutdown", "Consequence", "Sibling", "Strategy", "consequence", "is_restarted", "restart_of"]

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]

AutoShutdown = Literal["never", "any_significant", "all_significant"]


class Sibling(Protocol):
    """What has to be known of a child."""

    @property
    def restart(self) -> Restart:
        """As in ``ChildSpec``."""

    @property
    def significant(self) -> bool:
        """As in ``ChildSpec``."""

    @property
    def active(self) -> bool:
        """Whether it runs, or is to run again without anybody asking."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """What is to be done, in this order. Children are meant by their places in the order of their start.

    Attributes:
        forget: Whether the child that has ended is forgotten, with its specification.
        stop: Others to stop, in this order.
        start: Who is started then, in this order; nobody where nothing is restarted. Temporary ones among
            those that were stopped are not: they are forgotten.
        shut_down: Whether the supervisor itself ends.
    """

    forget: bool = False
    stop: tuple[int, ...] = ()
    start: tuple[int, ...] = ()
    shut_down: bool = False


def is_restarted(restart: Restart, reason: Reason) -> bool:
    """Whether a child that has ended for a reason is started again."""
    return restart == "permanent" or (restart == "transient" and not reason.tolerated)


def consequence(
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    children: Sequence[Sibling],
    ended: int,
    reason: Reason,
) -> Consequence:
    """What follows when a child has ended.

    1. A child that is not started again may bring its supervisor's end: if it is significant, and the
       supervisor ends with any significant child, or with the last active one.
    2. A temporary child is forgotten. A transient one that ended as it should is kept, and rests.
    3. A child that is started again takes others with it: none of them (``"one_for_one"``), all of them
       (``"one_for_all"``), or those that were started after it (``"rest_for_one"``). They are stopped in the
       reverse order of their start; then all of them are started in order, those that rested, too.

    Args:
        strategy: The supervisor's.
        auto_shutdown: The supervisor's.
        children: All children, in the order of their start; the one that has ended is not active.
        ended: Which one has ended.
        reason: Why.

    Source:
        OTP's ``supervisor``.
    """
    child = children[ended]
    if not is_restarted(child.restart, reason):
        shut_down = child.significant and (
            auto_shutdown == "any_significant"
            or (
                auto_shutdown == "all_significant"
                and not any(other.significant and other.active for other in children)
            )
        )
        return Consequence(forget=child.restart == "temporary", shut_down=shut_down)
    return restart_of(strategy, children, ended)


def restart_of(strategy: Strategy, children: Sequence[Sibling], ended: int) -> Consequence:
    """What it takes to start a child again: rule 3 of :func:`consequence`.

    It holds for a child that was to be started again and did not start, whatever the reason.

    Args:
        strategy: The supervisor's.
        children: All children, in the order of their start; the one to start again is not active.
        ended: Which one that is.
    """
    first, last = {
        "one_for_one": (ended, ended + 1),
        "one_for_all": (0, len(children)),
        "rest_for_one": (ended, len(children)),
    }[strategy]
    group = range(first, last)
    return Consequence(
        stop=tuple(place for place in reversed(group) if place != ended and children[place].active),
        start=tuple(place for place in group if children[place].restart != "temporary"),
    )
