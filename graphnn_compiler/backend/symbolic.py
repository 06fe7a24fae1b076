"""Plan to PyTensor: the value of every layer as a variable.

Input: a plan, its parameters and its inputs as variables. Output: variables. Inside, every value is node-major,
(units, batch, channels), which is the layout of the sparse dot; arrays are batch-first at the border only. A value that
no batched input reaches has batch length 1, known before compilation, and broadcasts.
Not for: compiling, numbers, losses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain
from math import prod
from operator import add
from typing import assert_never

import pytensor.tensor as pt

from graphnn_compiler.backend.activations import (
    CHANNELS,
    UNITS,
    Drops,
    activate,
    constant,
    layer_norm,
)
from graphnn_compiler.backend.batch_norm import inference_norm, training_norm
from graphnn_compiler.backend.csr_dot import aggregate, edge_dot
from graphnn_compiler.backend.expressions import expression
from graphnn_compiler.backend.fusion import compared_by_logits, is_one_dot
from graphnn_compiler.backend.kernels.activations import FUSED
from graphnn_compiler.backend.layout import (
    Tensor,
    batch_length,
    is_batched,
    to_batch_first,
    to_node_major,
    with_shape,
)
from graphnn_compiler.backend.preparation import prepared
from graphnn_compiler.backend.products import channels_in_batch, dense_by_channel, dense_product, project
from graphnn_compiler.backend.sparse_values import KEEP_ZEROS, SparseValue, sparse_default, sparse_expression
from graphnn_compiler.backend.structure import EdgeStructure
from graphnn_compiler.topology.plan import (
    Activation,
    Apply,
    BatchNorm,
    Clause,
    Combination,
    DenseClause,
    EdgePart,
    Input,
    Layer,
    Plan,
    SparseClause,
    TensorExpr,
    Units,
    block_shape,
)

# ------------------------------------------------------------------ small decisions


def aggregates_first(n_edges: int, n_sources: int, n_targets: int, c_in: int, c_out: int) -> bool:
    """Whether (A X) W takes at most as many multiplications as A (X W), for a shared block W of (c_in, c_out)."""
    project = c_in * c_out
    return n_edges * c_in + n_targets * project <= n_sources * project + n_edges * c_out


def last_activation(layer: Layer) -> Activation:
    """The function that makes a layer's value from its logits: its activation, or its expression's outermost one."""
    if isinstance(layer.body, Apply) and layer.activation.name == "linear" and not layer.normed:
        return layer.body.function
    return layer.activation


# ------------------------------------------------------------------ networks


@dataclass(frozen=True, eq=False)
class Applied:
    """The variables of one application of a network to inputs.

    `values` (inputs, filled and scaled, and layers) and `logits` (layers: what the last activation is applied to) are
    node-major. `sparse` are those that are mostly zeros; `values` has them too, as they are where every number is asked
    for. `batched` names those with a batch axis. `sums` are, of the layers asked for, what clauses and bias add up to.
    """

    plan: Plan
    values: dict[str, Tensor] = field(default_factory=dict)
    logits: dict[str, Tensor] = field(default_factory=dict)
    sparse: dict[str, SparseValue] = field(default_factory=dict)
    batched: set[str] = field(default_factory=set)
    sums: dict[str, Tensor] = field(default_factory=dict)

    def value(self, name: str) -> Tensor:
        """The value of an input or layer, batch-first."""
        return to_batch_first(self.values[name], self.plan.units[name], name in self.batched)


class SymbolicNetwork:
    """The formulas of a plan over given parameters; holds the structures of its edges, made once."""

    def __init__(self, plan: Plan, parameters: Mapping[str, Tensor]) -> None:
        """`parameters`: one variable per parameter of the plan, of its dtype and shape."""
        self.plan = plan
        self.parameters = parameters
        self._by_logits = compared_by_logits(plan)
        self._structures: dict[tuple[EdgePart, int | None], EdgeStructure] = {}
        self._sparse_defaults: dict[str, SparseValue | None] = {}
        for clause in chain.from_iterable(_clauses(layer) for layer in plan.layers):
            for part in clause.parts if isinstance(clause, SparseClause) else ():
                self._add_structure(part, self._n_groups(clause))

    def apply(
        self,
        inputs: Mapping[str, Tensor],
        training: bool = False,
        sums_of: Collection[str] = (),
        by_default: Collection[str] = (),
    ) -> Applied:
        """The variables of every layer, given one batch-first variable of the plan's dtype per input.

        The values of the layers `sums_of` are computed from their `sums`, so that gradients reach these. The variables
        of the inputs `by_default` hold their default data, and need not be read where that is sparse.
        """
        applied = Applied(self.plan)
        for node in self.plan.inputs:
            applied.values[node.name] = to_node_major(prepared(inputs[node.name], node), node.units)
            if is_batched(inputs[node.name], node.units.shape):
                applied.batched.add(node.name)
            sparse = self._sparse_default(node) if node.name in by_default else None
            if sparse is not None:
                applied.sparse[node.name] = sparse
        for layer in self.plan.layers:
            if applied.batched.intersection(layer.sources):
                applied.batched.add(layer.name)
            self._add_layer(layer, applied, training, keep_sum=layer.name in sums_of)
        return applied

    def _n_groups(self, clause: Clause) -> int | None:
        """How many weight blocks a clause's edges choose from, None where one serves all."""
        weights = clause.weights
        if weights.mode in ("shared", "fixed") or weights.parameter is None:
            return None
        return self.plan.parameter[weights.coefficients or weights.parameter].shape[0]

    def _add_structure(self, part: EdgePart, n_groups: int | None) -> None:
        """The structure of a part, one for all clauses that use the part alike, as those of a tied repeat do."""
        if (part, n_groups) in self._structures:
            return
        groups, number = (None, part.csr.n_edges) if n_groups is None else (part.groups, n_groups)
        self._structures[part, n_groups] = EdgeStructure(part.csr, part.coefficients, groups, number)

    def _sparse_default(self, node: Input) -> SparseValue | None:
        if node.name not in self._sparse_defaults:
            self._sparse_defaults[node.name] = sparse_default(node, self.plan.dtype)
        return self._sparse_defaults[node.name]

    # -------------------------------------------------------------- layers

    def _add_layer(self, layer: Layer, applied: Applied, training: bool, *, keep_sum: bool) -> None:
        drops = Drops(layer.name, self.plan.provenance.seed, training)
        if isinstance(layer.body, Combination):
            if is_one_dot(self.plan, layer) and not keep_sum:
                self._add_fused(layer, layer.body, applied, drops)
                return
            x = self._combination(layer, layer.body, applied)
        else:
            peeled = isinstance(layer.body, Apply) and last_activation(layer) is layer.body.function
            inner = layer.body.operand if peeled and isinstance(layer.body, Apply) else layer.body
            if not keep_sum and self._add_sparse(layer, inner, applied, drops):
                return
            x = expression(inner, applied.values, drops, self.plan.dtype)
        x = self._spread(x, layer.units)
        if keep_sum:
            applied.sums[layer.name] = x
        if layer.batchnorm is not None:
            x = self._batch_norm(layer, layer.batchnorm, x, training)
        if layer.layernorm:
            x = layer_norm(x)
        applied.logits[layer.name] = x
        applied.values[layer.name] = with_shape(drops(activate(last_activation(layer), x), layer.dropout), layer.units)

    def _add_sparse(self, layer: Layer, inner: TensorExpr, applied: Applied, drops: Drops) -> bool:
        """Add a layer as a sparse value where it is one; `inner` is its expression before the last activation."""
        last, shape = last_activation(layer), (len(layer.units), layer.units.channels)
        if layer.normed or last.name not in KEEP_ZEROS:
            return False
        x = sparse_expression(inner, applied.sparse, drops)
        if x is None or x.structure.csr.shape != shape:
            return False
        applied.logits[layer.name] = x.dense()
        x = applied.sparse[layer.name] = x.activated(last).dropped(drops, layer.dropout)
        applied.values[layer.name] = x.dense()
        return True

    def _add_fused(self, layer: Layer, body: Combination, applied: Applied, drops: Drops) -> None:
        (clause,) = body.clauses
        assert isinstance(clause, SparseClause)
        structure = self._structures[clause.parts[0], self._n_groups(clause)]
        x = applied.values[clause.source]
        bias = None if body.bias is None else self._bias_per_unit(body.bias, layer.units)

        def dot(activation: str) -> Tensor:
            if clause.weights.mode == "fixed":
                return aggregate(x, structure, bias, activation)
            return edge_dot(self._blocks(clause, 1, 1), x, structure, bias, activation)

        name = layer.activation.name
        logits = dot("linear")
        # a loss that compares logits needs the sum itself, which would be made a second time
        separate = name not in FUSED or layer.name in self._by_logits
        value = activate(layer.activation, logits) if separate else dot(name)
        applied.logits[layer.name] = logits
        applied.values[layer.name] = with_shape(drops(value, layer.dropout), layer.units)

    def _bias_per_unit(self, name: str, units: Units) -> Tensor:
        """The bias of a layer without channels, (U,) of (U,) or (1,)."""
        bias = self.parameters[name]
        return bias if self.plan.parameter[name].shape == (len(units),) else pt.alloc(bias[0], len(units))

    def _spread(self, x: Tensor, units: Units) -> Tensor:
        """x, (1 or U, B, 1 or C) or a number, over all units and channels."""
        if x.type.ndim == 0:
            return pt.alloc(x, len(units), 1, units.channels)
        if x.type.shape[UNITS] == len(units) and x.type.shape[CHANNELS] == units.channels:
            return x
        return pt.alloc(x, len(units), batch_length(x), units.channels)

    def _combination(self, layer: Layer, body: Combination, applied: Applied) -> Tensor:
        terms = [self._clause(clause, applied, layer.units) for clause in body.clauses]
        if body.bias is not None:
            terms.append(self._of_units(body.bias, layer.units))
        return reduce(add, terms) if terms else pt.constant(0, dtype=self.plan.dtype)

    def _of_units(self, name: str, units: Units) -> Tensor:
        """A parameter of each unit or each channel, (U, C), (U,) or (C,), as (U or 1, 1, C)."""
        parameter, shape = self.parameters[name], self.plan.parameter[name].shape
        if len(shape) == 2:
            return parameter.dimshuffle(0, "x", 1)
        return parameter.dimshuffle(*(("x", "x", 0) if units.channel_axis or shape == (1,) else (0, "x", "x")))

    def _batch_norm(self, layer: Layer, norm: BatchNorm, x: Tensor, training: bool) -> Tensor:
        gain, shift, mean, variance = (self._of_units(name, layer.units) for name in norm.parameters)
        if not training:
            return inference_norm(x, gain, shift, mean, variance)
        running = self.parameters[norm.mean], self.parameters[norm.variance]
        return training_norm(x, gain, shift, running, layer.name)

    # -------------------------------------------------------------- clauses

    def _clause(self, clause: Clause, applied: Applied, units: Units) -> Tensor:
        x = applied.values[clause.source]
        match clause:
            case SparseClause():
                return self._sparse(clause, x, units, applied.sparse.get(clause.source))
            case DenseClause():
                product = self._dense(clause, x, units)
                return product if clause.coefficient == 1 else constant(clause.coefficient, x) * product
            case _:
                assert_never(clause)

    def _sparse(self, clause: SparseClause, x: Tensor, units: Units, nonzeros: SparseValue | None) -> Tensor:
        structures = [self._structures[part, self._n_groups(clause)] for part in clause.parts]
        c_in, c_out = x.type.shape[CHANNELS], units.channels
        match clause.weights.mode:
            case "per_edge" | "per":
                weights = self._blocks(clause, c_in, c_out)
                y = channels_in_batch(x) if weights.type.ndim == 1 else x
                total = reduce(add, [edge_dot(weights, y, structure) for structure in structures])
                return total if y is x else total.reshape((len(units), batch_length(x), c_out))
            case "fixed":
                total = reduce(add, [aggregate(x, structure) for structure in structures])
                return total if clause.weights.value == 1 else constant(clause.weights.value, x) * total
            case "shared":
                if clause.weights.mix != "full":
                    return self._weights(clause) * reduce(add, [aggregate(x, structure) for structure in structures])
                block = self._shared_block(clause, c_in, c_out)
                if nonzeros is None and aggregates_first(clause.n_edges, x.type.shape[UNITS], len(units), c_in, c_out):
                    return project(reduce(add, [aggregate(x, structure) for structure in structures]), block)
                y = project(x, block) if nonzeros is None else nonzeros.project(block)
                return reduce(add, [aggregate(y, structure) for structure in structures])
            case _:
                assert_never(clause.weights.mode)

    def _dense(self, clause: DenseClause, x: Tensor, units: Units) -> Tensor:
        c_in, c_out = x.type.shape[CHANNELS], units.channels
        match clause.weights.mode:
            case "per_edge" if clause.weights.mix == "full":
                return dense_product(x, self._weights(clause), len(units), c_out)
            case "per_edge":
                return dense_by_channel(x, self._weights(clause), clause.weights.mix)
            case "fixed":
                return constant(clause.weights.value, x) * x.sum(axis=UNITS, keepdims=True)
            case "shared":
                total = x.sum(axis=UNITS, keepdims=True)
                if clause.weights.mix != "full":
                    return self._weights(clause) * total
                return project(total, self._shared_block(clause, c_in, c_out))
            case "per":
                raise ValueError(f"the dense clause `{clause.label}` has no edges to group its weights by")
            case _:
                assert_never(clause.weights.mode)

    def _weights(self, clause: Clause) -> Tensor:
        assert clause.weights.parameter is not None
        return self.parameters[clause.weights.parameter]

    def _blocks(self, clause: Clause, c_in: int, c_out: int) -> Tensor:
        """One number (G,), one diagonal (G, C), or one block (G, C_in, C_out), per group."""
        block = block_shape(clause.weights.mix, c_in, c_out)
        weights = self._weights(clause)
        if clause.weights.coefficients is not None:
            coefficients = self.parameters[clause.weights.coefficients]
            weights = pt.dot(coefficients, weights.reshape((weights.type.shape[0], prod(block))))
        return weights.reshape((weights.type.shape[0], *block))

    def _shared_block(self, clause: Clause, c_in: int, c_out: int) -> Tensor:
        return self._weights(clause).reshape((c_in, c_out))


def _clauses(layer: Layer) -> tuple[Clause, ...]:
    return layer.body.clauses if isinstance(layer.body, Combination) else ()
