"""JAX on the CPU, each formulation under `jit`, its gradients by `vjp`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import sparse

from peers.layer import Layer, batch_major, plain
from peers.problem import Problem

LAYOUT = "units x batch, or batch x units where it says so"
Formula = Callable[[Any, Any, Any], Any]


def version() -> str:
    return f"JAX {jax.__version__}"


def segment_sum(problem: Problem) -> Formula:
    rows, source, units = jnp.asarray(problem.rows), jnp.asarray(problem.indices), problem.units

    def formula(w: Any, b: Any, x: Any) -> Any:
        terms = x[source] * w[:, None]
        return jax.ops.segment_sum(terms, rows, num_segments=units, indices_are_sorted=True) + b[:, None]

    return formula


def bcoo(problem: Problem) -> Formula:
    pairs = jnp.stack([jnp.asarray(problem.rows), jnp.asarray(problem.indices)], axis=1)
    shape = (problem.units, problem.units)

    def formula(w: Any, b: Any, x: Any) -> Any:
        return sparse.BCOO((w, pairs), shape=shape, indices_sorted=True, unique_indices=True) @ x + b[:, None]

    return formula


def padded(problem: Problem) -> Formula:
    position, there = (jnp.asarray(array) for array in problem.padded())
    source = jnp.asarray(problem.indices)[position]

    def formula(w: Any, b: Any, x: Any) -> Any:
        values = jnp.where(there, w[position], 0)
        return jnp.einsum("tkb,tk->tb", x[source], values) + b[:, None]

    return formula


def padded_sum(problem: Problem) -> Formula:
    position, there = (jnp.asarray(array) for array in problem.padded())
    source = jnp.asarray(problem.indices)[position]

    def formula(w: Any, b: Any, x: Any) -> Any:
        values = jnp.where(there, w[position], 0)
        return (x[source] * values[:, :, None]).sum(axis=1) + b[:, None]

    return formula


def padded_batch_major(problem: Problem) -> Formula:
    position, there = (jnp.asarray(array) for array in problem.padded())
    source = jnp.asarray(problem.indices)[position]

    def formula(w: Any, b: Any, x: Any) -> Any:
        return (x[:, source] * jnp.where(there, w[position], 0)).sum(axis=2) + b

    return formula


def of_formula(make: Callable[[Problem], Formula], *, batch_first: bool = False) -> Callable[[Problem], Layer]:
    def layer(problem: Problem) -> Layer:
        formula = make(problem)
        w, b = jnp.asarray(problem.weights), jnp.asarray(problem.bias)
        x, gy = (jnp.asarray(array.T if batch_first else array) for array in (problem.x, problem.gy))
        forward = jax.jit(formula)

        @jax.jit
        def both(w: Any, b: Any, x: Any, gy: Any) -> Any:
            y, pull = jax.vjp(formula, w, b, x)
            return (y, *pull(gy))

        return Layer(
            lambda: jax.block_until_ready(forward(w, b, x)),
            lambda: jax.block_until_ready(both(w, b, x, gy)),
            batch_major if batch_first else plain,
        )

    return layer


FORMULATIONS: dict[str, Callable[[Problem], Any]] = {
    "gather + segment_sum": of_formula(segment_sum),
    "BCOO": of_formula(bcoo),
    "padded gather, einsum": of_formula(padded),
    "padded gather, sum": of_formula(padded_sum),
    "padded gather, batch x units": of_formula(padded_batch_major, batch_first=True),
}
