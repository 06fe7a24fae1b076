"""A network that tells classes apart, as a classifier of scikit-learn.

Input: a table of samples and their classes. Output: classes and probabilities. Not for: several classes a sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

from graphnn_compiler.estimator.base import GraphNNEstimator
from graphnn_compiler.estimator.programs import CLASSIFIER
from graphnn_compiler.estimator.targets import class_array, goal_of, require_classes, with_classes
from graphnn_compiler.network import Network

if TYPE_CHECKING:
    from graphnn_compiler.training.constraints import Constraint
    from graphnn_compiler.training.optimisers import Optimiser
    from graphnn_compiler.training.schedules import Schedule
    from graphnn_compiler.training.stopping import EarlyStopping


class GraphNNClassifier(ClassifierMixin, GraphNNEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A classifier that is a `.gnn` program, or without one a dense network with one hidden layer.

    `program`, `params`, `data`, `seed`, `dtype` and `mode` are as in `graphnn_compiler.build`; a program in Python is
    given as a `Program`. `fit` sets the parameters `n_features` and `n_classes` of a program that declares them, unless
    `params` has them. The program has one target without data, which a loss compares: a class for each sample, or by
    `binary_cross_entropy` one value that is 0 or 1. `epochs`, `batch` (None: all samples in each step), `optimiser`,
    `schedule`, `clip_norm`, `clip_value`, `validation` (a share of the samples), `stop`, `frozen`, `constraints` and
    `shuffle` are as in `training.Settings`; `rate` is the learning rate of an optimiser that is given by name.
    `class_weight` is "balanced" or a mapping from classes to weights. With `warm_start` each fit begins with the
    weights of the one before.

    Fitted: `classes_` (sorted, of the type of y), `network_` (a `Network`), `history_` (a `History`), `n_features_in_`
    and, for tables with names, `feature_names_in_`.
    """

    def __init__(
        self,
        program: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        seed: int = 0,
        epochs: int = 100,
        batch: int | None = 64,
        optimiser: str | Optimiser = "adam",
        rate: float | None = None,
        schedule: Schedule | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        validation: float | None = None,
        stop: EarlyStopping | None = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        frozen: Sequence[str] = (),
        constraints: Mapping[str, Constraint] | None = None,
        shuffle: bool = True,
        warm_start: bool = False,
        dtype: Literal["float32", "float64"] = "float64",
        mode: str | None = None,
    ) -> None:
        super().__init__(
            program,
            params=params,
            data=data,
            seed=seed,
            epochs=epochs,
            batch=batch,
            optimiser=optimiser,
            rate=rate,
            schedule=schedule,
            clip_norm=clip_norm,
            clip_value=clip_value,
            validation=validation,
            stop=stop,
            frozen=frozen,
            constraints=constraints,
            shuffle=shuffle,
            warm_start=warm_start,
            dtype=dtype,
            mode=mode,
        )
        self.class_weight = class_weight

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> GraphNNClassifier:
        """Build the network and train it on samples (n, features) and their classes (n,), of any type that sorts.

        Samples of weight 0 are left out. A table with names of columns is matched to the units of the input by key
        (see docs/estimators.md). ValueError for what does not fit the program; else as `build` and `Network.fit`.
        """
        table, labels, weights = self._samples(X, y, sample_weight)
        check_classification_targets(labels)
        classes, numbers = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"all samples are of one class, {classes.tolist()[0]!r}: there is nothing to tell apart")
        if self.class_weight is not None:
            of_class = compute_sample_weight(self.class_weight, labels)
            weights = of_class if weights is None else weights * of_class
        network = self._build(CLASSIFIER, {"n_features": table.shape[1], "n_classes": len(classes)})
        target = require_classes(goal_of(network.plan), len(classes))
        if self.warm_start and hasattr(self, "network_") and not np.array_equal(classes, self.classes_):
            raise ValueError("a warm start goes on with the same classes, and those of the last fit were others")
        named = Network(with_classes(network.plan, target, classes), network.weights, mode=self.mode)
        self._train(named, table, class_array(target, numbers, classes), weights)
        self.classes_: NDArray = classes
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """The probability of every class, in the order of `classes_`: (n, classes), float64."""
        found = self._prediction(X)
        if found.classes is not None:
            return np.asarray(found.values, np.float64)
        ones = found.values.reshape(-1).astype(np.float64)
        return np.stack([1 - ones, ones], axis=1)

    def predict(self, X: ArrayLike) -> NDArray:
        """The most probable class of each sample: (n,), of the type of the y that was fitted."""
        shares = self.predict_proba(X)
        return np.asarray(self.classes_[shares.argmax(axis=1)])
