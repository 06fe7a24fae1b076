"""DGL on PyTorch: its generalised sparse product `u_mul_e_sum`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import packaging.version
import torch

from peers.adapters.torch_layers import Formula, of_formula
from peers.problem import Problem

extern = ModuleType(
    "setuptools.extern"
)  # DGL takes `packaging` from there, where newer versions of setuptools have none
extern.packaging = packaging  # type: ignore[attr-defined] # a module made here
sys.modules.setdefault("setuptools.extern", extern)

import dgl  # noqa: E402 # see above

LAYOUT = "units x batch"


def version() -> str:
    return f"DGL {dgl.__version__} on PyTorch {torch.__version__}"


def message_sum(problem: Problem) -> Formula:
    ends = (torch.from_numpy(problem.indices), torch.from_numpy(problem.rows))
    graph = dgl.graph(ends, num_nodes=problem.units).formats(["csc", "csr", "coo"])
    graph.create_formats_()

    def formula(w: Any, b: Any, x: Any) -> Any:
        return dgl.ops.u_mul_e_sum(graph, x, w[:, None]) + b[:, None]

    return formula


FORMULATIONS: dict[str, Callable[[Problem], Any]] = {"u_mul_e_sum": of_formula(message_sum)}
