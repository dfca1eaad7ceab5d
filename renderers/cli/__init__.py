"""The command line: ``genstage``, also ``python -m renderers``."""

from renderers.cli.entry import main

__all__ = ["main"]
