"""A web application that streams reports, each no faster than its client takes it.

    pip install starlette uvicorn
    genstage sample shop.sqlite
    uvicorn --app-dir docs/examples web_reports:app

Then open http://127.0.0.1:8000/report.html or, of one region only, /report.json?region=West. The page
"Embed in a web application" explains it.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from genstage import Flow, OptionError, Runtime, SourceError, sources
from genstage.sources import Source
from renderers import Column, Group, Report, render_stream, sum_of
from renderers.errors import RegistryError

DATABASE = os.environ.get("DATABASE", "shop.sqlite")
QUERY = "SELECT * FROM report_lines WHERE :region IS NULL OR region = :region"
INVOICES = Report(
    "invoices",
    title="Invoices by region and month",
    columns=[Column("customer"), Column("date", format="date"), Column("amount", format="currency:EUR")],
    groups=[Group("region"), Group("month", format="month")],
    totals=[sum_of("amount")],
)
MEDIA_TYPES = {"html": "text/html; charset=utf-8", "json": "application/json"}


def invoice_lines(region: str | None) -> Source:
    """The records of a report, in the order of its groups."""
    key = ["region", "month", "line_id"]
    return sources.sqlite(DATABASE, QUERY, key=key, parameters={"region": region})


class StreamedResponse(StreamingResponse):
    """The output of a flow as a response.

    The run begins before anything is sent, so what it refuses can still become a status. Its block is left
    when the response ends, when the client has gone, and when the server shuts down: the run ends with it.
    """

    def __init__(self, flow: Flow[bytes], runtime: Runtime, media_type: str) -> None:
        super().__init__((), media_type=media_type)
        self.flow = flow
        self.runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.flow.stream_async(runtime=self.runtime) as self.body_iterator:
            await super().__call__(scope, receive, send)


async def report(request: Request) -> Response:
    """One report, as a page or as data."""
    name = request.path_params["format"]
    flow = render_stream(INVOICES, invoice_lines(request.query_params.get("region")), format=name)
    return StreamedResponse(flow, request.app.state.runtime, MEDIA_TYPES[name])


async def no_such_format(_request: Request, error: Exception) -> Response:
    """Tell which formats there are."""
    return PlainTextResponse(str(error), status_code=404)


async def no_data(_request: Request, _error: Exception) -> Response:
    """Tell no more than has to be known outside."""
    return PlainTextResponse("The data cannot be read.", status_code=503)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open the runtime in the process that serves, not in one that forks it."""
    async with Runtime(name="web") as app.state.runtime:
        yield


app = Starlette(
    routes=[Route("/report.{format}", report)],
    exception_handlers={OptionError: no_such_format, RegistryError: no_such_format, SourceError: no_data},
    lifespan=lifespan,
)
