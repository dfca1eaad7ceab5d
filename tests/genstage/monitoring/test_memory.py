import subprocess
import sys

import pytest

from genstage import OptionError
from genstage.monitoring import MemoryMonitor, memory, memory_bytes

HOARD = "data = bytearray({size}); print(len(data), flush=True); input()"
DEADLINE_S = 20.0


class Hoarder:
    """A child process that holds so much memory until it is let go."""

    def __init__(self, size):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOARD.format(size=size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(b"\n", timeout=DEADLINE_S)


def test_children_count():
    before = memory_bytes()
    with Hoarder(50_000_000):
        assert memory_bytes() > before + 50_000_000
    assert memory_bytes() < before + 25_000_000


def test_the_peak_is_kept():
    monitor = MemoryMonitor(interval_s=0.005)
    start = monitor.peak_bytes
    with Hoarder(60_000_000):
        while monitor.peak_bytes < start + 60_000_000:
            assert monitor._thread.is_alive()
    peak = monitor.stop()

    assert peak > start + 60_000_000
    assert monitor.stop() == monitor.peak_bytes == peak


def test_a_process_that_ends_while_it_is_looked_at_is_left_out():
    with Hoarder(1_000) as hoarder:
        family = memory._family()
    hoarder.process.wait(DEADLINE_S)

    assert memory._sum_bytes(family[:1]) > 0
    assert memory._sum_bytes(family[1:]) == 0


def test_the_interval_is_checked():
    with pytest.raises(OptionError):
        MemoryMonitor(interval_s=-1)
