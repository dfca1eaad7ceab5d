import sys

import psutil
import pytest

from renderers.errors import CompileError
from renderers.pdf import compiler
from renderers.pdf.compiler import Compiler


@pytest.fixture
def make_compiler(tmp_path, monkeypatch):
    """Makes a compiler whose process runs the given script."""
    made = []

    def make(script):
        (tmp_path / "worker.py").write_text(script)
        monkeypatch.setattr(compiler, "_WORKER", tmp_path / "worker.py")
        made.append(Compiler())
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_process_that_dies_each_time_is_an_error_with_its_last_words(make_compiler, tmp_path):
    script = f"open({str(tmp_path / 'starts')!r}, 'a').write('x'); raise SystemExit('no fonts\\nno pages')"
    with pytest.raises(CompileError, match=r"its process ended with 1: no pages$"):
        make_compiler(script).compile({})
    assert (tmp_path / "starts").read_text() == "xx"


def test_an_answer_that_is_cut_off_is_a_death(make_compiler):
    script = "import sys; sys.stdin.buffer.read(4); sys.stdout.buffer.write(b'\\0\\0\\0\\7half')"
    with pytest.raises(CompileError, match=r"its process ended with 0: it said nothing$"):
        make_compiler(script).compile({})


def test_a_process_that_does_not_end_is_killed(make_compiler, monkeypatch):
    monkeypatch.setattr(compiler, "_PATIENCE_S", 0.1)
    one = make_compiler("import time\nwhile True: time.sleep(60)")
    one.start()
    pid = one.pid
    assert psutil.pid_exists(pid)
    one.close()
    assert one.pid is None
    assert not psutil.pid_exists(pid)
    one.close()  # once more is allowed


def test_a_process_that_cannot_be_started_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(CompileError, match=r"its process does not start: .*No such file"):
        Compiler().start()


def test_a_refusal_is_an_answer_and_the_process_lives_on():
    one = Compiler()
    try:
        with pytest.raises(CompileError, match=r"^typesetting failed: .*sheet"):
            one.compile({"rows": []})
        assert psutil.pid_exists(one.pid)
    finally:
        one.close()
