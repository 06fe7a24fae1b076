"""Saved models: one `.gnnz` file holds a plan, the values of its parameters and where it came from.

Input: a plan and values, or a path. Output: a file, or the same plan and values. The file is a zip of `.npy` members
and a JSON manifest; nothing in it is ever executed, and what is read is checked before it is believed. Not for:
compiled functions, the state of a training run.
"""

from __future__ import annotations

from graphnn_compiler.archive.saving import DEFAULT_MAX_BYTES, load, save

__all__ = ["DEFAULT_MAX_BYTES", "load", "save"]
