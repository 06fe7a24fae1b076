"""Where numbers stop being finite.

Input: a network and the batch on which its loss is not finite. Output: a `Problem` (E546) that names the step and the
first parameter, input or layer that is to blame. Not for: mending it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytensor
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.training.batches import Arrays

if TYPE_CHECKING:
    from graphnn_compiler.network import Network


def not_finite(network: Network, inputs: Arrays, loss: float, step: int, epoch: int) -> Problem:
    """What to say about a loss that is not finite; the parameters are those before the step."""
    return Problem(
        "E546",
        f"the loss is {loss} in step {step} (epoch {epoch}), and training stopped before it",
        help="a smaller learning rate, `clip_norm`, or inputs of moderate size keep numbers finite",
        notes=[_culprit(network, inputs)],
    )


def _culprit(network: Network, inputs: Arrays) -> str:
    for name, array in network.weights.items():
        if not np.isfinite(array).all():
            return f"parameter `{name}` is not finite since the step before: its slope was not"
    filled = {node.name for node in network.plan.inputs if node.fill is not None}
    for name, array in inputs.items():
        known = array[~np.isnan(array)] if name in filled else array
        if not np.isfinite(known).all():
            return f"input `{name}` {_finding(known)}"
    names = [layer.name for layer in network.plan.layers]
    applied = network.applied(inputs, training=False)
    values = [applied.values[name] for name in names]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = pytensor.function([], values, mode=network.mode)()
    for name, value in zip(names, found, strict=True):
        if not np.isfinite(value).all():
            return f"layer `{name}` is the first whose value {_finding(value)}"
    return "every layer's value is finite without dropout: it is the loss itself that is not"


def _finding(array: NDArray) -> str:
    return f"is not finite ({np.count_nonzero(~np.isfinite(array)):,} of {array.size:,} numbers)"
