import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

import pytest

from genstage._core.dispatchers.hashing import stable_hash
from genstage.errors import OptionError

VALUES = [None, 0, -1, 2**70, 1.5, float("inf"), "a", "Zürich", "\ud800", b"x", (1, "a", None), {"a": [1]}]


@pytest.mark.parametrize(
    "equal",
    [
        (1, 1.0, True, Decimal("1.00"), Fraction(2, 2)),
        ([1, "a"], (1, "a")),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, MappingProxyType({"a": 1, "b": 2})),
        (b"x", bytearray(b"x")),
        (float("nan"), float("nan")),
    ],
)
def test_equal_values_have_equal_hashes(equal):
    assert len({stable_hash(value) for value in equal}) == 1


def test_different_values_have_different_hashes():
    assert len({stable_hash(value) for value in VALUES}) == len(VALUES)
    assert all(0 <= stable_hash(value) < 2**32 for value in VALUES)
    assert stable_hash([[1], 2]) != stable_hash([1, [2]])


def test_every_process_has_the_same_hashes():
    program = (
        "from genstage.dispatchers import stable_hash\n"
        f"print(*(stable_hash(value) for value in {VALUES[:5] + VALUES[6:8] + VALUES[9:]!r}))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    here = " ".join(str(stable_hash(value)) for value in VALUES[:5] + VALUES[6:8] + VALUES[9:])
    assert outputs == {f"{here}\n".encode()}


def test_the_spread_is_even():
    sizes = [0] * 8
    for number in range(8_000):
        sizes[stable_hash(number) % 8] += 1
    assert min(sizes) > 900


@pytest.mark.parametrize("value", [object(), {1, 2}, [object()]])
def test_what_has_no_hash_of_its_own_is_refused(value):
    with pytest.raises(OptionError, match="'hash': must be given as a function"):
        stable_hash(value)
