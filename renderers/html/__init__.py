"""The HTML renderer: one page that stays readable with 100,000 rows, without script."""

from renderers.html.consumer import HtmlConsumer
from renderers.registry import Renderer

__all__ = ["RENDERER", "HtmlConsumer"]

RENDERER = Renderer("html", HtmlConsumer, streams=True)
