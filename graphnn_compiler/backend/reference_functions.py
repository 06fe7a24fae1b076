"""Activations and norms by their textbook formulas, for the reference interpreter.

Input and output: float64 arrays (units, channels) of one sample, or (samples, units, channels) of a batch. Not for:
speed; plans. Like the interpreter it shares no code with the PyTensor backend.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.topology.plan import Activation, Input

Array: TypeAlias = NDArray[np.float64]

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def prepared(x: Array, node: Input) -> Array:
    """An input (U,), (U, C) or with a batch axis in front, filled and scaled number by number and row by row."""
    filled = x.copy()
    if node.fill is not None:
        for place in zip(*np.nonzero(np.isnan(x)), strict=True):
            filled[place] = node.fill[place[x.ndim - len(node.units.shape) :]]
    if node.scaling is None:
        return filled
    if node.scaling.mean is not None and node.scaling.deviation is not None:
        return np.asarray((filled - node.scaling.mean) / node.scaling.deviation)
    rows = filled.reshape(-1, filled.shape[-1])
    return np.array([row / row.sum() if row.sum() != 0 else 0 * row for row in rows]).reshape(x.shape)


def normalized(x: Array) -> Array:
    """Layer norm over the channels of each unit."""
    return np.asarray((x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5))


def activate(activation: Activation, x: Array) -> Array:
    """An activation of one sample, by its textbook formula, number by number; softmax shifted by the maximum."""
    if activation.name == "softmax":
        rows = x if activation.axis == "channels" else x.T
        shares = np.array([np.exp(row - row.max()) / np.exp(row - row.max()).sum() for row in rows]).reshape(rows.shape)
        return shares if activation.axis == "channels" else shares.T
    return np.array([_elementwise(activation.name, float(value)) for value in x.ravel()]).reshape(x.shape)


def _elementwise(name: str, v: float) -> float:
    match name:
        case "linear":
            return v
        case "relu":
            return max(v, 0.0)
        case "leaky_relu":
            return v if v > 0 else 0.01 * v
        case "elu":
            return v if v > 0 else math.expm1(v)
        case "selu":
            return SELU_SCALE * (v if v > 0 else SELU_ALPHA * math.expm1(v))
        case "gelu":
            return v * 0.5 * (1 + math.erf(v / math.sqrt(2)))
        case "silu":
            return v * sigmoid(v)
        case "softplus":
            return max(v, 0.0) + math.log1p(math.exp(-abs(v)))
        case "softsign":
            return v / (1 + abs(v))
        case "tanh":
            return math.tanh(v)
        case "sigmoid":
            return sigmoid(v)
        case "exp":
            return math.exp(v)
    raise AssertionError(name)


def sigmoid(v: float) -> float:
    """1 / (1 + exp(-v)), without overflow."""
    return 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))


def batch_statistics(x: Array, per_unit: bool) -> tuple[Array, Array]:
    """Mean and biased variance of a batch (B, U, C): of each unit and channel (U, C), or of each channel (1, C)."""
    values = x if per_unit else x.reshape(-1, 1, x.shape[2])
    return values.mean(axis=0), values.var(axis=0)
