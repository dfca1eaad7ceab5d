"""What a supervisor knows of each of its children. Only the supervisor changes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genstage.supervision.children import Child

if TYPE_CHECKING:
    from genstage._core.reasons import Reason
    from genstage.supervision.children import ChildEnded
    from genstage.supervision.spec import ChildSpec, Restart

__all__ = ["Member", "TryAgain"]


class _Life(Child[Any]):
    """The life of a member's child."""

    __slots__ = ("member",)

    member: Member


class Member:
    """A child and what the supervisor knows of it.

    Args:
        spec: Its specification.

    Attributes:
        spec: As above.
        over: Whether no further incarnation will follow, unless somebody asks for one.
        child: Its life. A new one is made when the last one was over and it is started again.
        waits_for: The message at which it will be started again without anybody asking; an older message, of
            a restart that a later one has overtaken, does nothing.
        unseen: The end of the last incarnation, as long as nobody has seen to it.
        reason: Why the last incarnation ended.
    """

    def __init__(self, spec: ChildSpec[Any]) -> None:
        self.spec = spec
        self.child = self._new_life()
        self.over = False
        self.waits_for: TryAgain | None = None
        self.unseen: ChildEnded | None = None
        self.reason: Reason | None = None

    @property
    def restart(self) -> Restart:
        """As in ``ChildSpec``."""
        return self.spec.restart

    @property
    def significant(self) -> bool:
        """As in ``ChildSpec``."""
        return self.spec.significant

    @property
    def restarting(self) -> bool:
        """Whether it is to be started again without anybody asking."""
        return self.waits_for is not None

    @property
    def active(self) -> bool:
        """Whether it runs, or is to run again, or it is yet to be seen whether it is."""
        return self.child.alive or self.restarting or self.unseen is not None

    def renew(self) -> None:
        """Get ready to start."""
        self.unseen = None
        if self.over:
            self.child = self._new_life()
            self.over = False

    def rest(self) -> None:
        """It has ended, and will not be started again unless somebody asks."""
        self.waits_for = self.unseen = None
        if not self.over:
            self.over = True
            self.child.launch.over()

    def handle(self) -> Any:
        """What one holds of it; ``None`` if it has never been started."""
        actor = self.child.actor
        return None if actor is None else self.child.launch.handle(actor)

    def _new_life(self) -> _Life:
        spec = self.spec
        assert spec.shutdown_s is not None  # noqa: S101 - the specification has set it
        name = spec.name or spec.id
        life = _Life(name, spec.launch(), shutdown_s=spec.shutdown_s, listed=spec.name is not None)
        life.member = self
        return life


@dataclass(frozen=True, slots=True, eq=False)
class TryAgain:
    """From the supervisor to itself: these have not been started again yet.

    Attributes:
        members: In the order of their start.
        reason: Why the first one has not: that counts as one more failure. ``None`` where they had to wait.
    """

    members: tuple[Member, ...]
    reason: Reason | None = None
