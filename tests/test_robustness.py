"""Whatever the text of a program, the compiler answers with diagnostics: never an exception, never a bad plan.

Valid programs are mutated: tokens deleted, doubled, swapped, names and numbers replaced by others. `resolve` verifies
each plan that it makes, and raises where a mutant gets past the checks with a plan that contradicts itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.diagnostics import render, to_json
from graphnn_compiler.source import Source

EXAMPLES = int(os.environ.get("GNN_FUZZ_EXAMPLES", "300"))
TOKEN = re.compile(r'(?:"[^"]*"|\d+(?:\.\d+)?(?:e[-+]?\d+)?|\w+|\.\.|==|!=|<=|>=|->|//|\*\*|\S)\s*')
ODD = ("0", "-1", "1", "3", "0.5", "1e308", "1e400", str(10**18), str(2**63), "true", "none", '""', '"n1"', "[]", "[1]")
WORDS = (
    *(
        "all",
        "same",
        "one_to_one",
        "edge",
        "src",
        "dst",
        "node",
        "per_edge",
        "shared",
        "fixed",
        "per",
        "row",
        "symmetric",
    ),
    *(
        "softmax",
        "relu",
        "he",
        "orthogonal",
        "zeros",
        "normal",
        "uniform",
        "index",
        "key",
        "in_degree",
        "type",
        "weights",
    ),
    *("bias", "units", "channels", "not", "in", "or", "default", "missing", "sqrt", "log", "mean", "concat", "dropout"),
    *("sym", "random", "offset", "table", "read", "range", "sources", "targets", "count", "acyclic", "accuracy", "mse"),
    *("~", "|", "&", "-", "@", "+", "*", "/", "//", "%", "**", "==", "<", ".."),
)

KEYWORDS = frozenset(
    ("gnn", "param", "let", "graph", "nodes", "edges", "input", "target", "layer", "output")
    + ("from", "via", "as", "loss", "metric", "assert")
    + ("import", "block", "return", "repeat", "times", "for", "tied", "untied", "next")
)

FILES = {
    "roads.csv": "a,b,km,kind\nn1,n2,1.5,old\nn2,n3,,new\nn3,n1,-0.5,old\nn3,n4,7,old\nn4,n4,4,new\n",
    "places.csv": "id,kind,size,wanted\nn1,town,3,1\nn2,town,5,2\nn3,village,,1\nn4,city,40,0\n",
    "kg.csv": "head,relation,tail,w\n1,binds,2,1\n1,treats,2,2\n2,binds,3,3\n3,,1,4\n",
    "x.csv": "key,p,q\nn1,1,2\nn2,3,4\nn3,5,6\nn4,7,8\n",
    "pairs.csv": "from,to\n0,1\n1,2\n3,0\n",
    "lib.gnn": (
        "let two = 2\n"
        "block mixed(x: layer, on: edges, width: int = two) {\n"
        "  layer mix[units(x), width] { from x via sym(on) | same { weights = shared } activation = relu }\n"
        "  return mix\n"
        "}\n"
    ),
}

PROGRAMS = (
    """gnn 1
param width: int in 1..64 = 3
param rate: float = 0.5
let limit = 2 * width - 4
graph roads = read("roads.csv", source = "a", target = "b", nodes = "places.csv", key = "id", duplicates = sum)
nodes towns = roads.nodes[kind == "town" or size > limit and not missing(size)]
edges near = sym(roads.edges[default(km, 1) >= 0 and src.kind != "city"]) | same
input x[roads.nodes, 2] = read("x.csv")
target truth = roads.nodes.kind
layer h[roads.nodes, width - 1] {
  from x via near as near { weights = shared, norm = symmetric, scale = 1 / (1 + src.index), init = normal(0, 0.1) }
  from x via roads.edges { weights = per(edge.kind), norm = row(abs = true), scale = default(edge.km, 1) }
  activation = relu
  dropout = rate
  bias = per_unit
}
layer r = relu(h + x * 0.5)
layer wide = concat(h, x, row_normalize(h))
output y[roads.nodes, 3] {
  from h via near { init = he }
  from wide via same { weights = shared }
  activation = softmax
}
loss cost = cross_entropy(y, truth, on = towns) + 2.5e-4 * l2(h.near.weights, y.bias) / 2
metric acc = accuracy(y, truth)
assert in_degree(near) in 1..4, "near"
assert count(towns) >= 1 and max(in_degree(roads.edges)) < 9
""",
    """graph kg = read("kg.csv", source = "head", target = "tail", type = "relation", key_type = int)
input x[kg.nodes] { }
layer a[kg.nodes, 2] { from x via kg.edges { weights = per(default(edge.type, "none")), norm = col } layernorm = true }
layer b[kg.nodes, 2] { from a via kg.edges["binds"] @ ~kg.edges | same { weights = shared, init = orthogonal } }
layer c[kg.nodes, 2] { from b via kg.edges - same { init = uniform(-1, 1) * edge.w } from a via same as skip }
layer m = mean(c, axis = units)
output y[4] { from c via random(in_degree = 1..3, seed = 7, shortfall = all) { weights = shared } }
output z = sigmoid(dropout(c, 0.1) - a / 2)
target t
loss cost = binary_cross_entropy(z, t)
""",
    """input x[6]
edges wired: range(6) -> range(4) = table("pairs.csv", source = "from", target = "to", missing = drop)
layer h[4] { from x via wired { scale = 2 ** src.index if dst.index > 9 else 1, trainable = false } }
layer k[6, 2] { from x via offset(-1..1, wrap = true) { weights = per(edge.offset) } }
layer g[6, 2] {
  from k via random(in_degree = 2, among = all - same) | one_to_one { init = src.index if dst.index in [0, 2] else 0.5 }
  activation = tanh
}
layer s[units(h), channels(k)] { from g via all { weights = shared, norm = row, scale = 0.5 } }
output y[3] { from s via all  activation = softmax }
target t[4]
loss cost = mse(h, t) - 0.5 * l1(y.weights)
target u
metric best = accuracy(y, u)
""",
    """import "lib.gnn" as lib
import mixed, two as pair from "lib.gnn"
let depth = 2
block residual(x: layer, on, width = pair, act: str = "tanh") {
  nodes mine = units(x)
  edges around = on - same
  layer narrow[mine, width] { from x via around { weights = shared, norm = row } activation = act }
  layer wide[mine, channels(x)] { from mixed(narrow, on, 3) via same from x * 0.5 via around as half }
  return x + wide
}
graph roads = read("roads.csv", source = "a", target = "b", duplicates = sum)
input x[roads.nodes, 2]
layer h0 = lib.mixed(x, roads.edges) + 1
repeat h = h0 times depth tied {
  edges some = random(in_degree = 1..2, seed = 3)
  layer m[units(h), 3] { from h via some { weights = shared } from h0 via roads.edges | same bias = per_unit }
  next h = gru(h, m)
}
repeat a = h, b = relu(h0) for level in 1..2 untied {
  let scaled = level * 0.5
  repeat c = a times level untied { next c = residual(c, roads.edges, 1, act = "relu") }
  layer m = c * scaled
  next a, b = lstm(a, b, m)
}
output y[roads.nodes, 2] { from residual(a + b, on = roads.edges) via same { weights = shared } from b via same }
target t
loss cost = mse(y, t) + l2(h.m.h.weights, h0.mixed.mix.x.weights, y.residual.wide.bias)
""",
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("fuzz")
    for name, text in FILES.items():
        (place / name).write_text(text, encoding="utf-8")
    return place


def _delete(tokens: list[str], i: int, j: int, new: str) -> list[str]:
    return tokens[:i] + tokens[i + 1 :]


def _delete_run(tokens: list[str], i: int, j: int, new: str) -> list[str]:
    low, high = sorted((i, j))
    return tokens[:low] + tokens[min(high, low + 8) :]


def _double(tokens: list[str], i: int, j: int, new: str) -> list[str]:
    return tokens[: i + 1] + tokens[i:]


def _swap(tokens: list[str], i: int, j: int, new: str) -> list[str]:
    tokens = list(tokens)
    tokens[i], tokens[j] = tokens[j], tokens[i]
    return tokens


def _replace(tokens: list[str], i: int, j: int, new: str) -> list[str]:
    blank = tokens[i][len(tokens[i].rstrip()) :]
    return [*tokens[:i], new.rstrip() + blank, *tokens[i + 1 :]]


def _copy(tokens: list[str], i: int, j: int, new: str) -> list[str]:
    return _replace(tokens, i, j, tokens[j])


def _number(tokens: list[str], i: int, j: int, new: str) -> list[str]:
    """An odd value in the place of a number: what gets furthest into the compiler."""
    numbers = [place for place, token in enumerate(tokens) if token[0].isdigit()]
    return _replace(tokens, numbers[i % len(numbers)], j, new if new in ODD else "0") if numbers else tokens


def _name(tokens: list[str], i: int, j: int, new: str) -> list[str]:
    """A name in the place of another."""
    names = [place for place, token in enumerate(tokens) if token[0].isalpha() and token.strip() not in KEYWORDS]
    return _replace(tokens, names[i % len(names)], j, tokens[names[j % len(names)]]) if names else tokens


def _value(tokens: list[str], i: int, j: int, new: str) -> list[str]:
    """A word or number in the place of an option's value."""
    values = [place + 1 for place, token in enumerate(tokens[:-1]) if token.strip() == "="]
    return _replace(tokens, values[i % len(values)], j, new) if values else tokens


MUTATIONS: tuple[Callable[[list[str], int, int, str], list[str]], ...] = (
    *(_delete, _delete_run, _double, _swap, _replace, _copy),
    *(_number, _name, _value) * 5,
)


@st.composite
def mutants(draw: st.DrawFn) -> str:
    tokens = TOKEN.findall(draw(st.sampled_from(PROGRAMS)))
    for _ in range(draw(st.integers(1, 4))):
        places = st.integers(0, len(tokens) - 1)
        mutate = draw(st.sampled_from(MUTATIONS))
        tokens = mutate(tokens, draw(places), draw(places), draw(st.sampled_from(ODD + WORDS)))
    return "".join(tokens)


@pytest.mark.parametrize("text", PROGRAMS)
def test_the_programs_that_are_mutated_are_nearly_right(text: str, folder: Path) -> None:
    found = compile_plan(Source("fuzz", text, folder), Settings()).diagnostics
    assert [d.code for d in found if d.severity == "error"] == []


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=mutants())
def test_mutants_are_answered_with_diagnostics(text: str, folder: Path) -> None:
    limits = Settings(max_edges=100_000, max_bytes=1_000_000)
    compiled = compile_plan(Source("fuzz", text, folder), limits)
    errors = [d for d in compiled.diagnostics if d.severity == "error"]
    assert (compiled.resolution is None) == bool(errors)
    assert len(set(compiled.diagnostics)) == len(compiled.diagnostics), "a diagnostic is given twice"
    for diagnostic in compiled.diagnostics:
        assert render(diagnostic).isprintable() or "\n" in render(diagnostic)
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(diagnostic.span.source.text)
    to_json(compiled.diagnostics)
