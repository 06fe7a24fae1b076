"""Clauses of a layer to their resolved form: edges in CSR, coefficients, sharing groups, parameters, start values.

Input: a `ClauseModel` and the units on both sides. Output: a plan clause, its parameter and that parameter's start
values. Not for: which edges a rule gives (see `sets`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import count, size_text
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.types import All, ClauseModel, bound
from graphnn_compiler.source import Span
from graphnn_compiler.topology import columns, refusals, weights
from graphnn_compiler.topology.columns import located
from graphnn_compiler.topology.csr import Csr, csr_from_pairs
from graphnn_compiler.topology.environments import EdgeEnvironment, NodeEnvironment, edge_keys
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, is_string
from graphnn_compiler.topology.initialisers import Initialiser, Orthogonal
from graphnn_compiler.topology.plan import (
    Clause,
    DenseClause,
    DType,
    EdgePart,
    Parameter,
    SparseClause,
    Units,
    Weights,
)
from graphnn_compiler.topology.sets import Sets
from graphnn_compiler.topology.start_values import initialiser
from graphnn_compiler.topology.streams import Stream


@dataclass(frozen=True)
class Limits:
    """What a build may use: stored edges of one edge set, bytes of all parameters and edge arrays."""

    max_edges: int = 200_000_000
    max_bytes: int = 8 * 1024**3


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a clause: its node set, with columns, and what the plan knows of it."""

    nodes: NodeSet
    units: Units


@dataclass(frozen=True, eq=False)
class Resolved:
    """A clause, its parameter (None where weights are fixed) and the parameter's start values."""

    clause: Clause
    parameter: Parameter | None = None
    values: NDArray | None = None


class Clauses:
    """Resolves the clauses of one model; keeps account of the bytes they need."""

    def __init__(self, sets: Sets, seed: int, dtype: DType, limits: Limits) -> None:
        self.sets = sets
        self.seed = seed
        self.dtype = dtype
        self.limits = limits
        self.bytes = 0

    def resolve(self, layer: str, clause: ClauseModel, source: Side, target: Side) -> Resolved:
        """One clause from `source` to `target`. Refuses what does not fit, at the place that is wrong."""
        self._require_finite(np.array([clause.weights.value]), "the fixed weight", clause.weights.span)
        if isinstance(clause.rule, All):
            return self._dense(layer, clause, source, target)
        edges, left_out = self.sets.clause_edges(clause.rule, source.nodes, target.nodes)
        if not len(edges):
            whole = self.sets.bound_edges(clause.rule) if bound(clause.rule) else None
            refusals.no_edge((clause.source, layer), source.nodes, target.nodes, whole, clause.rule.span)
        self._account(clause, 3 * 4 * len(edges), "the edge arrays", f"{count(len(edges), 'edge')}")
        return self._sparse(layer, clause, source, target, edges, left_out)

    def _account(self, clause: ClauseModel, n_bytes: int, what: str, arithmetic: str) -> None:
        """Refuse what would not fit before it is built."""
        if self.bytes + n_bytes <= self.limits.max_bytes:
            self.bytes += n_bytes
            return
        limit = f"the limit is {size_text(self.limits.max_bytes)} for the whole network (`--max-bytes`)"
        message = f"{what} need {size_text(n_bytes)}: {arithmetic}"
        help = None
        if isinstance(clause.rule, All):
            help = "connect fewer pairs, by a graph, a table or a rule, or share weights"
        reject("E343", message, clause.span, help=help, notes=(limit,))

    def _require_finite(self, values: NDArray[np.float64], what: str, span: Span) -> None:
        """Refuse what is not finite in the dtype of the network."""
        with np.errstate(over="ignore"):  # reported below
            finite = np.isfinite(values.astype(self.dtype))
        if finite.all():
            return
        where = f" on {int((~finite).sum()):,} of {count(len(values), 'edge')}" if len(values) > 1 else ""
        fault, help = "infinite or not a number", "look for NaN in the data, a division by zero or the logarithm of 0"
        if np.isfinite(values).all():
            fault, help = f"too large for {self.dtype}", "use smaller numbers, or build with `dtype` float64"
        reject("E314", f"{what} is {fault}{where}", span, help=help)

    # -------------------------------------------------------------- dense

    def _dense(self, layer: str, clause: ClauseModel, source: Side, target: Side) -> Resolved:
        name = f"{layer}.{clause.label}.weights"
        n_in, n_out, c_in, c_out = len(source.units), len(target.units), source.units.channels, target.units.channels
        coefficient = self._dense_coefficient(clause, n_in, n_out)
        if clause.weights.mode == "fixed":
            fixed = Weights("fixed", value=clause.weights.value)
            return Resolved(DenseClause(clause.label, clause.source, fixed, coefficient))
        init = initialiser(clause.init, _no_columns(), None, _no_keys)
        stream = Stream(self.seed, "init", name)
        if clause.weights.mode == "shared":
            shape: tuple[int, ...] = (c_in, c_out)
            fans = weights.fan("shared", (n_in, n_out), c_in, c_out)
            with located(clause.init_span):
                values = weights.init_shared(init, stream, fans, block=shape, dtype=self.dtype)
        else:
            shape = (n_in * c_in, n_out * c_out)
            n_bytes = math.prod(shape) * np.dtype(self.dtype).itemsize
            arithmetic = f"{shape[0]:,} x {shape[1]:,} x {np.dtype(self.dtype).itemsize} bytes"
            self._account(clause, n_bytes, f"the weights of `all` from `{clause.source}` to `{layer}`", arithmetic)
            with located(clause.init_span):
                values = weights.init_dense(init, stream, n_in, target.nodes.keys, c_in, c_out, dtype=self.dtype)
        parameter = Parameter(name, shape, clause.trainable)
        resolved = Weights(clause.weights.mode, name)
        return Resolved(DenseClause(clause.label, clause.source, resolved, coefficient), parameter, values)

    def _dense_coefficient(self, clause: ClauseModel, n_in: int, n_out: int) -> float:
        """c(e), the same for every pair: `scale`, over the sums of `norm` where n pairs of equal scale meet."""
        scale = 1.0
        if clause.scale is not None:
            found = columns.numbers(clause.scale, _no_columns(), 1, "`scale`", _no_keys)
            self._require_finite(found, "`scale`", clause.scale.span)
            scale = float(found[0])
        norm = clause.norm
        if norm.kind == "none":
            return scale
        if scale < 0 and not norm.absolute:
            help = f"write `norm = {norm.kind}(abs = true)` to divide by the sums of the absolute values"
            reject("E313", f"`norm = {norm.kind}` divides by sums of `scale`, which is negative", norm.span, help=help)
        meeting = {"row": n_in, "col": n_out, "symmetric": math.sqrt(n_in * n_out)}[norm.kind]
        return math.copysign(1.0, scale) / meeting if scale else 0.0

    # -------------------------------------------------------------- sparse

    def _sparse(
        self, layer: str, clause: ClauseModel, source: Side, target: Side, edges: EdgeSet, left_out: int
    ) -> Resolved:
        shape = (len(target.units), len(source.units))
        csr = csr_from_pairs(edges.row, edges.column, shape)
        environment = _clause_environment(edges, csr)
        coefficients = self._coefficients(clause, csr, edges, environment)
        groups, group_values = self._groups(clause, edges, environment)
        parts, relations = _parts(edges, csr, coefficients, groups, per_edge=clause.weights.mode == "per_edge")
        name = f"{layer}.{clause.label}.weights"
        if clause.weights.mode == "fixed":
            resolved = Weights("fixed", value=clause.weights.value)
            return Resolved(SparseClause(clause.label, clause.source, parts, resolved, left_out, relations))
        resolved = Weights(clause.weights.mode, name, group_values=group_values)
        values = self._start_values(name, clause, source, target, edges, csr, environment, groups, group_values)
        return Resolved(
            SparseClause(clause.label, clause.source, parts, resolved, left_out, relations),
            Parameter(name, values.shape, clause.trainable),
            values,
        )

    def _coefficients(
        self, clause: ClauseModel, csr: Csr, edges: EdgeSet, environment: EdgeEnvironment
    ) -> NDArray[np.float64] | None:
        scale = None
        if clause.scale is not None:
            scale = columns.numbers(clause.scale, environment, len(edges), "`scale`", lambda: edge_keys(edges))
            self._require_finite(scale, "`scale`", clause.scale.span)
        with located(clause.norm.span):
            return weights.norm_coefficients(scale, csr, clause.norm.kind, absolute=clause.norm.absolute)

    def _groups(
        self, clause: ClauseModel, edges: EdgeSet, environment: EdgeEnvironment
    ) -> tuple[NDArray[np.int32] | None, NDArray | None]:
        """The sharing group of every edge, and the value of each group, in rising order."""
        key = clause.weights.key
        if key is None:
            return None, None
        column = columns.evaluate(key, environment)
        columns.require_complete(column, "the sharing key", key.span, lambda: edge_keys(edges))
        values = np.broadcast_to(column.values, (len(edges),))
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            wrong = int((~np.isfinite(values)).sum())
            message = f"the sharing key is infinite or not a number on {wrong:,} of {count(len(edges), 'edge')}"
            help = "look for NaN in the data, or share weights by a column of whole numbers or text"
            reject("E135", message, key.span, help=help)
        if values.dtype.kind == "b":
            values = values.astype(np.int64)
        group_values, groups = np.unique(values, return_inverse=True)
        return groups.reshape(-1).astype(np.int32), group_values

    def _start_values(
        self,
        name: str,
        clause: ClauseModel,
        source: Side,
        target: Side,
        edges: EdgeSet,
        csr: Csr,
        environment: EdgeEnvironment,
        groups: NDArray[np.int32] | None,
        group_values: NDArray | None,
    ) -> NDArray:
        c_in, c_out = source.units.channels, target.units.channels
        mode = clause.weights.mode
        assert mode != "fixed"
        n_edges = len(edges) if mode == "per_edge" else None
        init = initialiser(clause.init, environment, n_edges, lambda: edge_keys(edges))
        _check_initialiser(init, clause)
        fans = weights.fan(mode, csr, c_in, c_out, groups=groups, normed=clause.norm.kind != "none")
        stream = Stream(self.seed, "init", name)
        block = () if c_in == c_out == 1 else (c_in, c_out)
        blocks = {"per_edge": len(edges), "per": 0 if group_values is None else len(group_values), "shared": 1}[mode]
        n_bytes = blocks * c_in * c_out * np.dtype(self.dtype).itemsize
        arithmetic = f"{count(blocks, 'block')} of {c_in} x {c_out} x {np.dtype(self.dtype).itemsize} bytes"
        self._account(clause, n_bytes, f"the weights from `{clause.source}`", arithmetic)
        with located(clause.init_span):
            match mode:
                case "per_edge":
                    return weights.init_edges(init, stream, csr, target.nodes.keys, fans, block=block, dtype=self.dtype)
                case "shared":
                    return weights.init_shared(init, stream, fans, block=(c_in, c_out), dtype=self.dtype)
                case "per":
                    assert group_values is not None
                    values = [str(v) for v in group_values] if is_string(group_values) else group_values.tolist()
                    return weights.init_groups(init, stream, values, fans, block=block, dtype=self.dtype)


def _parts(
    edges: EdgeSet, csr: Csr, coefficients: NDArray[np.float64] | None, groups: NDArray | None, *, per_edge: bool
) -> tuple[tuple[EdgePart, ...], tuple[str | None, ...] | None]:
    """One part, or one a relation where a pair stands under several: no CSR row may hold a column twice."""
    relations = edges.relations
    twice = (np.diff(edges.row) == 0) & (np.diff(edges.column) == 0)
    if relations is None or not twice.any():
        return (EdgePart(csr, coefficients, groups),), None
    parts, names = [], []
    for code in np.unique(relations.codes):
        place = np.flatnonzero(relations.codes == code)
        structure = csr_from_pairs(edges.row[place], edges.column[place], csr.shape)
        blocks = place.astype(csr.indices.dtype) if per_edge else None
        blocks = blocks if groups is None else groups[place]
        parts.append(EdgePart(structure, None if coefficients is None else coefficients[place], blocks))
        names.append(relations.names[code] if code >= 0 else None)
    return tuple(parts), tuple(names)


def _clause_environment(edges: EdgeSet, csr: Csr) -> EdgeEnvironment:
    """What clause options see: degrees there are of the clause's resolved edges."""
    none_in, none_out = np.zeros(csr.shape[1], np.int64), np.zeros(csr.shape[0], np.int64)
    sources = {"in_degree": none_in, "out_degree": csr.out_degree, "degree": csr.out_degree}
    targets = {"in_degree": csr.in_degree, "out_degree": none_out, "degree": csr.in_degree}
    return EdgeEnvironment(
        edges, NodeEnvironment(edges.sources, lambda: sources), NodeEnvironment(edges.targets, lambda: targets)
    )


def _check_initialiser(init: Initialiser, clause: ClauseModel) -> None:
    if isinstance(init, Orthogonal) and clause.weights.mode == "per_edge":
        help = "use `weights = shared` or `per(..)`, or another start value"
        reject("E416", "weights of single edges have no orthogonal start value", clause.init_span, help=help)


def _no_columns() -> EdgeEnvironment:
    """`all` never becomes an edge list, so its options see constants only; the checker saw to that."""
    nobody = NodeSet(np.zeros(0, np.int64))
    nothing = EdgeSet(nobody, nobody, np.zeros(0, np.int64), np.zeros(0, np.int64))
    return EdgeEnvironment(nothing, NodeEnvironment(nobody), NodeEnvironment(nobody))


def _no_keys() -> NDArray:
    raise AssertionError("a constant is never missing")
