"""The commands and their options."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from genstage import sources
from genstage.errors import GenstageError
from renderers.cli.console import print_result
from renderers.cli.definitions import load_definition
from renderers.cli.errors import InputError, refusal
from renderers.cli.logs import LogFormat, LogLevel
from renderers.cli.options import Parameter, parse_formats, parse_key, parse_parameters
from renderers.cli.progress import showing_progress
from renderers.cli.running import run_report
from renderers.cli.sampling import make_sample, sample_database
from renderers.cli.session import session
from renderers.cli.summary import memory_text, read_baseline, size_text, summary_table
from renderers.demo import KEY, QUERY, REPORT
from renderers.demo.sample import DEFAULT_ROWS, DEFAULT_SEED
from renderers.registry import FORMATS

__all__ = ["app"]

_ALL_FORMATS = ",".join(FORMATS)

# A paragraph that begins with \b is shown as it is written.
_DEMO = """Run the sample report, on a sample database that is created if it is missing.

Writes DIR/report.pdf, report.html, report.heex (with what it needs beside it) and report.json, and tells how
long it took and how much memory.

\b
Examples:
  genstage demo
  genstage demo --rows 1000 --format html --out small
"""
_REPORT = """Run a report definition of your own on a database of your own.

The definition is a Report in a Python module. What it reads stands beside it, as the module's QUERY (a
text) and KEY (a list of column names), or is given by --query and --key, which win. The query needs no
ORDER BY: the records come in the order of the key, which begins with the columns of the report's groups.

\b
Formats of columns: text, integer, decimal[:PLACES], percent[:PLACES], currency:CODE,
  date[:short|:medium|:long], month
Totals of columns: sum_of, average_of, count_of, min_of, max_of
A complete definition: docs/how-to/report-definition.md

\b
Examples:
  genstage report --source sqlite:///shop.sqlite --report reports:SALES
  genstage report --source sqlite:////data/shop.sqlite --report sales.py:SALES \\
      --query 'SELECT * FROM sales WHERE year = :year' --key region,sale_id \\
      --param year=2024 --format pdf,html --out sales
"""
_SAMPLE = """Create a sample database of an invoicing business, of any size.

The same number of rows and the same seed make the same data.

\b
Examples:
  genstage sample sample.sqlite
  genstage sample --rows 1000000 --seed 7 big.sqlite
"""
_EXIT_CODES = (
    "Exit codes: 0 when every output is whole, 1 when a run failed, 2 for bad input, 130 after Ctrl-C."
    " Progress and the log go to standard error, the summary to standard output."
    " SIGUSR1 lets a run tell on standard error what each of its stages is doing."
)

app = typer.Typer(
    help="Make reports from a database: PDF, HTML, HEEx and JSON from one pass over the data.",
    epilog=_EXIT_CODES,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

LogFormatOption = Annotated[LogFormat, typer.Option("--log-format", help="How log lines are written.")]
LogLevelOption = Annotated[
    LogLevel, typer.Option("--log-level", help="From which level on lines are logged.")
]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Log everything: --log-level debug.")]
FormatOption = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="NAMES",
        help=f"What to write, with commas between; all by default: {_ALL_FORMATS}.",
    ),
]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if it is missing.")
]


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    *,
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Make reports from a database: PDF, HTML, HEEx and JSON from one pass over the data."""
    if show_version:
        typer.echo(f"genstage {version('genstage')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


@app.command(help=_DEMO)
def demo(
    context: typer.Context,
    *,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="A database with the sample's tables, instead of DIR/sample.sqlite."
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help=f"Invoice lines of a new sample database; {DEFAULT_ROWS} by default."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help=f"Seed of a new sample database; {DEFAULT_SEED} by default."),
    ] = None,
    formats: FormatOption = None,
    out: OutOption = Path("out"),
    log_format: LogFormatOption = LogFormat.TEXT,
    log_level: LogLevelOption = LogLevel.INFO,
    verbose: VerboseOption = False,
) -> None:
    """Run the sample report."""
    with session(context.obj, log_format=log_format, log_level=log_level, verbose=verbose) as here:
        names = parse_formats(formats or [_ALL_FORMATS])
        if source is not None and (rows is not None or seed is not None):
            raise InputError("--rows and --seed", "make a sample database: leave them out with --source")
        url = source or sample_database(out, rows=rows, seed=seed, here=here)
        data = open_source(url, QUERY, key=KEY, parameters={})
        with showing_progress(here.console, live=here.live) as show:
            summary = run_report(
                REPORT, data, formats=names, out=out, origin="demo", show=show, signals=here.signals
            )
        baseline = read_baseline() if set(names) == set(FORMATS) else None  # it was measured with all of them
        memory = memory_text(summary.peak_memory_bytes, baseline)
        print_result(summary_table(REPORT.title, summary, memory=memory))


@app.command(help=_REPORT)
def report(
    context: typer.Context,
    *,
    source: Annotated[
        str,
        typer.Option(
            metavar="URL",
            envvar="GENSTAGE_SOURCE",
            help="The database: sqlite:///FILE, or sqlite:////FILE for an absolute path.",
        ),
    ],
    definition: Annotated[
        str,
        typer.Option(
            "--report",
            metavar="MODULE:NAME",
            help="The Report object NAME in an importable module (also of this folder), or FILE.py:NAME.",
        ),
    ],
    query: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="What to read: a SELECT; by default the module's QUERY."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMNS",
            help="Columns that order the records and together tell them apart, with commas between;"
            " by default the module's KEY.",
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Value of the query's :NAME; may be repeated. A number is a number, anything else text;"
            " a text that looks like a number goes in double quotes; null is NULL.",
        ),
    ] = None,
    formats: FormatOption = None,
    out: OutOption = Path("out"),
    log_format: LogFormatOption = LogFormat.TEXT,
    log_level: LogLevelOption = LogLevel.INFO,
    verbose: VerboseOption = False,
) -> None:
    """Run a user's report."""
    with session(context.obj, log_format=log_format, log_level=log_level, verbose=verbose) as here:
        names = parse_formats(formats or [_ALL_FORMATS])
        parameters = parse_parameters(param or [])
        found = load_definition(definition)
        text = found.query if query is None else query
        if text is None:
            raise InputError("--query", f"is missing, and so is QUERY beside the report {definition}")
        columns = found.key if key is None else parse_key(key)
        if columns is None:
            raise InputError("--key", f"is missing, and so is KEY beside the report {definition}")
        data = open_source(source, text, key=columns, parameters=parameters)
        with showing_progress(here.console, live=here.live) as show:
            summary = run_report(
                found.report,
                data,
                formats=names,
                out=out,
                origin="--report",
                show=show,
                signals=here.signals,
            )
        print_result(summary_table(found.report.title, summary, memory=size_text(summary.peak_memory_bytes)))


@app.command(help=_SAMPLE)
def sample(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The SQLite file; it must not exist yet.")],
    *,
    rows: Annotated[int, typer.Option(min=0, metavar="N", help="Invoice lines.")] = DEFAULT_ROWS,
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed, same data.")] = DEFAULT_SEED,
    log_format: LogFormatOption = LogFormat.TEXT,
    log_level: LogLevelOption = LogLevel.INFO,
    verbose: VerboseOption = False,
) -> None:
    """Create a sample database."""
    with session(context.obj, log_format=log_format, log_level=log_level, verbose=verbose) as here:
        if file.exists():
            raise InputError("FILE", f"{file} exists already: remove it or choose another name")
        make_sample(file, rows=rows, seed=seed, option="FILE", here=here)
        here.signals.hold()  # it is there now
        print_result(f"{file}: {rows:,} invoice lines, {size_text(file.stat().st_size)}")


def open_source(
    url: str, query: str, *, key: Sequence[str], parameters: Mapping[str, Parameter]
) -> sources.Source:
    """Make the source of a URL.

    Raises:
        InputError: The URL, the query or the key cannot be right.
    """
    try:
        return sources.from_url(url, query, key=key, parameters=parameters)
    except GenstageError as error:
        raise refusal(error, report="--query") from error
