"""The names that users import, and what each of them says about itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

import graphnn_compiler
from graphnn_compiler.building.words import WORDS

PUBLIC = [
    "Assert",
    "Diagnostic",
    "Edges",
    "GnnError",
    "GnnWarning",
    "GraphNNClassifier",
    "GraphNNRegressor",
    "Input",
    "Layer",
    "Loss",
    "Metric",
    "Network",
    "Nodes",
    "Output",
    "Param",
    "Program",
    "Source",
    "Span",
    "Target",
    "__version__",
    "array",
    "between",
    "build",
    "check",
    "graph",
    "load",
    "read",
    "read_samples",
    "table",
    "where",
]


def described(name: str) -> Iterator[tuple[str, object]]:
    """A public name's object, and for a class its public methods, inherited ones left out.

    Properties whose name says it all (`Span.line`) need no more words.
    """
    value = getattr(graphnn_compiler, name)
    yield name, value
    if not inspect.isclass(value):
        return
    for attribute, member in vars(value).items():
        if not attribute.startswith("_") and inspect.isroutine(member):
            yield f"{name}.{attribute}", member


DESCRIBED = [pair for name in PUBLIC if name != "__version__" for pair in described(name)]


def test_the_public_names_are_these() -> None:
    assert sorted(graphnn_compiler.__all__) == PUBLIC
    assert dir(graphnn_compiler) == sorted({*PUBLIC, *WORDS})


@pytest.mark.parametrize(("name", "value"), DESCRIBED, ids=[name for name, _ in DESCRIBED])
def test_public_objects_have_docstrings(name: str, value: object) -> None:
    assert (inspect.getdoc(value) or "").strip(), f"{name} has no docstring"
    assert not str(inspect.getdoc(value)).startswith(f"{name}("), f"{name} has a generated docstring only"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        graphnn_compiler.no_such_name  # noqa: B018 (the access is the point)
