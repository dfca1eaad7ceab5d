import logging

import pytest


@pytest.fixture(autouse=True)
def _accidents_are_no_news(_no_error_is_logged):
    """Stages are killed and crash by plan here; what must not be reported, the models see themselves."""
    loggers = [
        logging.getLogger(name) for name in ("genstage.runtime", "genstage.stage", "genstage.pipeline")
    ]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    yield
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
