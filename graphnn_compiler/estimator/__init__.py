"""Networks as estimators of scikit-learn, which is an extra: without it importing this is an ImportError that says so.

Input: a program, or none, and a table of samples with their classes or values. Output: `GraphNNClassifier` and
`GraphNNRegressor`, which stand in pipelines, grid searches and cross-validations. Not for: graphs whose own nodes are
the samples, which `Network.fit` trains on.
"""

from __future__ import annotations

try:
    from graphnn_compiler.estimator.classifier import GraphNNClassifier
    from graphnn_compiler.estimator.regressor import GraphNNRegressor
except ModuleNotFoundError as error:
    if error.name != "sklearn":
        raise
    message = "the estimators need scikit-learn, which is not installed: pip install 'graphnn-compiler[estimators]'"
    raise ImportError(message) from None

__all__ = ["GraphNNClassifier", "GraphNNRegressor"]
