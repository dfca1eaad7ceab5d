"""Data sources: where records come from."""

from genstage.sources.base import Cursor, Record, Records, Source
from genstage.sources.sqlite import sqlite
from genstage.sources.urls import from_url

__all__ = ["Cursor", "Record", "Records", "Source", "from_url", "sqlite"]
