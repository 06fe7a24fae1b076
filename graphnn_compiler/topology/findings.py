"""What resolved edges show: asserts that fail, and lints about units that nothing reaches.

Input: asserts with the sets they measure; layers with their clauses. Output: refusals and warnings. Not for: errors
that stop a layer.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from graphnn_compiler.diagnostics import Diagnostic, count, listed
from graphnn_compiler.model.columns import ColumnExpr, Measure, Operation, walk
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.types import AssertModel, LayerModel
from graphnn_compiler.source import Span
from graphnn_compiler.topology import columns
from graphnn_compiler.topology.environments import NodeEnvironment
from graphnn_compiler.topology.graph import NodeSet
from graphnn_compiler.topology.null_models import Rewiring
from graphnn_compiler.topology.plan import Combination, SparseClause
from graphnn_compiler.topology.sets import Sets


def check_assert(check: AssertModel, sets: Sets) -> None:
    """Refuse an assert that does not hold, with the values and units that break it."""
    nobody = NodeSet(np.zeros(0, np.int64))
    environment = NodeEnvironment(nobody, measures=sets.measures.value)
    column = columns.evaluate(check.condition, environment)
    holds = np.atleast_1d(column.values)
    if holds.all():
        return
    notes = tuple(_explanation(check.condition, environment, sets, np.flatnonzero(~holds), column.values.ndim))
    message = "assertion failed" if check.message is None else f"assertion failed: {check.message}"
    reject("E140", message, check.span, notes=notes)


def _explanation(
    condition: ColumnExpr, environment: NodeEnvironment, sets: Sets, where: np.ndarray, ndim: int
) -> Iterator[str]:
    """What was measured: a number, or the first three units that break the condition."""
    for part in walk(condition):
        if not isinstance(part, Measure):
            continue
        if part.function == "acyclic":
            cycle = sets.measures.cycle(part)
            yield f"`{part.span.text}` is {'true' if cycle is None else f'false, for a cycle: {cycle}'}"
            continue
        values = columns.evaluate(part, environment).values
        if values.ndim == 0:
            yield f"`{part.span.text}` is {values}"
        elif ndim and len(values) > where[-1]:
            units = sets.measures.units(part)
            some = listed([f"{values[i]} at `{units.keys[i]}`" for i in where[:3]])
            yield f"{count(len(where), 'unit')} of {len(values):,} break it: `{part.span.text}` is {some}"
    if isinstance(condition, Operation) and condition.operator in ("==", "!=", "<", "<=", ">", ">="):
        for side in condition.arguments:
            if isinstance(side, Operation):
                yield f"`{side.span.text}` is {columns.evaluate(side, environment).values}"


def require_rewired(rewiring: Rewiring, place: Span) -> None:
    """Refuse a null model that is the network itself."""
    if rewiring.n_edges == 0:
        message = "there are no edges that a null model could shuffle"
        help = "`all` connects every pair; `same`, `one_to_one` and self loops stay as they are"
        reject("E345", message, place, help=help)
    if not rewiring.changed:
        message = f"a null model leaves all {count(rewiring.n_edges, 'edge')} of this network as they are"
        help = "no other edges, or hardly any, have these degrees"
        reject("E345", message, place, help=help + ": keep `in_degree` alone" * (rewiring.keep == "both_degrees"))


def lints(layer: LayerModel, combination: Combination, nodes: NodeSet) -> Iterator[Diagnostic]:
    """W210: units without in-edges. W212: most of a graph's edges left out."""
    sparse = [clause for clause in combination.clauses if isinstance(clause, SparseClause)]
    if len(sparse) == len(combination.clauses):
        reached = np.zeros(len(nodes), dtype=bool)
        for clause in sparse:
            for part in clause.parts:
                reached |= np.diff(part.csr.indptr) > 0
        alone = np.flatnonzero(~reached)
        if len(alone):
            some = listed([f"`{key}`" for key in nodes.keys[alone[:3]]])
            has = "has" if len(alone) == 1 else "have"
            message = f"{count(len(alone), 'unit')} of `{layer.name}` {has} no in-edges (first: {some})"
            help = "they hear only their bias; where the source has the same units, `| same` lets them hear themselves"
            yield Diagnostic("W210", message, layer.span, help)
    for resolved, model in zip(combination.clauses, layer.clauses, strict=True):
        if isinstance(resolved, SparseClause) and resolved.left_out > resolved.n_edges:
            total = resolved.left_out + resolved.n_edges
            left_out = f"{resolved.left_out:,} of {count(total, 'edge')}"
            message = f"{left_out} are left out: their ends are no units of this layer or its source"
            yield Diagnostic("W212", message, model.rule.span)
