"""Batch normalisation, and the running statistics that training leaves behind for later use.

Input and output: variables of float32 or float64 and shape (units, batch, channels). After S. Ioffe and C. Szegedy,
"Batch normalization: accelerating deep network training by reducing internal covariate shift", ICML 2015, algorithms
1 and 2. Not for: which layers have one, layer norm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import node_rewriter
from pytensor.graph.traversal import applys_between
from pytensor.raise_op import CheckAndRaise
from pytensor.tensor.rewriting.basic import register_canonicalize

from graphnn_compiler.backend.activations import constant
from graphnn_compiler.backend.compiled_ops import Formula, WithFormula
from graphnn_compiler.backend.layout import Tensor, batch_length

EPSILON = 1e-5
SHARE = 0.1
"""What a training step contributes to the running statistics, which keep the rest of what they were."""


class Observed(WithFormula, Op):  # type: ignore[misc] # PyTensor's types are not checked, see pyproject.toml
    """Its first input as it is. The second is what a running statistic, the third, is to take in at every call.

    It marks in the graph itself what `running_updates` looks for, so that replacing variables in a graph keeps it.
    """

    __props__ = ()
    view_map = {0: [0]}  # noqa: RUF012  (as every Op of PyTensor has it)

    def make_node(self, used: Variable, recorded: Variable, running: Variable) -> Apply:
        return Apply(self, [used, recorded, running], [used.type()])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = inputs[0]

    def formula(self, node: Apply) -> Formula:
        return "used", {}

    def infer_shape(self, *arguments: Any) -> list[tuple[Any, ...]]:
        return [arguments[-1][0]]  # older versions of PyTensor pass a function graph in front

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], [False], [False]]

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        return [cotangents[0], disconnected_type(), disconnected_type()]


class EnoughValues(WithFormula, CheckAndRaise):  # type: ignore[misc]
    """Its first input, which must have two values or more along `axes`, as the second says: ValueError otherwise."""

    __props__ = ("msg", "exc_type", "axes")

    def __init__(self, message: str, axes: tuple[int, ...]) -> None:
        super().__init__(ValueError, message)
        self.axes = axes

    def formula(self, node: Apply) -> Formula:
        return "enough", {"message": self.msg, "axes": self.axes}


def _without_mark(fgraph: Any, node: Apply) -> list[Variable]:
    return [node.inputs[0]]


# updates are taken from a graph before it is compiled, so that compiled code can do without the mark
register_canonicalize(node_rewriter([Observed])(_without_mark), name="batch_norm_without_marks")


def inference_norm(x: Tensor, gain: Tensor, shift: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """gain * (x - mean) / sqrt(variance + 1e-5) + shift; all but x are (U or 1, 1, C)."""
    return (x - mean) * (gain / pt.sqrt(variance + constant(EPSILON, x))) + shift


def training_norm(x: Tensor, gain: Tensor, shift: Tensor, running: tuple[Tensor, Tensor], layer: str) -> Tensor:
    """The same with mean and variance of x itself, over every axis that `gain`, (U or 1, 1, C), does not have.

    `running` are the shared variables of mean and variance that `running_updates` makes follow those of x; the
    variance that they take in is without bias. ValueError where there is at most one value to take them of, now if that
    is known or else in the call.
    """
    axes = (0, 1) if gain.type.shape[0] == 1 else (1,)
    number = batch_length(x) * (x.type.shape[0] if 0 in axes else 1)
    if isinstance(number, int):
        if number < 2:
            raise ValueError(_too_few(layer, "gets none or one: no batched input reaches it"))
        size = constant(number, x)
    else:
        x = EnoughValues(_too_few(layer, "gets none or one from this batch"), axes)(x, pt.gt(number, 1))
        size = number.astype(x.dtype)
    mean = x.mean(axis=axes, keepdims=True)
    centred = x - _observed(mean, mean, running[0])
    variance = pt.sqr(centred).mean(axis=axes, keepdims=True)
    variance = _observed(variance, variance * (size / (size - constant(1, x))), running[1])
    return centred * (gain / pt.sqrt(variance + constant(EPSILON, x))) + shift


def _too_few(layer: str, found: str) -> str:
    return f"the batch norm of layer `{layer}` takes statistics of two values or more in training, and {found}"


def _observed(used: Tensor, recorded: Tensor, running: Tensor) -> Tensor:
    return Observed()(used, recorded.reshape(running.type.shape), running)


def running_updates(variables: Iterable[Tensor]) -> dict[Tensor, Tensor]:
    """The updates that make the running statistics of every batch norm follow the data, for `pytensor.function`.

    They are those of the norms in training that the variables depend on, found in the graph itself.
    """
    updates: dict[Tensor, Tensor] = {}
    for node in applys_between([], variables):
        if isinstance(node.op, Observed):
            _, recorded, running = node.inputs
            kept = constant(1 - SHARE, recorded) * updates.get(running, running)
            updates[running] = kept + constant(SHARE, recorded) * recorded
    return updates
