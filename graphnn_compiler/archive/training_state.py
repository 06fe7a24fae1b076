"""The state of a training beside a saved model: what goes on from it needs, and a model alone does not.

Input: `TrainingState`, or the section `training` of a manifest. Output: JSON-ready data, or the same state. Every field
has a closed type, and arrays are referred to as everywhere. Not for: what the arrays mean to an optimiser.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.archive.encoding import encode
from graphnn_compiler.archive.fields import Fields, broken
from graphnn_compiler.archive.references import ReadArrays, WrittenArrays
from graphnn_compiler.topology.plan import Plan, Provenance

SECTION_VERSION = 1


@dataclass(frozen=True, eq=False)
class TrainingState:
    """How far a training has come, and everything but the parameters that its next step depends on.

    `epoch` whole epochs are done, and of the next one `batch` steps with `samples` samples; `step` steps in all.
    `settings` are what another run must have in common, as texts. `arrays` are the optimiser's state, random states,
    sums of losses, scores of the epochs so far and the best weights, by names that tell which. `best` is the best score
    and `best_epoch` its epoch, from 1 on, where there is one.
    """

    epoch: int = 0
    batch: int = 0
    samples: int = 0
    step: int = 0
    best_epoch: int = 0
    best: float | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    arrays: Mapping[str, NDArray] = field(default_factory=dict)


def encode_state(state: TrainingState, table: WrittenArrays) -> dict[str, Any]:
    """The section of a manifest; ValueError where the best score is not finite."""
    if state.best is not None and not math.isfinite(state.best):
        raise ValueError(f"{state.best} is no score that a saved model can hold")
    counts = {name: operator.index(getattr(state, name)) for name in _COUNTS}
    return {
        "version": SECTION_VERSION,
        **counts,
        "best": None if state.best is None else float(state.best),
        "settings": dict(state.settings),
        "arrays": {name: table.reference(array) for name, array in state.arrays.items()},
    }


_COUNTS = ("epoch", "batch", "samples", "step", "best_epoch")


def decode_state(section: object, arrays: ReadArrays) -> TrainingState:
    """The state in a manifest's section; `Problem` E537 or E540 where it is none."""
    with Fields(section, "the training state") as it:
        it.integer("version", low=1, high=SECTION_VERSION)
        counts = {name: it.integer(name) for name in _COUNTS}
        best = it.optional_number("best")
        settings = it.mapping("settings")
        named = Fields(it.take("arrays"), f"{it.place}, field `arrays`")
    for value in settings.values():
        if not isinstance(value, str):
            raise broken(f"{it.place}, field `settings`", "holds something else than texts")
    with named:
        found = {name: arrays.required(named, name) for name in named.names}
    texts = {name: str(value) for name, value in settings.items()}
    return TrainingState(**counts, best=best, settings=texts, arrays=found)


def plan_digest(plan: Plan) -> str:
    """The SHA-256 of everything in a plan but the names and versions that it came from; its seed counts."""
    encoded = encode(replace(plan, provenance=Provenance("", "", {}, {}, plan.provenance.seed, {})), {})
    found = hashlib.sha256(json.dumps(encoded.plan, sort_keys=True).encode("ascii"))
    for array in encoded.arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode("ascii"))
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
