"""The parameters of a query: which of them it asks for, and those of the predicate around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Asked", "Bound"]


class Asked(dict[str, Any]):
    """Named parameters that note which of them are asked for.

    Attributes:
        names: Those, in order.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        super().__init__(parameters)
        self.names: list[str] = []

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        self.names.append(name)
        return value


class Bound:
    """The query's parameters, followed by those of the predicate around it."""

    def __init__(self, parameters: Mapping[str, Any] | tuple[Any, ...]) -> None:
        self._named = dict(parameters) if isinstance(parameters, Mapping) else None
        self._places = [] if isinstance(parameters, Mapping) else list(parameters)

    def bind(self, value: Any) -> str:
        """Add a value; returns its placeholder."""
        if self._named is None:
            self._places.append(value)
            return "?"
        name = f"genstage_after_{len(self._named)}"
        self._named[name] = value
        return f":{name}"

    @property
    def parameters(self) -> Mapping[str, Any] | Sequence[Any]:
        """All of them."""
        return self._places if self._named is None else self._named
