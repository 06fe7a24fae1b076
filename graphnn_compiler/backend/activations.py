"""Functions of one layer's value: activations, norms, dropout, as PyTensor expressions.

Input and output: variables of float32 or float64 and shape (units, batch, channels), the dtype kept throughout.
Not for: edges, weights, losses.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import assert_never

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.gradient import disconnected_grad
from pytensor.graph.traversal import applys_between
from pytensor.tensor.random.basic import BernoulliRV
from pytensor.tensor.random.op import RandomVariable

from graphnn_compiler.backend.kernels.activations import LEAKY_SLOPE
from graphnn_compiler.backend.layout import Tensor
from graphnn_compiler.backend.powers import power_of_difference
from graphnn_compiler.topology.plan import Activation, Axis

UNITS, CHANNELS = 0, 2

# Klambauer et al. 2017, "Self-normalizing neural networks", equation 14
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
LAYER_NORM_EPSILON = 1e-5
_OF_DROPOUT = ".dropout"


def constant(value: float, like: Tensor) -> Tensor:
    """A number in the dtype of `like`: a bare Python float would make float32 expressions float64."""
    return pt.constant(np.asarray(value, dtype=like.dtype))


def activate(activation: Activation, x: Tensor) -> Tensor:
    """The activation of x, (U, B, C) -> (U, B, C). Not-a-number stays not-a-number."""
    zero, one = constant(0, x), constant(1, x)
    match activation.name:
        case "linear":
            return x
        case "relu":
            return pt.switch(x <= zero, zero, x)
        case "leaky_relu":
            return pt.switch(x <= zero, constant(LEAKY_SLOPE, x) * x, x)
        case "elu":
            return _elu(x)
        case "selu":
            return constant(SELU_SCALE, x) * _elu(x, SELU_ALPHA)
        case "gelu":
            return _gelu(x)
        case "silu":
            return x * pt.sigmoid(x)
        case "softplus":
            return pt.softplus(x)
        case "softsign":
            return x / (one + pt.abs(x))
        case "tanh":
            return pt.tanh(x)
        case "sigmoid":
            return pt.sigmoid(x)
        case "exp":
            return pt.exp(x)
        case "softmax":
            return _softmax(x, axis_number(activation.axis))
        case _:
            assert_never(activation.name)


def _gelu(x: Tensor) -> Tensor:
    """x times the normal distribution function (Hendrycks & Gimpel 2016, arXiv:1606.08415), in double precision.

    In single precision the rounding of x alone would cost the lower tail all but its first digits.
    """
    wide = x.astype("float64")
    return (constant(0.5, wide) * wide * pt.erfc(wide * constant(-math.sqrt(0.5), wide))).astype(x.dtype)


def _softmax(x: Tensor, axis: int) -> Tensor:
    """e^x divided by its sum along `axis`.

    In single precision within 3.5 units in the last place however many are summed, denormal numbers included: the
    powers, their sum and its rounding cost 2^-24 each, the quotient half a unit. PyTensor's numba linker multiplies by
    the reciprocal of the sum, for another half.
    """
    narrow = x.dtype == "float32"
    powers = power_of_difference(x, _largest(x, axis)) if narrow else pt.exp(shifted(x, axis))
    return powers / powers.sum(axis=axis, keepdims=True, acc_dtype="float64")


def _elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    zero = constant(0, x)
    # the minimum keeps the unused branch, and so its gradient, finite
    return pt.switch(x < zero, constant(alpha, x) * pt.expm1(pt.minimum(x, zero)), x)


def axis_number(axis: Axis) -> int:
    """The axis of a (units, batch, channels) variable."""
    return UNITS if axis == "units" else CHANNELS


def shifted(x: Tensor, axis: int) -> Tensor:
    """x less its maximum along `axis`, which softmax and its logarithm do not notice but overflow does."""
    return x - _largest(x, axis)


def _largest(x: Tensor, axis: int) -> Tensor:
    """The maximum along `axis`, for the gradient a constant."""
    return disconnected_grad(x.max(axis=axis, keepdims=True))


def layer_norm(x: Tensor) -> Tensor:
    """(x - mean) / sqrt(variance + 1e-5) over channels (Ba, Kiros & Hinton 2016, without gain and bias)."""
    centred = x - x.mean(axis=CHANNELS, keepdims=True)
    variance = pt.sqr(centred).mean(axis=CHANNELS, keepdims=True)
    return centred / pt.sqrt(variance + constant(LAYER_NORM_EPSILON, x))


def row_normalize(x: Tensor, axis: int = CHANNELS) -> Tensor:
    """Each unit's channels divided by their sum; a zero sum gives 0."""
    total = x.sum(axis=axis, keepdims=True)
    empty = pt.eq(total, constant(0, x))
    safe = pt.switch(empty, constant(1, x), total)
    return pt.switch(empty, constant(0, x), x / safe)


class Mask(BernoulliRV):  # type: ignore[misc] # PyTensor's types are not checked, see pyproject.toml
    """Booleans that are true with a probability, drawn by NumPy in a fifth of the time of its binomial numbers.

    The probability is met to within 2^-24.
    """

    @classmethod
    def rng_fn_scipy(cls, rng: np.random.Generator, p: float, size: tuple[int, ...] | None) -> NDArray:
        return np.asarray(rng.random(size, dtype=np.float32) < p)


_mask = Mask()


def dropout(x: Tensor, rate: float, random_state: Tensor) -> Tensor:
    """Inverted dropout (Srivastava et al. 2014): values are kept with probability 1 - rate and divided by it.

    `random_state` is a shared generator of this one use, which `random_updates` moves on at every call.
    """
    size = tuple(x.shape[axis] if known is None else known for axis, known in enumerate(x.type.shape))
    # as booleans, which the gradient keeps: an eighth of the memory of a number to compare with the rate
    _, kept = _mask(1 - rate, size=size, rng=random_state, return_next_rng=True, dtype="bool")
    return pt.switch(kept, x * constant(1 / (1 - rate), x), constant(0, x))


class Drops:
    """The dropouts of one layer: each has its own random state, by the layer's name and its place in the layer."""

    def __init__(self, layer: str, seed: int, training: bool) -> None:
        self._layer = layer
        self._seed = seed
        self._training = training
        self._n_uses = 0

    def draws(self, rate: float) -> bool:
        """Whether a dropout of this rate does anything: outside training none does."""
        return self._training and rate != 0

    def __call__(self, x: Tensor, rate: float) -> Tensor:
        if not self.draws(rate):
            return x
        name = f"{self._layer}.{self._n_uses}"
        self._n_uses += 1
        return dropout(x, rate, random_state(self._seed, name))


def random_state(seed: int, name: str) -> Tensor:
    """A shared random generator that depends on the seed and the name of its use, not on the order of uses."""
    state = pytensor.shared(_generator(seed, name), name=f"{name}{_OF_DROPOUT}")
    state.tag.of_dropout = True
    return state


def reseed(state: Tensor, seed: int) -> None:
    """Let a random state begin as it would with another seed."""
    state.set_value(_generator(seed, state.name.removesuffix(_OF_DROPOUT)))


def _generator(seed: int, name: str) -> np.random.Generator:
    digest = hashlib.sha256(f"dropout:{name}".encode()).digest()
    entropy = [seed % 2**64, *np.frombuffer(digest, dtype="<u4").tolist()]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def random_updates(variables: Iterable[Tensor]) -> dict[Tensor, Tensor]:
    """The updates that move on the random states of every dropout which the variables depend on.

    To be given to `pytensor.function`, without which every call draws the same mask. Found in the graph itself, so
    that it holds for gradients and for graphs in which variables were replaced.
    """
    nodes = (node for node in applys_between([], variables) if isinstance(node.op, RandomVariable))
    return {node.inputs[0]: node.outputs[0] for node in nodes if getattr(node.inputs[0].tag, "of_dropout", False)}
