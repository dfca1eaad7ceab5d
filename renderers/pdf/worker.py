"""The typesetting process: frames in, frames out, until the pipe closes.

It runs as a script and imports nothing of the package, so that it is ready in a few hundredths of a second
and knows nothing but its template. A frame is a length of four bytes, the most significant first, and as
many bytes. A request is one frame, the JSON value for the template. The answer is three: an error message
(empty if all went well), the page of each row as JSON, and the PDF file.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import typst

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__: list[str] = []

# Typst keeps what it has computed until it went unused for ten compiles: so many small ones empty its cache.
_SWEEPS = 12
_TEMPLATE = Path(__file__).with_name("report.typ")
_NOTHING = Path(__file__).with_name("nothing.typ")
_PLACES = "query(<row>).map(row => row.location().page())"


def frames(source: BinaryIO) -> Iterator[bytes]:
    """Read frames until the pipe closes; one that is cut off is not a frame."""
    while len(head := source.read(4)) == 4:  # noqa: PLR2004 - the length of a length
        (size,) = struct.unpack(">I", head)
        if len(body := source.read(size)) < size:
            return
        yield body


def put(target: BinaryIO, *bodies: bytes) -> None:
    """Write frames."""
    target.writelines(struct.pack(">I", len(body)) + body for body in bodies)
    target.flush()


def _compile(compiler: typst.Compiler, data: str) -> tuple[bytes, bytes]:
    # Tags describe one file's structure and would not survive being joined with others.
    pdf = compiler.compile(format="pdf", sys_inputs={"data": data}, pdf_tags=False)
    return compiler.eval(_PLACES).encode(), cast("bytes", pdf)


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer requests until the pipe closes."""
    compiler = typst.Compiler(str(_TEMPLATE), ignore_system_fonts=True)
    nothing = typst.Compiler(str(_NOTHING), ignore_system_fonts=True)
    nothing.compile(format="pdf", pdf_tags=False)
    for request in frames(source):
        try:
            places, pdf = _compile(compiler, request.decode())
        except typst.TypstError as error:
            put(target, str(error).encode(errors="replace") or b"no reason given", b"[]", b"")
        else:
            put(target, b"", places, pdf)
        for _ in range(_SWEEPS):  # while the other side goes on
            nothing.compile(format="pdf", pdf_tags=False)


if __name__ == "__main__":
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:  # the parent has gone; nobody is left to tell
        sys.stderr.close()
