"""Classic Theano: `theano.sparse.CSR` with `structured_dot`, compiled by its C linker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import theano
from theano import sparse

from peers.layer import Layer, plain
from peers.problem import Problem

LAYOUT = "units x batch"


def version() -> str:
    return f"Theano {theano.__version__}"


def layer(problem: Problem) -> Layer:
    w, b, x, gy = (
        theano.shared(array, borrow=True) for array in (problem.weights, problem.bias, problem.x, problem.gy)
    )
    shape = (problem.units, problem.units)
    y = sparse.structured_dot(sparse.CSR(w, problem.indices, problem.indptr, shape), x) + b.dimshuffle(0, "x")
    gradients = theano.grad(None, [w, b, x], known_grads={y: gy})
    forward = theano.function([], theano.Out(y, borrow=True))
    both = theano.function([], [theano.Out(result, borrow=True) for result in [y, *gradients]])
    return Layer(forward, both, plain)


FORMULATIONS: dict[str, Callable[[Problem], Any]] = {"structured_dot": layer}
