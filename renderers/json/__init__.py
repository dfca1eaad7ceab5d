"""The JSON renderer: one document with every record in order, then the totals."""

from renderers.json.consumer import JsonConsumer
from renderers.registry import Renderer

__all__ = ["RENDERER", "JsonConsumer"]

RENDERER = Renderer("json", JsonConsumer, streams=True)
