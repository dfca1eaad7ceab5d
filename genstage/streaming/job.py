"""One loader, many sinks: a streaming pipeline and the work of its runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from genstage._core.checks import check_count
from genstage.errors import OptionError
from genstage.monitoring import MemoryMonitor
from genstage.pipeline import Edge, Graph, Node, Pipeline
from genstage.streaming.files import check_file_name, check_final
from genstage.streaming.folder import RunFolder
from genstage.streaming.loader import Loader
from genstage.streaming.output import Fence, FileOutput
from genstage.streaming.sink import Sink
from genstage.streaming.transform import TransformStage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genstage.errors import StageFailure
    from genstage.sources import Source
    from genstage.streaming.consumer import StreamingConsumer
    from genstage.streaming.transform import Transform

__all__ = ["SinkSpec", "StreamPlan", "Summary", "stream"]

# In chunks. A sink may be this far ahead of the slowest one; the stages before it hold two chunks each.
_SINK_DEMAND = {"max_demand": 4, "min_demand": 2}
_STAGE_DEMAND = {"max_demand": 2, "min_demand": 1}

_LOADER = "loader"
_TRANSFORM = "transform"


@dataclass(frozen=True, slots=True)
class SinkSpec:
    """A sink to be.

    Attributes:
        name: Names its stage and its place in the summary.
        file: Name of its main file in the output folder.
        make: Makes the streaming consumer, in the sink's own thread.
        raw: Whether it takes the source's records rather than what the transform makes of them.
    """

    name: str
    file: str
    make: Callable[[], StreamingConsumer[Any, Any, Any]]
    raw: bool = False


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What a streaming run needs, once its input has been checked.

    Attributes:
        source: Where the records come from.
        sinks: At least one, each with its own name and file.
        make_transform: Makes the transform between loader and sinks, in its stage's thread; ``None`` for
            none.
    """

    source: Source
    sinks: Sequence[SinkSpec]
    make_transform: Callable[[], Transform[Any, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to.

    Attributes:
        records: Source records read; each is in every output once.
        seconds: From the start of the run until all files had their final names.
        records_per_s: The quotient.
        first_bytes_s: Per sink, seconds from the start of the run until its first bytes were written, also
            to a file that is not published: a PDF's first pages. Of the attempt that succeeded.
        peak_memory_bytes: Most resident memory of this process and those it started, sampled.
        restarts: How often the stages began anew.
        failed: Records that failed; a failing record fails the run, so there are none in a summary.
        files: Per sink, its main file.
        results: Per sink, what its ``finalize`` returned.
    """

    records: int
    seconds: float
    records_per_s: float
    first_bytes_s: Mapping[str, float]
    peak_memory_bytes: int
    restarts: int
    failed: int
    files: Mapping[str, Path]
    results: Mapping[str, Any]


def stream(
    name: str,
    prepare: Callable[[], StreamPlan],
    *,
    out: str | Path,
    max_restarts: int = 3,
    shutdown_s: float = 5.0,
    chunk_records: int = 1_000,
    chunk_bytes: int = 4 << 20,
    clock: Callable[[], float] = time.monotonic,
) -> Pipeline[Summary]:
    """A pipeline from one source to many files.

    Args:
        name: Names the run; two runs of one name do not write to one folder at the same time.
        prepare: Checks the input of a run and tells what it needs; called by ``Pipeline.run``.
        out: The output folder; made if it is missing.
        max_restarts: How often the stages begin anew in one run, 0 or more.
        shutdown_s: Seconds the stages get to stop when a run is cancelled or fails.
        chunk_records: Most records in a chunk, 1 or more.
        chunk_bytes: A chunk ends with the record that brings it to this size, roughly.
        clock: Seconds that pass steadily, for the summary.

    Raises:
        OptionError: An option is out of range.
    """
    check_count("chunk_records", chunk_records, 1)
    check_count("chunk_bytes", chunk_bytes, 1)
    folder = Path(out)

    def open_job() -> _StreamJob:
        begun = clock()
        plan = prepare()
        _check_sinks(plan.sinks, folder)
        return _StreamJob(
            plan,
            folder,
            RunFolder(folder, name),
            begun=begun,
            clock=clock,
            chunk_records=chunk_records,
            chunk_bytes=chunk_bytes,
        )

    return Pipeline(name, open_job, max_restarts=max_restarts, shutdown_s=shutdown_s)


def _check_sinks(sinks: Sequence[SinkSpec], folder: Path) -> None:
    names = [_LOADER, _TRANSFORM, *(sink.name for sink in sinks)]
    files = [sink.file for sink in sinks]
    for sink in sinks:
        if names.count(sink.name) > 1 or files.count(sink.file) > 1:
            raise OptionError(
                "sinks",
                sink.name,
                f"names of sinks and files, each given once, not {_LOADER} or {_TRANSFORM}",
            )
        check_file_name(sink.file)
        check_final(folder / sink.file)


@dataclass(slots=True)
class _Attempt:
    """What the stages of one attempt leave for the job. Each entry is written by one thread."""

    fence: Fence = field(default_factory=Fence)
    positions: dict[str, int] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[Path, Path]] = field(default_factory=dict)
    outputs: list[FileOutput] = field(default_factory=list)
    ended: bool = False
    cut_off: bool = False

    def cut(self) -> None:
        """The run is drained: no chunk follows."""
        self.cut_off = True

    def end(self) -> None:
        """Close its files, also those of a stage that was killed and could not do it itself."""
        self.fence.drop()
        self.ended = True
        for output in list(self.outputs):
            output.close()

    def add(self, output: FileOutput) -> FileOutput:
        """Take on an output; one that comes too late is closed at once."""
        self.outputs.append(output)
        if self.ended:
            output.close()
        return output


class _StreamJob:
    """The work of one run; satisfies :class:`genstage.pipeline.Job`."""

    whole_when_drained = False  # a report of a part of the data is none

    def __init__(
        self,
        plan: StreamPlan,
        out: Path,
        folder: RunFolder,
        *,
        begun: float,
        clock: Callable[[], float],
        chunk_records: int,
        chunk_bytes: int,
    ) -> None:
        self._plan = plan
        self._out = out
        self._folder = folder
        self._begun = begun
        self._clock = clock
        self._chunk_records = chunk_records
        self._chunk_bytes = chunk_bytes
        self._memory = MemoryMonitor()
        self._attempt = _Attempt()
        self._expected: int | None = None
        self._first_bytes_s: dict[str, float] = {}

    def attempt(self, epoch: int) -> Graph:
        """Begin with nothing written; whatever is left of an earlier attempt can write no more."""
        self._attempt.end()
        self._attempt = attempt = _Attempt(
            positions=dict.fromkeys((sink.name for sink in self._plan.sinks), 0)
        )
        self._first_bytes_s.clear()
        parts = self._folder.renew(epoch)
        plan = self._plan
        nodes = [Node(_LOADER, partial(self._loader, epoch, attempt), blocking=True)]
        edges = []
        make_transform = plan.make_transform
        if make_transform is not None and not all(sink.raw for sink in plan.sinks):
            nodes.append(Node(_TRANSFORM, lambda: TransformStage(make_transform())))
            edges.append(Edge(_TRANSFORM, _LOADER, _STAGE_DEMAND))
        for number, sink in enumerate(plan.sinks):
            nodes.append(self._node(sink, parts / str(number), attempt))
            upstream = _LOADER if sink.raw or make_transform is None else _TRANSFORM
            edges.append(Edge(sink.name, upstream, _SINK_DEMAND))
        return Graph(tuple(nodes), tuple(edges))

    def complete(self, restarts: int, results: Mapping[str, object]) -> Summary:  # noqa: ARG002 - they come with the files
        """Give the files their final names."""
        attempt, plan = self._attempt, self._plan
        names = [sink.name for sink in plan.sinks]
        self._folder.publish({name: attempt.files[name] for name in names})
        self._folder.remove()
        seconds = self._clock() - self._begun
        records = self.records()
        return Summary(
            records=records,
            seconds=seconds,
            records_per_s=records / seconds if seconds else 0.0,
            first_bytes_s=MappingProxyType(
                {name: self._first_bytes_s[name] for name in names if name in self._first_bytes_s}
            ),
            peak_memory_bytes=self._memory.stop(),
            restarts=restarts,
            failed=0,
            files=MappingProxyType({sink.name: self._out / sink.file for sink in plan.sinks}),
            results=MappingProxyType({name: attempt.results[name] for name in names}),
        )

    def abandon(self, failures: Sequence[StageFailure]) -> None:  # noqa: ARG002 - the same whatever they are
        """Leave nothing behind; final names stay as they were."""
        self._attempt.end()
        self._folder.remove()
        self._memory.stop()

    def records(self) -> int:
        """Source records that have reached every sink."""
        return min(self._attempt.positions.values(), default=0)

    def expected(self) -> int | None:
        """Source records there are in all, if the source has told."""
        return self._expected

    def _loader(self, epoch: int, attempt: _Attempt) -> Loader:
        return Loader(
            self._plan.source,
            epoch=epoch,
            chunk_records=self._chunk_records,
            chunk_bytes=self._chunk_bytes,
            counted=self._count,
            cut_off=attempt.cut,
        )

    def _count(self, count: int | None) -> None:
        self._expected = count

    def _node(self, sink: SinkSpec, folder: Path, attempt: _Attempt) -> Node:
        final = self._out / sink.file

        def make_output() -> FileOutput:
            return attempt.add(FileOutput(folder, final, attempt.fence, wrote))

        def wrote() -> None:
            self._first_bytes_s.setdefault(sink.name, self._clock() - self._begun)

        def finished(result: Any, files: dict[Path, Path]) -> None:
            attempt.results[sink.name] = result
            attempt.files[sink.name] = files

        def moved(position: int) -> None:
            attempt.positions[sink.name] = position

        return Node(
            sink.name,
            lambda: Sink(
                sink.make,
                make_output,
                moved=moved,
                finished=finished,
                is_cut_off=lambda: attempt.cut_off,
            ),
            blocking=True,
        )
