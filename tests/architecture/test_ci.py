"""The parts of .ci that do not need minutes: what is refused, what is read, what is counted."""

import os
import subprocess
from pathlib import Path

import pytest

CI = Path(__file__).parents[2] / ".ci"


def run(command, *arguments, cwd=None, path=()):
    found = subprocess.run(
        [command, *arguments],
        cwd=cwd,
        env=os.environ | {"PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]])},
        capture_output=True,
        text=True,
        check=False,
    )
    return found.returncode, found.stdout, found.stderr


def steps(script, cwd):
    """Run a script that has what the scripts of .ci share."""
    return run("bash", "-euo", "pipefail", "-c", f"source {CI}/steps.sh; {script}", cwd=cwd)


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        ("run", ["--fast"], "run: unknown option --fast; usage: .ci/run [--require browser,postgres]\n"),
        ("run", ["--require"], "run: --require: names markers, as in --require browser,postgres\n"),
        ("nightly", ["today"], "nightly: the seed is a number, not today\n"),
    ],
)
def test_wrong_arguments_are_one_line(script, arguments, said):
    assert run(CI / script, *arguments) == (2, "", said)


@pytest.mark.parametrize(
    ("python3", "said"),
    [
        (
            'case $2 in *ensurepip*) echo "Traceback" >&2; exit 1;; esac',
            (
                "run: this python3 has no ensurepip, so it cannot make virtual environments;"
                " install the package python3-venv\n"
            ),
        ),
        (
            "case $1 in --version) echo Python 3.9.2;; *) exit 1;; esac",
            "run: Python 3.9.2 is too old; CPython 3.11 or later must come first on the PATH\n",
        ),
    ],
)
def test_an_unfit_python_is_one_line(tmp_path, python3, said):
    fake = tmp_path / "python3"
    fake.write_text(f"#!/bin/sh\n{python3}\n")
    fake.chmod(0o755)
    assert run(CI / "run", path=[tmp_path]) == (2, "", said)


README = """\
```sh
first
```

```python
no = "shell"
```

```sh
second 'with quotes' && "more"
```

```sh
third
fourth
```
"""


def test_the_lines_of_the_readme_are_found(tmp_path):
    (tmp_path / "README.md").write_text(README)
    assert steps("readme_line 1", tmp_path) == (0, "first\n", "")
    assert steps("readme_line 2", tmp_path) == (0, "second 'with quotes' && \"more\"\n", "")
    for block in (3, 4):
        code, out, said = steps(f"readme_line {block}; echo not reached", tmp_path)
        assert (code, out) == (2, "")
        assert f"block {block} of shell commands in README.md is not one line" in said


def test_all_steps_run_and_one_failure_fails_the_whole(tmp_path):
    code, out, _ = steps('step one "false; echo hidden"; step two "echo shown | cat"; finish', tmp_path)
    assert code == 1
    assert "hidden" not in out.splitlines()
    assert "shown" in out.splitlines()
    assert [(line.split()[0], line.split()[-1]) for line in out.splitlines()[-3:]] == [
        ("FAILED", "one"),
        ("passed", "two"),
        ("total", "s"),
    ]
    assert steps("step one true; finish", tmp_path)[0] == 0


def test_what_takes_long_is_not_begun_after_a_failure(tmp_path):
    code, out, _ = steps(
        "step one true; stop_if_failed; step two false; stop_if_failed; step three true", tmp_path
    )
    assert code == 1
    assert [line.split()[-1] for line in out.splitlines()[-3:]] == ["one", "two", "s"]
    assert "three" not in out


def test_a_step_that_takes_too_long_is_ended(tmp_path):
    code, out, _ = steps("limit_s=1; step one 'sleep 60'; finish", tmp_path)
    assert code == 1
    assert "FAILED" in out


def test_the_copy_leaves_out_what_runs_have_left(tmp_path):
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "steps.sh").write_text((CI / "steps.sh").read_text())
    for name in (
        "genstage/a.py",
        "docs/x.md",
        ".venv/lib/b.py",
        "out/c.pdf",
        ".mypy_cache/d",
        "a/__pycache__/e",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    script = f"source {tmp_path}/.ci/steps.sh; make_copy; find . -type f | sort; pwd"
    code, out, _ = run("bash", "-euo", "pipefail", "-c", script)
    *files, folder = out.splitlines()
    assert (code, files) == (0, ["./.ci/steps.sh", "./docs/x.md", "./genstage/a.py"])
    assert not Path(folder).exists()  # removed at the end


def test_what_may_hang_is_repeated_a_thousand_times_by_night():
    (step,) = [line for line in (CI / "nightly").read_text().splitlines() if "-m repeat" in line]
    assert step.startswith("step ")
    assert "--times 1000 " in step
