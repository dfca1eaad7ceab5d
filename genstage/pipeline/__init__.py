"""Pipelines: immutable recipes, and their runs under supervision."""

from genstage.pipeline.graph import Edge, Graph, Node
from genstage.pipeline.job import Job
from genstage.pipeline.recipe import Pipeline
from genstage.pipeline.run import Run
from genstage.pipeline.statistics import PipelineStatistics, StageStatistics

__all__ = ["Edge", "Graph", "Job", "Node", "Pipeline", "PipelineStatistics", "Run", "StageStatistics"]
