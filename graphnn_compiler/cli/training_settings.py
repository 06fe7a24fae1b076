"""The settings of a training from the options of `gnnc train`.

Input: parsed arguments. Output: `Settings`. Raises `UsageError` where options do not go together, ValueError as
`Settings` does. Not for: files.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from graphnn_compiler.cli.output import UsageError
from graphnn_compiler.topology.scaling import ScalingMethod
from graphnn_compiler.training import (
    Constant,
    Cosine,
    EarlyStopping,
    Exponential,
    KeepSign,
    NonNegative,
    Settings,
    StepDecay,
    Warmup,
)
from graphnn_compiler.training.batches import Data
from graphnn_compiler.training.constraints import Constraint
from graphnn_compiler.training.optimisers import OPTIMISERS, Optimiser
from graphnn_compiler.training.sample_weights import BALANCED
from graphnn_compiler.training.schedules import Schedule

_HAVING = {"momentum": ("sgd", "rmsprop"), "decay": ("adamw",)}
"""Options that are of some optimisers only. The `decay` of RMSprop is another number than that of weights."""


def settings_of(arguments: argparse.Namespace, validation: float | Data | None, checkpoint: str) -> Settings:
    """All settings but who is told of the progress. Checkpoints are written regularly only where an option asks."""
    kept = arguments.checkpoint is not None or arguments.every is not None or arguments.resume
    return Settings(
        epochs=arguments.epochs,
        batch=arguments.batch,
        optimiser=_optimiser(arguments),
        schedule=_schedule(arguments),
        clip_norm=arguments.clip_norm,
        clip_value=arguments.clip_value,
        validation=validation,
        stop=_stop(arguments),
        scale=_scale(arguments),
        missing="mean" if arguments.missing == "mean" else None,
        weights=dict.fromkeys(arguments.balance, BALANCED),
        frozen=tuple(arguments.freeze),
        constraints=_constraints(arguments),
        seed=arguments.seed,
        checkpoint=checkpoint if kept else None,
        every=arguments.every or 1,
    )


def _optimiser(arguments: argparse.Namespace) -> Optimiser:
    kind: Callable[..., Optimiser] = OPTIMISERS[arguments.optimiser]
    numbers: Mapping[str, float | None] = {
        "rate": arguments.rate,
        "momentum": arguments.momentum,
        "decay": arguments.decay,
    }
    given = {name: value for name, value in numbers.items() if value is not None}
    for name in given:
        if arguments.optimiser not in _HAVING.get(name, OPTIMISERS):
            having = " and ".join(_HAVING[name])
            raise UsageError(f"`{arguments.optimiser}` has no `--{name}`", help=f"it is of {having}")
    return kind(**given)


def _schedule(arguments: argparse.Namespace) -> Schedule:
    name, numbers = arguments.schedule
    schedule: Schedule
    match name:
        case "step":
            schedule = StepDecay(numbers[0], int(numbers[1]))
        case "exponential":
            schedule = Exponential(numbers[0])
        case "cosine":
            schedule = Cosine(arguments.epochs)
        case _:
            schedule = Constant()
    return schedule if arguments.warmup is None else Warmup(arguments.warmup, schedule)


def _stop(arguments: argparse.Namespace) -> EarlyStopping | None:
    if arguments.patience is None:
        for option in ("metric", "mode"):
            if vars(arguments)[option] is not None:
                raise UsageError(f"`--{option}` is of early stopping", help="add --stop-after N")
        return None
    return EarlyStopping(arguments.metric, arguments.patience, arguments.mode)


def _scale(arguments: argparse.Namespace) -> dict[str, ScalingMethod]:
    found: dict[str, ScalingMethod] = {}
    for name, method in arguments.scale:
        if name in found:
            raise UsageError(f"input `{name}` is scaled twice", help="keep one of the two --scale")
        found[name] = method
    return found


def _constraints(arguments: argparse.Namespace) -> dict[str, Constraint]:
    twice = sorted(set(arguments.non_negative) & set(arguments.keep_sign))
    if twice:
        raise UsageError(f"parameter `{twice[0]}` is given to `--non-negative` and to `--keep-sign`")
    found: dict[str, Constraint] = {name: NonNegative() for name in arguments.non_negative}
    return found | {name: KeepSign() for name in arguments.keep_sign}
