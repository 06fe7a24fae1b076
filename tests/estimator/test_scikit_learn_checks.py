"""scikit-learn's own checks of estimators, on the built-in programs and on programs of a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.estimator_checks import parametrize_with_checks

import graphnn_compiler as gnn
from graphnn_compiler.training import SGD

CLASSIFIER = gnn.GraphNNClassifier(params={"hidden": 8}, epochs=20, optimiser=SGD(0.3))
REGRESSOR = gnn.GraphNNRegressor(params={"hidden": 8}, epochs=20, rate=0.1)


@parametrize_with_checks([CLASSIFIER, REGRESSOR])
def test_estimators_without_a_program(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


# ------------------------------------------------------------------ programs of a graph

GRAPH = """\
gnn 1
param n_classes: int
graph roads = read("roads.npz")
input x[roads.nodes]
layer h[roads.nodes, 4] { from x via roads.edges | same  activation = relu }
output y[n_classes] { from h via all  activation = softmax }
target truth
loss cost = cross_entropy(y, truth)
"""
FEATURES = {
    "check_class_weight_classifiers": 2,
    "check_classifier_data_not_an_array": 2,
    "check_classifiers_classes": 2,
    "check_classifiers_train": 2,
    "check_estimators_fit_returns_self": 2,
    "check_estimators_overwrite_params": 2,
    "check_fit_check_is_fitted": 2,
    "check_fit_idempotent": 2,
    "check_n_features_in": 2,
    "check_readonly_memmap_input": 2,
    "check_sample_weights_not_an_array": 2,
    "check_sample_weights_not_overwritten": 2,
    "check_sample_weights_shape": 2,
    "check_dict_unchanged": 3,
    "check_dont_overwrite_parameters": 3,
    "check_estimators_nan_inf": 3,
    "check_estimators_pickle": 3,
    "check_f_contiguous_array_estimator": 3,
    "check_fit2d_predict1d": 3,
    "check_fit_score_takes_y": 3,
    "check_methods_sample_order_invariance": 3,
    "check_methods_subset_invariance": 3,
    "check_pipeline_consistency": 3,
    "check_sample_weights_list": 3,
    "check_supervised_y_2d": 3,
    "check_n_features_in_after_fitting": 4,
    "check_estimators_dtypes": 5,
    "check_dtype_object": 10,
    "check_positive_only_tag_during_fit": 10,
    "check_sample_weight_equivalence_on_dense_data": 30,
}
"""The features of the samples that a check makes up: it can pass only where the graph has as many units.

Two graphs, of two and of three units, pass all of them between each other but the last five, which have the built-in
program to themselves. Every other check passes with any graph.
"""


def on_a_graph(n_units: int) -> gnn.GraphNNClassifier:
    everybody = np.ones((n_units, n_units)) - np.eye(n_units)
    return gnn.GraphNNClassifier(GRAPH, data={"roads": everybody}, epochs=15, optimiser=SGD(0.3))


def expected_to_fail(estimator: gnn.GraphNNClassifier) -> dict[str, str]:
    n_units = len(estimator.data["roads"])
    return {
        name: f"its samples have {n} features, and the graph has {n_units} nodes"
        for name, n in FEATURES.items()
        if n != n_units
    }


@parametrize_with_checks([on_a_graph(2), on_a_graph(3)], expected_failed_checks=expected_to_fail)
def test_estimators_with_a_graph(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)
