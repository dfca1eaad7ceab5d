"""Each example in a docstring comes to what stands below it."""

import doctest
import importlib
import pkgutil

import pytest

import genstage
import renderers

MODULES = [
    module.name
    for package in (genstage, renderers)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.name.endswith("__main__")
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def parts(module):
    return [part for part in doctest.DocTestFinder().find(module) if part.examples]


@pytest.mark.parametrize("name", ["genstage", "renderers", *MODULES])
def test_examples_are_right(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = []
    for part in parts(importlib.import_module(name)):
        runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
        runner.run(part, out=told.append)
    assert "".join(told) == ""


def test_there_are_examples():
    assert sum(len(parts(importlib.import_module(name))) for name in MODULES) > 10


def test_a_wrong_example_is_told():
    (part,) = [doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)]
    told = []
    doctest.DocTestRunner(verbose=False, optionflags=FLAGS).run(part, out=told.append)
    assert "Expected:\n    3\nGot:\n    2\n" in "".join(told)
