"""What both estimators have in common: building, training, computing and pickling a network.

Input: the arguments of `build` and `fit`, tables of samples. Output: a fitted network and what it says of samples. Not
for: what `y` is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from graphnn_compiler.archive import from_bytes, to_bytes
from graphnn_compiler.diagnostics import GnnError, Problem
from graphnn_compiler.estimator.columns import Order, fed_inputs, order_of_columns, split
from graphnn_compiler.estimator.programs import built
from graphnn_compiler.estimator.targets import Goal, goal_of
from graphnn_compiler.evaluation.predictions import Prediction, predictions
from graphnn_compiler.network import Network
from graphnn_compiler.topology.plan import Plan
from graphnn_compiler.training.optimisers import optimiser as optimiser_of
from graphnn_compiler.training.schedules import Constant

if TYPE_CHECKING:
    from graphnn_compiler.training.constraints import Constraint
    from graphnn_compiler.training.optimisers import Optimiser
    from graphnn_compiler.training.schedules import Schedule
    from graphnn_compiler.training.stopping import EarlyStopping

_ARCHIVE = "_archive"


class GraphNNEstimator(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """The arguments and methods that a classifier and a regressor share; see there."""

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
        frozen: Sequence[str] = (),
        constraints: Mapping[str, Constraint] | None = None,
        shuffle: bool = True,
        warm_start: bool = False,
        dtype: Literal["float32", "float64"] = "float64",
        mode: str | None = None,
    ) -> None:
        self.program = program
        self.params = params
        self.data = data
        self.seed = seed
        self.epochs = epochs
        self.batch = batch
        self.optimiser = optimiser
        self.rate = rate
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.validation = validation
        self.stop = stop
        self.frozen = frozen
        self.constraints = constraints
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.dtype = dtype
        self.mode = mode

    # -------------------------------------------------------------- fitting

    def _samples(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, **checks: bool
    ) -> tuple[NDArray, NDArray, NDArray[np.float64] | None]:
        """Samples to fit, checked by scikit-learn and by `checks` of its own, without those of weight 0."""
        table, truth = validate_data(self, X, y, **checks)
        weights = checked_weights(sample_weight, len(table))
        if weights is None:
            return table, truth, None
        counted = weights > 0
        return table[counted], truth[counted], weights[counted]

    def _build(self, default: str, counts: Mapping[str, int]) -> Network:
        """The network of the program, or of the `default` one, before it is trained."""
        options = {"data": self.data, "seed": self.seed, "dtype": self.dtype, "mode": self.mode}
        return built(default if self.program is None else self.program, self.params, counts, options)

    def _train(self, network: Network, X: NDArray, y: NDArray, weights: NDArray[np.float64] | None) -> None:
        """Train a network on a table, its target's array and weights, and keep it as the fitted one."""
        plan, target = network.plan, goal_of(network.plan).target
        order = order_of_columns(plan, X.shape[1], self._names)
        if self.warm_start and hasattr(self, "network_"):
            network.set_weights(self._previous_weights(plan))
        self.history_ = network.fit(
            split(fed_inputs(plan), X, order),
            {target.name: y},
            epochs=self.epochs,
            batch=len(X) if self.batch is None else self.batch,
            optimiser=optimiser_of(self.optimiser, self.rate),
            schedule=self.schedule or Constant(),
            clip_norm=self.clip_norm,
            clip_value=self.clip_value,
            validation=self.validation,
            stop=self.stop,
            weights=None if weights is None else {target.name: weights},
            frozen=self.frozen,
            constraints=self.constraints or {},
            shuffle=self.shuffle,
            seed=self.seed,
        )
        self.network_, self._order = network, order

    @property
    def _names(self) -> list[str] | None:
        """The names of the features, where they have any."""
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else list(names)

    def _previous_weights(self, plan: Plan) -> dict[str, NDArray]:
        before = self.network_.weights
        if {name: array.shape for name, array in before.items()} != {one.name: one.shape for one in plan.parameters}:
            raise ValueError("a warm start goes on with the same parameters, and those of the last fit were others")
        return before

    # -------------------------------------------------------------- computing

    def _prediction(self, X: ArrayLike) -> Prediction:
        """What the output that was fitted says of samples."""
        check_is_fitted(self, "network_")
        plan = self.network_.plan
        table, order = self._table(X)
        outputs = self.network_.predict(split(fed_inputs(plan), table, order))
        named = outputs if isinstance(outputs, dict) else {self.network_.outputs[0]: outputs}
        found = {it.layer.name: it for it in predictions(plan, named)}[self._goal.layer.name]
        if not found.batched:
            raise ValueError(f"output `{found.layer.name}` does not depend on the features")
        return found

    @property
    def _goal(self) -> Goal:
        return goal_of(self.network_.plan)

    def _table(self, X: ArrayLike) -> tuple[NDArray, Order]:
        """The checked array of samples, and the order of its columns: found by key, or that of the fit."""
        names = column_names(X)
        if names is not None and (self._order.by_key or self._names is None):
            order = order_of_columns(self.network_.plan, len(names), names)
            if order.by_key:
                return np.asarray(check_array(X, estimator=self, input_name="X")), order
        return np.asarray(validate_data(self, X, reset=False)), self._order

    # -------------------------------------------------------------- pickling

    def __getstate__(self) -> dict[str, Any]:
        """The state for pickles and copies, with the network as the bytes of its archive."""
        state = dict(super().__getstate__())
        if "network_" in state:
            network = state.pop("network_")
            state[_ARCHIVE] = to_bytes(network.plan, network.weights)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state; GnnError where its archive is damaged."""
        state = dict(state)
        archive = state.pop(_ARCHIVE, None)
        super().__setstate__(state)
        if archive is None:
            return
        try:
            plan, values = from_bytes(archive)
        except Problem as problem:
            raise GnnError([problem.about(f"the network of a pickled {type(self).__name__}")]) from None
        self.network_ = Network(plan, values, mode=self.mode)

    @abstractmethod
    def predict(self, X: ArrayLike) -> NDArray:
        """What the network says of samples (n, features)."""


def column_names(X: Any) -> list[str] | None:
    """The names of the columns of a table, None where scikit-learn sees none."""
    probe = BaseEstimator()
    validate_data(probe, X, skip_check_array=True, ensure_2d=False)
    names = getattr(probe, "feature_names_in_", None)
    return None if names is None else list(names)


def checked_weights(sample_weight: Any, n_samples: int) -> NDArray[np.float64] | None:
    """The weights of samples as an array (n_samples,), None where there are none.

    ValueError for another shape, for a negative or missing weight, and where all are zero.
    """
    if sample_weight is None:
        return None
    found = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if found.shape != (n_samples,):
        raise ValueError(f"sample_weight has shape ({n_samples},), one weight a sample, not {found.shape}")
    if found.min() < 0:
        raise ValueError("sample_weight holds negative weights")
    if not found.any():
        raise ValueError("sample_weight is zero everywhere: no sample is left to fit")
    return np.asarray(found)
