"""Saved models: one `.gnnz` file holds a plan, the values of its parameters and where it came from.

Input: a plan and values, or a path. Output: a file or its bytes, or the same plan and values. The file is a zip of
`.npy` members and a JSON manifest; nothing in it is ever executed, and what is read is checked before it is believed. A
checkpoint holds the state of a training too. Not for: compiled functions.
"""

from __future__ import annotations

from graphnn_compiler.archive.saving import DEFAULT_MAX_BYTES, from_bytes, load, load_checkpoint, save, to_bytes
from graphnn_compiler.archive.training_state import TrainingState, plan_digest

__all__ = [
    "DEFAULT_MAX_BYTES",
    "TrainingState",
    "from_bytes",
    "load",
    "load_checkpoint",
    "plan_digest",
    "save",
    "to_bytes",
]
