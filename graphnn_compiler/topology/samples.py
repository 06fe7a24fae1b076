"""Default data of inputs and targets: loaded values in the shape and order of the units.

Input: what a reader gave, or a node column. Output: arrays of the plan. Not for: reading; scaling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count, did_you_mean, listed
from graphnn_compiler.model.rejection import reject
from graphnn_compiler.model.types import NodeColumn, Read
from graphnn_compiler.source import Span
from graphnn_compiler.topology.columns import located
from graphnn_compiler.topology.data import Data
from graphnn_compiler.topology.graph import Column, NodeSet, distinct, is_string
from graphnn_compiler.topology.plan import DType, Units
from graphnn_compiler.topology.readers.options import LoadedArray
from graphnn_compiler.topology.readers.table import sampled
from graphnn_compiler.topology.rules.align import place_units
from graphnn_compiler.topology.sets import Sets


def input_default(read: Read, data: Data, nodes: NodeSet, units: Units, dtype: DType) -> NDArray:
    """The default data of an input: (U,), (B, U), (U, C) or (B, U, C) of `dtype`, rows in the order of the units."""
    loaded = data.array(read)
    if is_string(loaded.values):
        help = "an input takes numbers: code the text as numbers, and name the key column with `key =` if it is one"
        reject("E251", f"the data of `{read.name}` is text, not numbers", read.span, help=help)
    values = loaded.values if loaded.keys is None else _by_key(loaded, nodes, read)
    if values.ndim == len(units.shape) + 1:
        fits = values.shape[1:] == units.shape
    else:
        fits = values.shape == units.shape
        if units.shape == (len(units), 1) and values.shape == (len(units),):
            values, fits = values[:, None], True
    if not fits:
        wanted = _words(units.shape)
        message = f"the data of `{read.name}` has shape {_words(values.shape)}, and the input is {wanted}"
        batched = ", ".join(["batch", *map(str, units.shape)])
        reject("E251", message, read.span, help=f"its shape must be {wanted}, or ({batched})")
    return fitting(values, dtype, f"the data of `{read.name}`", read.span)


def _words(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(f"{side}" for side in shape) + ("," if len(shape) == 1 else "") + ")"


def _by_key(loaded: LoadedArray, nodes: NodeSet, read: Read) -> NDArray:
    """The rows of keyed data in the order of the units. Refuses units without a row; other rows are left out."""
    assert loaded.keys is not None
    rows = NodeSet(loaded.keys)
    with located(read.span):
        found, _, number = distinct(loaded.keys)
        if len(found) < len(loaded.keys):
            twice = found[np.bincount(number) > 1]
            some = sampled(twice[:3].tolist(), len(twice))
            message = f"the data of `{read.name}` has several rows for {count(len(twice), 'key')}: {some}"
            raise Problem("E255", message, help="give each unit one row")
        place = place_units(nodes, rows)
    absent = np.flatnonzero(place < 0)
    if len(absent):
        some = listed([f"`{key}`" for key in nodes.keys[absent[:3]]])
        message = f"the data of `{read.name}` has no row for {count(len(absent), 'unit')} (first: {some})"
        help = "add the rows, or declare it over fewer units, as in `g.nodes[..]`"
        reject("E256", message, read.span, help=help)
    return loaded.values[place]


def fitting(values: NDArray, dtype: DType, what: str, span: Span) -> NDArray:
    """The values in the dtype of the network. Refuses finite numbers that it cannot hold."""
    with np.errstate(over="ignore"):  # reported below
        cast = np.ascontiguousarray(values, dtype=dtype)
    lost = int(np.count_nonzero(np.isfinite(values) & ~np.isfinite(cast)))
    if lost:
        help = "scale the data, or build with `dtype` float64"
        reject("E257", f"{what} holds {count(lost, 'number')} too large for {dtype}", span, help=help)
    return cast


def target_column(source: Read | NodeColumn, data: Data, sets: Sets, nodes: NodeSet) -> Column:
    """A target's data for each of the units, by key; a unit without data is missing."""
    if isinstance(source, Read):
        loaded = data.array(source)
        if loaded.keys is not None:
            return Column(_by_key(loaded, nodes, source))
        if len(loaded.values) != len(nodes):
            message = (
                f"the data of `{source.name}` has {count(len(loaded.values), 'row')} for {count(len(nodes), 'unit')}"
            )
            reject("E251", message, source.span)
        return Column(loaded.values)
    owner = sets.nodes(source.nodes)
    if source.column not in owner.columns:
        known = list(owner.columns)
        listing = "the columns are " + listed([f"`{name}`" for name in known], 10) if known else None
        help = did_you_mean(source.column, known, listing)
        reject("E131", f"nodes have no column `{source.column}`", source.span, help=help)
    column = owner.columns[source.column]
    if owner.keys is nodes.keys:
        return column
    return _spread(column, owner, nodes, source.span)


def _spread(column: Column, owner: NodeSet, nodes: NodeSet, span: Span) -> Column:
    with located(span):
        place = place_units(nodes, owner)
    absent = place < 0
    spread = column.take(np.where(absent, 0, place))
    missing = absent if spread.missing is None else absent | spread.missing
    return Column(spread.values, missing if missing.any() else None)
