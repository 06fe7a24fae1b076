"""How far a training is, on standard error while it is a terminal.

Input: steps and epochs as they end. Output: a bar that moves; nothing where nobody looks. Not for: logs in files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from graphnn_compiler.training import Epoch


def scores_text(epoch: Epoch) -> str:
    """`loss 0.119  val_acc 0.951`."""
    return "  ".join(f"{name} {value:.4g}" for name, value in epoch.scores.items())


@dataclass(frozen=True)
class Shown:
    """What a training calls as steps and epochs end."""

    step: Callable[[int, int], None]
    epoch: Callable[[Epoch], None]


@contextmanager
def null_progress(n_models: int) -> Iterator[Callable[[int], None]]:
    """A bar over the null models while standard error is a terminal; what to tell of each that is done."""
    if not sys.stderr.isatty():
        yield lambda number: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("null model {task.completed:.0f} of {task.total}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("null", total=n_models)
        yield lambda number: bar.update(task, completed=number)


@contextmanager
def progress(n_epochs: int) -> Iterator[Shown | None]:
    """A bar over the epochs while standard error is a terminal, else None."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    scores = TextColumn("{task.fields[scores]}")
    columns = (TextColumn("epoch {task.completed:.0f} of {task.total}"), BarColumn(), TimeRemainingColumn(), scores)
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("train", total=n_epochs, scores="")

        def step(done: int, of: int) -> None:
            bar.update(task, completed=int(bar.tasks[0].completed) + (done / of if done < of else 0))

        def epoch(ended: Epoch) -> None:
            bar.update(task, completed=ended.number, scores=scores_text(ended))

        yield Shown(step, epoch)
