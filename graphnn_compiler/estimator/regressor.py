"""A network that predicts values, as a regressor of scikit-learn.

Input: a table of samples and their values, one or several each. Output: values. Not for: classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from graphnn_compiler.backend.symbolic import last_activation
from graphnn_compiler.estimator.base import GraphNNEstimator
from graphnn_compiler.estimator.programs import REGRESSOR
from graphnn_compiler.estimator.targets import goal_of, value_arrays


class GraphNNRegressor(RegressorMixin, GraphNNEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A regressor that is a `.gnn` program, or without one a dense network with one hidden layer.

    Its arguments are those of `GraphNNClassifier` but `class_weight`. `fit` sets the parameters `n_features` and
    `n_outputs` of a program that declares them, unless `params` has them. The program has one target of values without
    data, which a loss compares with an output; the columns of y are its units, and their channels, in order.

    Fitted: `network_` (a `Network`), `history_` (a `History`), `n_features_in_` and, for tables with names,
    `feature_names_in_`.
    """

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> GraphNNRegressor:
        """Build the network and train it on samples (n, features) and their values, (n,) or (n, outputs).

        Samples of weight 0 are left out. A table with names of columns is matched to the units of the input by key
        (see docs/estimators.md). ValueError for what does not fit the program; else as `build` and `Network.fit`.
        """
        table, values, weights = self._samples(X, y, sample_weight, multi_output=True, y_numeric=True)
        values = values.toarray() if hasattr(values, "toarray") else values
        n_outputs = 1 if values.ndim == 1 else values.shape[1]
        network = self._build(REGRESSOR, {"n_features": table.shape[1], "n_outputs": n_outputs})
        self._train(network, table, value_arrays(goal_of(network.plan), values), weights)
        self._y_shape = values.shape[1:]
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """The values of samples, (n,) or (n, outputs) as the y that was fitted, float64.

        They are the probabilities of 1 where `binary_cross_entropy`, and the rates where `poisson` is the loss.
        """
        found = self._prediction(X)
        values = found.values.reshape(len(found.values), *self._y_shape).astype(np.float64)
        log_rates = self._goal.compared.name == "poisson" and last_activation(found.layer).name == "linear"
        return np.exp(values) if log_rates else values

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn is to know: y may have several columns."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
