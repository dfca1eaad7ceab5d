"""A run of a pipeline in asyncio."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Generic, NoReturn, Self, TypeVar

from genstage._runtime.async_reading import wait_for_call
from genstage._runtime.in_thread import finish_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from genstage.pipeline.run import Run
    from genstage.pipeline.statistics import PipelineStatistics

__all__ = ["AsyncRun"]

R = TypeVar("R")


class AsyncRun(Generic[R]):
    """A run of a pipeline for asyncio; made by :meth:`genstage.pipeline.Pipeline.run_async`.

    The run begins when the ``async with`` block is entered. Leaving the block waits for its end and raises
    what :meth:`wait` raises, unless the block itself has stopped the run or has been told already; leaving it
    by an exception, a cancel too, stops the run first. The event loop is never blocked.

    Args:
        name: The pipeline's name.
        start: Starts the run; may block.
    """

    def __init__(self, name: str, start: Callable[[], Run[R]]) -> None:
        self.name = name
        self._start = start
        self._begun: Run[R] | None = None

    async def wait(self, timeout_s: float | None = None) -> R:
        """Wait for the end.

        Args:
            timeout_s: Seconds to wait; ``None``, the default, for ever.

        Returns:
            The run's result.

        Raises:
            PipelineError: The run failed or was stopped; ``__cause__`` is the first stage's own exception.
            CallTimeoutError: It has not ended in time; it goes on.
        """
        return await self._run.wait_async(timeout_s)

    async def pause(self) -> None:
        """Let the sources rest until :meth:`resume`, as :meth:`genstage.pipeline.Run.pause`."""
        await asyncio.to_thread(self._run.pause)

    async def resume(self) -> None:
        """Let the sources go on."""
        await asyncio.to_thread(self._run.resume)

    async def drain(self, *, timeout_s: float | None = None) -> None:
        """Let the sources end and what is on its way reach the sinks, as :meth:`genstage.pipeline.Run.drain`.

        A cancelled wait does not keep it from ending.

        Args:
            timeout_s: Seconds to wait; ``None``, the default, as long as it takes.

        Raises:
            CallTimeoutError: It has not ended in time; it goes on.
        """
        await asyncio.to_thread(self._run.drain, timeout_s=timeout_s)

    async def stop(self, reason: object = None, *, timeout_s: float | None = None) -> None:
        """Cancel the run, in order, and wait until it has ended; nothing happens if it has.

        A cancelled wait does not keep it from ending.

        Args:
            reason: Anything that says why: the ``terminate`` of the stages gets ``Shutdown(reason)``.
            timeout_s: Seconds to wait; ``None``, the default, as long as it takes.

        Raises:
            CallTimeoutError: It has not ended in time; it goes on ending.
        """
        await asyncio.to_thread(self._run.stop, reason, timeout_s=timeout_s)

    def explain(self) -> str:
        """Why the run does not move, as :meth:`genstage.pipeline.Run.explain`."""
        return self._run.explain()

    def statistics(self) -> PipelineStatistics:
        """Figures of this moment, or of the end; never blocks."""
        return self._run.statistics()

    @property
    def _run(self) -> Run[R]:
        if self._begun is None:
            raise RuntimeError(f"run {self.name!r} has not begun: use it in an async with block")
        return self._begun

    def _begin(self) -> None:
        self._begun = self._start()

    def _undo(self) -> None:
        if self._begun is not None:  # the task was cancelled meanwhile: nobody would hold the run
            self._begun.close()

    async def __aenter__(self) -> Self:
        if self._begun is not None:
            raise RuntimeError(f"run {self.name!r} has begun already: a block is entered once")
        try:
            await finish_in_thread(self._begin)
        except BaseException:
            await finish_in_thread(self._undo)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run = self._run
        if error is None:
            try:
                await wait_for_call(lambda called: run.on_end(lambda _: called()))
            except BaseException:  # cancelled
                await finish_in_thread(run.close)
                raise
        await finish_in_thread(partial(run.__exit__, kind, error, trace))

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"run {self.name!r} cannot be pickled: its stages are of this process; pass its statistics(), "
            "its result, or what makes its pipeline"
        )

    def __repr__(self) -> str:
        if self._begun is None:
            return f"<AsyncRun {self.name!r} not begun>"
        return repr(self._begun).replace("<Run", "<AsyncRun", 1)
