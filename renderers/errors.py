"""The errors of the report system, under :class:`genstage.errors.GenstageError`.

::

    GenstageError
    └── RendererError
        ├── ReportError    (also ValueError)    a report definition is wrong, or does not fit its data
        ├── FormatError    (also ValueError)    a value cannot be shown in its column's format
        ├── RegistryError  (also LookupError)   no renderer has this name
        └── CompileError                        the typesetter refused a page
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genstage.errors import GenstageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CompileError", "FormatError", "RegistryError", "RendererError", "ReportError"]


class RendererError(GenstageError):
    """Base of the errors of the report system."""


class ReportError(RendererError, ValueError):
    """A report definition is wrong, or does not fit its data.

    Args:
        report: Name of the report.
        problem: What is wrong and what would be right.
    """

    def __init__(self, report: str, problem: str) -> None:
        super().__init__(f"report {report!r}: {problem}")
        self.report = report
        self.problem = problem


class FormatError(RendererError, ValueError):
    """A value cannot be shown in its column's format.

    Args:
        column: Name of the column.
        value: The value.
        format: The column's format, as in the report definition.
        record: Number of the record among all records, from 1, if it is known.
        key: What tells the record apart, if it is known: column name → value.
    """

    def __init__(
        self,
        column: str,
        value: object,
        format: str,  # noqa: A002 - the report's own word
        *,
        record: int | None = None,
        key: Mapping[str, object] | None = None,
    ) -> None:
        where = "" if record is None else f" in record {record:,}"
        if key:
            where += f" ({', '.join(f'{name} {value!r}' for name, value in key.items())})"
        super().__init__(f"column {column!r}: cannot show {value!r} as {format!r}{where}")
        self.column = column
        self.value = value
        self.format = format
        self.record = record
        self.key = key


class RegistryError(RendererError, LookupError):
    """No renderer has this name.

    Args:
        name: The name asked for.
        known: The names there are.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"format {name!r} is unknown: use {', '.join(known)}")
        self.name = name
        self.known = known


class CompileError(RendererError):
    """The typesetter refused a page.

    Args:
        problem: What it said.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"typesetting failed: {problem}")
        self.problem = problem
