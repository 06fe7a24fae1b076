"""scikit-learn's own checks of estimators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

import graphnn_compiler as gnn
from graphnn_compiler.training import SGD

QUICK = {"params": {"hidden": 8}, "epochs": 30, "optimiser": SGD(0.3), "batch": 64}


@parametrize_with_checks([gnn.GraphNNClassifier(**QUICK), gnn.GraphNNRegressor(**QUICK)])
def test_estimators_without_a_program(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)
