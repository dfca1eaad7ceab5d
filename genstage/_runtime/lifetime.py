"""What happens to runtimes when the interpreter exits, and when the process forks."""

from __future__ import annotations

import atexit
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genstage._runtime.engine import Engine

__all__ = ["let_go", "look_after"]

_EXIT_S = 5.0
"""For all runtimes together; what has not stopped by then is killed."""

_engines: set[Engine] = set()
"""Those that have not ended. Held: an idle stage that nobody has a reference to still has to be stopped."""


def look_after(engine: Engine) -> None:
    """Stop an engine when the interpreter exits; tell it of a fork."""
    _engines.add(engine)


def let_go(engine: Engine) -> None:
    """An engine has ended."""
    _engines.discard(engine)


def _at_exit() -> None:
    deadline = time.monotonic() + _EXIT_S
    engines = list(_engines)
    for engine in engines:  # all at once: one that is stuck must not cost the others their time
        engine.exit()
    for engine in engines:
        engine.close(max(deadline - time.monotonic(), 0))


def _in_child() -> None:
    for engine in list(_engines):
        engine.forked()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
