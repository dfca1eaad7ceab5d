"""The reference lists every public name, with what it is: the first line of its documentation.

``python tests/docs/test_reference.py`` writes the tables of the page anew.
"""

import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "public-names.md"
PUBLIC = [
    "genstage",
    "genstage.dispatchers",
    "genstage.pipeline",
