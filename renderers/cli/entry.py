"""From the arguments to the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from renderers.cli.errors import Interrupted, say
from renderers.cli.signals import Signals
from renderers.cli.streams import give_up_broken_streams, set_up_streams

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["run_command"]


def run_command(arguments: Sequence[str] | None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; ``None`` for those of the process.

    Returns:
        The exit code.
    """
    set_up_streams()
    try:
        return _run(arguments)
    finally:
        give_up_broken_streams()


def _run(arguments: Sequence[str] | None) -> int:
    try:
        with Signals() as signals:
            # After the signals have been taken over, because it loads for a moment.
            from typer.main import get_command  # noqa: PLC0415

            from renderers.cli.app import app  # noqa: PLC0415

            code: int | None = get_command(app).main(
                arguments, prog_name="genstage", standalone_mode=False, obj=signals
            )
    except Interrupted as error:  # before the command's own part
        say(error.line)
        return error.exit_code
    except OSError as error:  # help or version could not be written
        say(f"standard output: {error.strerror}")
        return 1
    except Exception as error:
        problem = _usage_problem(error)
        if problem is None:
            raise
        say(problem)
        return 2
    return code or 0


def _usage_problem(error: Exception) -> str | None:
    """What the parser of the arguments complains about; ``None`` for any other error.

    Its exceptions are known by their methods, because their classes moved between releases of typer.
    """
    if not hasattr(error, "format_message"):
        return None
    context = getattr(error, "ctx", None)
    command = "genstage" if context is None else context.command_path
    return f"{error.format_message().rstrip('.')} (see {command} --help)"
