"""Reports from one pass over a source: HTML, JSON, HEEx and PDF."""

TYPE_CHECKING = False  # typing's own takes a while to load, see __getattr__
if TYPE_CHECKING:
    from genstage.streaming import Summary
    from renderers.model import Column, Group, Labels, Report, average_of, count_of, max_of, min_of, sum_of
    from renderers.sink import render
    from renderers.stream import render_stream
else:

    def __getattr__(name: str) -> object:
        """Load what a name stands for when it is first asked for: the command listens to Ctrl-C before."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415 - see above

        home = _HOMES.get(name, "renderers.model")
        value = globals()[name] = getattr(import_module(home), name)
        return value

    _HOMES = {
        "Summary": "genstage.streaming",
        "render": "renderers.sink",
        "render_stream": "renderers.stream",
    }

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "Column",
    "Group",
    "Labels",
    "Report",
    "Summary",
    "average_of",
    "count_of",
    "max_of",
    "min_of",
    "render",
    "render_stream",
    "sum_of",
]
