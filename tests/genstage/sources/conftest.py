import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from shutil import rmtree

import pytest


@pytest.fixture
def make_database(tmp_path):
    """Make a database by a script."""

    def make(script, name="data.sqlite"):
        path = tmp_path / name
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.executescript(script)
        return path

    return make


@pytest.fixture
def open_folder():
    """A folder that every user may look into, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    rmtree(folder)


@pytest.fixture
def as_nobody():
    """Run a test that starts as root as a user without rights; any other user has none to lose."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
