"""What holds for each module of both packages."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 400


def modules():
    for package in ("genstage", "renderers"):
        yield package
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if not module.name.endswith(".__main__"):
                yield module.name


MODULES = list(modules())


def public_names(module):
    """The names in ``__all__`` with what they stand for, and the public methods of the classes among them."""
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        yield name, value
        if inspect.isclass(value) and value.__module__ == module.__name__:
            for attribute, member in vars(value).items():
                member = getattr(member, "__func__", member)  # noqa: PLW2901 - of a class or static method
                if not attribute.startswith("_") and (
                    inspect.isfunction(member) or isinstance(member, property)
                ):
                    yield f"{name}.{attribute}", member


def place(name):
    """Constants, then classes, then functions, each by name: the order that the linter keeps too."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def undocumented(module):
    """Public classes, functions and methods without a docstring of their own."""
    return [
        name
        for name, value in public_names(module)
        if (inspect.isclass(value) or inspect.isroutine(value) or isinstance(value, property))
        and not (value.__doc__ or "").strip()
    ]


@pytest.mark.parametrize("name", MODULES)
def test_exports_exist_are_sorted_and_documented(name):
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip()
    exports = list(getattr(module, "__all__", ()))
    assert exports == sorted(set(exports), key=place)
    assert undocumented(module) == []


def test_a_missing_docstring_is_seen():
    class Documented:
        """It is."""

        def bare(self):
            raise NotImplementedError

    class Module:
        __name__ = __name__
        __all__ = ("Documented", "silent")

        @staticmethod
        def silent():
            raise NotImplementedError

    Module.Documented = Documented
    module = Module()
    assert undocumented(module) == ["Documented.bare", "silent"]


@pytest.mark.parametrize("package", ["genstage", "renderers", "benchmarks"])
def test_modules_are_short(package):
    lengths = {path: path.read_text().count("\n") for path in sorted((ROOT / package).rglob("*.py"))}
    assert lengths
    assert {str(path): lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


PROJECT = (".ci", "benchmarks", "docs", "genstage", "renderers", "tests", "README.md", "pyproject.toml")
# Put together here, so that this file does not hold them itself.
MACHINE = re.compile("|".join("/" + folder + "/" for folder in ("work", "root", "home", "Users")))


def project_files():
    for name in PROJECT:
        path = ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def test_no_file_names_a_folder_of_a_machine():
    files = list(project_files())
    assert ROOT / "README.md" in files
    found = [str(file) for file in files if MACHINE.search(file.read_text(errors="replace"))]
    assert found == []
    assert MACHINE.search("see /" + "home/someone")
