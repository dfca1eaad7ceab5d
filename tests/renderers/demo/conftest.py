import pytest

from renderers.demo import create_sample

ROWS = 5_000


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """A sample of 5,000 lines; not to be changed."""
    path = tmp_path_factory.mktemp("sample") / "sample.sqlite"
    create_sample(path, rows=ROWS, seed=42)
    return path
