"""No module keeps state that one runtime, run or report could leave for the next."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import threading
import types
import typing
from collections import deque
from datetime import date
from decimal import Decimal
from pathlib import Path
from struct import Struct

import pytest
import structlog

from genstage import Flow, Runtime, sources
from genstage.testing.network import Delivery
from renderers import render
from renderers.demo import KEY, QUERY, REPORT, create_sample
from renderers.registry import FORMATS

ROOT = Path(__file__).parents[2]

JUSTIFIED = {
    "genstage._core.incident._bounded": "how things are shown, complete when the module is loaded",
    "genstage._runtime.driver._numbers": "subscriptions and watches: unique in the process, never reset",
    "genstage._runtime.lane.here": "of each thread its own: whose turn it is in",
    "genstage._runtime.lifetime._engines": "runtimes that are open, to end them with the interpreter",
    "genstage._runtime.shared_lane._END": "a mark; what is put to it is never looked at",
    "genstage._runtime.stream._numbers": "names of streams: unique in the process",
    "genstage._runtime.watch._lock": "held while two stages are linked, which may be of two runtimes",
    "genstage.client._numbers": "names of stages without one: unique in the process",
    "genstage.logger._chunk": "of each context its own",
    "genstage.logger._origin": "of each context its own",
    "renderers.cli.app.app": "the commands, complete when the module is loaded",
    "renderers.html.page._environment": "a cache of the one environment",
    "renderers.html.page.template": "a cache of the one template",
    "renderers.model.figures.EXACT": "only its methods are called: the flags they set are never read",
    "renderers.model.figures._READ": "only its methods are called: the flags they set are never read",
    "renderers.pdf.cells._em": "a cache of a bounded size",
}
"""What can change after a module has been loaded, and why it may."""

PLAIN = (
    str,
    bytes,
    int,
    float,
    frozenset,
    types.NoneType,
    type,
    range,
    date,
    Decimal,
    Path,
    Struct,
    re.Pattern,
)
DESCRIBED = (
    types.FunctionType,
    types.MemberDescriptorType,
    type(Delivery.source),
    structlog.stdlib.BoundLogger,
)
TYPING = (typing.TypeVar, types.GenericAlias, types.UnionType)
CONTAINERS = (dict, list, set, deque, types.MappingProxyType)
"""Tables: they could change, but do not, see the last test."""


def modules():
    for package in ("genstage", "renderers"):
        yield package
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if not module.name.endswith(".__main__"):
                yield module.name


MODULES = list(modules())


def assigned(body):
    """The names that statements bind, those in branches too."""
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (name.id for one in targets for name in ast.walk(one) if isinstance(name, ast.Name))
        for branch in ("body", "orelse", "handlers", "finalbody"):
            if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield from assigned(getattr(node, branch, ()))


def values(name):
    """What a module and its classes keep, by their full names."""
    module = importlib.import_module(name)
    tree = ast.parse(inspect.getsource(module))
    for variable in {*assigned(tree.body)} - {"__all__"}:
        if hasattr(module, variable):
            yield f"{name}.{variable}", getattr(module, variable)
    for variable, value in vars(module).items():
        if hasattr(value, "cache_info") and value.__module__ == name:
            yield f"{name}.{variable}", value
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for variable in assigned(node.body):
                if variable in vars(getattr(module, node.name)):
                    yield f"{name}.{node.name}.{variable}", vars(getattr(module, node.name))[variable]


def steady(value):
    """Whether a value cannot change."""
    if isinstance(value, tuple):
        return all(map(steady, value))
    if dataclasses.is_dataclass(value) and type(value).__dataclass_params__.frozen:
        return all(steady(getattr(value, field.name)) for field in dataclasses.fields(value))
    if type(value).__module__ == "typing":
        return True
    own = type(value).__module__ in MODULES and not isinstance(value, threading.local)
    if type(value) is object or (own and not getattr(value, "__dict__", True)):
        return True  # a mark
    kinds = (*PLAIN, *DESCRIBED, *TYPING)
    return isinstance(value, kinds) and not hasattr(value, "cache_info")


def changeable(name):
    found = {place: value for place, value in values(name) if not steady(value)}
    return {place for place in found if place in JUSTIFIED or not isinstance(found[place], CONTAINERS)}


def test_what_can_change_has_a_reason_to_be_there():
    found = {place for name in MODULES for place in changeable(name)}
    assert found == JUSTIFIED.keys()


@pytest.mark.parametrize("name", MODULES)
def test_no_module_binds_its_names_anew(name):
    tree = ast.parse(inspect.getsource(importlib.import_module(name)))
    assert [node.names for node in ast.walk(tree) if isinstance(node, ast.Global)] == []


def tables():
    """The tables of all modules, as text."""
    found = {}
    for name in MODULES:
        for place, value in values(name):
            if isinstance(value, CONTAINERS) and place not in JUSTIFIED:
                found[place] = repr(sorted(map(repr, value.items() if hasattr(value, "items") else value)))
    return found


def test_work_changes_no_table(tmp_path):
    before = tables()
    assert len(before) > 20
    create_sample(tmp_path / "sample.sqlite", rows=50)
    lines = sources.sqlite(tmp_path / "sample.sqlite", QUERY, key=KEY)
    with Runtime() as runtime:
        runtime.telemetry.attach("all", lambda _event: None)
        assert Flow.from_iterable(range(10)).reduce(max, 0).run(runtime=runtime).wait(timeout_s=20) == 9
        with render(REPORT, lines, out=tmp_path, formats=FORMATS).run(runtime=runtime) as run:
            run.wait(timeout_s=60)
    assert tables() == before


def test_the_scan_sees_what_could_change(monkeypatch):
    module = types.ModuleType("planted")
    source = (
        "import threading\nLOCK = threading.Lock()\nif LOCK:\n    PAIR = 1, []\nclass C:\n    kept = LOCK\n"
    )
    exec(source, vars(module))  # noqa: S102 - the planted module
    monkeypatch.setattr(importlib, "import_module", lambda _: module)
    monkeypatch.setattr(inspect, "getsource", lambda _: source)
    assert changeable("planted") == {"planted.LOCK", "planted.PAIR", "planted.C.kept"}
    assert steady(threading.Lock()) is False
