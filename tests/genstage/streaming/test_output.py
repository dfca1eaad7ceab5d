import os
import threading

import pytest

from genstage import OptionError, OutputError
from genstage.streaming.output import Fence, FileOutput, FilePart

DEADLINE_S = 20.0


@pytest.fixture
def fence():
    return Fence()


@pytest.fixture
def output(tmp_path, fence):
    wrote = []
    made = FileOutput(tmp_path / "aside", tmp_path / "a.txt", fence, lambda: wrote.append("first bytes"))
    made.wrote = wrote
    yield made
    made.close()


def test_a_part_is_appended_to_and_read_back_in_pieces(output):
    assert output.write(b"abc") == 3
    assert output.write(b"") == 0
    assert output.write(b"defg") == 4

    assert output.size == 7
    assert list(output.read(chunk_bytes=3)) == [b"abc", b"def", b"g"]
    assert list(output.read(5, 3)) == [b"abc", b"de"]
    assert list(output.read(0)) == []


def test_companions_and_scratches_are_files_of_their_own_made_once(output):
    output.part("b.txt").write(b"b")
    output.part("b.txt").write(b"b")
    output.scratch("b.txt").write(b"scratch")

    assert list(output.part("b.txt").read()) == [b"bb"]
    assert list(output.scratch("b.txt").read()) == [b"scratch"]
    assert output.size == 0


def test_the_first_bytes_of_each_file_are_told_once(output):
    output.write(b"")
    assert output.wrote == []
    output.write(b"a")
    output.write(b"b")
    output.scratch("x").write(b"c")
    assert output.wrote == ["first bytes"] * 2


@pytest.mark.parametrize("name", ["", ".", "..", "x/y", ".hidden", "nul\0"])
def test_a_name_that_is_no_plain_file_name_is_refused(output, name):
    for make in (output.part, output.scratch):
        with pytest.raises(OptionError):
            make(name)


def test_the_main_files_own_name_is_refused(output):
    with pytest.raises(OptionError, match="another name than the main file's"):
        output.part("a.txt")


def test_what_is_published_is_synced_and_told_companions_first(output, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    output.write(b"main")
    output.part("b.txt").write(b"b")
    output.scratch("c.txt").write(b"c")

    files = output.finish()

    assert list(files.values()) == [tmp_path / "b.txt", tmp_path / "a.txt"]
    assert [path.read_bytes() for path in files] == [b"b", b"main"]
    assert len(synced) == 2


def test_a_write_that_is_cut_short_goes_on(output, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:2]))

    assert output.write(b"abcde") == 5

    assert list(output.read()) == [b"abcde"]


def test_what_the_system_says_is_told_with_the_final_name(tmp_path, fence):
    (tmp_path / "x").touch()
    with pytest.raises(OutputError) as caught:
        FilePart(tmp_path / "x", tmp_path / "final.txt", fence, lambda: None)
    assert (caught.value.path, caught.value.problem) == (str(tmp_path / "final.txt"), "File exists")


def test_a_file_that_lost_bytes_is_noticed(output):
    output.write(b"abc")
    os.truncate(output._main.path, 1)
    with pytest.raises(OutputError, match="shorter than what was written"):
        list(output.read(chunk_bytes=1))


@pytest.mark.parametrize(
    "use",
    [
        lambda output: output.write(b"late"),
        lambda output: list(output.read()),
        lambda output: output.part("new"),
        lambda output: output.part("old").write(b"late"),
        lambda output: output.scratch("new"),
        lambda output: output.finish(),
    ],
)
@pytest.mark.parametrize("over", ["fence", "closed"])
def test_nothing_is_done_when_the_attempt_is_over(output, fence, use, over):
    output.write(b"early")
    output.part("old").write(b"early")
    if over == "fence":
        fence.drop()
    else:
        fence.drop()
        output.close()

    with pytest.raises(OutputError) as caught:
        use(output)

    assert caught.value.problem == "this attempt is over, its files are closed"


@pytest.mark.parametrize("kind", ["part", "scratch"])
def test_a_file_that_is_opened_while_the_others_are_closed_is_closed_too(output, monkeypatch, kind):
    opened = os.open

    def late(*arguments):
        descriptor = opened(*arguments)
        monkeypatch.undo()
        output.close()  # as another thread might just then
        return descriptor

    monkeypatch.setattr(os, "open", late)
    part = getattr(output, kind)("b.txt")

    assert part._descriptor == -1


def test_closed_files_are_not_written(output):
    output.close()
    output.close()
    with pytest.raises(OutputError, match="the file is closed"):
        output.write(b"late")


def test_closing_does_not_wait_for_a_write_which_closes_the_file_itself(output, monkeypatch):
    writing, gate = threading.Event(), threading.Event()
    write = os.write

    def slow(descriptor, data):
        writing.set()
        gate.wait(DEADLINE_S)
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", slow)
    descriptor = output._main._descriptor
    thread = threading.Thread(target=output.write, args=(b"abc",))
    thread.start()
    assert writing.wait(DEADLINE_S)

    output.close()

    os.fstat(descriptor)  # still open
    gate.set()
    thread.join(DEADLINE_S)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
