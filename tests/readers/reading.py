"""What the tests of the readers share: graphs as plain Python values, refusals as text."""

from collections.abc import Callable

import pytest

from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.graph import Column, Graph


def cells(column: Column) -> list:
    """The values of a column, None where one is missing."""
    missing = [False] * len(column.values) if column.missing is None else column.missing.tolist()
    return [None if gone else value for value, gone in zip(column.values.tolist(), missing, strict=True)]


def edges(graph: Graph) -> dict:
    """Every edge as (source key, target key[, relation]) -> its attributes, after checking the canonical order."""
    found = graph.edges
    order = list(zip(found.row.tolist(), found.column.tolist(), strict=True))
    assert order == sorted(order)
    columns = {name: cells(column) for name, column in found.columns.items()}
    sources, targets = graph.sources.keys.tolist(), graph.targets.keys.tolist()
    result = {}
    for e, (row, column) in enumerate(order):
        identity = (sources[column], targets[row])
        if found.relations is not None:
            code = int(found.relations.codes[e])
            identity += (None if code < 0 else found.relations.names[code],)
        assert identity not in result
        result[identity] = {name: values[e] for name, values in columns.items()}
    return result


def refused(call: Callable[[], object]) -> str:
    """The refusal of a call: code, message, places, help and notes, a line each."""
    with pytest.raises(Problem) as caught:
        call()
    problem = caught.value
    lines = [f"{problem.code}: {problem.message}"]
    lines += [f"--> {place}: {label}" for place, label in problem.places]
    lines += [f"help: {problem.help}"] if problem.help else []
    return "\n".join([*lines, *(f"note: {note}" for note in problem.notes)])
