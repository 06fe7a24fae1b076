"""graphnn_compiler: from a `.gnn` file to a network with graph-wired sparse layers.

    import graphnn_compiler as gnn
    net = gnn.build("model.gnn")
    y = net(x)

The names are imported on first use: importing the package imports neither PyTensor nor NetworkX. Beside those in
`__all__`, every word of the language is a name of the package (`gnn.sym`, `gnn.relu`), for programs in Python.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphnn_compiler.api import GnnWarning, build, check, load, read_samples
    from graphnn_compiler.building.declarations import (
        Assert,
        Edges,
        Input,
        Layer,
        Loss,
        Metric,
        Nodes,
        Output,
        Param,
        Target,
        array,
        graph,
        read,
        table,
    )
    from graphnn_compiler.building.expressions import between, where
    from graphnn_compiler.building.program import Program
    from graphnn_compiler.diagnostics import Diagnostic, GnnError
    from graphnn_compiler.estimator import GraphNNClassifier, GraphNNRegressor
    from graphnn_compiler.network import Network
    from graphnn_compiler.source import Source, Span

__version__ = "0.1.0"

__all__ = [
    "Assert",
    "Diagnostic",
    "Edges",
    "GnnError",
    "GnnWarning",
    "GraphNNClassifier",
    "GraphNNRegressor",
    "Input",
    "Layer",
    "Loss",
    "Metric",
    "Network",
    "Nodes",
    "Output",
    "Param",
    "Program",
    "Source",
    "Span",
    "Target",
    "__version__",
    "array",
    "between",
    "build",
    "check",
    "graph",
    "load",
    "read",
    "read_samples",
    "table",
    "where",
]

_HOMES = {
    "Diagnostic": "diagnostics",
    "GnnError": "diagnostics",
    "GnnWarning": "api",
    "GraphNNClassifier": "estimator",
    "GraphNNRegressor": "estimator",
    "Network": "network",
    "Source": "source",
    "Span": "source",
    "build": "api",
    "check": "api",
    "load": "api",
    "read_samples": "api",
    **dict.fromkeys(["between", "where"], "building.expressions"),
    **dict.fromkeys(["Assert", "Edges", "Input", "Layer", "Loss", "Metric", "Nodes"], "building.declarations"),
    **dict.fromkeys(["Output", "Param", "Target", "array", "graph", "read", "table"], "building.declarations"),
    "Program": "building.program",
}


def __getattr__(name: str) -> Any:
    from graphnn_compiler.building.words import WORDS

    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    elif name in WORDS:
        value = import_module(f"{__name__}.building.expressions").Word(name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    from graphnn_compiler.building.words import WORDS

    return sorted({*__all__, *WORDS})
