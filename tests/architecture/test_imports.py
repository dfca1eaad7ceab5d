"""What comes along with ``import genstage``."""

import json
import os
import subprocess
import sys

HEAVY = {
    *("babel", "jinja2", "lxml", "orjson", "pikepdf", "renderers", "typer", "typst"),
    *("psycopg", "sqlalchemy", "sqlite3"),
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


def test_the_check_sees_what_is_loaded():
    assert "sqlite3" in loaded_by("import sqlite3")


def test_the_core_loads_no_actor_library_and_no_thread():
    loaded = loaded_by("import genstage._core.stage")
    assert not {"pykka", "structlog", "psutil", "threading"} & (loaded - loaded_by("import genstage"))


def test_a_renderer_loads_no_other():
    loaded = loaded_by("from renderers.registry import renderer\nrenderer('json')")
    assert "renderers.json" in loaded
    assert not {"renderers.html", "renderers.heex", "renderers.pdf", "typst", "pikepdf"} & loaded
