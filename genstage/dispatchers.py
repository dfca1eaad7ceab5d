"""The dispatchers, and the protocol for one's own."""

from genstage._core.dispatchers.base import Dispatcher, Link, Refused
from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage._core.dispatchers.demand import DemandDispatcher
from genstage._core.dispatchers.hashing import stable_hash
from genstage._core.dispatchers.partition import PartitionDispatcher

__all__ = [
    "BroadcastDispatcher",
    "DemandDispatcher",
    "Dispatcher",
    "Link",
    "PartitionDispatcher",
    "Refused",
    "stable_hash",
]
