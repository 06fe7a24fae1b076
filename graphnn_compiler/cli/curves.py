"""The scores of a training as a picture.

Input: the history of a training. Output: an SVG file, the same bytes for the same scores. Not for: other formats.
"""

from __future__ import annotations

from typing import BinaryIO

from graphnn_compiler.cli.output import UsageError
from graphnn_compiler.training import History

_SAME_BYTES = {"svg.hashsalt": "gnnc", "svg.fonttype": "none"}


def require_matplotlib() -> None:
    """UsageError where pictures cannot be drawn."""
    try:
        import matplotlib.figure  # noqa: F401  (whether it is there is the question)
    except ImportError as error:
        help = "pip install 'graphnn-compiler[curves]', or leave --curves out"
        raise UsageError(f"`--curves` needs matplotlib, which cannot be imported ({error})", help=help) from None


def draw_curves(stream: BinaryIO, history: History) -> None:
    """Losses above, other scores below, epochs to the right."""
    import matplotlib
    from matplotlib.figure import Figure

    names = list(history.epochs[0].scores)
    losses = [name for name in names if name.endswith("loss")]
    groups = [group for group in (losses, [name for name in names if name not in losses]) if group]
    epochs = [epoch.number for epoch in history.epochs]
    with matplotlib.rc_context(_SAME_BYTES):
        figure = Figure(figsize=(7, 3.2 * len(groups)), layout="constrained")
        axes = figure.subplots(len(groups), 1, squeeze=False)[:, 0]
        for axis, group in zip(axes, groups, strict=True):
            for name in group:
                axis.plot(epochs, history[name], label=name, marker="." if len(epochs) < 30 else None)
            if history.best_epoch is not None:
                axis.axvline(history.best_epoch, color="grey", linewidth=0.8, linestyle=":")
            axis.set_xlabel("epoch")
            axis.legend()
        figure.savefig(stream, format="svg", metadata={"Date": None})
