"""The edges of one clause as users see them: keys, CSR arrays and effective weights; and weights given by key pairs.

Input: a plan, a layer, a clause, and the clause's current weights as an array. Output: read-only NumPy arrays.
Not for: layers that are dense (they have no edge list), compiled functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import count, listed
from graphnn_compiler.topology.csr import Csr, csr_from_pairs
from graphnn_compiler.topology.graph import NodeSet, is_string, string_array
from graphnn_compiler.topology.plan import (
    Clause,
    Combination,
    DenseClause,
    Layer,
    Plan,
    SparseClause,
    Units,
    block_shape,
)


class Edges:
    """The edges into a layer along one clause, in canonical order: by target, source, then relation.

    All arrays are read-only and of length E, one entry an edge, unless it says otherwise.
    """

    def __init__(
        self, plan: Plan, layer: Layer, clause: SparseClause, parameters: Mapping[str, Callable[[], NDArray]]
    ) -> None:
        """`parameters` give the current values of the parameters that the clause's weights are made of, by name."""
        self._sources = plan.units[clause.source]
        self._targets = layer.units
        self._dtype = np.dtype(plan.dtype)
        self._clause = clause
        self._parameters = parameters

    def __len__(self) -> int:
        return self._clause.n_edges

    def __repr__(self) -> str:
        units = f"{len(self._sources):,} -> {len(self._targets):,} units"
        return f"Edges({self._clause.label}: {count(len(self), 'edge')}, {units})"

    @cached_property
    def _order(self) -> NDArray[np.int64] | None:
        """Where the edges of all parts, one part after another, stand in canonical order; None for a single part."""
        parts = self._clause.parts
        if len(parts) == 1:
            return None
        number = np.repeat(np.arange(len(parts)), [part.csr.n_edges for part in parts])
        columns = np.concatenate([part.csr.indices for part in parts])
        return np.lexsort((number, columns, np.concatenate([part.csr.rows for part in parts])))

    def _joined(self, arrays: Sequence[NDArray]) -> NDArray:
        return _read_only(arrays[0] if self._order is None else np.concatenate(arrays)[self._order])

    @cached_property
    def _csr(self) -> Csr:
        parts = self._clause.parts
        if len(parts) == 1:
            return parts[0].csr
        rows = self._joined([part.csr.rows for part in parts])
        return csr_from_pairs(rows, self._joined([part.csr.indices for part in parts]), parts[0].csr.shape)

    @property
    def indptr(self) -> NDArray:
        """The edges into target t are `indptr[t] .. indptr[t + 1] - 1`; shape (targets + 1,)."""
        return _read_only(self._csr.indptr)

    @property
    def indices(self) -> NDArray:
        """The position of each edge's source. A source stands twice under a target only where the edges are of
        several relations."""
        return _read_only(self._csr.indices)

    @cached_property
    def source_keys(self) -> NDArray:
        """The key of each edge's source."""
        return _read_only(self._sources.keys[self._csr.indices])

    @cached_property
    def target_keys(self) -> NDArray:
        """The key of each edge's target."""
        return _read_only(self._targets.keys[self._csr.rows])

    @cached_property
    def relations(self) -> NDArray | None:
        """The relation of each edge ("" for none), None unless a pair of units has edges of several relations."""
        names = self._clause.relations
        if names is None:
            return None
        sizes = [part.csr.n_edges for part in self._clause.parts]
        number = self._joined([np.full(size, k) for k, size in enumerate(sizes)])
        return _read_only(string_array([name or "" for name in names])[number])

    @cached_property
    def coefficients(self) -> NDArray[np.float64]:
        """The fixed coefficient c(e) of each edge."""
        return self._joined(
            [
                np.ones(part.csr.n_edges) if part.coefficients is None else part.coefficients
                for part in self._clause.parts
            ]
        )

    @cached_property
    def _groups(self) -> NDArray:
        parts = self._clause.parts
        return self._joined([np.arange(p.csr.n_edges) if p.groups is None else p.groups for p in parts])

    @property
    def weights(self) -> NDArray:
        """The weight, now, of each edge without its coefficient: (E,), or blocks (E, C_in, C_out) for more channels.

        With `mix = diagonal` of more channels these are the diagonals, (E, C), and with `mix = scalar` (E,).
        """
        blocks = (self._sources.channels, self._targets.channels)
        spec = self._clause.weights
        shape = (len(self), *block_shape(spec.mix, *blocks))
        if spec.parameter is None:
            block = np.eye(blocks[0], dtype=self._dtype) * self._dtype.type(spec.value)
            return np.broadcast_to(block.reshape(shape[1:]), shape)
        stack = self._parameters[spec.parameter]().reshape(-1, *shape[1:])
        if spec.coefficients is not None:
            stack = np.tensordot(self._parameters[spec.coefficients](), stack, 1)
        if spec.mode == "shared":
            return np.broadcast_to(stack[0], shape)
        return _read_only(stack[self._groups])

    def to_scipy(self) -> Any:
        """The matrix of coefficient times weight as a `scipy.sparse.csr_array`, rows = targets, in the plan's dtype.

        With `mix = scalar` it is that of every channel. ValueError where the weights are blocks of several channels.
        """
        weights = self.weights
        if weights.ndim > 1:
            blocks = " x ".join(map(str, weights.shape[1:]))
            raise ValueError(f"the weights of `{self._clause.label}` are blocks of {blocks}, which no matrix holds")
        from scipy.sparse import csr_array  # imported here: slow, and rarely wanted

        data = (weights * self.coefficients).astype(self._dtype)
        return csr_array((data, self.indices.copy(), self.indptr.copy()), shape=self._csr.shape)


def _read_only(array: NDArray) -> NDArray:
    view = array.view()
    view.flags.writeable = False
    return view


# ------------------------------------------------------------------ finding clauses and edges


def clause_of(layer: Layer, label: str | None) -> Clause:
    """The clause of a layer with a label, or its only one. KeyError if there is none, or several to choose from."""
    clauses = layer.body.clauses if isinstance(layer.body, Combination) else ()
    if not clauses:
        raise KeyError(f"layer `{layer.name}` has no `from` clauses")
    labels = listed((f"`{clause.label}`" for clause in clauses), 10)
    if label is None:
        if len(clauses) > 1:
            raise KeyError(f"layer `{layer.name}` has {len(clauses)} clauses ({labels}): name one")
        return clauses[0]
    for clause in clauses:
        if clause.label == label:
            return clause
    raise KeyError(f"layer `{layer.name}` has no clause `{label}`, but {labels}")


def weights_by_pair(
    plan: Plan, layer: Layer, clause: Clause, current: NDArray, changes: Mapping[tuple[Any, Any], Any]
) -> NDArray:
    """`current`, the weights of a clause, with those of some (source key, target key) pairs replaced; a new array.

    ValueError unless the clause has one number per pair, and for a pair that is not connected.
    """
    sources, targets = plan.units[clause.source], layer.units
    name = f"`{layer.name}.{clause.label}.weights`"
    block = block_shape(clause.weights.mix, sources.channels, targets.channels)
    if clause.weights.mode != "per_edge" or block:
        raise ValueError(f"{name} has no number of its own for each edge: give the whole array")
    result = current.copy()
    if not changes:
        return result
    pairs = list(changes)
    if any(not isinstance(pair, tuple) or len(pair) != 2 for pair in pairs):
        raise ValueError(f"weights of {name} by edge are keyed by (source key, target key)")
    columns = _positions(sources, [source for source, _ in pairs])
    rows = _positions(targets, [target for _, target in pairs])
    new = np.asarray(list(changes.values()))
    if new.dtype.kind not in "biuf" or new.ndim != 1:
        raise TypeError(f"the weight of one edge of {name} is one real number")
    entries = _entries(clause, rows, columns, len(targets))
    if np.any(entries < 0):
        lost = [pair for pair, entry in zip(pairs, entries, strict=True) if entry < 0]
        raise ValueError(f"{name} has no edge {listed(f'{s!r} -> {t!r}' for s, t in lost)}")
    result.reshape(-1)[entries] = new
    return result


def _positions(units: Units, keys: Sequence[Any]) -> NDArray[np.int64]:
    """The position of each key, -1 for what is no key of the units."""
    kind = str if is_string(units.keys) else (int, np.integer)
    fits = np.array([isinstance(key, kind) and not isinstance(key, bool) for key in keys], dtype=bool)
    chosen = [key for key, fit in zip(keys, fits, strict=True) if fit]
    positions = np.full(len(keys), -1, np.int64)
    wanted = string_array(chosen) if kind is str else np.array(chosen, dtype=np.int64)
    positions[fits] = NodeSet(units.keys).find(wanted)
    return positions


def _entries(clause: Clause, rows: NDArray, columns: NDArray, n_targets: int) -> NDArray[np.int64]:
    """The position in the flat weights of each pair of units, -1 where they are not connected."""
    known = (rows >= 0) & (columns >= 0)
    if isinstance(clause, DenseClause):
        return np.where(known, columns * n_targets + rows, -1)
    entries = np.full(len(rows), -1, np.int64)
    for part in clause.parts:
        width = part.csr.shape[1]
        if part.csr.n_edges == 0:
            continue
        stored = part.csr.rows.astype(np.int64) * width + part.csr.indices  # increasing: rows, then columns
        wanted = rows * width + columns
        slot = np.minimum(np.searchsorted(stored, wanted), len(stored) - 1)
        found = known & (stored[slot] == wanted)
        if np.any(found & (entries >= 0)):
            raise ValueError(f"a pair of `{clause.label}` has edges of several relations: give the whole array")
        entries[found] = slot[found] if part.groups is None else part.groups[slot[found]]
    return entries
