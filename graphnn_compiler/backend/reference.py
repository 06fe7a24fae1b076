"""A plan interpreted sample by sample with plain loops: slow, obvious, the oracle of the tests.

Input: a plan, parameter values by name, and arrays as users give them. Output: float64 arrays by layer, and the value
of every loss and metric. Dropout is off; batch norms use their running statistics, or in training those of the batch.
Inside, the value of a layer for one sample has shape (units, channels).
Not for: speed, gradients. It shares no code with the PyTensor backend: a mistake in one shows against the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias, assert_never

import numpy as np
from numpy.typing import ArrayLike

from graphnn_compiler.backend.reference_functions import Array, batch_statistics, prepared, sigmoid
from graphnn_compiler.backend.reference_functions import activate as activate
from graphnn_compiler.backend.reference_functions import normalized as normalized
from graphnn_compiler.topology.comparisons import has_scores
from graphnn_compiler.topology.plan import (
    Activation,
    Apply,
    Arithmetic,
    BatchNorm,
    Clause,
    Combination,
    Compared,
    Concat,
    Constant,
    DenseClause,
    Dropout,
    Layer,
    LayerNorm,
    Mean,
    Penalty,
    Plan,
    Ref,
    RowNormalize,
    ScalarExpr,
    Sum,
    TensorExpr,
    Weighted,
    Weights,
)

Values: TypeAlias = Mapping[str, ArrayLike]


class Term(NamedTuple):
    """One summand of a linear part: `coefficient * x[source] @ block` is added at unit `target`."""

    source: int
    target: int
    coefficient: float
    block: Array


# ------------------------------------------------------------------ linear parts


def terms(clause: Clause, values: Values, n_sources: int, n_targets: int, channels: tuple[int, int]) -> Iterator[Term]:
    """Every edge of a clause with its weight block (C_in, C_out)."""
    c_in, c_out = channels
    weights = clause.weights
    if isinstance(clause, DenseClause):
        for s in range(n_sources):
            for t in range(n_targets):
                yield Term(s, t, clause.coefficient, _dense_block(weights, values, s, t, channels))
        return
    stack = _stack(weights, values, c_in, c_out)
    for part in clause.parts:
        for t in range(n_targets):
            for edge in range(part.csr.indptr[t], part.csr.indptr[t + 1]):
                group = edge if part.groups is None else int(part.groups[edge])
                block = stack[0] if weights.mode in ("shared", "fixed") else stack[group]
                coefficient = 1.0 if part.coefficients is None else float(part.coefficients[edge])
                yield Term(int(part.csr.indices[edge]), t, coefficient, block)


def _stack(weights: Weights, values: Values, c_in: int, c_out: int) -> list[Array]:
    """Every block (C_in, C_out) that the edges choose from, written out."""
    if weights.parameter is None:
        return [np.eye(c_in) * weights.value]
    stored = _float(values[weights.parameter])
    if weights.mix == "full":
        blocks = list(stored.reshape(-1, c_in, c_out))
    elif weights.mix == "diagonal":
        blocks = [np.diag(row) for row in stored.reshape(-1, c_in)]
    else:
        blocks = [number * np.eye(c_in) for number in stored.ravel()]
    if weights.coefficients is None:
        return blocks
    coefficients = _float(values[weights.coefficients])
    return [_float(sum(a * basis for a, basis in zip(row, blocks, strict=True))) for row in coefficients]


def _dense_block(weights: Weights, values: Values, s: int, t: int, channels: tuple[int, int]) -> Array:
    """The block of a pair in a dense clause."""
    c_in, c_out = channels
    if weights.parameter is None or weights.mode == "shared":
        return _stack(weights, values, c_in, c_out)[0]
    stored = _float(values[weights.parameter])
    if weights.mix == "full":
        return stored[s * c_in : (s + 1) * c_in, t * c_out : (t + 1) * c_out]
    return np.diag(stored[:, s, t]) if weights.mix == "diagonal" else stored[s, t] * np.eye(c_in)


def combination(layer: Layer, values: Values, sources: Mapping[str, Array], absolute: bool = False) -> Array:
    """The clauses of a layer plus its bias for one sample, shape (U, C); the same of absolute values if `absolute`."""
    assert isinstance(layer.body, Combination)
    size = abs if absolute else _float
    n_targets, c_out = len(layer.units), layer.units.channels
    total = np.zeros((n_targets, c_out))
    for clause in layer.body.clauses:
        x = sources[clause.source]
        for term in terms(clause, values, len(x), n_targets, (x.shape[1], c_out)):
            total[term.target] += size(term.coefficient) * (size(x[term.source]) @ size(term.block))
    if layer.body.bias is not None:
        bias = _float(values[layer.body.bias])
        per_channel = bias.ndim == 1 and (layer.units.channel_axis or len(bias) == 1)
        total += size(bias.reshape((1, c_out) if per_channel else (n_targets, c_out)))
    return total


def linear_part(layer: Layer, values: Values, sources: Mapping[str, Array]) -> Array:
    """What stands before layer norm, activation and dropout, for one sample, shape (U, C)."""
    if isinstance(layer.body, Combination):
        return combination(layer, values, sources)
    return np.array(np.broadcast_to(expression(layer.body, sources), (len(layer.units), layer.units.channels)))


def finish(layer: Layer, linear: Array) -> Array:
    """Layer norm and activation of a linear part, shape (U, C), after its batch norm if it has one."""
    return activate(layer.activation, normalized(linear) if layer.layernorm else linear)


def batch_normalized(layer: Layer, norm: BatchNorm, values: Values, linear: Array, training: bool) -> Array:
    """The batch norm of the linear parts of a batch, (B, U, C)."""
    shape = np.shape(values[norm.gain])
    per_unit = len(shape) == 2 or (not layer.units.channel_axis and shape != (1,))
    gain, shift, mean, variance = (
        _float(values[name]).reshape(-1 if per_unit else 1, layer.units.channels) for name in norm.parameters
    )
    if training:
        mean, variance = batch_statistics(linear, per_unit)
    return gain * (linear - mean) / np.sqrt(variance + 1e-5) + shift


# ------------------------------------------------------------------ expressions


def expression(expr: TensorExpr, sources: Mapping[str, Array]) -> Array:
    """The value of an expression for one sample: (U, C), or () for a constant."""
    match expr:
        case Ref(layer=name):
            return sources[name]
        case Constant(value=value):
            return _float(value)
        case Apply(function=function, operand=operand):
            return activate(function, expression(operand, sources))
        case Arithmetic(operator=operator, left=left, right=right):
            operation = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}[operator]
            return _float(operation(expression(left, sources), expression(right, sources)))
        case Concat(operands=several):
            return np.hstack([expression(operand, sources) for operand in several])
        case Dropout(operand=operand):
            return expression(operand, sources)
        case RowNormalize(operand=operand):
            x = expression(operand, sources)
            return np.array([row / row.sum() if row.sum() != 0 else 0 * row for row in x]).reshape(x.shape)
        case LayerNorm(operand=operand):
            return normalized(expression(operand, sources))
        case Mean(operand=operand, axis=axis):
            return _float(expression(operand, sources).mean(axis=0 if axis == "units" else 1, keepdims=True))
        case _:
            assert_never(expr)


# ------------------------------------------------------------------ whole networks


class _Run(NamedTuple):
    """The values of inputs and layers, (samples, U, C) each, and the names whose samples are a batch."""

    values: dict[str, Array]
    magnitudes: dict[str, Array]
    batched: frozenset[str]


def _run(plan: Plan, values: Values, inputs: Values, training: bool = False) -> _Run:
    found: dict[str, Array] = {}
    magnitudes: dict[str, Array] = {}
    batched: set[str] = set()
    for node in plan.inputs:
        array = prepared(_float(inputs.get(node.name, node.default)), node)
        if array.ndim > len(node.units.shape):
            batched.add(node.name)
        n_given = len(array) if node.name in batched else 1
        found[node.name] = array.reshape(n_given, len(node.units), node.units.channels)
    n_samples = next((len(found[name]) for name in batched), 1)
    for layer in plan.layers:
        if batched.intersection(layer.sources):
            batched.add(layer.name)
        linears, sizes = [], []
        for b in range(n_samples if layer.name in batched else 1):
            sources = {name: found[name][b if name in batched else 0] for name in layer.sources}
            linear = linear_part(layer, values, sources)
            linears.append(linear)
            in_clauses = isinstance(layer.body, Combination)
            sizes.append(combination(layer, values, sources, absolute=True) if in_clauses else abs(linear))
        shape = (len(linears), len(layer.units), layer.units.channels)
        before = np.array(linears).reshape(shape)
        if layer.batchnorm is not None:
            before = batch_normalized(layer, layer.batchnorm, values, before, training)
        found[layer.name] = np.array([finish(layer, linear) for linear in before]).reshape(shape)
        magnitudes[layer.name] = np.array(sizes).reshape(shape)
    return _Run(found, magnitudes, frozenset(batched))


def _as_given(plan: Plan, arrays: Mapping[str, Array], batched: frozenset[str]) -> dict[str, Array]:
    shapes = {layer.name: layer.units.shape for layer in plan.layers}
    return {
        name: arrays[name].reshape(len(arrays[name]), *shape) if name in batched else arrays[name].reshape(shape)
        for name, shape in shapes.items()
    }


def evaluate(plan: Plan, values: Values, inputs: Values, training: bool = False) -> dict[str, Array]:
    """The value of every layer, float64: (U,) or (U, C), with a batch axis in front where a batched input reaches it.

    `values` holds every parameter; `inputs` may leave out those with default data. `training` is of batch norms alone.
    """
    run = _run(plan, values, inputs, training)
    return _as_given(plan, run.values, run.batched)


def magnitude(plan: Plan, values: Values, inputs: Values) -> dict[str, Array]:
    """For every layer the sum of |c X W| plus |bias|, in the shape of its value: what rounding errors are relative to.

    An expression layer, which sums over no edges, gives the absolute value of its expression.
    """
    run = _run(plan, values, inputs)
    return _as_given(plan, run.magnitudes, run.batched)


# ------------------------------------------------------------------ losses and metrics


def objective(plan: Plan, values: Values, inputs: Values, targets: Values) -> dict[str, float]:
    """Every loss and metric by name, those made of scores excepted.

    `targets` may leave out those with default data; classes are coded 0 .. C-1.
    """
    run = _run(plan, values, inputs)
    means = [goal for goal in plan.objectives if not has_scores(goal.value)]
    return {goal.name: _scalar(plan, goal.value, values, run, targets) for goal in means}


def _scalar(plan: Plan, expr: ScalarExpr, values: Values, run: _Run, targets: Values) -> float:
    match expr:
        case Compared():
            return _compared(plan, expr, run, targets)
        case Penalty(name=name, parameters=names):
            power = 1 if name == "l1" else 2
            return sum(float((abs(_float(values[parameter])) ** power).sum()) for parameter in names)
        case Weighted(factor=factor, term=term):
            return factor * _scalar(plan, term, values, run, targets)
        case Sum(terms=several):
            return sum(_scalar(plan, term, values, run, targets) for term in several)
        case _:
            assert_never(expr)


def _compared(plan: Plan, expr: Compared, run: _Run, targets: Values) -> float:
    layer = plan.layer[expr.layer]
    declared = next(target for target in plan.targets if target.name == expr.target)
    truth = np.asarray(targets.get(expr.target, declared.default))
    truths = truth if truth.ndim > len(declared.shape) else truth[None]
    outputs = run.values[expr.layer]
    results: list[float] = []
    for b in range(max(len(outputs), len(truths)) if min(len(outputs), len(truths)) else 0):
        value = outputs[b if len(outputs) > 1 else 0]
        wanted = truths[b if len(truths) > 1 else 0]
        if declared.n_classes is None:
            chosen = np.arange(len(value)) if expr.on is None else expr.on
            pairs = [(v, t) for u in chosen for v, t in zip(value[u], np.ravel(wanted[u]), strict=True)]
            results += [_distance(expr, layer, float(v), float(t)) for v, t in pairs]
            continue
        rows = value if layer.units.channel_axis else value.T
        classes = np.broadcast_to(wanted, (len(rows),))
        for u in range(len(rows)) if expr.on is None else expr.on:
            results.append(_class_distance(expr.name, layer, rows[u], int(classes[u])))
    return float(np.mean(results)) if results else math.nan


def _ends_in(layer: Layer, name: str) -> bool:
    if layer.activation.name == "linear" and isinstance(layer.body, Apply) and not layer.normed:
        return layer.body.function.name == name
    return layer.activation.name == name


def _class_distance(name: str, layer: Layer, row: Array, wanted: int) -> float:
    if name == "accuracy":
        return float(np.argmax(row) == wanted)
    shares = row if _ends_in(layer, "softmax") else activate(Activation("softmax"), row[None])[0]
    return -math.log(shares[wanted])


def _distance(expr: Compared, layer: Layer, value: float, wanted: float) -> float:
    name, gap = expr.name, abs(value - wanted)
    if name == "huber":
        return gap**2 / 2 if gap <= expr.delta else expr.delta * (gap - expr.delta / 2)
    if name == "poisson":
        rate = math.exp(value) if _ends_in(layer, "linear") else value
        return rate - wanted * math.log(rate)
    if name == "mse":
        return (value - wanted) ** 2
    if name == "mae":
        return abs(value - wanted)
    share = sigmoid(value) if _ends_in(layer, "linear") else value
    if name == "accuracy":
        return float((share > 0.5) == (wanted > 0.5))
    return -(wanted * math.log(share) + (1 - wanted) * math.log(1 - share))


def _float(value: ArrayLike | None) -> Array:
    return np.asarray(value, dtype=np.float64)
