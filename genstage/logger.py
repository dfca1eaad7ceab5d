"""Loggers of the package: structlog's, bound to the standard library's, so that an application decides.

Nothing is configured here: records go to the standard logger of the given name, which shows what the
application wants to see, and by default nothing below a warning.

Logging never raises, as in the standard library: what a handler lets out, or a wrong format, is printed to
standard error. Whoever logs may be in the middle of telling others of an end.

A record tells whose it is by the fields ``runtime``, ``pipeline``, ``stage`` and ``chunk``, as far as there
are such. They are added here, from the context of whoever logs: an actor's turns run in a context of its own.
"""

from __future__ import annotations

import logging
import sys
import traceback
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, cast

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

__all__ = ["Logger", "Origin", "get_logger", "log_chunk", "log_for"]

Logger = structlog.stdlib.BoundLogger


class _Logger(Logger):
    def _proxy_to_logger(self, *args: Any, **fields: Any) -> Any:
        try:
            return super()._proxy_to_logger(*args, **fields)
        except Exception:  # noqa: BLE001 - a handler is anybody's code
            if logging.raiseExceptions and sys.stderr is not None:
                traceback.print_exc()


class Origin(Protocol):
    """Whom records are about; a running actor is."""

    @property
    def log_fields(self) -> Mapping[str, str]:
        """What its records carry: ``runtime``, ``pipeline``, and ``stage`` or ``supervisor``."""


_origin: ContextVar[Origin | None] = ContextVar("genstage.logger.origin", default=None)
_chunk: ContextVar[int | None] = ContextVar("genstage.logger.chunk", default=None)


def log_for(origin: Origin) -> None:
    """From now on, what is logged in this context is about ``origin``.

    Args:
        origin: Asked for its fields each time.
    """
    _origin.set(origin)


def log_chunk(index: int | None) -> None:
    """From now on, what is logged in this context is about a chunk.

    Args:
        index: Its number; ``None`` for no chunk any more. Whoever fails with a chunk lets it stand: the end
            of the stage is about it, too.
    """
    _chunk.set(index)


def get_logger(name: str, **fields: Any) -> Logger:
    """A logger whose records carry ``fields`` as attributes, and show them in their message.

    A record's attribute ``event`` is the message without them.

    Args:
        name: Name of the standard logger: that of the module.
        fields: Bound to every record; ``stage`` and the like are left out if they are ``None``. A field
            whose name a record needs for itself (``name``, ``message``, …) gets a ``_`` at the end.

    Example:
        >>> get_logger("genstage.example", stage="double").debug("not shown by default")
    """
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=_Logger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            _add_origin,
            _rename_reserved,
            _render,
        ],
        context_class=dict,
    )
    return cast("Logger", logger.bind(**fields))


_WHO = ("runtime", "pipeline", "stage", "supervisor")


def _add_origin(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Tell whose record it is, unless it says itself that it is about somebody else."""
    origin = _origin.get()
    own = {} if origin is None else origin.log_fields
    if all(name not in event or event[name] == own.get(name) for name in _WHO):
        event = {**own, "chunk": _chunk.get(), **event}
    for name in (*_WHO, "chunk"):
        if event.get(name, "") is None:
            del event[name]
    return event


_RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message"}
_PASSED_ON = frozenset({"exc_info", "stack_info"})  # by render_to_log_kwargs, as what they are
_UNSHOWN = _PASSED_ON | {"event", "stacklevel"}


def _rename_reserved(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep fields from colliding with a record's own, which raises where something is only logged."""
    for key in (event.keys() & _RESERVED) - _PASSED_ON:
        event[f"{key}_"] = event.pop(key)
    return event


def _render(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Tell the fields in the message too: the usual formats show nothing else of a record."""
    said = event["event"]
    shown = ", ".join(f"{key}={value}" for key, value in event.items() if key not in _UNSHOWN)
    text = f"{said} ({shown})" if shown else said
    rendered = structlog.stdlib.render_to_log_kwargs(logger, method, {**event, "event": text})
    rendered["extra"]["event"] = said
    return rendered
