"""PyTorch Geometric: message passing with a weight per edge, and its sparse product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch_geometric
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import spmm

from peers.adapters.torch_layers import Formula, long, of_formula
from peers.problem import Problem

LAYOUT = "units x batch"


def version() -> str:
    return f"PyG {torch_geometric.__version__} on PyTorch {torch.__version__}"


class WeightedSum(MessagePassing):  # type: ignore[misc] # PyG is in the peer's environment only
    def __init__(self) -> None:
        super().__init__(aggr="sum")

    def forward(self, x: Any, edge_index: Any, w: Any) -> Any:
        return self.propagate(edge_index, x=x, w=w)

    def message(self, x_j: Any, w: Any) -> Any:
        return x_j * w[:, None]


def messages(problem: Problem) -> Formula:
    edge_index = torch.stack([long(problem.indices), long(problem.rows)])
    module = WeightedSum()
    return lambda w, b, x: module(x, edge_index, w) + b[:, None]


def sparse_product(problem: Problem) -> Formula:
    shape = (problem.units, problem.units)
    indptr, indices = torch.from_numpy(problem.indptr), torch.from_numpy(problem.indices)
    return lambda w, b, x: spmm(torch.sparse_csr_tensor(indptr, indices, w, shape), x, "sum") + b[:, None]


FORMULATIONS: dict[str, Callable[[Problem], Any]] = {
    "message passing": of_formula(messages),
    "spmm": of_formula(sparse_product),
}
