"""Programs built from text, and their values by the reference interpreter and by PyTensor's plain linker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pytensor.compile.mode import Mode

import graphnn_compiler as gnn
from graphnn_compiler.backend import reference
from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.source import Source

INTERPRETED = Mode(linker="py", optimizer=None)
"""Functions that start at once: speed is not the point here."""


def build(text: str, **options: object) -> gnn.Network:
    """A network in float64 with parameters of no special kind."""
    net = gnn.build(text, dtype="float64", mode=INTERPRETED, **options)  # type: ignore[arg-type]
    random = np.random.default_rng(11)
    net.set_weights({name: 0.4 * random.standard_normal(old.shape) for name, old in net.weights.items()})
    return net


def values(net: gnn.Network, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The value of every layer, by the reference interpreter."""
    return reference.evaluate(net.plan, net.weights, inputs)


def codes(text: str, folder: Path = Path()) -> list[str]:
    """The codes of everything that is wrong with a program."""
    return [found.code for found in compile_plan(Source("text", text, folder), Settings()).diagnostics]
