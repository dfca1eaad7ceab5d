"""Loggers of the package: structlog's, bound to the standard library's, so that an application decides.

Nothing is configured here: records go to the standard logger of the given name, which shows what the
application wants to see, and by default nothing below a warning.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["Logger", "get_logger"]

Logger = structlog.stdlib.BoundLogger


def get_logger(name: str, **fields: Any) -> Logger:
    """A logger whose records carry ``fields`` as attributes, and show them in their message.

    A record's attribute ``event`` is the message without them.

    Args:
        name: Name of the standard logger: that of the module.
        fields: Bound to every record; ``stage``, ``pipeline`` and the like. A field whose name a record
            needs for itself (``name``, ``message``, …) gets a ``_`` at the end.

    Example:
        >>> get_logger("genstage.example", stage="double").debug("not shown by default")
    """
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=Logger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            _rename_reserved,
            _render,
        ],
        context_class=dict,
    )
    return cast("Logger", logger.bind(**fields))


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
