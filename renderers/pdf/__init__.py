"""The PDF renderer: pages set by Typst, batch by batch, in a process of its own."""

from renderers.pdf.consumer import PdfConsumer
from renderers.registry import Renderer

__all__ = ["RENDERER", "PdfConsumer"]

RENDERER = Renderer("pdf", PdfConsumer)
