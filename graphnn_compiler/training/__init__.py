"""Training: from a network, data and settings to trained parameters.

Input: a `Network` with at least one loss. Output: its parameters moved in place, and the history of losses and scores.
Optimisers and constraints add to the same symbolic step; everything that the next step depends on can be saved, so that
a training is resumed bit for bit. Not for: parsing, reading data files, printing.
"""

from __future__ import annotations

from graphnn_compiler.training.constraints import KeepSign, NonNegative, Sign
from graphnn_compiler.training.history import Epoch, History
from graphnn_compiler.training.loop import fit
from graphnn_compiler.training.optimisers import SGD, Adam, AdamW, RMSprop
from graphnn_compiler.training.schedules import Constant, Cosine, Exponential, StepDecay, Warmup
from graphnn_compiler.training.settings import Settings
from graphnn_compiler.training.stopping import EarlyStopping

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Constant",
    "Cosine",
    "EarlyStopping",
    "Epoch",
    "Exponential",
    "History",
    "KeepSign",
    "NonNegative",
    "RMSprop",
    "Settings",
    "Sign",
    "StepDecay",
    "Warmup",
    "fit",
]
