"""Values and slopes of a network on the straight line from a baseline to samples, compiled.

Input: a network and the number of it that is explained. Output: functions of arrays; values are node-major, (units,
batch, channels). Not for: what the slopes are multiplied with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray

from graphnn_compiler.backend.activations import UNITS
from graphnn_compiler.backend.layout import Tensor
from graphnn_compiler.backend.symbolic import Applied
from graphnn_compiler.importance.choice import Choice

if TYPE_CHECKING:
    from graphnn_compiler.network import Network


@dataclass(frozen=True, eq=False)
class Line:
    """The network at start + alpha * (end - start), for all inputs at once."""

    values: Any
    slopes: Any

    def at(self, alpha: float, start: list[NDArray], end: list[NDArray]) -> tuple[NDArray, NDArray]:
        """The number that is explained, (B,), and the value that is looked at, (U, B, C)."""
        score, value = self.values(alpha, *start, *end)
        return score, value

    def slopes_at(self, alpha: float, start: list[NDArray], end: list[NDArray]) -> tuple[NDArray, float]:
        """The slope of that number in what is looked at, (U, B, C), and its slope along the line, over all samples."""
        slope, along = self.slopes(alpha, *start, *end)
        return slope, float(along)


def line(
    network: Network, choice: Choice, value: str, slope: str, *, of_sum: bool, inputs: Mapping[str, NDArray]
) -> Line:
    """`value` names the input or layer whose value is wanted, `slope` that whose slope is: of its value, or `of_sum`.

    `inputs` says which arrays have a batch axis: all or none. ValueError where a layer does not differ from sample to
    sample though the inputs do.
    """
    dtype = network.plan.dtype
    alpha = pt.scalar("alpha", dtype=dtype)
    ends = {name: _like(name, array, network) for name, array in inputs.items()}
    starts = {name: variable.type(f"{name}_start") for name, variable in ends.items()}
    moved = {name: starts[name] + alpha * (ends[name] - starts[name]) for name in ends}
    applied = network.applied(moved, False, sums_of=(slope,) if of_sum else ())
    _require_samples(applied, (value, slope, choice.layer.name), batched=bool(applied.batched))
    score = _score(applied, choice)
    point = applied.sums[slope] if of_sum else applied.values[slope]
    found, along = pytensor.grad(score.sum(), [point, alpha])
    arguments = [alpha, *starts.values(), *ends.values()]

    def compiled(results: list[Tensor]) -> Any:
        return pytensor.function(
            arguments, results, mode=network.mode, on_unused_input="ignore", allow_input_downcast=True
        )

    return Line(compiled([score, applied.values[value]]), compiled([found, along]))


def _like(name: str, array: NDArray, network: Network) -> Tensor:
    shape = network.plan.units[name].shape
    return pt.tensor(name, dtype=network.plan.dtype, shape=(None, *shape) if array.ndim > len(shape) else shape)


def _score(applied: Applied, choice: Choice) -> Tensor:
    value = applied.values[choice.layer.name][:, :, choice.channel]
    return value.sum(axis=UNITS) if choice.unit is None else value[choice.unit]


def _require_samples(applied: Applied, names: tuple[str, ...], *, batched: bool) -> None:
    for name in names:
        if batched and name not in applied.batched:
            raise ValueError(f"`{name}` is the same for every sample: no input reaches it")
