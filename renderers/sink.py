"""Reports as pipelines: one pass over a source, and a file per format."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from genstage.errors import OptionError
from genstage.streaming import SinkSpec, StreamPlan, stream
from renderers.errors import ReportError
from renderers.model import lay_out
from renderers.registry import renderer
from renderers.rows import RowMaker, to_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from genstage.pipeline import Pipeline
    from genstage.sources import Record, Source
    from genstage.streaming import Chunk, StreamingConsumer, Summary
    from renderers.model import Layout, Report
    from renderers.rows import Row

    OwnSink = StreamingConsumer[Record, Any, Any] | Callable[[], StreamingConsumer[Record, Any, Any]]

__all__ = ["RowTransform", "checked_layout", "render"]


class RowTransform:
    """The rows stage: satisfies :class:`genstage.streaming.Transform`.

    Args:
        layout: The report, ready for its data.
        key: The columns that tell records apart.
    """

    def __init__(self, layout: Layout, key: Sequence[str]) -> None:
        self._maker = RowMaker(layout)
        self._key = key

    def begin(self) -> dict[str, Any]:
        """As in the protocol."""
        return self._maker.begin()

    def apply(self, chunk: Chunk[Record], state: dict[str, Any], /) -> tuple[Chunk[Row], dict[str, Any]]:
        """As in the protocol."""
        return to_rows(self._maker, chunk, state, key=self._key)


def render(
    report: Report,
    source: Source,
    *,
    out: str | Path,
    formats: Sequence[str],
    sinks: Mapping[str, OwnSink] | None = None,
    max_restarts: int = 3,
    shutdown_s: float = 5.0,
    chunk_records: int = 1_000,
) -> Pipeline[Summary]:
    """A pipeline that renders a report: all formats from one pass over the source.

    A file gets its final name when all files are whole; a run that fails or is stopped leaves final names as
    they were.

    Args:
        report: The definition.
        source: Where the records come from; its key begins with the report's groups.
        out: The output folder; made if it is missing.
        formats: Names of renderers: ``"html"``, ``"json"``, ``"heex"``, ``"pdf"``. The file is called
            after the report: ``invoices.html``.
        sinks: File name → a streaming consumer of one's own, which takes the source's records; or a class
            or function that makes it, which is called anew when the stages begin anew after a crash.
        max_restarts: How often the stages begin anew in one run after a crash, 0 or more.
        shutdown_s: Seconds the stages get to stop when a run is cancelled or fails.
        chunk_records: Most records in a chunk, 1 or more.

    Returns:
        The recipe. Its ``run`` refuses bad input before anything is written: ``SourceError``,
        ``ReportError``, ``OutputError``.

    Raises:
        RegistryError: A format is unknown.
        OptionError: There is nothing to render to, or an option is out of range.

    Example:
        >>> from genstage import sources
        >>> from renderers import Report
        >>> lines = sources.sqlite("shop.sqlite", "SELECT * FROM lines", key=["id"])
        >>> render(Report("lines"), lines, out="out", formats=["html", "json"])
        <Pipeline 'lines'>
    """
    if isinstance(formats, str):
        raise OptionError("formats", formats, "a list of names, such as ['html', 'pdf']")
    found = [renderer(name) for name in dict.fromkeys(formats)]
    own = dict(sinks or {})
    if not found and not own:
        raise OptionError("formats", formats, "at least one format, if there are no sinks")

    def prepare() -> StreamPlan:
        layout = checked_layout(report, source)
        rendered = [
            SinkSpec(each.name, f"{report.name}.{each.name}", partial(each.make, layout)) for each in found
        ]
        raw = [SinkSpec(file, file, _factory(sink), raw=True) for file, sink in own.items()]
        return StreamPlan(source, [*rendered, *raw], lambda: RowTransform(layout, source.key))

    return stream(
        report.name,
        prepare,
        out=out,
        max_restarts=max_restarts,
        shutdown_s=shutdown_s,
        chunk_records=chunk_records,
    )


def checked_layout(report: Report, source: Source) -> Layout:
    """The report, ready for the data of a source.

    Raises:
        ReportError: It does not fit the data.
        SourceError: The source cannot be opened.
    """
    _check_order(report, source.key)
    return lay_out(report, source.columns())


def _check_order(report: Report, key: Sequence[str]) -> None:
    """Refuse a source that does not keep the records of a group together.

    Other columns may stand between the groups in the key, as far as each belongs to one group only: a rank
    that regions are ordered by, for example. That cannot be seen from here.
    """
    rest = iter(key)
    for group in report.groups:
        if group.name not in rest:  # looks on from the place of the group before
            raise ReportError(
                report.name,
                f"group {group.name!r}: the source orders its records by {', '.join(map(repr, key))}; "
                f"its key must begin with the groups: {', '.join(repr(one.name) for one in report.groups)}",
            )


def _factory(sink: OwnSink) -> Callable[[], StreamingConsumer[Record, Any, Any]]:
    """What makes the consumer; one that is given itself keeps nothing on itself that a chunk changes."""
    return sink if callable(sink) else lambda: sink
