"""Which column of a table of samples is which number of a network's inputs.

Input: a plan, the number of columns, and their names where the table has any. Output: the order in which the columns
are taken, and whether they were found by key. Not for: tables in files (`samples`).

Columns with names are units by key, in any order, and none may be missing or left over: a table of other columns is
refused, never taken by position. By position are taken: arrays; and tables where the units have no names of their own
(`x[16]`) and no column is called after a number of theirs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count, listed
from graphnn_compiler.samples.columns import Field, assign, fields_of
from graphnn_compiler.topology.plan import Input, Plan


class Order(NamedTuple):
    """The column of every number of the inputs, in the order of the inputs, and whether these were found by key."""

    columns: NDArray[np.int64]
    by_key: bool


def fed_inputs(plan: Plan) -> tuple[Input, ...]:
    """The inputs that samples are given for: those without data in the program, else those with data for a batch.

    ValueError where there are none.
    """
    needed = tuple(node for node in plan.inputs if node.default is None)
    batched = (node for node in plan.inputs if node.default is not None and node.default.ndim > len(node.units.shape))
    found = needed or tuple(batched)
    if not found:
        raise ValueError("every input of the program has its data, so that samples have no features: use `Network.fit`")
    return found


def order_of_columns(plan: Plan, n_columns: int, names: Sequence[str] | None) -> Order:
    """How the columns of a table go into the inputs. ValueError, which names them, for columns that do not fit."""
    inputs = fed_inputs(plan)
    fields = [field for field in fields_of(plan) if field.what == "input" and field.name in {it.name for it in inputs}]
    by_key = _by_key(fields, names) if names is not None else None
    if by_key is not None:
        return Order(by_key, True)
    size = sum(field.size for field in fields)
    if n_columns != size:
        takes = " and ".join(f"`{field.name}` takes {field.size}" for field in fields)
        raise ValueError(f"X has n_features = {n_columns}, and input {takes}")
    return Order(np.arange(size), False)


def split(inputs: Sequence[Input], X: NDArray, order: Order) -> dict[str, NDArray]:
    """The arrays (batch, units) or (batch, units, channels) of the inputs from a table (batch, columns)."""
    in_place = np.array_equal(order.columns, np.arange(X.shape[1]))
    table = X if in_place else X[:, order.columns]
    ends = np.cumsum([math.prod(node.units.shape) for node in inputs])[:-1]
    parts = np.split(table, ends, axis=1)
    return {node.name: part.reshape(len(X), *node.units.shape) for node, part in zip(inputs, parts, strict=True)}


def _by_key(fields: Sequence[Field], names: Sequence[str]) -> NDArray[np.int64] | None:
    """The columns by key; None where all units are mere numbers and no column is called after one."""
    twice = [name for name, n_columns in Counter(names).items() if n_columns > 1]
    if twice:
        raise ValueError(f"X has several columns of one name: {_some(twice)}")
    try:
        found = assign(fields, names, "X")
    except Problem as problem:
        raise ValueError(problem.message) from None
    if not found.columns and all(_is_anonymous(field) for field in fields):
        return None
    absent = [field for field in fields if field.name not in found.columns]
    if absent:
        units, columns = _some(absent[0].titles(range(absent[0].size))), _some(names)
        raise ValueError(f"X has no columns for input `{absent[0].name}`: its units are {units}, the columns {columns}")
    if found.unused:
        n_others, others = count(len(found.unused), "column"), _some(found.unused)
        raise ValueError(f"X has {n_others} for which the program has no unit: {others}")
    return np.concatenate([found.columns[field.name] for field in fields])


def _some(names: Sequence[str]) -> str:
    return listed([f"`{name}`" for name in names[:3]] + ["..."] * (len(names) > 3))


def _is_anonymous(field: Field) -> bool:
    keys = field.keys
    return keys is None or (keys.dtype.kind in "iu" and np.array_equal(keys, np.arange(len(keys))))
