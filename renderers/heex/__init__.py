"""The HEEx renderer: a small template, its rows as data, and the Elixir modules that join them."""

from renderers.heex.consumer import HeexConsumer
from renderers.registry import Renderer

__all__ = ["RENDERER", "HeexConsumer"]

RENDERER = Renderer("heex", HeexConsumer)
