"""TensorFlow on the CPU, each formulation as a `tf.function`, with XLA and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from peers.layer import Layer, batch_major, plain
from peers.problem import Problem

LAYOUT = "units x batch, or batch x units where it says so"
Formula = Callable[[Any, Any, Any], Any]


def version() -> str:
    return f"TensorFlow {tf.__version__}"


def segment_sum(problem: Problem) -> Formula:
    rows, source, units = tf.constant(problem.rows), tf.constant(problem.indices), problem.units

    def formula(w: Any, b: Any, x: Any) -> Any:
        terms = tf.gather(x, source) * w[:, None]
        return tf.math.unsorted_segment_sum(terms, rows, units) + b[:, None]

    return formula


def padded_batch_major(problem: Problem) -> Formula:
    position, there = problem.padded()
    source, position, mask = (tf.constant(array) for array in (problem.indices[position], position, there))

    def formula(w: Any, b: Any, x: Any) -> Any:
        values = tf.where(mask, tf.gather(w, position), 0.0)
        return tf.reduce_sum(tf.gather(x, source, axis=1) * values, axis=2) + b

    return formula


def sparse_matmul(problem: Problem) -> Formula:
    pairs = tf.constant(np.stack([problem.rows, problem.indices], axis=1), tf.int64)
    shape = (problem.units, problem.units)

    def formula(w: Any, b: Any, x: Any) -> Any:
        return tf.sparse.sparse_dense_matmul(tf.SparseTensor(pairs, w, shape), x) + b[:, None]

    return formula


def of_formula(
    make: Callable[[Problem], Formula], *, xla: bool, batch_first: bool = False
) -> Callable[[Problem], Layer]:
    def layer(problem: Problem) -> Layer:
        formula = make(problem)
        w, b = tf.constant(problem.weights), tf.constant(problem.bias)
        x, gy = (tf.constant(array.T if batch_first else array) for array in (problem.x, problem.gy))
        forward = tf.function(formula, jit_compile=xla)

        @tf.function(jit_compile=xla)
        def both(w: Any, b: Any, x: Any, gy: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch([w, b, x])
                y = formula(w, b, x)
            gradients = tape.gradient(y, [w, b, x], output_gradients=gy)
            return [y, *(tf.convert_to_tensor(gradient) for gradient in gradients)]

        def ready(results: Any) -> Any:
            for result in tf.nest.flatten(results):
                result.numpy()  # waits; no copy on the CPU
            return results

        return Layer(
            lambda: ready(forward(w, b, x)),
            lambda: ready(both(w, b, x, gy)),
            batch_major if batch_first else plain,
        )

    return layer


FORMULATIONS: dict[str, Callable[[Problem], Any]] = {
    "gather + unsorted_segment_sum, XLA": of_formula(segment_sum, xla=True),
    "gather + unsorted_segment_sum": of_formula(segment_sum, xla=False),
    "padded gather, XLA, batch x units": of_formula(padded_batch_major, xla=True, batch_first=True),
    "sparse_dense_matmul": of_formula(sparse_matmul, xla=False),
}
