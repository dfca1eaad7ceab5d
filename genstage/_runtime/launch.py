"""What a runtime can bring to life: recipes, and what is kept of one over all its incarnations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from genstage._core.reasons import Reason
    from genstage._runtime.actor import LaneActor
    from genstage._runtime.driver import Driver

__all__ = ["STARTING", "Behaviour", "ChildType", "Launch", "Recipe", "Starting"]

H_co = TypeVar("H_co", covariant=True)

ChildType = Literal["worker", "supervisor"]
"""What OTP calls the type of a child: whether it has children of its own."""


class Starting:
    """What a behaviour's ``start`` returns that has not started yet: it will call ``port.started()``."""


STARTING: Final = Starting()


class Behaviour(Protocol):
    """What an actor does. A stage's core is one."""

    def start(self) -> Reason | Starting | None:
        """Called first; a reason means that the actor does not start."""

    def handle(self, message: object, /) -> None:
        """Handle one message to the end; never raises."""


class Launch(Protocol[H_co]):
    """One child, over all its incarnations."""

    @property
    def own_lane(self) -> bool:
        """Whether it blocks by nature, and so gets a thread of its own."""

    @property
    def control(self) -> bool:
        """Whether it is a supervisor."""

    def make(self, port: Driver, /) -> Behaviour:
        """The behaviour of a new incarnation; called in its own thread."""

    def handle(self, actor: LaneActor, /) -> H_co:
        """What a user holds of it."""

    def over(self) -> None:
        """No further incarnation will follow the last one, which has ended. Must not block or raise.

        Called by the supervisor that has started it, unless that ends itself.
        """


class Recipe(Protocol[H_co]):
    """What can be started besides a stage: a supervisor, a pipeline. It never changes.

    ``H_co`` is what its user gets to hold.
    """

    @property
    def child_type(self) -> ChildType:
        """Whether it has children of its own."""

    def launch(self, name: str, /) -> Launch[H_co]:
        """Get ready to start.

        Args:
            name: Of the child to be.

        Raises:
            GenstageError: Its input is refused; nothing has happened.
        """
