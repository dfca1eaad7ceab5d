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


MOST_MS = 150
"""More than an interpreter that has loaded pykka and structlog; measured: 35, and 70 on busy cores."""


def import_ms(package, before):
    """How long an import takes when those of ``before`` are loaded: the least of some, on a busy machine."""

    def once():
        command = [sys.executable, "-X", "importtime", "-c", f"import {before}, {package}"]
        report = subprocess.run(command, capture_output=True, check=True, text=True).stderr
        lines = [line.split("|") for line in report.splitlines()]
        (cumulative,) = [line[1] for line in lines if line[2] == f" {package}"]
        return int(cumulative) / 1_000

    return min(once() for _ in range(5))


def test_genstage_is_loaded_quickly():
    assert import_ms("genstage", before="pykka, structlog") < MOST_MS


def test_the_clock_sees_the_package_that_takes_long():
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
