"""A report of what was measured, as data for JSON and as text.

Input: a plan and what was measured. Output: JSON-ready data; a table. Not for: measuring.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import count
from graphnn_compiler.evaluation.measuring import Measured, decides
from graphnn_compiler.evaluation.pairs import class_pairs, target_of, threshold, value_pairs
from graphnn_compiler.topology.comparisons import compared
from graphnn_compiler.topology.plan import Compared, Plan

REPORT_FORMAT_VERSION = 1
_MOST_SHOWN = 20
"""The text shows no confusion matrix of more classes."""
_MOST_COUNTED = 1000
"""The data holds no confusion matrix of more classes."""


def report(plan: Plan, measured: Measured) -> dict[str, Any]:
    """Losses, metrics and confusion matrices as JSON-ready data; a number that is not finite is null.

    `counts[t][s]` of a confusion matrix is how often the class `classes[t]` is true and `classes[s]` is said, over the
    samples and the units that the comparisons select.
    """
    kinds = {"loss": "losses", "metric": "metrics"}
    return {
        "format_version": REPORT_FORMAT_VERSION,
        "samples": measured.n_samples,
        **{
            plural: {goal.name: _number(measured.values[goal.name]) for goal in plan.objectives if goal.kind == kind}
            for kind, plural in kinds.items()
        },
        "confusion": [*_confusions(plan, measured)],
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _confusions(plan: Plan, measured: Measured) -> Iterator[dict[str, Any]]:
    """One matrix for each layer, target and selection that something is compared over."""
    users: dict[tuple[str, str, bytes], tuple[Compared, list[str]]] = {}
    for goal in plan.objectives:
        for one in compared(goal.value):
            if decides(plan, one) and one.layer in measured.outputs:
                key = (one.layer, one.target, b"" if one.on is None else one.on.tobytes())
                names = users.setdefault(key, (one, []))[1]
                names += [] if goal.name in names else [goal.name]
    for one, names in users.values():
        classes = class_names(plan, one)
        if 2 <= len(classes) <= _MOST_COUNTED:
            yield {
                "layer": one.layer,
                "target": one.target,
                "of": names,
                "units": None if one.on is None else len(one.on),
                "classes": classes,
                "counts": _counts(plan, one, measured, len(classes)).tolist(),
            }


def class_names(plan: Plan, one: Compared) -> list[Any]:
    """The classes of a comparison: names where the target has a vocabulary, else numbers; 0 and 1 for values."""
    target = target_of(plan, one)
    if target.n_classes is None:
        return [0, 1]
    n_outputs = plan.layer[one.layer].units.shape[-1]
    named = [] if target.classes is None else target.classes.tolist()
    return [*named, *range(len(named), n_outputs)]


def _counts(plan: Plan, one: Compared, measured: Measured, n_classes: int) -> NDArray[np.int64]:
    outputs, truth = measured.outputs[one.layer], measured.targets[one.target]
    if target_of(plan, one).n_classes is None:
        wanted, found = value_pairs(plan, one, outputs, truth)
        true = (wanted.ravel() > 0.5).astype(np.int64)
        said = (found.ravel() > threshold(plan.layer[one.layer])).astype(np.int64)
    else:
        pairs = class_pairs(plan, one, outputs, truth)
        true, said = pairs.truth, pairs.outputs.argmax(axis=1)
    flat = true * n_classes + said
    return np.bincount(flat, minlength=n_classes**2).reshape(n_classes, n_classes)


# ------------------------------------------------------------------ text


def report_text(data: dict[str, Any]) -> str:
    """The data of `report` as text."""
    samples = data["samples"]
    lines = ["one sample, without a batch axis" if samples is None else count(samples, "sample"), ""]
    rows = [("loss", name, value) for name, value in data["losses"].items()]
    rows += [("metric", name, value) for name, value in data["metrics"].items()]
    width = max((len(name) for _, name, _ in rows), default=0)
    for kind, name, value in rows:
        lines.append(f"{kind:<6}  {name:<{width}}  {'undefined' if value is None else f'{value:.6g}'}")
    for table in data["confusion"]:
        lines += ["", *_table(table)]
    return "\n".join(lines) + "\n"


def _table(table: dict[str, Any]) -> Iterator[str]:
    over = "" if table["units"] is None else f", over {count(table['units'], 'unit')}"
    names = [str(name) for name in table["classes"]]
    yield f"`{table['layer']}` and `{table['target']}` ({', '.join(table['of'])}{over}): rows true, columns said"
    if len(names) > _MOST_SHOWN:
        yield f"{count(len(names), 'class', 'classes')}: the matrix is in the JSON report"
        return
    cells = [[f"{number:,}" for number in row] for row in table["counts"]]
    first = max(len(name) for name in names)
    widths = [max(len(name), *(len(row[k]) for row in cells)) for k, name in enumerate(names)]
    yield "  ".join([" " * first, *(name.rjust(width) for name, width in zip(names, widths, strict=True))])
    for name, row in zip(names, cells, strict=True):
        yield "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(row, widths, strict=True))])
