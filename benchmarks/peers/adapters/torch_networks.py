"""The same networks in PyTorch: several formulations of each, trained by its fused SGD.

Signals are units x batch, which spares the sparse layers a transpose; inputs and targets are given in that layout.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from peers.adapters.torch_layers import Formula, embedding_bag, index_add, long, padded
from peers.layer import Training
from peers.networks import DEPTH, RATE, TOPICS, read
from peers.problem import Problem

DECAY = 2.5e-4
Layers = Callable[[Problem], Formula]


def sparse_layer(arrays: Mapping[str, NDArray], number: int, make: Layers) -> Formula:
    indptr, indices, w, b = (arrays[f"{name}_{number}"] for name in ("indptr", "indices", "weights", "bias"))
    empty = np.empty((0, 0), np.float32)
    return make(Problem(indptr, indices, w, b, empty, empty))


def training(name: str, parameters: Mapping[str, Any], loss: Callable[..., Any], *, compiled: bool) -> Training:
    """`loss` takes the parameters in their order; `parameters` are leaves, by the names of the start values."""
    function = torch.compile(loss, dynamic=False) if compiled else loss
    optimizer = torch.optim.SGD(parameters.values(), lr=RATE[name], fused=True)

    def step() -> float:
        cost = function(*parameters.values())
        cost.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(cost.detach())

    return Training(step, lambda: {key: value.detach().numpy().copy() for key, value in parameters.items()})


def leaves(arrays: Mapping[str, NDArray], *names: str) -> dict[str, Any]:
    return {name: torch.from_numpy(arrays[name].copy()).requires_grad_() for name in names}


def wired(folder: Path, drop: float, make: Layers, compiled: bool) -> Training:
    arrays = read(folder)
    x, truth = torch.from_numpy(np.ascontiguousarray(arrays["x"].T)), long(arrays["truth"])
    layer = sparse_layer(arrays, 0, make)

    def loss(first: Any, first_bias: Any, w: Any, b: Any, last: Any, last_bias: Any) -> Any:
        hidden = torch.tanh(first.T @ x + first_bias[:, None])
        logits = torch.tanh(layer(w, b, hidden)).T @ last + last_bias
        return functional.cross_entropy(logits, truth)

    names = ("first", "first_bias", "weights_0", "bias_0", "last", "last_bias")
    return training("wired", leaves(arrays, *names), loss, compiled=compiled)


def deep(folder: Path, drop: float, make: Layers, compiled: bool) -> Training:
    arrays = read(folder)
    x, truth = (torch.from_numpy(np.ascontiguousarray(arrays[name].T)) for name in ("x", "truth"))
    layers = [sparse_layer(arrays, number, make) for number in range(DEPTH)]

    def loss(*parameters: Any) -> Any:
        signal = x
        for number, layer in enumerate(layers):
            signal = torch.tanh(layer(parameters[2 * number], parameters[2 * number + 1], signal))
        return functional.mse_loss(signal, truth)

    names = [f"{kind}_{number}" for number in range(DEPTH) for kind in ("weights", "bias")]
    return training("deep", leaves(arrays, *names), loss, compiled=compiled)


# ------------------------------------------------------------------ graph convolution


def citations(folder: Path, n: int) -> tuple[Any, Any, Any]:
    """D^-1/2 (A + I) D^-1/2 in rows: indptr, indices, values."""
    pairs = np.loadtxt(folder / "edges.csv", delimiter=",", skiprows=1, dtype=np.int64)
    both_ways = np.concatenate([pairs, pairs[:, ::-1], np.repeat(np.arange(n)[:, None], 2, axis=1)])
    row, column = np.unique(both_ways, axis=0).T
    degree = np.bincount(row, minlength=n)
    indptr = np.concatenate([[0], np.cumsum(degree)])
    values = 1 / np.sqrt(degree[row] * degree[column])
    return long(indptr), long(column), torch.from_numpy(values.astype(np.float32))


def papers(folder: Path) -> tuple[Any, Any]:
    """The topics of the training papers, and which those are."""
    with (folder / "nodes.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    chosen = [number for number, row in enumerate(rows) if row["split"] == "train"]
    return long(np.array([int(rows[number]["label"]) for number in chosen])), long(np.array(chosen))


def words(folder: Path) -> tuple[Any, Any, Any, tuple[int, int]]:
    """Which words each paper holds, as rows that sum to 1: indptr, indices, values, shape."""
    with np.load(folder / "features.npz") as file:
        indptr, shape = file["indptr"], (int(file["shape"][0]), int(file["shape"][1]))
        values = file["data"] / np.repeat(np.diff(indptr), np.diff(indptr))
        return long(indptr), long(file["indices"]), torch.from_numpy(values.astype(np.float32)), shape


def by_sparse_csr(indptr: Any, indices: Any, values: Any) -> Callable[[Any], Any]:
    n = len(indptr) - 1
    matrix = torch.sparse_csr_tensor(indptr, indices, values, (n, n))
    return lambda signal: matrix @ signal


def by_embedding_bag(indptr: Any, indices: Any, values: Any) -> Callable[[Any], Any]:
    return lambda signal: functional.embedding_bag(
        indices, signal, indptr, mode="sum", per_sample_weights=values, include_last_offset=True
    )


def by_index_add(indptr: Any, indices: Any, values: Any) -> Callable[[Any], Any]:
    rows = torch.repeat_interleave(torch.arange(len(indptr) - 1), torch.diff(indptr))
    return lambda signal: torch.zeros_like(signal).index_add(0, rows, signal[indices] * values[:, None])


def gcn(
    folder: Path, drop: float, aggregate: Callable[..., Callable[[Any], Any]], dense: bool, compiled: bool
) -> Training:
    """`dense`: the words are a dense matrix; otherwise dropout is of the entries that are there."""
    data, arrays = folder / "data", read(folder)
    indptr, indices, values, shape = words(data)
    bag = torch.sparse_csr_tensor(indptr, indices, values, shape).to_dense() if dense else None
    near = aggregate(*citations(data, shape[0]))
    topic, chosen = papers(data)

    def loss(w0: Any, b0: Any, w1: Any, b1: Any) -> Any:
        if bag is not None:
            projected = functional.dropout(bag, drop) @ w0
        else:
            projected = torch.sparse_csr_tensor(indptr, indices, functional.dropout(values, drop), shape) @ w0
        hidden = functional.dropout(torch.relu(near(projected) + b0), drop)
        logits = near(hidden @ w1) + b1
        return functional.cross_entropy(logits[chosen], topic) + DECAY * (w0**2).sum()

    parameters = leaves(arrays, "weights_0", "bias_0", "weights_1", "bias_1")
    assert parameters["bias_1"].shape == (TOPICS,)
    return training("gcn", parameters, loss, compiled=compiled)


def of_sparse_layers(network: Callable[..., Training]) -> dict[str, Callable[[Path, float], Training]]:
    return {
        "embedding_bag": partial(network, make=embedding_bag, compiled=False),
        "embedding_bag, compiled": partial(network, make=embedding_bag, compiled=True),
        "padded gather, compiled": partial(network, make=padded, compiled=True),
        "index_add, compiled": partial(network, make=index_add, compiled=True),
    }


def of_convolutions() -> dict[str, Callable[[Path, float], Training]]:
    ways = {"sparse CSR": by_sparse_csr, "embedding_bag": by_embedding_bag, "index_add": by_index_add}
    found: dict[str, Callable[[Path, float], Training]] = {}
    for name, aggregate in ways.items():
        found[f"{name}, dense words"] = partial(gcn, aggregate=aggregate, dense=True, compiled=False)
        found[f"{name}, sparse words"] = partial(gcn, aggregate=aggregate, dense=False, compiled=False)
    found["index_add, dense words, compiled"] = partial(gcn, aggregate=by_index_add, dense=True, compiled=True)
    found["embedding_bag, dense words, compiled"] = partial(gcn, aggregate=by_embedding_bag, dense=True, compiled=True)
    return found


NETWORKS: dict[str, dict[str, Callable[[Path, float], Training]]] = {
    "wired": of_sparse_layers(wired),
    "deep": of_sparse_layers(deep),
    "gcn": of_convolutions(),
}
