"""The settings of a training, with the values that a stranger would expect.

Input: keyword arguments of `fit`. Output: `Settings`, known to be sensible by themselves. Not for: whether they fit a
network.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from graphnn_compiler.diagnostics import did_you_mean
from graphnn_compiler.topology.scaling import ScalingMethod
from graphnn_compiler.training.batches import Data
from graphnn_compiler.training.constraints import Constraint
from graphnn_compiler.training.history import Epoch
from graphnn_compiler.training.optimisers import Adam, Optimiser
from graphnn_compiler.training.preparation import MissingPolicy
from graphnn_compiler.training.refusals import require
from graphnn_compiler.training.sample_weights import Given
from graphnn_compiler.training.schedules import Constant, Schedule
from graphnn_compiler.training.stopping import EarlyStopping

Validation: TypeAlias = float | tuple[Any, Any] | Data | str | os.PathLike[str] | None
"""A share of the samples, or inputs and targets of its own."""


@dataclass(frozen=True)
class Settings:
    """How to train.

    * `epochs`: how often every sample is seen; `batch`: samples a step; `shuffle`: a new order in each epoch, by `seed`
      (None: the seed of the build), which draws the masks of dropouts too.
    * `optimiser`: `SGD`, `Adam`, `AdamW` or `RMSprop`, by name or with its numbers; `schedule`: of its rate.
    * `clip_value`: every slope is cut to -c .. c; then `clip_norm`: all slopes are scaled so that their common
      Euclidean norm is at most c (R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural
      networks", ICML 2013).
    * `validation`: a share of the samples (0.1), drawn by the seed, or inputs and targets, or their file.
    * `stop`: early stopping; the best weights are then put back at the end.
    * `scale`: by input, "standardize" or "row_normalize", fitted on the samples that are trained on; `missing`: "mean"
      for NaN in inputs to become the mean of their unit in these samples (see `preparation.prepared_inputs`).
    * `weights`: by target, one weight a sample (or a value), a mapping from classes, or "balanced".
    * `frozen`: names of parameters that do not move; `constraints`: by parameter, `NonNegative()`, `KeepSign()` or
      `Sign(..)`.
    * `checkpoint`: a file that is written every `every` epochs, at the end and when interrupted; `resume`: go on from
      it, or begin where there is none yet.
    * `on_epoch` is called after each epoch, `on_step` with the steps done in an epoch and their number.
    """

    epochs: int = 20
    batch: int = 32
    optimiser: str | Optimiser = field(default_factory=Adam)
    schedule: Schedule = field(default_factory=Constant)
    clip_norm: float | None = None
    clip_value: float | None = None
    validation: Validation = None
    stop: EarlyStopping | None = None
    scale: Mapping[str, ScalingMethod] = field(default_factory=dict)
    missing: MissingPolicy | None = None
    weights: Given | None = None
    frozen: Sequence[str] = ()
    constraints: Mapping[str, Constraint] = field(default_factory=dict)
    shuffle: bool = True
    seed: int | None = None
    checkpoint: str | os.PathLike[str] | None = None
    every: int = 1
    resume: bool = False
    on_epoch: Callable[[Epoch], None] | None = None
    on_step: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "every"):
            require(getattr(self, name) > 0, f"`{name}` is a positive number, not {getattr(self, name)}")
        for name in ("clip_norm", "clip_value"):
            limit = getattr(self, name)
            require(limit is None or limit > 0, f"`{name}` is a positive number, not {limit}")
        require(not self.resume or self.checkpoint is not None, "`resume` needs the name of the `checkpoint`")


def settings_of(options: Mapping[str, Any]) -> Settings:
    """Settings from keyword arguments; TypeError, with the nearest name, for an unknown one."""
    known = [one.name for one in fields(Settings)]
    for name in options:
        if name not in known:
            raise TypeError(f"fit has no option `{name}`; {did_you_mean(name, known, 'known: ' + ', '.join(known))}")
    return Settings(**options)
