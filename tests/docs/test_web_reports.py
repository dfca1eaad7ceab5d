"""The example of a web application: a real server, and clients that read all, slowly, or not at all."""

import asyncio
import http.client
import importlib.util
import re
import socket
import struct
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvicorn
from starlette.responses import StreamingResponse
from starlette.routing import Route

from genstage import SourceError
from renderers import render, render_stream
from renderers.demo import create_sample

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "web_reports.py"
ROWS = 30_000
DEADLINE_S = 30.0
SMALL_BYTES = 32 << 10  # of the sockets' buffers, so that a slow client is soon felt


def until(true):
    """Wait for something that nobody can be asked to tell."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


# -- what is served -----------------------------------------------------------------------------------


class CountedSource:
    """Another source; counts what is read of it, and can fail behind a record."""

    def __init__(self, source, *, fail_behind=None):
        self.source, self.key, self.fail_behind = source, source.key, fail_behind
        self.fetched = self.open_cursors = 0

    def columns(self):
        return self.source.columns()

    def count(self):
        return None

    def open(self, after=None):
        self.open_cursors += 1
        return CountedCursor(self, self.source.open(after))


class CountedCursor:
    def __init__(self, source, cursor):
        self.source, self.cursor, self.names = source, cursor, cursor.names

    def fetch(self, count, size_bytes):
        if self.source.fail_behind is not None and self.source.fetched >= self.source.fail_behind:
            raise SourceError("lines", "is broken")
        rows = self.cursor.fetch(count, size_bytes)
        self.source.fetched += len(rows)
        return rows

    def close(self):
        self.source.open_cursors -= 1
        self.cursor.close()


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("web") / "shop.sqlite"
    create_sample(path, rows=ROWS)
    return path


@pytest.fixture
def example(database, monkeypatch):
    """The example, over the sample; ``served`` keeps the sources of the requests, in order."""
    spec = importlib.util.spec_from_file_location("web_reports", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DATABASE", str(database))
    module.served = []
    module.fail_behind = None
    lines = module.invoice_lines

    def counted(region):
        source = CountedSource(lines(region), fail_behind=module.fail_behind)
        module.served.append(source)
        return source

    monkeypatch.setattr(module, "invoice_lines", counted)

    async def fragments(runtime):  # as it is often written: a generator, which nobody closes
        flow = render_stream(module.INVOICES, module.invoice_lines(None))
        async with flow.stream_async(runtime=runtime) as chunks:
            async for chunk in chunks:
                yield chunk

    async def plain(request):
        return StreamingResponse(fragments(request.app.state.runtime), media_type="text/html")

    module.app.router.routes.append(Route("/plain.html", plain))
    module.lines = lines
    return module


@pytest.fixture
def files(example, tmp_path):
    """The bytes of the files that the report becomes."""
    names = ["html", "json"]
    with render(example.INVOICES, example.lines(None), out=tmp_path, formats=names).run() as run:
        return {name: path.read_bytes() for name, path in run.wait().files.items()}


@pytest.fixture
def server(example):
    """The example on a real server, in a thread."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BYTES)
        config = uvicorn.Config(example.app, log_config=None, lifespan="on", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=asyncio.run, args=(running.serve(sockets=[listening]),))
        thread.start()
        until(lambda: running.started or not thread.is_alive())
        assert running.started

        def stop():
            running.should_exit = True
            thread.join(DEADLINE_S)
            assert not thread.is_alive()

        try:
            yield SimpleNamespace(
                address=listening.getsockname(),
                runtime=example.app.state.runtime,
                connections=running.server_state.connections,
                stop=stop,
            )
        finally:
            stop()
    assert "closed" in repr(example.app.state.runtime)


def test_the_page_shows_the_example_as_it_is():
    page = (EXAMPLE.parents[1] / "how-to" / "embed-in-a-web-application.md").read_text()
    shown = re.findall(r"^<!-- no-run -->\n\n```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(shown) == 2
    assert [block for block in shown if block not in EXAMPLE.read_text()] == []


# -- clients ------------------------------------------------------------------------------------------


def get(server, path):
    """A whole response: status and body."""
    connection = http.client.HTTPConnection(*server.address, timeout=DEADLINE_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@contextmanager
def slow_client(server, path):
    """A client with small buffers that has sent its request, and reads nothing yet."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
        client.settimeout(DEADLINE_S)
        client.connect(server.address)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: example\r\n\r\n".encode())
        yield client


def rest_of(client):
    """The body of the response, read to its end."""
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.read()


def waiting_for_its_client(server, source):
    """Wait until the server waits for its clients, and nothing moves behind it; gives the records read."""
    engine = server.runtime._engine

    def idle():
        own = all(lane.turning is None and lane._queue.empty() for lane in list(engine._own))
        return own and all(lane.sleeping for lane in engine._shared)

    def settled():
        before = source.fetched
        held = [connection.flow.write_paused for connection in list(server.connections)]
        return held and all(held) and before and idle() and source.fetched == before and idle()

    until(settled)
    return source.fetched


def nothing_runs(server):
    return not server.runtime._engine._actors


# -- what they get ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/report.html", "/report.json", "/plain.html"])
def test_who_reads_everything_gets_the_bytes_of_the_file(server, example, files, path):
    assert get(server, path) == (200, files[path.rpartition(".")[2]])
    until(lambda: nothing_runs(server))
    assert [(source.fetched, source.open_cursors) for source in example.served] == [(ROWS, 0)]


def test_a_parameter_reaches_the_query(server, example):
    status, body = get(server, "/report.json?region=West")
    assert status == 200
    assert 0 < example.served[0].fetched < ROWS
    assert b'"region":"West"' in body
    assert b'"region":"North"' not in body


def test_who_reads_slowly_holds_back_its_own_source_only(server, example, files):
    with slow_client(server, "/report.html") as client:
        until(lambda: example.served)
        source = example.served[0]
        read = waiting_for_its_client(server, source)
        assert read <= ROWS / 3

        assert get(server, "/report.html") == (200, files["html"])  # another one is not slowed
        assert example.served[1].fetched == ROWS
        assert source.fetched == read

        assert rest_of(client) == files["html"]
        assert source.fetched == ROWS


@pytest.mark.parametrize("path", ["/report.html", "/plain.html"])
@pytest.mark.parametrize("how", ["closes", "resets"])
def test_who_vanishes_ends_its_own_run_within_a_second(server, example, path, how):
    ends = []
    with slow_client(server, path) as client:
        assert client.recv(1_000).startswith(b"HTTP/1.1 200")
        until(lambda: example.served)
        read = waiting_for_its_client(server, example.served[0])
        names = {actor.name for actor in server.runtime._engine._actors}
        assert {"loader", "transform", "writer"} <= names
        server.runtime.telemetry.attach(
            "ends",
            lambda event: ends.append((time.monotonic(), event.metadata["stage"])),
            events=["stage.stop"],
        )
        if how == "resets":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone = time.monotonic()
    until(lambda: nothing_runs(server))
    assert {"loader", "transform", "writer"} <= {stage for _, stage in ends}
    assert max(when for when, _ in ends) - gone < 1.0
    assert example.served[0].open_cursors == 0
    assert example.served[0].fetched - read < ROWS / 3  # it has not been read to its end for nobody
    assert get(server, "/report.json?region=West")[0] == 200  # the others' runtime is as it was


@pytest.mark.parametrize("path", ["/report.html", "/plain.html"])
def test_a_report_that_fails_in_the_middle_breaks_the_connection_off(server, example, path, expected_errors):
    example.fail_behind = ROWS / 2
    connection = http.client.HTTPConnection(*server.address, timeout=DEADLINE_S)
    connection.request("GET", path)
    response = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as caught:
        response.read()
    connection.close()
    assert response.status == 200
    assert len(caught.value.partial) > 0
    assert b"</html>" not in caught.value.partial
    until(lambda: nothing_runs(server))
    assert expected_errors


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/report.pdf", (404, "let render() write its files")),
        ("/report.doc", (404, "format 'doc' is unknown")),
        ("/report.html", (503, "The data cannot be read.")),
    ],
)
def test_what_is_refused_is_told_by_a_status(server, example, monkeypatch, path, told):
    monkeypatch.setattr(example, "DATABASE", "missing.sqlite")
    status, body = get(server, path)
    assert status == told[0]
    assert told[1] in body.decode()
    assert nothing_runs(server)


def test_of_twenty_clients_at_once_half_vanish_and_the_others_get_everything(server, example, files):
    def read(got):
        got.append(get(server, "/report.html"))

    got = []
    readers = [threading.Thread(target=read, args=(got,)) for _ in range(10)]
    with ExitStack() as vanishing:
        for reader in readers:
            client = vanishing.enter_context(slow_client(server, "/report.html"))
            reader.start()
            assert client.recv(1_000).startswith(b"HTTP/1.1 200")
    gone = time.monotonic()
    for reader in readers:
        reader.join(DEADLINE_S)
    assert got == [(200, files["html"])] * 10
    until(lambda: nothing_runs(server))
    assert time.monotonic() - gone < DEADLINE_S
    assert len(example.served) == 20
    assert sum(source.fetched == ROWS for source in example.served) >= 10
    assert [source.open_cursors for source in example.served] == [0] * 20


def test_a_server_that_stops_ends_what_clients_have_left_hanging(server, example):
    with slow_client(server, "/report.html") as client:
        assert client.recv(1_000).startswith(b"HTTP/1.1 200")
        until(lambda: example.served)
        waiting_for_its_client(server, example.served[0])
        hanging = [connection.transport for connection in server.connections]
        server.stop()
        for transport in hanging:  # the server leaves them to the collector, which would complain
            if transport._sock is not None:
                transport._sock.close()
                transport._sock = None
    assert nothing_runs(server)
    assert example.served[0].open_cursors == 0
    assert example.served[0].fetched < ROWS
