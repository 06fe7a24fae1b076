"""The arrays of a plan by name, for `gnnc build --emit npz` and for anyone who wants the edges themselves.

Input: a plan and its parameter values. Output: a dictionary of arrays. Not for: reading a plan back (the archive).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.graph import is_string, string_array
from graphnn_compiler.topology.npy import encode_strings
from graphnn_compiler.topology.plan import Combination, DenseClause, Plan, SparseClause

_LONGEST_FIXED_WIDTH = 64  # characters; every string of a fixed-width array takes as much room as the longest


def edge_arrays(plan: Plan, values: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Every array of a plan, none of them of objects.

    `LAYER.keys` of every input and layer; for a clause `LAYER.LABEL.indptr` and `.indices` (rows = targets), and where
    it has them `.coefficients`, `.groups`, `.group_values`, `.value` (a fixed weight); a clause of several parts has
    `LAYER.LABEL.0.indptr` and so on, and its `.relations`; a dense clause its `.coefficient`. Values of parameters
    stand under their own names. Strings are fixed-width text, or `NAME.utf8` (bytes) and `NAME.offsets` where one is
    long.
    """
    arrays: dict[str, NDArray] = {}
    for name, units in plan.units.items():
        arrays |= _readable(f"{name}.keys", units.keys)
    for layer in plan.layers:
        if not isinstance(layer.body, Combination):
            continue
        for clause in layer.body.clauses:
            arrays |= _clause_arrays(f"{layer.name}.{clause.label}", clause)
    return arrays | dict(values)


def _clause_arrays(name: str, clause: SparseClause | DenseClause) -> dict[str, NDArray]:
    arrays: dict[str, NDArray] = {}
    if clause.weights.mode == "fixed":
        arrays[f"{name}.value"] = np.array(clause.weights.value, dtype=np.float64)
    if isinstance(clause, DenseClause):
        return arrays | {f"{name}.coefficient": np.array(clause.coefficient, dtype=np.float64)}
    if clause.weights.group_values is not None:
        arrays |= _readable(f"{name}.group_values", clause.weights.group_values)
    if clause.relations is not None:
        arrays |= _readable(f"{name}.relations", string_array([relation or "" for relation in clause.relations]))
    for number, part in enumerate(clause.parts):
        prefix = name if len(clause.parts) == 1 else f"{name}.{number}"
        arrays |= {f"{prefix}.indptr": part.csr.indptr, f"{prefix}.indices": part.csr.indices}
        if part.coefficients is not None:
            arrays[f"{prefix}.coefficients"] = part.coefficients
        if part.groups is not None:
            arrays[f"{prefix}.groups"] = part.groups
    return arrays


def _readable(name: str, array: NDArray) -> dict[str, NDArray]:
    if not is_string(array):
        return {name: array}
    data, offsets = encode_strings(array)
    longest = int(np.strings.str_len(array).max(initial=0))
    # Fixed-width text drops zero characters at its end, so a string that holds one needs the other form.
    if longest <= _LONGEST_FIXED_WIDTH and not np.any(data == 0):
        return {name: array.astype(f"<U{max(longest, 1)}")}
    return {f"{name}.utf8": data, f"{name}.offsets": offsets}
