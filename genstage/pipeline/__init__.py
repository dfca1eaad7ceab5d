"""Pipelines: immutable recipes, and their runs under supervision."""

from genstage.pipeline.flow import Flow, FlowOptions
from genstage.pipeline.functions import Filter, FlatMap, ForEach, Map, Reduce, ToList
from genstage.pipeline.graph import Edge, Graph, Node
from genstage.pipeline.job import GraphJob, Job
from genstage.pipeline.recipe import Pipeline
from genstage.pipeline.run import Run
from genstage.pipeline.statistics import PipelineStatistics, StageStatistics

__all__ = [
    "Edge",
    "Filter",
    "FlatMap",
    "Flow",
    "FlowOptions",
    "ForEach",
    "Graph",
    "GraphJob",
    "Job",
    "Map",
    "Node",
    "Pipeline",
    "PipelineStatistics",
    "Reduce",
    "Run",
    "StageStatistics",
    "ToList",
]
