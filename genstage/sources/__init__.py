"""Data sources: where records come from."""

from genstage.sources.base import Cursor, Record, Records, Source

__all__ = ["Cursor", "Record", "Records", "Source"]
