"""The command line: ``genstage``, also ``python -m renderers``."""

from renderers.cli.start import main

__all__ = ["main"]
