"""The refusal of an edge set that would be too large, before it is built or while it grows.

Not for: predicting sizes, which each rule does for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from graphnn_compiler.diagnostics import Problem, count

Part = TypeVar("Part")

KEPT_AT_LEAST = 1 << 23
"""So many edges are kept whatever they may grow to: some 200 MiB."""


def check_edges(rule: str, foreseen: int, limit: int | None) -> None:
    """Raise Problem E308 where a rule may make more than `limit` edges (None: no limit)."""
    if limit is None or foreseen <= limit:
        return
    raise Problem(
        "E308",
        f"{rule} may make up to {count(foreseen, 'edge')}, above the limit of {limit:,}",
        help="restrict the edge sets it is made from, or raise the limit with `--max-edges`",
    )


def check_growth(rule: str, at_least: int, limit: int | None) -> None:
    """Raise Problem E308 where a rule that is being applied is known to make more than `limit` edges."""
    if limit is None or at_least <= limit:
        return
    raise Problem(
        "E308",
        f"{rule} makes at least {count(at_least, 'edge')}, above the limit of {limit:,}",
        help="restrict the edge set it is made from, or raise the limit with `--max-edges`",
    )


def gathered(
    rule: str, parts: Callable[[], Iterable[tuple[Part, int, int]]], n_units: int, limit: int | None
) -> list[Part]:
    """The parts of a result that grows; `parts()` gives each with its number of edges and of the units done by then.

    Raises Problem E308 as soon as there are more than `limit` edges. Where there will be if they go on as they began,
    they are first counted without being kept, so that a refusal takes little memory; if they stay below the limit after
    all, `parts` is called once more.
    """
    kept: list[Part] = []
    total, doubtful = 0, False
    for part, n_edges, done in parts():
        total += n_edges
        check_growth(rule, total, limit)
        if not doubtful:
            kept.append(part)
            doubtful = limit is not None and total > KEPT_AT_LEAST and total * n_units > limit * done
            if doubtful:
                kept.clear()
    return [part for part, _, _ in parts()] if doubtful else kept
