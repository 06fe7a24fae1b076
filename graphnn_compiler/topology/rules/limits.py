"""The refusal of an edge set that would be too large, before it is built or while it grows.

Not for: predicting sizes, which each rule does for itself.
"""

from __future__ import annotations

from graphnn_compiler.diagnostics import Problem, count


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
