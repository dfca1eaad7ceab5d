import threading

import pytest


@pytest.fixture
def gate():
    """Something to block on, opened at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()
