"""What a network says of samples, with keys, class names and probabilities: as arrays and as the rows of a table.

Input: a plan, outputs of all samples, the labels of samples. Output: named arrays for an npz, or named columns for CSV
and Parquet. Not for: computing; writing files.

A table has one row a sample where the outputs have no channels, and one row a sample and unit (a *long* table) where
they have, or where nothing has a batch axis and the outputs are not classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.backend.symbolic import last_activation
from graphnn_compiler.diagnostics import Problem, listed
from graphnn_compiler.evaluation.measuring import decides
from graphnn_compiler.evaluation.pairs import probabilities, target_of
from graphnn_compiler.evaluation.reports import class_names
from graphnn_compiler.topology.comparisons import compared
from graphnn_compiler.topology.plan import Compared, Layer, Plan

Columns = dict[str, NDArray]
UNIT = "unit"
SAMPLE = "sample"


@dataclass(frozen=True, eq=False)
class Prediction:
    """The values of one output: (U,) or (U, C), with a batch axis in front if `batched`.

    Of classes, `values` are probabilities, `classes` the names of the last axis and `said` the most probable of each.
    Of values that are 0 or 1, `values` are the probabilities of 1.
    """

    layer: Layer
    batched: bool
    values: NDArray
    classes: tuple[object, ...] | None = None
    said: NDArray | None = None


def predictions(plan: Plan, outputs: Mapping[str, NDArray]) -> list[Prediction]:
    """What the outputs mean, by what the losses and metrics of the plan compare them with."""
    found = []
    for layer in plan.outputs:
        values = np.asarray(outputs[layer.name])
        batched = values.ndim > len(layer.units.shape)
        one = _decided(plan, layer)
        if one is None:
            found.append(Prediction(layer, batched, values))
        elif target_of(plan, one).n_classes is None:
            found.append(Prediction(layer, batched, _of_ones(layer, values)))
        else:
            names = class_names(plan, one)
            shares = probabilities(layer, values.reshape(-1, values.shape[-1])).reshape(values.shape)
            said = np.array(names)[values.argmax(axis=-1)] if values.size else np.array(names)[:0]
            found.append(Prediction(layer, batched, shares.astype(values.dtype), tuple(names), said))
    return found


def _decided(plan: Plan, layer: Layer) -> Compared | None:
    """A comparison of the layer with classes, or with values that are 0 or 1, if there is one."""
    several = (one for goal in plan.objectives for one in compared(goal.value) if one.layer == layer.name)
    ends = ("softmax", "sigmoid", "linear")
    return next((one for one in several if decides(plan, one) and last_activation(layer).name in ends), None)


def _of_ones(layer: Layer, values: NDArray) -> NDArray:
    """The probabilities of 1: a linear layer holds their logits. tanh(z / 2) cannot overflow."""
    return (0.5 + 0.5 * np.tanh(values / 2)).astype(values.dtype) if last_activation(layer).name == "linear" else values


# ------------------------------------------------------------------ arrays


def as_arrays(
    found: list[Prediction], outputs: Mapping[str, NDArray], labels: NDArray | None, label: str | None
) -> dict[str, NDArray]:
    """`y` as the network gives it, `y.units` its keys; of classes `y.classes`, `y.class` and `y.probabilities`.

    Labels of samples stand under the name of their column.
    """
    arrays: dict[str, NDArray] = {}
    for it in found:
        name = it.layer.name
        arrays |= {name: np.asarray(outputs[name]), f"{name}.units": _plain(it.layer.units.keys)}
        if it.classes is not None and it.said is not None:
            arrays |= {f"{name}.classes": np.array(it.classes), f"{name}.class": it.said}
            arrays[f"{name}.probabilities"] = it.values
    if labels is not None and label is not None:
        arrays[label if label not in arrays else f"{label}.{SAMPLE}"] = _plain(labels)
    return arrays


def _plain(keys: NDArray) -> NDArray:
    """Keys as numbers or fixed-width text, which any reader of npz files takes."""
    return keys if keys.dtype.kind in "biuf" else np.array([str(key) for key in keys.tolist()], dtype=np.str_)


# ------------------------------------------------------------------ tables


def as_table(found: list[Prediction], labels: NDArray | None, label: str | None) -> Columns:
    """The columns of a table: the label of the sample, the unit in a long table, then what each output says.

    ValueError where the outputs do not fit into one table: one of them is long and there are others.
    """
    long = [it for it in found if _is_long(it)]
    if long and len(found) > 1:
        names = listed(f"`{it.layer.name}`" for it in found)
        raise ValueError(f"the outputs {names} do not fit into one table")
    n_samples = len(found[0].values) if found[0].batched else 1
    named = np.arange(n_samples) if labels is None else labels
    n_rows_each = len(found[0].layer.units) if long else 1
    columns: list[tuple[str, NDArray]] = []
    if found[0].batched:
        columns.append((label or SAMPLE, np.repeat(named, n_rows_each)))
    if long:
        keys = found[0].layer.units.keys
        columns.append((UNIT, np.tile(keys, n_samples) if n_samples != 1 else keys))
    for it in found:
        columns += _columns(it, n_samples * n_rows_each, "long" if long else "wide")
    return _distinct(columns)


def _is_long(it: Prediction) -> bool:
    return it.layer.units.channel_axis or (not it.batched and it.classes is None)


def _columns(it: Prediction, n_rows: int, form: Literal["long", "wide"]) -> Iterator[tuple[str, NDArray]]:
    """Of classes the one that is said, then the probabilities; of values a column for each unit or channel."""
    name, channel_axis = it.layer.name, it.layer.units.channel_axis
    if form == "long" and not channel_axis:
        yield name, it.values.reshape(-1)
        return
    ends = it.classes or (range(it.layer.units.channels) if channel_axis else it.layer.units.keys.tolist())
    if it.said is not None:
        yield name, it.said.reshape(-1)
    rows = it.values.reshape(n_rows, len(ends))
    for k, end in enumerate(ends):
        yield f"{name}.{end}", rows[:, k]


def _distinct(columns: list[tuple[str, NDArray]]) -> Columns:
    table = dict(columns)
    if len(table) < len(columns):
        names = [name for name, _ in columns]
        twice = next(name for k, name in enumerate(names) if name in names[:k])
        raise Problem("E286", f"two columns would be called `{twice}`", help="write an .npz file, or rename the index")
    return table
