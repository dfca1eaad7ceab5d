"""Which renderers there are, each loaded when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from renderers.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from genstage.streaming import StreamingConsumer
    from renderers.model import Layout
    from renderers.rows import Row

__all__ = ["FORMATS", "Renderer", "renderer"]


@dataclass(frozen=True, slots=True)
class Renderer:
    """A format the report system can write.

    Attributes:
        name: What users call it, also the suffix of its file: ``report.<name>``.
        make: Makes the sink for a report that is ready for its data.
        streams: Whether its one file can be sent on while it is made: it has no companions, and what was
            written is neither read nor changed.
    """

    name: str
    make: Callable[[Layout], StreamingConsumer[Row, Any, Any]]
    streams: bool = False


FORMATS = ("heex", "html", "json", "pdf")


def renderer(name: str) -> Renderer:
    """Find a renderer.

    Args:
        name: One of :data:`FORMATS`.

    Raises:
        RegistryError: There is none of this name.
    """
    if name not in FORMATS:
        raise RegistryError(name, FORMATS)
    found: Renderer = import_module(f"renderers.{name}").RENDERER
    return found
