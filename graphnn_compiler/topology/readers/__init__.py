"""Files and Python objects to graphs and arrays.

Input: a file or an object, and the options of `read(..)` or `table(..)`. Output: `Graph` and `LoadedArray`; every
refusal is a `Problem` (codes E200 .. E249 and E258 .. E265). Not for: what a program does with them.
"""

from graphnn_compiler.topology.readers.objects import array_from_object
from graphnn_compiler.topology.readers.options import GraphOptions, LoadedArray, TableOptions
from graphnn_compiler.topology.readers.read import (
    edge_table_from_object,
    graph_from_object,
    read_edge_table,
    read_graph,
)
from graphnn_compiler.topology.readers.values import read_array

__all__ = [
    "GraphOptions",
    "LoadedArray",
    "TableOptions",
    "array_from_object",
    "edge_table_from_object",
    "graph_from_object",
    "read_array",
    "read_edge_table",
    "read_graph",
]
