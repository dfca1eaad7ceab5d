"""Cores on pykka: the only place that knows threads and actors.

:class:`~genstage._runtime.engine.Engine` starts actors and ends them; an actor lives on a lane, which is a
queue and a thread.
"""
