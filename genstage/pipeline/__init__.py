"""Pipelines: immutable recipes, and their runs under supervision."""

from genstage.iterable import IterableProducer
from genstage.pipeline.async_run import AsyncRun
from genstage.pipeline.flow import Flow, FlowOptions
from genstage.pipeline.functions import Filter, FlatMap, ForEach, Map, Reduce, ToList
from genstage.pipeline.graph import Edge, Graph, Node
from genstage.pipeline.job import GraphJob, Job
from genstage.pipeline.outlet import AsyncFlowStream, FlowStream
from genstage.pipeline.recipe import Pipeline
from genstage.pipeline.run import Run
from genstage.pipeline.statistics import LastError, PipelineStatistics, StageStatistics

__all__ = [
    "AsyncFlowStream",
    "AsyncRun",
    "Edge",
    "Filter",
    "FlatMap",
    "Flow",
    "FlowOptions",
    "FlowStream",
    "ForEach",
    "Graph",
    "GraphJob",
    "IterableProducer",
    "Job",
    "LastError",
    "Map",
    "Node",
    "Pipeline",
    "PipelineStatistics",
    "Reduce",
    "Run",
    "StageStatistics",
    "ToList",
]
