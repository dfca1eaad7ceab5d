"""One measured workload: its figures, the targets beside them, and how they are printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Result", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to reach.

    Attributes:
        figure: Its name.
        bound: The figure to reach.
        at_most: Whether less is better.
    """

    figure: str
    bound: float
    at_most: bool = False

    def met_by(self, value: float) -> bool:
        """Whether a value reaches it."""
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of a workload.

    Attributes:
        workload: Its name.
        unit: What its plain figures count.
        figures: By name.
        targets: What they are to reach.
        max_demand: Of the subscriptions, where the workload depends on it.
    """

    workload: str
    unit: str
    figures: dict[str, float]
    targets: tuple[Target, ...] = ()
    max_demand: int | None = field(default=None, kw_only=True)

    def to_json(self) -> dict[str, Any]:
        """All of it, the figures beside the name."""
        targets = [
            {
                "figure": target.figure,
                "at_most" if target.at_most else "at_least": target.bound,
                "met": target.met_by(self.figures[target.figure]),
            }
            for target in self.targets
        ]
        demand = {} if self.max_demand is None else {"max_demand": self.max_demand}
        figures = {name: float(f"{value:.5g}") for name, value in self.figures.items()}
        return {"workload": self.workload, **demand, "unit": self.unit, **figures, "targets": targets}

    def __str__(self) -> str:
        demand = "" if self.max_demand is None else f" at max_demand {self.max_demand}"
        lines = [f"{self.workload}{demand} ({self.unit})"]
        shown = [
            f"{name} {_shown(value)}{self._span(name)}"
            for name, value in self.figures.items()
            if not name.endswith(("_low", "_high"))
        ]
        lines.append("    " + "   ".join(shown))
        for target in self.targets:
            sign = "at most" if target.at_most else "at least"
            met = "met" if target.met_by(self.figures[target.figure]) else "NOT met"
            lines.append(f"    target: {target.figure} {sign} {_shown(target.bound)}: {met}")
        return "\n".join(lines)

    def _span(self, name: str) -> str:
        low, high = (self.figures.get(f"{name}_{end}") for end in ("low", "high"))
        return "" if low is None or high is None else f" ({_shown(low)} to {_shown(high)})"


def _shown(value: float) -> str:
    if value == int(value) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"
