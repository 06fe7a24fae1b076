"""Clauses of a layer to their resolved form: edges in CSR, coefficients, sharing groups, parameters.

Input: a `ClauseModel` and the units on both sides. Output: a plan clause and its own parameters with their start
values. Not for: which edges a rule gives (see `sets`); shapes and start values of parameters (see `start_weights`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import count, size_text
from graphnn_compiler.model.binding import bound
from graphnn_compiler.model.columns import ColumnExpr
from graphnn_compiler.model.rejection import Rejected, reject
from graphnn_compiler.model.types import All, ClauseModel
from graphnn_compiler.source import Span
from graphnn_compiler.topology import columns, refusals, shared_weights, weights
from graphnn_compiler.topology.columns import located
from graphnn_compiler.topology.csr import Csr, csr_from_pairs
from graphnn_compiler.topology.environments import EdgeEnvironment, NodeEnvironment, edge_keys
from graphnn_compiler.topology.graph import EdgeSet, NodeSet, distinct
from graphnn_compiler.topology.initialisers import Initialiser, Orthogonal
from graphnn_compiler.topology.null_models import Rewiring
from graphnn_compiler.topology.plan import (
    Clause,
    DenseClause,
    DType,
    EdgePart,
    SparseClause,
    Units,
    Weights,
)
from graphnn_compiler.topology.sets import Sets
from graphnn_compiler.topology.shared_weights import Owner
from graphnn_compiler.topology.start_values import initialiser
from graphnn_compiler.topology.start_weights import Grouping, Started, StartWeights, weight_names


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
    """A clause and the parameters that are its own, each with its start values."""

    clause: Clause
    started: Started = ()


class Clauses:
    """Resolves the clauses of one model; keeps account of the bytes they need.

    `lent` names the clauses, `layer.label`, whose weights others use by `same_as`; `rewiring` shuffles the edges.
    """

    def __init__(
        self,
        sets: Sets,
        seed: int,
        dtype: DType,
        limits: Limits,
        lent: frozenset[str] = frozenset(),
        rewiring: Rewiring | None = None,
    ) -> None:
        self.sets = sets
        self.rewiring = rewiring
        self.lent = lent
        self._owners: dict[str, Owner] = {}
        self.seed = seed
        self.dtype = dtype
        self.limits = limits
        self.bytes = 0

    def resolve(self, layer: str, clause: ClauseModel, source: Side, target: Side) -> Resolved:
        """One clause from `source` to `target`. Refuses what does not fit, at the place that is wrong."""
        self._require_finite(np.array([clause.weights.value]), "the fixed weight", clause.weights.span)
        if clause.weights.same_as is not None and clause.weights.same_as not in self._owners:
            raise Rejected(None)  # the cause is already reported
        if isinstance(clause.rule, All):
            resolved, edges, grouping = self._dense(layer, clause, source, target), None, None
        else:
            edges, left_out = self.sets.clause_edges(clause.rule, source.nodes, target.nodes)
            if not len(edges):
                whole = self.sets.bound_edges(clause.rule) if bound(clause.rule) else None
                refusals.no_edge((clause.source, layer), source.nodes, target.nodes, whole, clause.rule.span)
            if self.rewiring is not None:
                edges = self.rewiring(clause, edges)
            self._account(clause, 3 * 4 * len(edges), "the edge arrays", f"{count(len(edges), 'edge')}")
            resolved, grouping = self._sparse(layer, clause, source, target, edges, left_out)
        stem = f"{layer}.{clause.label}"
        if stem in self.lent:
            values = None if grouping is None else grouping.values
            self._owners[stem] = Owner(stem, source.nodes, target.nodes, _channels(source, target), edges, values)
        return resolved

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
        spec, channels = clause.weights, _channels(source, target)
        coefficient = self._dense_coefficient(clause, len(source.units), len(target.units))
        started: Started = ()
        if spec.same_as is not None:
            with located(spec.span):
                shared_weights.require_channels(self._owners[spec.same_as], channels)
                if spec.mode == "per_edge":
                    shared_weights.require_pairs(self._owners[spec.same_as], source.nodes, target.nodes)
        elif spec.mode != "fixed":
            init = initialiser(clause.init, _no_columns(), None, _no_keys)
            start = StartWeights(f"{layer}.{clause.label}", clause, channels, self.seed, self.dtype)
            if spec.mode == "per_edge":
                self._account_dense(layer, clause, source, target)
                started = start.dense(init, len(source.units), target.nodes.keys)
            else:
                started = start.shared(init)
        weights_ = self._weights(layer, clause, None)
        return Resolved(DenseClause(clause.label, clause.source, weights_, coefficient), started)

    def _account_dense(self, layer: str, clause: ClauseModel, source: Side, target: Side) -> None:
        (c_in, c_out), size = _channels(source, target), np.dtype(self.dtype).itemsize
        if clause.weights.mix != "full":
            c_in, c_out = (c_in if clause.weights.mix == "diagonal" else 1), 1
        sides = len(source.units) * c_in, len(target.units) * c_out
        arithmetic = f"{sides[0]:,} x {sides[1]:,} x {size} bytes"
        what = f"the weights of `all` from `{clause.source}` to `{layer}`"
        self._account(clause, math.prod(sides) * size, what, arithmetic)

    def _weights(self, layer: str, clause: ClauseModel, grouping: Grouping | None) -> Weights:
        """What the plan says of a clause's weights."""
        spec = clause.weights
        if spec.mode == "fixed":
            return Weights("fixed", value=spec.value)
        names = weight_names(spec.same_as or f"{layer}.{clause.label}", spec.bases)
        values = None if grouping is None else grouping.values
        return Weights(spec.mode, names[0], 1.0, values, spec.mix, None if spec.bases is None else names[1])

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
    ) -> tuple[Resolved, Grouping | None]:
        csr = csr_from_pairs(edges.row, edges.column, (len(target.units), len(source.units)))
        environment = _clause_environment(edges, csr)
        coefficients = self._coefficients(clause, csr, edges, environment)
        grouping = self._grouping(clause.weights.key, "the sharing key", edges, environment)
        blocks: NDArray | None = None if grouping is None else grouping.groups
        started: Started = ()
        if clause.weights.same_as is not None:
            blocks, grouping = self._lent_blocks(clause, _channels(source, target), edges, grouping)
        elif clause.weights.mode != "fixed":
            started = self._started(layer, clause, source, target, edges, csr, environment, grouping)
        parts, relations = _parts(edges, csr, coefficients, blocks, per_edge=clause.weights.mode == "per_edge")
        weights_ = self._weights(layer, clause, grouping)
        return Resolved(
            SparseClause(clause.label, clause.source, parts, weights_, left_out, relations), started
        ), grouping

    def _lent_blocks(
        self, clause: ClauseModel, channels: tuple[int, int], edges: EdgeSet, grouping: Grouping | None
    ) -> tuple[NDArray | None, Grouping | None]:
        """The block of another clause's that each edge uses, None where edge k uses block k or all use one."""
        assert clause.weights.same_as is not None
        owner = self._owners[clause.weights.same_as]
        with located(clause.weights.span):
            shared_weights.require_channels(owner, channels)
            if clause.weights.mode == "per_edge":
                return shared_weights.own_blocks(owner, edges), None
            if grouping is None:
                return None, None
            assert owner.group_values is not None
            groups = shared_weights.own_groups(owner, grouping.groups, grouping.values)
        return groups, Grouping(groups, owner.group_values)

    def _coefficients(
        self, clause: ClauseModel, csr: Csr, edges: EdgeSet, environment: EdgeEnvironment
    ) -> NDArray[np.float64] | None:
        scale = None
        if clause.scale is not None:
            scale = columns.numbers(clause.scale, environment, len(edges), "`scale`", lambda: edge_keys(edges))
            self._require_finite(scale, "`scale`", clause.scale.span)
        per = self._grouping(clause.norm.per, "the key of `norm`", edges, environment)
        groups = None if per is None else per.groups
        with located(clause.norm.span):
            return weights.norm_coefficients(scale, csr, clause.norm.kind, groups=groups, absolute=clause.norm.absolute)

    def _grouping(
        self, key: ColumnExpr | None, what: str, edges: EdgeSet, environment: EdgeEnvironment
    ) -> Grouping | None:
        """The group of every edge by the value of a key."""
        if key is None:
            return None
        column = columns.evaluate(key, environment)
        columns.require_complete(column, what, key.span, lambda: edge_keys(edges))
        values = np.broadcast_to(column.values, (len(edges),))
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            wrong = int((~np.isfinite(values)).sum())
            message = f"{what} is infinite or not a number on {wrong:,} of {count(len(edges), 'edge')}"
            help = "look for NaN in the data, or share weights by a column of whole numbers or text"
            reject("E135", message, key.span, help=help)
        if values.dtype.kind == "b":
            values = values.astype(np.int64)
        group_values, _, groups = distinct(values)
        return Grouping(groups.astype(np.int32), group_values)

    def _started(
        self,
        layer: str,
        clause: ClauseModel,
        source: Side,
        target: Side,
        edges: EdgeSet,
        csr: Csr,
        environment: EdgeEnvironment,
        grouping: Grouping | None,
    ) -> Started:
        spec = clause.weights
        init = initialiser(
            clause.init, environment, len(edges) if spec.mode == "per_edge" else None, lambda: edge_keys(edges)
        )
        _check_initialiser(init, clause)
        start = StartWeights(f"{layer}.{clause.label}", clause, _channels(source, target), self.seed, self.dtype)
        blocks = (
            len(edges) if spec.mode == "per_edge" else 1 if grouping is None else spec.bases or len(grouping.values)
        )
        size = np.dtype(self.dtype).itemsize
        shape = " x ".join(map(str, start.single)) or "1"
        arithmetic = f"{count(blocks, 'block')} of {shape} x {size} bytes"
        self._account(
            clause, blocks * math.prod(start.single) * size, f"the weights from `{clause.source}`", arithmetic
        )
        if grouping is not None:
            return start.per_group(init, csr, grouping)
        return start.per_edge(init, csr, target.nodes.keys) if spec.mode == "per_edge" else start.shared(init)


def _channels(source: Side, target: Side) -> tuple[int, int]:
    return source.units.channels, target.units.channels


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
