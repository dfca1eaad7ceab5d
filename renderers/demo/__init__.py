"""The demonstration: a sample database of an invoicing business, and a report on it."""

from renderers.demo.report import KEY, QUERY, REPORT, demo_source
from renderers.demo.sample import create_sample

__all__ = ["KEY", "QUERY", "REPORT", "create_sample", "demo_source"]
