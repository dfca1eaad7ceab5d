"""Blocking work for an event loop: done in a thread, and to its end, whatever becomes of the task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["finish_in_thread"]

T = TypeVar("T")


async def finish_in_thread(function: Callable[[], T]) -> T:
    """Call a function in a thread and wait until it has returned; a cancel is raised only then.

    Raises:
        CancelledError: The task was cancelled meanwhile. What the function returned or raised is lost.
    """
    work = asyncio.get_running_loop().run_in_executor(None, function)  # no task, which others could cancel
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        work.exception()  # looked at, so that nobody is told that it was not
        raise cancelled
    return work.result()
