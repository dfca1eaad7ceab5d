"""Batches of pages joined to one file."""

from __future__ import annotations

import hashlib
import re
import struct
from io import BytesIO, RawIOBase
from typing import TYPE_CHECKING, BinaryIO, cast

import pikepdf
from pikepdf import Array, Dictionary, ObjectStreamMode, Pdf, Stream, StreamDecodeLevel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from genstage.streaming import Part

__all__ = ["join", "put_pages"]

# Pages to leave out at the front, pages to take after them, bytes of the file that follows.
_HEAD = struct.Struct(">IIQ")
_PIECE_BYTES = 1 << 18
_OVERLAY = "/Total"
_REFERENCE = re.compile(rb"(\d+) (\d+) R\b")


def put_pages(part: Part, skip: int, take: int, pdf: bytes) -> None:
    """Put a batch aside.

    Args:
        part: What the batches are appended to.
        skip: Pages at the front of the file that are not part of the report.
        take: Pages after them that are; any others are left out.
        pdf: The file.

    Raises:
        OutputError: The bytes could not be written.
    """
    part.write(_HEAD.pack(skip, take, len(pdf)) + pdf)


def join(part: Part, output: Part, *, title: str, language: str, overlay: bytes | None) -> None:
    """Join the pages of all batches.

    Equal fonts are kept once. The same batches make the same bytes.

    Args:
        part: What :func:`put_pages` has written.
        output: Takes the file.
        title: Title of the document.
        language: Its language tag.
        overlay: A file whose first page is laid over each page.

    Raises:
        OutputError: The bytes could not be written.
    """
    target = Pdf.new()
    before, after = Stream(target, b"q\n"), Stream(target, b"\nQ\nq /Total Do Q")
    stamp = None
    if overlay is not None:
        with Pdf.open(BytesIO(overlay)) as source:
            stamp = target.copy_foreign(source.make_indirect(source.pages[0].as_form_xobject()))
    resources = _Resources(target, stamp)
    for skip, take, file in _batches(part):
        with Pdf.open(BytesIO(file)) as batch:
            known: dict[tuple[int, int], bytes] = {}
            for page in batch.pages[skip : skip + take]:
                found = resources.of(batch, page.obj, known)
                del page.obj.Resources
                target.pages.append(page)
                added = target.pages[-1].obj
                added.Resources = found
                if stamp is not None:
                    added.Contents = Array([before, added.Contents, after])
    target.docinfo = target.make_indirect(Dictionary(Title=title, Creator="genstage"))
    target.Root.Lang = pikepdf.String(language)
    target.Root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
    sink = _Sink(output)
    target.save(
        cast("BinaryIO", sink),  # pikepdf only writes to it
        deterministic_id=True,
        object_stream_mode=ObjectStreamMode.generate,
        stream_decode_level=StreamDecodeLevel.none,
    )
    sink.finish()


class _Resources:
    """Fonts and colours of the pages, each kept once however many batches bring it along."""

    def __init__(self, target: Pdf, stamp: pikepdf.Object | None) -> None:
        self._target = target
        self._stamp = stamp
        self._kept: dict[bytes, pikepdf.Object] = {}

    def of(self, batch: Pdf, page: pikepdf.Object, known: dict[tuple[int, int], bytes]) -> pikepdf.Object:
        """The resources of a page as an object of the target, shared with all pages that have the same."""
        digest = _digest(batch, page.Resources, known)
        kept = self._kept.get(digest)
        if kept is None:
            own = Dictionary()
            for kind, entries in page.Resources.items():
                if isinstance(entries, Dictionary):
                    own[kind] = Dictionary(
                        {name: self._one(batch, entry, known) for name, entry in entries.items()}
                    )
            if self._stamp is not None:
                own.XObject = Dictionary({_OVERLAY: self._stamp})
            kept = self._kept[digest] = self._target.make_indirect(own)
        return kept

    def _one(self, batch: Pdf, entry: pikepdf.Object, known: dict[tuple[int, int], bytes]) -> pikepdf.Object:
        digest = _digest(batch, entry, known)
        if digest not in self._kept:
            indirect = entry if entry.is_indirect else batch.make_indirect(entry)
            self._kept[digest] = self._target.copy_foreign(indirect)
        return self._kept[digest]


def _digest(pdf: Pdf, value: pikepdf.Object, known: dict[tuple[int, int], bytes]) -> bytes:
    """A digest of an object and all it refers to, which does not depend on the numbers of objects."""
    place = value.objgen
    if place in known:
        return known[place]
    stream = isinstance(value, Stream)
    text = value.stream_dict.unparse() if stream else value.unparse(resolved=True)

    def resolved(match: re.Match[bytes]) -> bytes:
        return _digest(pdf, pdf.get_object(int(match[1]), int(match[2])), known)

    digest = hashlib.sha256(_REFERENCE.sub(resolved, text))
    if stream:
        digest.update(value.read_raw_bytes())
    if place != (0, 0):
        known[place] = digest.digest()
    return digest.digest()


def _batches(part: Part) -> Iterator[tuple[int, int, bytes]]:
    held = bytearray()
    for piece in part.read():
        held += piece
        while len(held) >= _HEAD.size:
            skip, take, size = _HEAD.unpack_from(held)
            end = _HEAD.size + size
            if len(held) < end:
                break
            yield skip, take, bytes(held[_HEAD.size : end])
            del held[:end]


class _Sink(RawIOBase):
    """An output as the file that pikepdf wants, which writes a few bytes at a time."""

    def __init__(self, output: Part) -> None:
        super().__init__()
        self._output = output
        self._held = bytearray()

    def write(self, data: Buffer, /) -> int:
        before = len(self._held)
        self._held += data
        size = len(self._held) - before
        if len(self._held) >= _PIECE_BYTES:
            self.finish()
        return size

    def finish(self) -> None:
        """Write what is held: not left to the end of the object, which comes after a failure too."""
        self._output.write(bytes(self._held))
        self._held.clear()
