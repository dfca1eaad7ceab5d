"""The client of the typesetting process."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from renderers.errors import CompileError

__all__ = ["Compiled", "Compiler"]

_PATIENCE_S = 1.0
_HUGE_BYTES = 1 << 18  # an ordinary batch has a sixth of it
_WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True, slots=True)
class Compiled:
    """What the typesetter made of a batch.

    Attributes:
        places: For each row, the page it begins on, from 1; then the number of the last page.
        pdf: The file.
    """

    places: list[int]
    pdf: bytes


class _DiedError(Exception):
    """The process ended before it answered."""


@dataclass(frozen=True, slots=True)
class _Process:
    popen: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]
    complaints: IO[bytes]


class Compiler:
    """A typesetting process, started when it is first needed and again if it dies.

    It is started with ``subprocess``, never forked, so threads of this process do no harm; it ends when its
    pipe closes, also if this process is killed. Used by one thread.

    Example:
        >>> compiler = Compiler()
        >>> compiler.pid is None
        True
        >>> compiler.close()
    """

    def __init__(self) -> None:
        self._process: _Process | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, ``None`` if there is none."""
        return None if self._process is None else self._process.popen.pid

    def start(self) -> None:
        """Start the process if there is none, without waiting for it.

        Raises:
            CompileError: The operating system refused.
        """
        if self._process is None:
            self._process = _start()

    def compile(self, data: dict[str, Any]) -> Compiled:
        """Set the pages of a batch.

        A process that dies is started again, once: the pages are a function of the data.

        Args:
            data: The JSON value for the template.

        Raises:
            CompileError: The typesetter refused, or its process died twice.
        """
        request = json.dumps(data, ensure_ascii=False).encode()
        try:
            compiled = self._exchange(request)
        except _DiedError:
            try:
                compiled = self._exchange(request)
            except _DiedError as error:
                raise CompileError(str(error)) from None
        if len(request) > _HUGE_BYTES:  # the process would keep the memory that this has taken
            self._end()
        return compiled

    def close(self) -> None:
        """End the process; allowed more than once."""
        self._end()

    def __del__(self) -> None:
        """End the process with the object, so that none is left behind."""
        self._end()

    def _exchange(self, request: bytes) -> Compiled:
        process = self._process = self._process or _start()
        try:
            process.requests.write(struct.pack(">I", len(request)) + request)
            process.requests.flush()
            problem, places, pdf = (_frame(process.answers) for _ in range(3))
        except (OSError, EOFError):
            raise _DiedError(self._end()) from None
        if problem:
            raise CompileError(_line(problem))
        return Compiled(json.loads(places), pdf)

    def _end(self) -> str:
        """End the process, and tell how it ended."""
        process, self._process = self._process, None
        if process is None:
            return ""
        for pipe in (process.requests, process.answers):
            with suppress(OSError):  # what was buffered has nowhere to go
                pipe.close()
        try:
            code = process.popen.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:  # in the middle of a batch that nobody wants any more
            process.popen.kill()
            code = process.popen.wait()
        with process.complaints as complaints:
            complaints.seek(0)
            said = _line(complaints.read())
        return f"its process ended with {code}: {said or 'it said nothing'}"


def _start() -> _Process:
    # The script's own folder is kept off its module path (-P); it finds what this process finds.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
    try:
        popen = subprocess.Popen(  # noqa: S603 - our own script, by our own interpreter
            [sys.executable, "-P", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment,
            process_group=0,  # Ctrl-C is for this process to handle
        )
    except OSError as error:
        complaints.close()
        raise CompileError(f"its process does not start: {error}") from error
    return _Process(popen, cast("IO[bytes]", popen.stdin), cast("IO[bytes]", popen.stdout), complaints)


def _frame(pipe: IO[bytes]) -> bytes:
    head = pipe.read(4)
    if len(head) < 4:  # noqa: PLR2004 - the length of a length
        raise EOFError
    (size,) = struct.unpack(">I", head)
    body = pipe.read(size)
    if len(body) < size:
        raise EOFError
    return body


def _line(said: bytes) -> str:
    """The last line that is not empty: of a traceback, the one that names the error."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:500] if lines else ""
