"""What supervisors tell the log and telemetry of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genstage.supervision.intensity import GaveUp

if TYPE_CHECKING:
    from genstage._core.reasons import Reason
    from genstage._runtime.driver import Driver
    from genstage.supervision.intensity import Intensity

__all__ = ["tell_gave_up", "tell_not_restarted", "tell_restart"]


def tell_restart(
    port: Driver, supervisor: str, child: str, reason: Reason, *, restarts: int, delay_s: float = 0.0
) -> None:
    """A child is started again."""
    about: dict[str, Any] = {"supervisor": supervisor, "child": child, "reason": reason}
    port.emit("supervisor.restart", {"restarts": restarts, "delay_s": delay_s}, **about)


def tell_not_restarted(port: Driver, child: str, reason: Reason) -> None:
    """A child has not started again; it will be tried once more."""
    port.report("child_not_restarted", child=child, reason=reason)


def tell_gave_up(port: Driver, supervisor: str, child: str, reason: Reason, intensity: Intensity) -> GaveUp:
    """The restarts are used up; gives what the supervisor ends with."""
    gave_up = GaveUp(supervisor, child, intensity.restarts, intensity.window_s, reason)
    port.report("gave_up", problem=str(gave_up))
    about: dict[str, Any] = {"supervisor": supervisor, "child": child, "reason": reason}
    port.emit("supervisor.gave_up", {"restarts": intensity.restarts}, **about)
    return gave_up
