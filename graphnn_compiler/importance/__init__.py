"""Importance: how much each unit and each edge contributes to an output that is chosen, over given samples.

Input: a `Network` and samples. Output: tables with keys. Not for: reading data files, printing, training.
"""

from __future__ import annotations

from graphnn_compiler.importance.measure import edge_importance, unit_importance
from graphnn_compiler.importance.results import EdgeImportance, UnitImportance

__all__ = ["EdgeImportance", "UnitImportance", "edge_importance", "unit_importance"]
