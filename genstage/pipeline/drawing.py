"""Drawings of a graph, the same for the same graph: text for a terminal, and a Mermaid flow chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genstage.pipeline.functions import name_of

if TYPE_CHECKING:
    from genstage.pipeline.graph import Edge, Graph, Node

__all__ = ["as_mermaid", "as_text"]


def as_text(graph: Graph) -> str:
    """Draw a graph as a tree: each source with what follows from it below.

    A node that takes events from several is drawn in full at the first place, and named with an arrow at the
    others. Options stand behind the node that subscribes with them.
    """
    below = _edges_by_producer(graph)
    shown = {node.name: node.name if node.name.isprintable() else repr(node.name) for node in graph.nodes}
    made = {node.name: f" ({made})" if (made := _made(node)) else "" for node in graph.nodes}
    lines: list[str] = []
    drawn: set[str] = set()
    waiting = [("", "", name, "") for name in reversed(graph.sources())]
    while waiting:
        indent, branch, name, options = waiting.pop()
        if name in drawn:
            lines.append(f"{indent}{branch}↑ {shown[name]}{options}")
            continue
        drawn.add(name)
        lines.append(f"{indent}{branch}{shown[name]}{made[name]}{options}")
        deeper = indent + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
        last = "└─ "
        for edge in reversed(below[name]):
            waiting.append((deeper, last, edge.consumer, _options(edge, "  ")))
            last = "├─ "
    return "\n".join(lines)


def as_mermaid(graph: Graph) -> str:
    """Write a graph as a Mermaid flow chart. Names and options may hold any character."""
    numbers = {node.name: f"n{number}" for number, node in enumerate(graph.nodes)}
    nodes = [f'{numbers[node.name]}["{_box(node)}"]' for node in graph.nodes]
    edges = [f"{numbers[edge.producer]} -->{_label(edge)} {numbers[edge.consumer]}" for edge in graph.edges]
    return "\n    ".join(["flowchart TD", *nodes, *edges])


def _edges_by_producer(graph: Graph) -> dict[str, list[Edge]]:
    found: dict[str, list[Edge]] = {node.name: [] for node in graph.nodes}
    for edge in graph.edges:
        found[edge.producer].append(edge)
    return found


def _made(node: Node) -> str:
    """What makes the stage, where that has a name, and whether it has a thread of its own."""
    factory = node.factory if callable(node.factory) else type(node.factory)
    return ", ".join(filter(None, [name_of(factory), "blocking" if node.blocking else None]))


def _options(edge: Edge, before: str = "") -> str:
    told = ", ".join(f"{name}={_value(value)}" for name, value in edge.options.items())
    return f"{before}{told}" if told else ""


def _box(node: Node) -> str:
    return "<br/>".join(_escaped(line) for line in (node.name, _made(node)) if line)


def _label(edge: Edge) -> str:
    options = _options(edge)
    return f'|"{_escaped(options)}"|' if options else ""


def _value(value: object) -> str:
    """A value; of a function its name, for its address is another one each time."""
    name = getattr(value, "__name__", None)
    return repr(value) if name is None else str(name).strip("<>")


def _escaped(text: str) -> str:
    """Text in which Mermaid sees nothing but text."""
    return "".join(sign if sign.isalnum() or sign in " _-.,=()'" else f"#{ord(sign)};" for sign in text)
