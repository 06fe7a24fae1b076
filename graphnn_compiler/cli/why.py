"""`gnnc why`: where each in-edge of a unit comes from: the rule, the line of the program, the row of the data.

Input: parsed arguments. Output: text or JSON on standard output. Not for: finding the reasons (see `topology.why`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from graphnn_compiler.cli import output
from graphnn_compiler.cli.output import UsageError
from graphnn_compiler.cli.programs import accepted, read_program, settings
from graphnn_compiler.compiler import trace
from graphnn_compiler.diagnostics import count, did_you_mean
from graphnn_compiler.model.types import LayerModel
from graphnn_compiler.source import DataPlace, Span
from graphnn_compiler.topology.resolve import Resolver
from graphnn_compiler.topology.why import DenseInEdges, InEdge, in_edges, unit_position

JSON_FORMAT_VERSION = 1


def why(arguments: argparse.Namespace) -> int:
    """0, or an exception for anything that is wrong."""
    resolver, diagnostics = trace(read_program(arguments.file), settings(arguments))
    accepted(diagnostics)
    assert resolver is not None
    layer = _layer(resolver, arguments.layer)
    nodes = resolver.sides[layer.name].nodes
    position = unit_position(nodes, arguments.unit)
    if position is None:
        keys = [str(key) for key in nodes.keys[:100_000]]
        some = "its first are " + ", ".join(f"`{key}`" for key in keys[:3])
        raise UsageError(
            f"layer `{layer.name}` has no unit `{arguments.unit}`", help=did_you_mean(arguments.unit, keys, some)
        )
    found = list(in_edges(resolver, layer, position))
    if arguments.json:
        output.write_json(_json(layer.name, arguments.unit, found))
    else:
        output.write_result(_text(layer.name, arguments.unit, found))
    return 0


def _layer(resolver: Resolver, name: str) -> LayerModel:
    layers = {layer.name: layer for layer in resolver.model.layers}
    if name not in layers:
        known = "there are " + ", ".join(f"`{known}`" for known in layers)
        raise UsageError(f"the program has no layer `{name}`", help=did_you_mean(name, layers, known))
    if not layers[name].clauses:
        raise UsageError(f"layer `{name}` is an expression over other layers and has no edges of its own")
    return layers[name]


def place_text(place: Span | DataPlace) -> str:
    """A place as errors show it."""
    return str(place) if isinstance(place, DataPlace) else f"{place.source.name}:{place.line}:{place.column}"


def _text(layer: str, unit: str, found: Sequence[InEdge | DenseInEdges]) -> str:
    listed = sum(isinstance(edge, InEdge) for edge in found)
    lines = [f"unit `{unit}` of layer `{layer}`: {count(listed, 'in-edge')}"]
    for edge in found:
        lines.append("")
        if isinstance(edge, DenseInEdges):
            lines.append(f"{edge.clause}: all {count(edge.n_sources, 'unit')}, c = {edge.coefficient:g}")
            lines.append(f"    every pair, {place_text(edge.place)}")
            continue
        relation = f", relation `{edge.relation}`" if edge.relation is not None else ""
        lines.append(f"{edge.clause}: from `{edge.source}`, c = {edge.coefficient:g}{relation}")
        lines += [f"    {step.text}, {place_text(step.place)}" for step in edge.steps]
    return "\n".join(lines) + "\n"


def _json(layer: str, unit: str, found: Sequence[InEdge | DenseInEdges]) -> dict[str, Any]:
    edges: list[dict[str, Any]] = []
    for edge in found:
        if isinstance(edge, DenseInEdges):
            edges.append({"clause": edge.clause, "all": edge.n_sources, "coefficient": edge.coefficient})
            continue
        steps = [{"text": step.text, "place": place_text(step.place)} for step in edge.steps]
        edges.append(
            {
                "clause": edge.clause,
                "source": edge.source,
                "coefficient": edge.coefficient,
                "relation": edge.relation,
                "steps": steps,
            }
        )
    return {"format_version": JSON_FORMAT_VERSION, "layer": layer, "unit": unit, "in_edges": edges}
