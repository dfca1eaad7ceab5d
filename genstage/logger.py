"""Loggers of the package: structlog's, bound to the standard library's, so that an application decides.

Nothing is configured here: records go to the standard logger of the given name, which shows what the
application wants to see, and by default nothing below a warning.
"""

from __future__ import annotations

import logging
from typing import Any, cast

import structlog

__all__ = ["Logger", "get_logger"]

Logger = structlog.stdlib.BoundLogger


def get_logger(name: str, **fields: Any) -> Logger:
    """A logger whose records carry ``fields`` as attributes.

    Args:
        name: Name of the standard logger: that of the module.
        fields: Bound to every record; ``stage``, ``pipeline`` and the like.

    Example:
        >>> get_logger("genstage.example", stage="double").debug("not shown by default")
    """
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=Logger,
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
        context_class=dict,
    )
    return cast("Logger", logger.bind(**fields))
