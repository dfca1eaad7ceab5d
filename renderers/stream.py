"""A report as a stream of bytes: one pass over a source, sent on as it is made."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from genstage.errors import OptionError
from genstage.streaming import BytesPlan, stream_bytes
from renderers.registry import FORMATS, renderer
from renderers.sink import RowTransform, checked_layout

if TYPE_CHECKING:
    from genstage.pipeline import Flow
    from genstage.sources import Source
    from renderers.model import Report

__all__ = ["render_stream"]


def render_stream(
    report: Report,
    source: Source,
    *,
    format: str = "html",  # noqa: A002 - the report's own word
    chunk_records: int = 1_000,
) -> Flow[bytes]:
    """A flow of a report's bytes, for an HTTP response, say; no faster than they are taken.

    Joined they are the file that :func:`render` writes. A failure ends the stream with ``PipelineError``, in
    the middle perhaps: whoever sends it on has to break off then, not to end in order.

    Args:
        report: The definition.
        source: Where the records come from; its key begins with the report's groups.
        format: ``"html"`` or ``"json"``. The others need more than one file, or to go back in it.
        chunk_records: Most records in a chunk, 1 or more; a piece of the stream is about a chunk.

    Returns:
        The recipe; see ``Flow.stream`` and ``Flow.stream_async``, which refuse bad input when they begin:
        ``SourceError``, ``ReportError``.

    Raises:
        RegistryError: The format is unknown.
        OptionError: It cannot be streamed, or an option is out of range.

    Example:
        >>> from genstage import sources
        >>> from renderers import Report
        >>> lines = sources.sqlite("shop.sqlite", "SELECT * FROM lines", key=["id"])
        >>> render_stream(Report("lines"), lines, format="json")
        <Flow 'writer' of 3>
    """
    found = renderer(format)
    if not found.streams:
        streaming = " or ".join(repr(name) for name in FORMATS if renderer(name).streams)
        raise OptionError(
            "format",
            format,
            f"{streaming}, which are sent on as they are made; for {format!r}, let render() write its files",
        )

    def prepare() -> BytesPlan:
        layout = checked_layout(report, source)
        return BytesPlan(source, lambda: RowTransform(layout, source.key), partial(found.make, layout))

    return stream_bytes(f"{report.name}.{found.name}", prepare, chunk_records=chunk_records)
