"""The program of an estimator: its own or the built-in one, with the counts that the samples decide.

Input: a program and its parameters, or none; the counts of features and of classes or outputs. Output: a network. Not
for: reading samples, training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import graphnn_compiler.language.nodes as syntax
from graphnn_compiler.api import build, source_of
from graphnn_compiler.language.parser import parse
from graphnn_compiler.network import Network

CLASSIFIER = """\
gnn 1
## A dense network with one hidden layer.
param n_features: int
param n_classes: int
param hidden: int = 32

input x[n_features]
layer h[hidden] { from x via all  activation = relu }
output y[n_classes] { from h via all  activation = softmax }

target truth
loss cost = cross_entropy(y, truth)
"""
"""What a `GraphNNClassifier` without a program is."""

REGRESSOR = """\
gnn 1
## A dense network with one hidden layer.
param n_features: int
param n_outputs: int
param hidden: int = 32

input x[n_features]
layer h[hidden] { from x via all  activation = relu }
output y[n_outputs] { from h via all }

target truth
loss cost = mse(y, truth)
"""
"""What a `GraphNNRegressor` without a program is."""


def built(
    program: Any, params: Mapping[str, Any] | None, counts: Mapping[str, int], options: Mapping[str, Any]
) -> Network:
    """The network of a program, whose parameters called as one of the `counts` take it unless `params` has them.

    `options` are others of `build`. Raises what `build` raises.
    """
    declared = _parameters(program)
    given = {name: number for name, number in counts.items() if name in declared}
    return build(program, params={**given, **(params or {})}, **options)


def _parameters(program: Any) -> set[str]:
    """The names of the parameters that a program declares, as far as it can be read: `build` tells what is wrong."""
    tree, _ = parse(source_of(program))
    return set() if tree is None else {one.name for one in tree.statements if isinstance(one, syntax.Param)}
