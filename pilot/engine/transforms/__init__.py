"""Reshapes data: operations such as filter, sort, group, join and render_table, in a pipeline.

An operation is a function registered in one of the files here, with a model of its configuration.
"""

from pilot.engine.transforms import choosing as choosing
from pilot.engine.transforms import columns as columns
from pilot.engine.transforms import grouping as grouping
from pilot.engine.transforms import joining as joining
from pilot.engine.transforms import nesting as nesting
from pilot.engine.transforms import parsing as parsing
from pilot.engine.transforms import rendering as rendering
from pilot.engine.transforms import sets as sets
from pilot.engine.transforms import sorting as sorting
from pilot.engine.transforms import tables as tables
from pilot.engine.transforms.pipeline import Pipeline, Transformed, compile_operations
from pilot.engine.transforms.registry import OPERATIONS, Operation
from pilot.engine.transforms.shapes import Shape

__all__ = ["OPERATIONS", "Operation", "Pipeline", "Shape", "Transformed", "compile_operations"]
