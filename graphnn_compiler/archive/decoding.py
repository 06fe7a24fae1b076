"""The plan and values that the manifest of an archive describes.

Input: `Contents` of a container. Output: a plan made of nothing but the closed set of nodes of `plan`, each field of
its declared type; `Problem` E537 or E540 otherwise. Not for: whether the plan is consistent (`verify`).
"""

from __future__ import annotations

from typing import get_args

from numpy.typing import NDArray

from graphnn_compiler.archive.container import Contents
from graphnn_compiler.archive.encoding import MAX_DEPTH
from graphnn_compiler.archive.fields import Fields, broken
from graphnn_compiler.archive.references import ReadArrays
from graphnn_compiler.archive.training_state import TrainingState, decode_state
from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.comparisons import COMPARISONS
from graphnn_compiler.topology.csr import Csr
from graphnn_compiler.topology.plan import (
    Activation,
    ActivationName,
    Apply,
    Arithmetic,
    Axis,
    BatchNorm,
    Clause,
    Combination,
    Compared,
    Concat,
    Constant,
    DenseClause,
    Dropout,
    DType,
    EdgePart,
    Input,
    Layer,
    LayerNorm,
    Mean,
    Mix,
    Objective,
    Parameter,
    ParameterKind,
    Penalty,
    Plan,
    Provenance,
    Ref,
    RowNormalize,
    ScalarExpr,
    Scaling,
    SparseClause,
    Sum,
    Target,
    TensorExpr,
    Units,
    Weighted,
    WeightMode,
    Weights,
)
from graphnn_compiler.topology.scaling import ScalingMethod

_SEEDS = 2**64


def decode(contents: Contents) -> tuple[Plan, dict[str, NDArray], TrainingState | None]:
    """The plan and the values by parameter name, in the order of the plan's parameters where they have one.

    The state of a training is the third, None where there is none.
    """
    arrays = ReadArrays(contents.arrays)
    with Fields(contents.plan, "the plan") as it:
        plan = Plan(
            edition=it.integer("edition"),
            dtype=it.choice("dtype", get_args(DType)),
            inputs=tuple(_input(fields, arrays, contents.prepared) for fields in it.objects("inputs")),
            layers=tuple(_layer(fields, arrays) for fields in it.objects("layers")),
            parameters=tuple(_parameter(fields) for fields in it.objects("parameters")),
            targets=tuple(_target(fields, arrays) for fields in it.objects("targets")),
            objectives=tuple(_objective(fields, arrays) for fields in it.objects("objectives")),
            provenance=_provenance(it.nested("provenance")),
        )
    references = Fields(contents.values, "the values")
    with references:
        values = {it.name: arrays.required(references, it.name) for it in plan.parameters}
    state = None if contents.training is None else decode_state(contents.training, arrays)
    arrays.refuse_unused()
    return plan, values, state


# ------------------------------------------------------------------ layers


def _input(fields: Fields, arrays: ReadArrays, prepared: bool) -> Input:
    with fields as it:
        name, units, default = it.text("name"), _units(it.nested("units"), arrays), arrays.optional(it, "default")
        fill = arrays.required(it, "fill") if prepared and it.has("fill") else None
        scaling = _scaling(it.nested("scaling"), arrays) if prepared and it.has("scaling") else None
        return Input(name, units, default, fill, scaling)


def _scaling(fields: Fields, arrays: ReadArrays) -> Scaling:
    with fields as it:
        method = it.choice("method", get_args(ScalingMethod))
        if method == "row_normalize":
            return Scaling(method)
        return Scaling(method, arrays.required(it, "mean"), arrays.required(it, "deviation"))


def _units(fields: Fields, arrays: ReadArrays) -> Units:
    with fields as it:
        return Units(arrays.required(it, "keys"), it.integer("channels"), it.flag("channel_axis"))


def _layer(fields: Fields, arrays: ReadArrays) -> Layer:
    with fields as it:
        return Layer(
            name=it.text("name"),
            units=_units(it.nested("units"), arrays),
            body=_body(it.nested("body"), arrays),
            layernorm=it.flag("layernorm"),
            activation=_activation(it.nested("activation")),
            dropout=it.number("dropout"),
            output=it.flag("output"),
            batchnorm=_batchnorm(it.nested("batchnorm")) if it.has("batchnorm") else None,
        )


def _batchnorm(fields: Fields) -> BatchNorm:
    with fields as it:
        return BatchNorm(it.text("gain"), it.text("shift"), it.text("mean"), it.text("variance"))


def _body(fields: Fields, arrays: ReadArrays) -> Combination | TensorExpr:
    node = fields.text("node")
    if node != "combination":
        return _expression(node, fields, 0)
    with fields as it:
        return Combination(tuple(_clause(clause, arrays) for clause in it.objects("clauses")), it.optional_text("bias"))


def _activation(fields: Fields) -> Activation:
    with fields as it:
        return Activation(it.choice("name", get_args(ActivationName)), it.choice("axis", get_args(Axis)))


def _clause(fields: Fields, arrays: ReadArrays) -> Clause:
    with fields as it:
        node, label, source = it.choice("node", ("sparse", "dense")), it.text("label"), it.text("source")
        weights = _weights(it.nested("weights"), arrays)
        if node == "dense":
            return DenseClause(label, source, weights, it.number("coefficient"))
        parts = tuple(_part(part, arrays) for part in it.objects("parts"))
        return SparseClause(label, source, parts, weights, it.integer("left_out"), _relations(it))


def _relations(fields: Fields) -> tuple[str | None, ...] | None:
    names = fields.optional_items("relations")
    if names is None:
        return None
    place = f"{fields.place}, field `relations`"
    return tuple(None if name is None else _text(name, place) for name in names)


def _part(fields: Fields, arrays: ReadArrays) -> EdgePart:
    with fields as it:
        shape = it.integers("shape")
        if len(shape) != 2:
            raise broken(it.place, "is not a matrix of two sides")
        csr = Csr(arrays.required(it, "indptr"), arrays.required(it, "indices"), (shape[0], shape[1]))
        return EdgePart(csr, arrays.optional(it, "coefficients"), arrays.optional(it, "groups"))


def _weights(fields: Fields, arrays: ReadArrays) -> Weights:
    with fields as it:
        return Weights(
            mode=it.choice("mode", get_args(WeightMode)),
            parameter=it.optional_text("parameter"),
            value=it.number("value"),
            group_values=arrays.optional(it, "group_values"),
            mix=it.choice("mix", get_args(Mix)),
            coefficients=it.optional_text("coefficients"),
        )


# ------------------------------------------------------------------ expressions


def _expression(node: str, fields: Fields, depth: int) -> TensorExpr:
    """An expression whose field `node` has been taken."""
    _refuse_deep(depth)
    with fields as it:
        match node:
            case "ref":
                return Ref(it.text("layer"))
            case "constant":
                return Constant(it.number("value"))
            case "apply":
                return Apply(_activation(it.nested("function")), _operand(it.nested("operand"), depth))
            case "arithmetic":
                left, right = _operand(it.nested("left"), depth), _operand(it.nested("right"), depth)
                return Arithmetic(it.choice("operator", ("+", "-", "*", "/")), left, right)
            case "concat":
                return Concat(tuple([_operand(operand, depth) for operand in it.objects("operands")]))
            case "dropout":
                return Dropout(_operand(it.nested("operand"), depth), it.number("rate"))
            case "row_normalize":
                return RowNormalize(_operand(it.nested("operand"), depth))
            case "layernorm":
                return LayerNorm(_operand(it.nested("operand"), depth))
            case "mean":
                return Mean(_operand(it.nested("operand"), depth), it.choice("axis", get_args(Axis)))
            case _:
                raise broken(it.place, f"is of the unknown kind {node[:40]!a}")


def _operand(fields: Fields, depth: int) -> TensorExpr:
    return _expression(fields.text("node"), fields, depth + 1)


def _scalar(fields: Fields, arrays: ReadArrays, depth: int) -> ScalarExpr:
    _refuse_deep(depth)
    with fields as it:
        match it.choice("node", ("compared", "penalty", "weighted", "sum")):
            case "compared":
                return Compared(
                    it.choice("name", COMPARISONS),
                    it.text("layer"),
                    it.text("target"),
                    arrays.optional(it, "on"),
                    it.number("delta") if it.has("delta") else 1.0,
                )
            case "penalty":
                return Penalty(it.choice("name", ("l1", "l2")), it.texts("parameters"))
            case "weighted":
                return Weighted(it.number("factor"), _scalar(it.nested("term"), arrays, depth + 1))
            case _:
                return Sum(tuple(_scalar(term, arrays, depth + 1) for term in it.objects("terms")))


def _refuse_deep(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Problem("E537", f"an expression is nested more than {MAX_DEPTH} deep")


# ------------------------------------------------------------------ the rest


def _parameter(fields: Fields) -> Parameter:
    with fields as it:
        kind = it.choice("kind", get_args(ParameterKind))
        return Parameter(it.text("name"), it.integers("shape"), it.flag("trainable"), kind)


def _target(fields: Fields, arrays: ReadArrays) -> Target:
    with fields as it:
        return Target(
            name=it.text("name"),
            shape=it.integers("shape"),
            n_classes=it.optional_integer("n_classes"),
            classes=arrays.optional(it, "classes"),
            default=arrays.optional(it, "default"),
        )


def _objective(fields: Fields, arrays: ReadArrays) -> Objective:
    with fields as it:
        return Objective(it.text("name"), it.choice("kind", ("loss", "metric")), _scalar(it.nested("value"), arrays, 0))


def _provenance(fields: Fields) -> Provenance:
    with fields as it:
        return Provenance(
            source_name=it.text("source_name"),
            source_sha256=it.text("source_sha256"),
            files=_texts_by_name(it, "files"),
            params={name: _param(it.place, value) for name, value in it.mapping("params").items()},
            seed=it.integer("seed", low=-_SEEDS, high=_SEEDS),
            versions=_texts_by_name(it, "versions"),
        )


def _texts_by_name(fields: Fields, name: str) -> dict[str, str]:
    place = f"{fields.place}, field `{name}`"
    return {key: _text(value, place) for key, value in fields.mapping(name).items()}


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise broken(place, "holds something else than texts")
    return value


def _param(place: str, value: object) -> int | float | bool | str:
    if isinstance(value, int | float | str):
        return value
    raise broken(place, "has a parameter that is no number, truth value or text")
