import errno
import gc
import os

import pytest

from genstage import OptionError, OutputError
from genstage.streaming import StreamOutput


@pytest.fixture
def output():
    return StreamOutput("page.html")


def test_what_is_taken_is_gone_and_comes_once(output):
    assert output.take() == []
    assert [output.write(data) for data in (b"a", b"", b"bc")] == [1, 0, 2]
    assert output.take() == [b"abc"]
    output.write(b"d")
    assert (output.take(), output.take(), output.size) == ([b"d"], [], 4)


def test_much_is_taken_in_pieces_of_some_size(output):
    for number in range(100):
        output.write(bytes([number]) * 10_000)
    pieces = output.take()
    assert b"".join(pieces) == b"".join(bytes([number]) * 10_000 for number in range(100))
    assert {len(piece) for piece in pieces[:-1]} == {70_000}


def test_it_is_one_stream_and_goes_one_way(output):
    output.write(b"a")
    with pytest.raises(OutputError, match=r"^output page.html: is a stream: what was written cannot be read"):
        output.read()
    with pytest.raises(OutputError, match=r"has no place for the file 'data.json'"):
        output.part("data.json")
    with pytest.raises(OptionError):
        output.scratch("../up")


def test_scratch_files_have_no_name_and_end_with_it(output, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    scratch = output.scratch("totals")
    assert output.scratch("totals") is scratch
    assert output.scratch("others") is not scratch
    scratch.write(b"1,")
    scratch.write(b"2")
    assert b"".join(scratch.read()) == b"1,2"
    assert list(tmp_path.iterdir()) == []
    assert output.take() == []

    output.close()
    output.close()
    with pytest.raises(OutputError):
        scratch.write(b"3")


def test_scratch_files_end_with_an_output_that_nobody_closes():
    output = StreamOutput("page.html")
    descriptor = output.scratch("totals")._descriptor
    os.fstat(descriptor)
    del output
    gc.collect()
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(descriptor)


def test_a_full_disk_is_told(output, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/dev/null")
    with pytest.raises(OutputError, match="totals"):
        output.scratch("totals")
