"""Measurements, as ratios to a plain loop beside them. A checkout tool: ``python -m benchmarks``."""
