"""A plan as JSON-ready data that refers to arrays by number.

Input: a plan and the values of its parameters. Output: `Encoded`. An array is a reference `{"array": 3}`, strings are
`{"text": [3, 4]}`: bytes and offsets; the same array object has one number wherever it stands. Arrays that follow from
others (the transpose) are not written. Not for: the file (`container`), reading back (`decoding`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from numpy.typing import NDArray

from graphnn_compiler.archive.references import WrittenArrays
from graphnn_compiler.topology.plan import (
    Activation,
    Apply,
    Arithmetic,
    Clause,
    Combination,
    Compared,
    Concat,
    Constant,
    DenseClause,
    Dropout,
    EdgePart,
    Input,
    Layer,
    LayerNorm,
    Mean,
    Parameter,
    Penalty,
    Plan,
    Provenance,
    Ref,
    RowNormalize,
    ScalarExpr,
    SparseClause,
    Sum,
    Target,
    TensorExpr,
    Units,
    Weighted,
    Weights,
)

MAX_DEPTH = 250
"""Expressions nested deeper are not saved, so that reading them back never meets Python's own limit."""

_Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Encoded:
    """A plan and its values as JSON-ready data, and the arrays that these refer to by position."""

    plan: _Json
    values: _Json
    arrays: tuple[NDArray, ...]
    training: _Json | None = None

    @property
    def prepared(self) -> bool:
        """Whether any input is filled or scaled."""
        return any("fill" in node or "scaling" in node for node in self.plan["inputs"])


def encode(
    plan: Plan, values: Mapping[str, NDArray], training: Callable[[WrittenArrays], _Json] | None = None
) -> Encoded:
    """A plan and its values; ValueError where a number is not finite or an expression nested too deeply.

    `training` makes the section of a training's state, with the table that its arrays go to.
    """
    table = WrittenArrays()
    data = {
        "edition": operator.index(plan.edition),
        "dtype": plan.dtype,
        "inputs": [_input(it, table) for it in plan.inputs],
        "layers": [_layer(layer, table) for layer in plan.layers],
        "parameters": [_parameter(parameter) for parameter in plan.parameters],
        "targets": [_target(target, table) for target in plan.targets],
        "objectives": [
            {"name": it.name, "kind": it.kind, "value": _scalar(it.value, table, 0)} for it in plan.objectives
        ],
        "provenance": _provenance(plan.provenance),
    }
    references = {name: table.reference(array) for name, array in values.items()}
    section = None if training is None else training(table)
    return Encoded(data, references, tuple(table.arrays), section)


def _real(value: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is no number that a saved model can hold")
    return number


def _integers(values: Iterable[int]) -> list[int]:
    return [operator.index(value) for value in values]


def _too_deep(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"an expression is nested more than {MAX_DEPTH} deep")


# ------------------------------------------------------------------ layers


def _input(node: Input, table: WrittenArrays) -> _Json:
    found: _Json = {"name": node.name, "units": _units(node.units, table), "default": table.optional(node.default)}
    if node.fill is not None:
        found["fill"] = table.reference(node.fill)
    if node.scaling is not None:
        arrays = {"mean": node.scaling.mean, "deviation": node.scaling.deviation}
        references = {name: table.reference(array) for name, array in arrays.items() if array is not None}
        found["scaling"] = {"method": node.scaling.method, **references}
    return found


def _units(units: Units, table: WrittenArrays) -> _Json:
    return {
        "keys": table.reference(units.keys),
        "channels": operator.index(units.channels),
        "channel_axis": bool(units.channel_axis),
    }


def _layer(layer: Layer, table: WrittenArrays) -> _Json:
    body, norm = layer.body, layer.batchnorm
    batchnorm = {} if norm is None else {"batchnorm": asdict(norm)}
    return {
        **batchnorm,
        "name": layer.name,
        "units": _units(layer.units, table),
        "body": _combination(body, table) if isinstance(body, Combination) else _tensor(body, 0),
        "layernorm": bool(layer.layernorm),
        "activation": _activation(layer.activation),
        "dropout": _real(layer.dropout),
        "output": bool(layer.output),
    }


def _combination(body: Combination, table: WrittenArrays) -> _Json:
    clauses = [_clause(clause, table) for clause in body.clauses]
    return {"node": "combination", "clauses": clauses, "bias": body.bias}


def _activation(activation: Activation) -> _Json:
    return {"name": activation.name, "axis": activation.axis}


def _clause(clause: Clause, table: WrittenArrays) -> _Json:
    common = {"label": clause.label, "source": clause.source, "weights": _weights(clause.weights, table)}
    match clause:
        case DenseClause(coefficient=coefficient):
            return {"node": "dense", **common, "coefficient": _real(coefficient)}
        case SparseClause(parts=parts, relations=relations):
            return {
                "node": "sparse",
                **common,
                "parts": [_part(part, table) for part in parts],
                "left_out": operator.index(clause.left_out),
                "relations": None if relations is None else list(relations),
            }


def _part(part: EdgePart, table: WrittenArrays) -> _Json:
    return {
        "indptr": table.reference(part.csr.indptr),
        "indices": table.reference(part.csr.indices),
        "shape": _integers(part.csr.shape),
        "coefficients": table.optional(part.coefficients),
        "groups": table.optional(part.groups),
    }


def _weights(weights: Weights, table: WrittenArrays) -> _Json:
    return {
        "mode": weights.mode,
        "parameter": weights.parameter,
        "value": _real(weights.value),
        "group_values": table.optional(weights.group_values),
        "mix": weights.mix,
        "coefficients": weights.coefficients,
    }


# ------------------------------------------------------------------ expressions


def _tensor(expr: TensorExpr, depth: int) -> _Json:
    _too_deep(depth)
    deeper = depth + 1
    match expr:
        case Ref(layer=layer):
            return {"node": "ref", "layer": layer}
        case Constant(value=value):
            return {"node": "constant", "value": _real(value)}
        case Apply(function=function, operand=operand):
            return {"node": "apply", "function": _activation(function), "operand": _tensor(operand, deeper)}
        case Arithmetic(operator=sign, left=left, right=right):
            sides = {"left": _tensor(left, deeper), "right": _tensor(right, deeper)}
            return {"node": "arithmetic", "operator": sign, **sides}
        case Concat(operands=several):
            return {"node": "concat", "operands": [_tensor(operand, deeper) for operand in several]}
        case Dropout(operand=operand, rate=rate):
            return {"node": "dropout", "operand": _tensor(operand, deeper), "rate": _real(rate)}
        case RowNormalize(operand=operand):
            return {"node": "row_normalize", "operand": _tensor(operand, deeper)}
        case LayerNorm(operand=operand):
            return {"node": "layernorm", "operand": _tensor(operand, deeper)}
        case Mean(operand=operand, axis=axis):
            return {"node": "mean", "operand": _tensor(operand, deeper), "axis": axis}


def _scalar(expr: ScalarExpr, table: WrittenArrays, depth: int) -> _Json:
    _too_deep(depth)
    match expr:
        case Compared(name=name, layer=layer, target=target, on=on, delta=delta):
            reads = {"layer": layer, "target": target, "on": table.optional(on)}
            return {"node": "compared", "name": name, **reads} | ({"delta": _real(delta)} if name == "huber" else {})
        case Penalty(name=name, parameters=parameters):
            return {"node": "penalty", "name": name, "parameters": list(parameters)}
        case Weighted(factor=factor, term=term):
            return {"node": "weighted", "factor": _real(factor), "term": _scalar(term, table, depth + 1)}
        case Sum(terms=terms):
            return {"node": "sum", "terms": [_scalar(term, table, depth + 1) for term in terms]}


# ------------------------------------------------------------------ the rest


def _parameter(parameter: Parameter) -> _Json:
    return {
        "name": parameter.name,
        "shape": _integers(parameter.shape),
        "trainable": bool(parameter.trainable),
        "kind": parameter.kind,
    }


def _target(target: Target, table: WrittenArrays) -> _Json:
    return {
        "name": target.name,
        "shape": _integers(target.shape),
        "n_classes": None if target.n_classes is None else operator.index(target.n_classes),
        "classes": table.optional(target.classes),
        "default": table.optional(target.default),
    }


def _provenance(provenance: Provenance) -> _Json:
    params = {name: _real(it) if isinstance(it, float) else it for name, it in provenance.params.items()}
    return {
        "source_name": provenance.source_name,
        "source_sha256": provenance.source_sha256,
        "files": dict(provenance.files),
        "params": params,
        "seed": operator.index(provenance.seed),
        "versions": dict(provenance.versions),
    }
