"""The sizes of a plan: units, edges, degrees, parameters, bytes, as data for `inspect --json` and as a table.

Input: a plan. Output: JSON-ready data, or text. Not for: the whole of a plan (`plan_text`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import count, size_text
from graphnn_compiler.topology.plan import Clause, Combination, DenseClause, Input, Layer, Plan, SparseClause

SUMMARY_FORMAT_VERSION = 1


def in_degrees(clause: SparseClause, n_units: int) -> NDArray[np.int64]:
    """Edges into each unit of the layer, over all parts of a clause, shape (n_units,)."""
    total = np.zeros(n_units, dtype=np.int64)
    for part in clause.parts:
        total += np.diff(part.csr.indptr)
    return total


def summary(plan: Plan) -> dict[str, Any]:
    """The sizes of a plan as JSON-ready data.

    `parameters` counts numbers, each once; those of a layer are the ones that it reads, so that tied parameters count
    in every layer that they are tied to. `state` are the numbers that follow the data in training, the running
    statistics of batch norms, which `parameters` leaves out and `bytes` does not. The histogram of in-degrees has the
    bins 0, 1, 2..3, 4..7 and so on, empty ones left out. `bytes` are those of the parameter values and of the edge
    arrays, each array once. An input that a training prepared has `missing` and `scaling` too: policy and method.
    """
    state = [parameter.size for parameter in plan.parameters if parameter.kind == "state"]
    sizes = [parameter.size for parameter in plan.parameters if parameter.kind != "state"]
    trainable = [parameter.size for parameter in plan.parameters if parameter.trainable]
    n_bytes = (sum(sizes) + sum(state)) * np.dtype(plan.dtype).itemsize
    return {
        "format_version": SUMMARY_FORMAT_VERSION,
        "dtype": plan.dtype,
        "parameters": sum(sizes),
        "trainable": sum(trainable),
        "state": sum(state),
        "bytes": {"parameters": n_bytes, "structure": _structure_bytes(plan)},
        "inputs": [_input_summary(it) for it in plan.inputs],
        "outputs": [layer.name for layer in plan.outputs],
        "layers": [_layer_summary(layer, plan) for layer in plan.layers],
    }


def _input_summary(node: Input) -> dict[str, Any]:
    found: dict[str, Any] = {"name": node.name, "units": len(node.units), "channels": node.units.channels}
    if node.fill is not None:
        found["missing"] = "mean"
    if node.scaling is not None:
        found["scaling"] = node.scaling.method
    return found


def preparation(node: Input) -> list[str]:
    """What an input goes through before layers read it, in words."""
    filled = ["missing values become means of the training data"] if node.fill is not None else []
    return filled + ([_SCALED[node.scaling.method]] if node.scaling is not None else [])


_SCALED = {
    "standardize": "standardized by mean and deviation of the training data",
    "row_normalize": "row-normalized",
}


def _layer_summary(layer: Layer, plan: Plan) -> dict[str, Any]:
    clauses = layer.body.clauses if isinstance(layer.body, Combination) else ()
    names: set[str | None] = {name for clause in clauses for name in clause.weights.parameters}
    if isinstance(layer.body, Combination):
        names.add(layer.body.bias)
    if layer.batchnorm is not None:
        names |= {layer.batchnorm.gain, layer.batchnorm.shift}
    return {
        "name": layer.name,
        "units": len(layer.units),
        "channels": layer.units.channels,
        "parameters": sum(plan.parameter[name].size for name in names if name is not None),
        "clauses": [_clause_summary(clause, layer, plan) for clause in clauses],
    }


def _clause_summary(clause: Clause, layer: Layer, plan: Plan) -> dict[str, Any]:
    n_sources, n_units = len(plan.units[clause.source]), len(layer.units)
    if isinstance(clause, DenseClause):
        edges, left_out = n_sources * n_units, 0
        degree = {"min": n_sources, "mean": float(n_sources), "max": n_sources} if n_units else _NO_DEGREE
        histogram = {_bin_name(n_sources.bit_length()): n_units} if n_units else {}
    else:
        edges, left_out, degrees = clause.n_edges, clause.left_out, in_degrees(clause, n_units)
        degree = _spread(degrees) if n_units else _NO_DEGREE
        histogram = _histogram(degrees)
    return {
        "label": clause.label,
        "source": clause.source,
        "edges": edges,
        "in_degree": dict(degree),
        "in_degree_histogram": histogram,
        "left_out": left_out,
    }


_NO_DEGREE: dict[str, float] = {"min": 0, "mean": 0.0, "max": 0}


def _spread(degrees: NDArray[np.int64]) -> dict[str, float]:
    return {"min": int(degrees.min()), "mean": float(degrees.mean()), "max": int(degrees.max())}


def _histogram(degrees: NDArray[np.int64]) -> dict[str, int]:
    """Units by the number of bits of their in-degree."""
    bits = np.frexp(degrees.astype(np.float64))[1]
    return {_bin_name(bit): int(units) for bit, units in enumerate(np.bincount(bits)) if units}


def _bin_name(bits: int) -> str:
    return str(bits) if bits < 2 else f"{1 << (bits - 1)}..{(1 << bits) - 1}"


def _structure_bytes(plan: Plan) -> int:
    arrays: dict[int, NDArray] = {}
    for layer in plan.layers:
        clauses = layer.body.clauses if isinstance(layer.body, Combination) else ()
        for clause in clauses:
            for part in clause.parts if isinstance(clause, SparseClause) else ():
                for array in (part.csr.indptr, part.csr.indices, part.coefficients, part.groups):
                    if array is not None:
                        arrays[id(array)] = array
    return sum(array.nbytes for array in arrays.values())


# ------------------------------------------------------------------ the table


def summary_text(plan: Plan) -> str:
    """The sizes of a plan as an aligned table: a row per input and layer, and a row per clause."""
    sizes = summary(plan)
    frozen = sizes["parameters"] - sizes["trainable"]
    state = f" and {count(sizes['state'], 'running statistic')}" if sizes["state"] else ""
    head = (
        f"{count(len(sizes['layers']), 'layer')}, {count(sizes['parameters'], 'parameter')}"
        f"{f' ({frozen:,} frozen)' if frozen else ''}{state} of {sizes['dtype']}, "
        f"{size_text(sizes['bytes']['parameters'])}; "
        f"edges take {size_text(sizes['bytes']['structure'])}"
    )
    nodes = [["", "name", "units", "channels", "parameters"]]
    nodes += [["input", it["name"], f"{it['units']:,}", f"{it['channels']:,}", ""] for it in sizes["inputs"]]
    for it in sizes["layers"]:
        kind = "output" if it["name"] in sizes["outputs"] else "layer"
        nodes.append([kind, it["name"], f"{it['units']:,}", f"{it['channels']:,}", f"{it['parameters']:,}"])
    clauses = [["clause", "from", "edges", "in-degree", "left out", "units by in-degree"]]
    clauses += [_clause_row(it["name"], clause) for it in sizes["layers"] for clause in it["clauses"]]
    tables = [_aligned(nodes, "llrrr")] + ([_aligned(clauses, "llrrrl")] if len(clauses) > 1 else [])
    said = [f"input {it.name}: {', '.join(preparation(it))}" for it in plan.inputs if preparation(it)]
    return "\n\n".join([head, *tables, *(["\n".join(said)] if said else [])]) + "\n"


def _clause_row(layer: str, clause: dict[str, Any]) -> list[str]:
    degree = clause["in_degree"]
    spread = f"{degree['min']:,} / {degree['mean']:,.1f} / {degree['max']:,}"
    histogram = ", ".join(f"{name}: {units:,}" for name, units in clause["in_degree_histogram"].items())
    name = f"{layer}.{clause['label']}"
    return [name, clause["source"], f"{clause['edges']:,}", spread, f"{clause['left_out']:,}", histogram]


def _aligned(rows: list[list[str]], sides: str) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, sides, strict=True)
        lines.append("  ".join(text.ljust(n) if side == "l" else text.rjust(n) for text, n, side in cells).rstrip())
    return "\n".join(lines)
