"""Checkpoints: a training's state to arrays with names, and back into the variables of a step.

Input: the variables of a step, counts, scores. Output: `TrainingState`, which the archive writes beside the model; or
the variables as they were. A resumed training goes on bit for bit, so that a state of another network, data or
settings is refused. Not for: the file's format.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.archive import TrainingState, load_checkpoint
from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.training.history import Epoch
from graphnn_compiler.training.step import Step

_STATE, _RANDOM, _BEST, _SCORES = "state:", "random:", "best:", "score:"
_SUMS, _STEPS, _RATES = "sums", "steps", "rates"
_GENERATOR_WORDS = 6
_WORD = 2**64


@dataclass
class Course:
    """How far a training has come: counts, the sums of losses in this epoch, the epochs done, the best weights."""

    epoch: int = 0
    batch: int = 0
    samples: int = 0
    step: int = 0
    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    epochs: list[Epoch] = field(default_factory=list)
    best: float | None = None
    best_epoch: int = 0
    best_weights: dict[str, NDArray] = field(default_factory=dict)


def state_of(course: Course, step: Step, settings: Mapping[str, str]) -> TrainingState:
    """Everything that the next step depends on, the parameters excepted."""
    arrays = {f"{_STATE}{name}": variable.get_value() for name, variable in step.state.items()}
    arrays |= {f"{_RANDOM}{name}": _words(variable.get_value(borrow=True)) for name, variable in step.random.items()}
    arrays |= {f"{_BEST}{name}": array for name, array in course.best_weights.items()}
    arrays[_SUMS] = course.sums.copy()
    arrays[_STEPS] = np.array([epoch.steps for epoch in course.epochs], dtype=np.int64)
    arrays[_RATES] = np.array([epoch.rate for epoch in course.epochs], dtype=np.float64)
    for name in course.epochs[0].scores if course.epochs else ():
        scores = [epoch.scores[name] for epoch in course.epochs]
        arrays[f"{_SCORES}{name}"] = np.array(scores, dtype=np.float64)
    return TrainingState(
        epoch=course.epoch,
        batch=course.batch,
        samples=course.samples,
        step=course.step,
        best_epoch=course.best_epoch,
        best=course.best,
        settings=settings,
        arrays=arrays,
    )


# ------------------------------------------------------------------ back


def read_state(path: str | os.PathLike[str], settings: Mapping[str, str]) -> tuple[dict[str, NDArray], TrainingState]:
    """The parameters and the state in a checkpoint. `Problem` E544 where it has none, E545 of other settings."""
    _, values, state = load_checkpoint(path)
    shown = f"`{os.fspath(path)}`"
    if state is None:
        message = f"{shown} holds a model and no state of a training to go on from"
        raise Problem("E544", message, help="name a file that was written as a checkpoint, or train without resuming")
    for name in sorted({*settings, *state.settings}):
        now, then = settings.get(name, "nothing"), state.settings.get(name, "nothing")
        if now != then:
            raise Problem(
                "E545",
                f"{shown} is of a training with another {name}",
                help="resume with what it began with, or name another checkpoint and begin anew",
                notes=[f"it has {then[:200]}", f"this training has {now[:200]}"],
            )
    return values, state


def restore(
    state: TrainingState, step: Step, course: Course, weights: Mapping[str, NDArray], scores: list[str]
) -> None:
    """Put a state into the variables of a step and a course. `Problem` E541 where it is not one of theirs.

    `weights` are the parameters as they are, in which the best ones must be like; `scores` the names of an epoch's.
    """
    left = dict(state.arrays)
    for name, variable in step.state.items():
        variable.set_value(_taken(left, f"{_STATE}{name}", variable.get_value(borrow=True)))
    for name, variable in step.random.items():
        variable.set_value(_generator(_taken(left, f"{_RANDOM}{name}", np.zeros(_GENERATOR_WORDS, np.uint64))))
    course.sums = _taken(left, _SUMS, course.sums)
    if state.best is not None:
        course.best_weights = {name: _taken(left, f"{_BEST}{name}", array) for name, array in weights.items()}
    course.epochs = _epochs(left, state.epoch, scores)
    if left:
        raise _inconsistent(f"it holds `{min(left)}`, which this training does not have")
    course.epoch, course.batch, course.samples, course.step = state.epoch, state.batch, state.samples, state.step
    course.best, course.best_epoch = state.best, state.best_epoch


def _epochs(left: dict[str, NDArray], number: int, scores: list[str]) -> list[Epoch]:
    """The epochs that a state lists; `left` loses what they are made of."""
    steps = _taken(left, _STEPS, np.zeros(number, np.int64)).tolist()
    rates = _taken(left, _RATES, np.zeros(number)).tolist()
    columns = {name: _taken(left, f"{_SCORES}{name}", np.zeros(number)).tolist() for name in scores if number}
    return [
        Epoch(k + 1, steps[k], rates[k], {name: column[k] for name, column in columns.items()}) for k in range(number)
    ]


def _taken(left: dict[str, NDArray], name: str, like: NDArray) -> NDArray:
    if name not in left:
        raise _inconsistent(f"it lacks `{name}`")
    array = left.pop(name)
    if array.shape != like.shape or array.dtype != like.dtype:
        raise _inconsistent(f"`{name}` is {array.dtype} {array.shape}, not {like.dtype} {like.shape}")
    return array


def _inconsistent(what: str) -> Problem:
    return Problem("E541", f"the state of the training in the checkpoint is inconsistent: {what}")


# ------------------------------------------------------------------ random generators


def _words(generator: np.random.Generator) -> NDArray[np.uint64]:
    """A PCG64 generator as numbers: its state and increment, high word first, and half a draw that is left over."""
    found: Any = generator.bit_generator.state
    assert found["bit_generator"] == "PCG64"
    state, increment = found["state"]["state"], found["state"]["inc"]
    words = [state // _WORD, state % _WORD, increment // _WORD, increment % _WORD]
    return np.array([*words, found["has_uint32"], found["uinteger"]], dtype=np.uint64)


def _generator(words: NDArray[np.uint64]) -> np.random.Generator:
    high, low, high_increment, low_increment, has_half, half = (int(word) for word in words)
    if has_half > 1 or half >= 2**32 or low_increment % 2 == 0:
        raise _inconsistent("a random state is none that there can be")
    bits = np.random.PCG64()
    bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": high * _WORD + low, "inc": high_increment * _WORD + low_increment},
        "has_uint32": has_half,
        "uinteger": half,
    }
    return np.random.Generator(bits)
