"""What happened in a training, epoch by epoch.

Input: scores. Output: `History`, which `fit` returns. Not for: printing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphnn_compiler.diagnostics import count
from graphnn_compiler.training.refusals import require_choice


@dataclass(frozen=True)
class Epoch:
    """An epoch: its `number` from 1 on, the `steps` done since the start, the `rate` of its last step, and scores.

    `scores["loss"]` is the sum of all losses as training saw it, with dropout and before each step: the mean over the
    samples. Each loss has its own name beside it where there are several. With validation data there are "val_loss"
    and `val_NAME` for every metric (and loss, of several), measured after the epoch; without it, and where the data is
    one whole graph, each metric has its own name.
    """

    number: int
    steps: int
    rate: float
    scores: Mapping[str, float]


@dataclass(frozen=True)
class History:
    """All epochs of a training, those before it was resumed included.

    `best_epoch` is the number of the one whose weights the network has now, where early stopping was asked for;
    `stopped_early` says whether it ended the training.
    """

    epochs: tuple[Epoch, ...] = ()
    best_epoch: int | None = None
    stopped_early: bool = False

    @property
    def final(self) -> Epoch:
        """The epoch whose weights the network has now."""
        return self.epochs[-1 if self.best_epoch is None else self.best_epoch - 1]

    def __getitem__(self, name: str) -> list[float]:
        """A score of each epoch: `history["loss"]`. ValueError for an unknown name."""
        require_choice("score", name, self.epochs[0].scores if self.epochs else ())
        return [epoch.scores[name] for epoch in self.epochs]

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {value:.4g}" for name, value in self.epochs[-1].scores.items()) if self.epochs else ""
        return f"History({count(len(self.epochs), 'epoch')}{': ' * bool(last)}{last})"
