import fcntl

import pytest

from genstage import OutputError
from genstage.streaming.folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "out", "test")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_an_attempt_gets_an_empty_folder_of_its_own(folder):
    first = folder.renew(0)
    write(first / "x", "old")
    second = folder.renew(1)

    assert first != second
    assert not first.exists()
    assert list(second.iterdir()) == []
    folder.remove()


def test_the_main_file_comes_last_and_an_older_one_goes_first(folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    parts = folder.renew(0)
    main, companion = write(parts / "main", "new"), write(parts / "companion", "new")
    write(out / "main.txt", "older")
    write(out / "companion.txt", "older")
    seen = []
    replace = type(main).replace

    def watched(path, target):
        seen.append((target.name, (out / "main.txt").exists()))
        return replace(path, target)

    monkeypatch.setattr(type(main), "replace", watched)
    folder.publish({"a": {companion: out / "companion.txt", main: out / "main.txt"}})
    folder.remove()

    assert seen == [("companion.txt", False), ("main.txt", False)]
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        "main.txt": "new",
        "companion.txt": "new",
    }


def test_a_main_file_without_companions_is_replaced_at_once(folder, tmp_path):
    out = tmp_path / "out"
    main = write(folder.renew(0) / "main", "new")
    write(out / "main.txt", "older")

    folder.publish({"a": {main: out / "main.txt"}})

    assert (out / "main.txt").read_text() == "new"
    folder.remove()


def test_the_folder_is_held_by_one_run_at_a_time(folder, tmp_path):
    with pytest.raises(OutputError, match="another run of 'test' is writing there"):
        RunFolder(tmp_path / "out", "test")
    RunFolder(tmp_path / "out", "other").remove()
    folder.remove()

    RunFolder(tmp_path / "out", "test").remove()
    assert not (tmp_path / "out").exists()


def test_a_lock_on_a_folder_that_was_taken_away_does_not_count(tmp_path, monkeypatch):
    ending = RunFolder(tmp_path / "out", "test")
    flock, removed = fcntl.flock, []

    def late(lock, operation):  # the other run ends between our open and our lock
        if not removed:
            removed.append(lock)
            ending.remove()
        return flock(lock, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    folder = RunFolder(tmp_path / "out", "test")

    assert (folder.renew(0)).is_dir()
    with pytest.raises(OutputError, match="another run"):
        RunFolder(tmp_path / "out", "test")
    folder.remove()


def test_a_folder_that_was_taken_away_and_taken_over_is_another_runs(tmp_path, monkeypatch):
    ending = RunFolder(tmp_path / "out", "test")
    flock, others = fcntl.flock, []

    def late(lock, operation):
        if not others:
            others.append(None)
            ending.remove()
            others.append(RunFolder(tmp_path / "out", "test"))
        return flock(lock, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(OutputError, match="another run"):
        RunFolder(tmp_path / "out", "test")
    others[1].remove()


def test_a_file_system_without_locks_is_told_as_such(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OutputError, match="Operation not supported"):
        RunFolder(tmp_path / "out", "test")


def test_folders_made_for_nothing_are_removed_and_others_kept(tmp_path):
    (tmp_path / "kept").mkdir()
    folder = RunFolder(tmp_path / "kept" / "made" / "out", "test")
    folder.renew(0)
    folder.remove()
    assert list((tmp_path / "kept").iterdir()) == []

    folder = RunFolder(tmp_path / "kept" / "out", "test")
    (tmp_path / "kept" / "out" / "mine").touch()
    folder.remove()
    assert [path.name for path in (tmp_path / "kept" / "out").iterdir()] == ["mine"]
