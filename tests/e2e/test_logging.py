"""What a real program sees of the log, however it has set up logging and structlog: before, after, never."""

import json
import subprocess
import sys

import pytest

# A stage that tells something of each level, in a pipeline, and fails.
PROGRAM = """\
{before}
import genstage
{after}
from genstage import Consumer, Edge, Graph, Node, Pipeline, PipelineError, Producer, Runtime

class Numbers(Producer):
    def handle_demand(self, demand):
        for level in ("debug", "info", "warning"):
            self.stage.log.log(getattr(logging, level.upper()), level, demand=demand)
        raise ValueError("boom")

class Sink(Consumer):
    pass

edge = Edge(consumer="sink", producer="numbers", options={{"max_demand": 5}})
pipeline = Pipeline.of("orders", Graph((Node("numbers", Numbers), Node("sink", Sink)), (edge,)))
with Runtime(name="billing") as runtime:
    try:
        pipeline.run(runtime=runtime).wait(timeout_s=20)
    except PipelineError as error:
        assert error.failures[0].exception.args == ("boom",)
{end}
"""
WHO = {"runtime": "billing", "pipeline": "orders", "stage": "numbers"}
NOTE = "in stage 'numbers', handle_demand: 5"
SHOWN = "runtime=billing, pipeline=orders, stage=numbers"

# How an application lets structlog write JSON, its own records and those of the standard loggers.
JSON = """
import logging, sys, structlog
shared = [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()]
handler = logging.StreamHandler(sys.stderr)
handler.setFormatter(structlog.stdlib.ProcessorFormatter(
    foreign_pre_chain=shared,
    processors=[
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ],
))
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel("INFO")
structlog.configure(
    processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
"""
SAYS = "structlog.get_logger('app').info('application')"

STANDARD = """
import logging.config
logging.config.dictConfig({
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "lines"}},
    "loggers": {"genstage": {"level": "DEBUG", "handlers": ["lines"], "propagate": False}},
})
"""


def run(before="import logging", after="", end=""):
    """Run the program; gives standard output and the lines of standard error."""
    said, told = run_python(PROGRAM.format(before=before, after=after, end=end))
    return said, told.splitlines()


def run_python(program):
    """Run a program to its good end; gives standard output and standard error."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_nothing_is_set_up():
    said, told = run()
    assert said == ""
    assert told[0] == f"warning ({SHOWN}, demand=5)"
    assert told[1] == f"stage failed ({SHOWN})"
    assert told[2].startswith("Traceback")
    assert told[-2:] == ["ValueError: boom", NOTE]


@pytest.mark.parametrize("name", ["genstage", "genstage.stage"])
def test_somebody_wants_to_hear_nothing(name):
    said, told = run(f"import logging; logging.getLogger({name!r}).setLevel(logging.CRITICAL)")
    assert (said, [line for line in told if line.startswith("warning")]) == ("", [])


@pytest.mark.parametrize("where", ["before", "after"])
def test_the_application_uses_structlog_as_it_comes(where):
    said, told = run(**{"before": "import logging", where: f"import logging, structlog; {SAYS}"}, end=SAYS)
    assert [line.split("] ")[1].split()[0] for line in said.splitlines()] == ["application"] * 2
    assert told[:2] == [f"warning ({SHOWN}, demand=5)", f"stage failed ({SHOWN})"]


@pytest.mark.parametrize("where", ["before", "after"])
def test_the_application_writes_json_by_structlog(where):
    said, told = run(**{"before": "import logging", where: JSON}, end=SAYS)
    assert said == ""
    records = [json.loads(line) for line in told]
    exception = records[2].pop("exception")
    assert exception.endswith(f"ValueError: boom\n{NOTE}")
    user = {"logger": "genstage.stage.user", "demand": 5, **WHO}
    assert records == [
        {"event": "info", "level": "info", **user},
        {"event": "warning", "level": "warning", **user},
        {"event": "stage failed", "level": "error", "logger": "genstage.runtime", **WHO},
        {"event": "application", "level": "info", "logger": "app"},
    ]


def test_the_application_prints_by_structlog():
    printing = """
import logging, sys, structlog
structlog.configure(
    processors=[structlog.processors.JSONRenderer()], logger_factory=structlog.PrintLoggerFactory(sys.stdout)
)
"""
    said, told = run(printing, end=SAYS)
    assert said == '{"event": "application"}\n'
    assert told[0] == f"warning ({SHOWN}, demand=5)"


@pytest.mark.parametrize("where", ["before", "after"])
def test_the_application_sets_up_standard_logging(where):
    said, told = run(**{"before": "import logging", where: STANDARD})
    assert said == ""
    user = "genstage.stage.user"
    assert told[:4] == [
        *(f"{level.upper()} {user} {level} ({SHOWN}, demand=5)" for level in ("debug", "info", "warning")),
        f"ERROR genstage.runtime stage failed ({SHOWN})",
    ]
    assert NOTE in told


IMPORTED = """\
import asyncio, logging, signal, structlog, sys, threading, warnings

def state():
    root = logging.getLogger()
    return {
        "levels": [root.level, logging.root.manager.disable, logging.getLevelNamesMapping()],
        "handlers": [str(each) for each in (*root.handlers, *logging.getLogger("genstage").handlers)],
        "own": [logging.getLogger(name).level for name in ("genstage", "renderers")],
        "propagate": [logging.getLogger(name).propagate for name in ("genstage", "renderers")],
        "classes": [logging.getLoggerClass(), logging.getLogRecordFactory(), logging.lastResort.level],
        "structlog": [structlog.is_configured(), str(sorted(structlog.get_config()))],
        "processors": [id(each) for each in structlog.get_config()["processors"]],
        "warnings": list(warnings.filters),
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "hooks": [sys.excepthook, sys.unraisablehook, threading.excepthook, sys.displayhook],
        "streams": [sys.stdout, sys.stderr],
        "threads": threading.enumerate(),
        "switch": [sys.getswitchinterval(), sys.getrecursionlimit(), sys.gettrace(), sys.getprofile()],
    }

before = state()
import genstage, genstage.sources, genstage.streaming, genstage.telemetry, genstage.testing
import renderers, renderers.registry
import_only = state()
pipeline = genstage.Flow.from_iterable(range(4)).reduce(max, 0)

async def in_asyncio():
    async with genstage.Runtime() as runtime, pipeline.run_async(runtime=runtime) as run:
        await run.wait()

with genstage.Runtime() as runtime:
    runtime.start(genstage.Consumer)
    runtime.supervise(genstage.Supervisor(genstage.child_spec("child", genstage.Consumer)))
    with pipeline.run(runtime=runtime) as run:
        run.wait()
    asyncio.run(in_asyncio())
    running = state()
for name, value in before.items():
    assert import_only[name] == value, name
    assert running[name] == value or name == "threads", name
for change in CHANGES:
    exec(change)
    assert state() != import_only, change
"""

CHANGES = [
    "logging.basicConfig()",
    "structlog.configure()",
    "warnings.simplefilter('ignore')",
    "signal.signal(signal.SIGTERM, print)",
    "sys.setswitchinterval(0.5)",
    "logging.getLogger('genstage').addHandler(logging.NullHandler())",
]
"""What an import or a run could do; each is seen."""


@pytest.mark.parametrize("change", [None, *CHANGES])
def test_an_import_and_a_run_set_nothing_up(change):
    changes = [] if change is None else [change]
    assert run_python(f"CHANGES = {changes!r}\n{IMPORTED}") == ("", "")
