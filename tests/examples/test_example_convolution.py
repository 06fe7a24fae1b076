"""The convolution example against SciPy's convolution of images."""

from __future__ import annotations

import numpy as np
from folders import EXAMPLES
from numpy.typing import NDArray
from scipy.signal import convolve2d
from slopes import INTERPRETED, randomise

import graphnn_compiler as gnn

SIDE = 12


def convolved(image: NDArray, kernels: NDArray, bias: NDArray) -> NDArray:
    """(rows, columns, C_in) by kernels (3, 3, C_in, C_out), zeros around the image."""
    c_in, c_out = kernels.shape[2:]
    channels = [
        sum(convolve2d(image[..., i], kernels[..., i, o], mode="same") for i in range(c_in)) + bias[o]
        for o in range(c_out)
    ]
    return np.stack(channels, axis=-1)


def test_offsets_are_a_convolution_of_the_image() -> None:
    net = gnn.build(EXAMPLES / "convolution" / "model.gnn", dtype="float64", mode=INTERPRETED)
    randomise(net, seed=8)
    weights = net.weights
    with np.load(EXAMPLES / "convolution" / "bars.npz") as bars:
        images = bars["x"][:4].astype(np.float64)
    first, second = weights["strokes.x.weights"].reshape(3, 3, 1, 4), weights["shapes.strokes.weights"]
    for image, found in zip(images, net(images), strict=True):
        strokes = np.maximum(convolved(image.reshape(SIDE, SIDE, 1), first, weights["strokes.bias"]), 0)
        shapes = np.maximum(convolved(strokes, second.reshape(3, 3, 4, 8), weights["shapes.bias"]), 0)
        logits = shapes.mean(axis=(0, 1)) @ weights["kind.pooled.weights"] + weights["kind.bias"]
        np.testing.assert_allclose(found, np.exp(logits) / np.exp(logits).sum(), rtol=1e-12)
