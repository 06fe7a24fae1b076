"""graphnn_compiler: from a `.gnn` file to a network with graph-wired sparse layers.

    import graphnn_compiler as gnn
    net = gnn.build("model.gnn")
    y = net(x)

The names are imported on first use: importing the package imports neither PyTensor nor NetworkX.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphnn_compiler.api import GnnWarning, build, check, load
    from graphnn_compiler.diagnostics import Diagnostic, GnnError
    from graphnn_compiler.network import Network
    from graphnn_compiler.source import Source, Span

__version__ = "0.1.0"

__all__ = [
    "Diagnostic",
    "GnnError",
    "GnnWarning",
    "Network",
    "Source",
    "Span",
    "__version__",
    "build",
    "check",
    "load",
]

_HOMES = {
    "Diagnostic": "diagnostics",
    "GnnError": "diagnostics",
    "GnnWarning": "api",
    "Network": "network",
    "Source": "source",
    "Span": "source",
    "build": "api",
    "check": "api",
    "load": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
