"""What comes along with ``import genstage``."""

import json
import os
import subprocess
import sys

import pytest

import renderers

HEAVY = {
    *("babel", "jinja2", "lxml", "orjson", "pikepdf", "renderers", "typer", "typst"),
    *("duckdb", "psycopg", "pyarrow", "sqlalchemy", "sqlite3"),
    *("fastapi", "genstage.otel", "multiprocessing", "opentelemetry", "starlette"),
}
"""Not in it: rich, which structlog takes along when it is installed."""


def loaded_by(statement):
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    # Coverage would load modules of its own into the process.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env=environment
    ).stdout
    return set(json.loads(output))


def test_genstage_loads_no_renderer_library_and_no_database_driver():
    assert not HEAVY & loaded_by("import genstage")


MOST_MS = 150
"""More than an interpreter that has loaded pykka and structlog; measured: 50, and 90 on busy cores."""


@pytest.fixture
def import_ms(tmp_path):
    """How much processor time an import takes: others may use the machine too."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)  # it was compiled before, as when it is installed

    def once(code):
        command = [sys.executable, "-c", code]
        return float(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)

    def measure(package, before):
        begin, end = "begin = time.process_time()", "print(time.process_time() - begin)"
        code = f"import time, {before}\n{begin}\nimport {package}\n{end}"
        once(code)
        return 1_000 * min(once(code) for _ in range(5))

    return measure


def test_genstage_is_loaded_quickly(import_ms):
    assert import_ms("genstage", before="pykka, structlog") < MOST_MS


def test_the_clock_sees_the_package_that_takes_long(import_ms):
    assert import_ms("structlog", before="pykka") > import_ms("colorsys", before="pykka")


def test_the_check_sees_what_is_loaded():
    assert "sqlite3" in loaded_by("import sqlite3")


def test_the_core_loads_no_actor_library_and_no_thread():
    loaded = loaded_by("import genstage._core.stage")
    assert not {"pykka", "structlog", "psutil", "threading"} & (loaded - loaded_by("import genstage"))


def test_a_renderer_loads_no_other():
    loaded = loaded_by("from renderers.registry import renderer\nrenderer('json')")
    assert "renderers.json" in loaded
    assert not {"renderers.html", "renderers.heex", "renderers.pdf", "typst", "pikepdf"} & loaded


def test_the_command_listens_to_signals_before_it_loads_anything():
    loaded = loaded_by("import renderers.cli")
    assert "renderers.cli.start" in loaded
    assert not {"genstage", "structlog", "typer", "typing", "renderers.cli.entry"} & loaded


def test_the_facade_of_the_renderers_loads_what_is_asked_for():
    assert "renderers.sink" in loaded_by("from renderers import *")
    assert "renderers.sink" not in loaded_by("from renderers import Column")
    assert set(renderers.__all__) <= set(dir(renderers))
    with pytest.raises(AttributeError, match="module 'renderers' has no attribute 'Colunm'"):
        renderers.Colunm  # noqa: B018
