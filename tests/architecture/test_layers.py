"""The layer contracts of pyproject.toml hold, and bite."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


def lint(folder):
    """Check the packages in a folder, which come before the installed ones."""
    return subprocess.run(
        [LINT, "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def copied(tmp_path):
    for package in ("genstage", "renderers"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("genstage/errors.py", "import genstage._core.stage", "genstage stands on its layers"),
        ("genstage/_core/buffer.py", "import genstage._runtime", "genstage stands on its layers"),
        ("genstage/sources/base.py", "import genstage.streaming", "genstage stands on its layers"),
        ("genstage/loose.py", "", "genstage stands on its layers"),
        ("renderers/rows.py", "import renderers.registry", "renderers stand on their layers"),
        ("renderers/pdf/sheet.py", "import renderers.html", "renderers stand on their layers"),
        ("renderers/loose.py", "", "renderers stand on their layers"),
        ("genstage/sources/base.py", "import renderers.model", "genstage knows no renderer"),
        ("genstage/_core/buffer.py", "import pykka", "pykka is imported by the runtime only"),
        ("genstage/sources/base.py", "import psutil", "psutil is imported by monitoring only"),
        ("renderers/rows.py", "import typst", "typst and pikepdf are imported by the PDF renderer only"),
        ("renderers/rows.py", "import pikepdf", "typst and pikepdf are imported by the PDF renderer only"),
        ("renderers/rows.py", "import jinja2", "jinja2 is imported by the HTML renderer only"),
        ("renderers/rows.py", "import orjson", "orjson is imported only where JSON bytes are written"),
        ("genstage/errors.py", "import rich", "typer and rich are imported by the command line only"),
    ],
)
def test_a_violation_breaks_its_contract(tmp_path, file, line, broken):
    path = copied(tmp_path) / file
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    result = lint(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{broken} BROKEN" in result.stdout.replace("\n", " ")
