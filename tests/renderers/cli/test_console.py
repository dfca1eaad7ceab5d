import io

import pytest
from rich.table import Table

from renderers.cli.console import StreamConsole, print_result


@pytest.fixture
def table():
    table = Table(box=None, pad_edge=False)
    table.add_column("Name")
    table.add_column("File")
    table.add_row("pdf [bold] :smile:", "/a/very/long/path" * 10)
    table.add_row("html", "x")
    return table


def test_what_is_no_terminal_gets_whole_lines(capsys, table):
    print_result(table, "done")
    assert capsys.readouterr().out == (
        "Name                File\n"
        f"pdf [bold] :smile:  {'/a/very/long/path' * 10}\n"
        "html                x\n"
        "done\n"
    )  # fmt: skip


def test_a_console_nobody_reads_falls_silent():
    class Gone(io.StringIO):
        writes = 0

        def write(self, _):
            self.writes += 1
            raise BrokenPipeError

    gone = Gone()
    console = StreamConsole(file=gone)
    console.print("one")
    console.print("two")
    assert gone.writes == 1
