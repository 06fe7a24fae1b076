"""Gradients of a network's loss, computed by PyTensor and by finite differences of its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytensor
from numpy.typing import NDArray
from pytensor.compile.mode import Mode

from graphnn_compiler.network import Network

INTERPRETED = Mode(linker="py", optimizer=None)
"""Functions that start at once, for checks in which speed is not the point."""

_STEP = 1e-6


def randomise(net: Network, seed: int, scale: float = 0.3) -> None:
    """Give every trained parameter normal values, so that no gradient is zero for want of a start value."""
    random = np.random.default_rng(seed)
    net.set_weights({one.name: scale * random.standard_normal(one.get_value().shape) for one in net.trainable})


def trained(net: Network) -> dict[str, NDArray]:
    """The values of the trained parameters by name."""
    return {one.name: one.get_value() for one in net.trainable}


def loss_and_gradients(
    net: Network, inputs: Mapping[str, NDArray], targets: Mapping[str, NDArray], training: bool = False
) -> tuple[float, dict[str, NDArray]]:
    """The loss and its gradients with respect to every trainable parameter and the given inputs.

    `training` is for networks without dropout, whose loss is then a function of these alone.
    """
    arguments = {name: pytensor.shared(value, name=name) for name, value in inputs.items()}
    loss = net.loss(arguments, dict(targets), training=training)
    wanted = [*net.trainable, *arguments.values()]
    value, *slopes = pytensor.function([], [loss, *pytensor.grad(loss, wanted)], mode=INTERPRETED)()
    return float(value), {variable.name: slope for variable, slope in zip(wanted, slopes, strict=True)}


def check_gradients(
    value: Callable[[dict[str, NDArray]], float],
    point: Mapping[str, NDArray],
    gradients: Mapping[str, NDArray],
    seed: int,
    entries: int = 5,
) -> None:
    """Compare gradients of `value` at a point with central differences: along a random direction in each array, and
    along some of its single entries."""
    random = np.random.default_rng(seed)
    assert set(point) == set(gradients)
    for name, array in point.items():
        directions = [random.standard_normal(array.shape)]
        for place in random.choice(array.size, size=min(entries, array.size), replace=False):
            directions.append(np.zeros_like(array))
            directions[-1].flat[place] = 1.0
        assert np.any(gradients[name] != 0), f"the gradient of `{name}` is zero everywhere"
        for direction in directions:
            ahead, behind = (value({**point, name: array + sign * _STEP * direction}) for sign in (1, -1))
            measured = (ahead - behind) / (2 * _STEP)
            np.testing.assert_allclose(
                np.sum(gradients[name] * direction), measured, rtol=1e-5, atol=1e-8, err_msg=name
            )


def network_value(
    net: Network, inputs: Mapping[str, NDArray], targets: Mapping[str, NDArray], training: bool = False
) -> Callable[[dict[str, NDArray]], float]:
    """The loss as a function of parameters and inputs by name, compiled once."""
    arguments = {name: pytensor.shared(value) for name, value in inputs.items()}
    function = pytensor.function([], net.loss(arguments, dict(targets), training=training), mode=INTERPRETED)

    def value(point: dict[str, NDArray]) -> float:
        for name, array in point.items():
            {**net.parameters, **arguments}[name].set_value(array)
        return float(function())

    return value
