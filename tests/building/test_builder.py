"""Programs written in Python: what they print, and what Python itself refuses."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import networkx
import numpy as np
import pytest
import scipy.sparse

import graphnn_compiler as gnn
from graphnn_compiler.building.words import WORDS
from graphnn_compiler.language.formatting import formatted
from graphnn_compiler.model import columns, functions, tensors
from graphnn_compiler.model.types import NamedInit
from graphnn_compiler.source import Source

ROADS = gnn.read("roads.csv", source="from", name="roads")
X = gnn.Input("x", units=ROADS.nodes)
H = gnn.Layer("h", units=ROADS.nodes).connect(X, via=ROADS.edges)


def written(expr: object) -> str:
    """The text of an expression, on one line."""
    found = re.search(r"^loss c = (.*)\Z", str(gnn.Program(gnn.Loss("c", expr))), re.M | re.S)
    assert found is not None
    return " ".join(found[1].split())


edge, node, src, dst = gnn.edge, gnn.node, gnn.src, gnn.dst
EXPRESSIONS: dict[str, Callable[[], object]] = {
    "1": lambda: 1,
    "-2.5": lambda: -2.5,
    "100_000": lambda: np.int64(100_000),
    "0.5": lambda: np.float64(0.5),
    "true": lambda: True,
    "none": lambda: None,
    '"a\\"b"': lambda: 'a"b',
    '"data/x.csv"': lambda: Path("data/x.csv"),
    '[1, [-2, "a"]]': lambda: [1, (-2, "a")],
    "1..3": lambda: gnn.between(1, 3),
    "roads.nodes": lambda: ROADS.nodes,
    "sym(roads.edges) | same": lambda: gnn.sym(ROADS.edges) | gnn.same,
    "roads.edges @ ~roads.edges - same & all": lambda: ROADS.edges @ ~ROADS.edges - gnn.same & gnn.all,
    "(roads.edges | same)[edge.w > 0.1]": lambda: (ROADS.edges | gnn.same)[edge.w > 0.1],
    'roads.edges["lane"]': lambda: ROADS.edges["lane"],
    "edge.w > 0.1 and src.kind == dst.kind": lambda: (edge.w > 0.1) & (src.kind == dst.kind),
    'edge["p-value"] or not edge.paved': lambda: edge["p-value"] | ~edge.paved,
    "not (edge.a >= 1 or edge.b <= 2)": lambda: ~((edge.a >= 1) | (edge.b <= 2)),
    'node.kind in ["a", "b"]': lambda: node.kind.isin(["a", "b"]),
    "node.level in 1..3 and node.old != 2": lambda: node.level.isin(gnn.between(1, 3)) & (node.old != 2),
    "not missing(edge.w) and edge.w < 3": lambda: ~gnn.missing(edge.w) & (edge.w < 3),
    "default(edge.w, 1) / 2": lambda: gnn.default(edge.w, 1) / 2,
    "1 - edge.w * -edge.v": lambda: 1 - edge.w * -edge.v,
    "2 ** edge.w ** 2 // 3 % 4": lambda: 2**edge.w**2 // 3 % 4,
    "2.5 * edge.w + 1": lambda: np.float64(2.5) * edge.w + np.int32(1),
    "1 // edge.w + 2 % edge.w + 3 / edge.w": lambda: 1 // edge.w + 2 % edge.w + 3 / edge.w,
    "relu(h + x)": lambda: gnn.relu(H + X),
    "softmax(concat(h, x), axis = units)": lambda: gnn.softmax(gnn.concat(H, X), axis=gnn.units),
    "1e-4 * l2(h.x.weights)": lambda: 1e-4 * gnn.l2(H.x.weights),
    "1 if 2 > edge.w else 3": lambda: gnn.where(operator.gt(2, edge.w), 1, 3),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions(text: str) -> None:
    expected = text.replace("1e-4", "0.0001").replace("2 > edge.w", "edge.w < 2")
    assert written(EXPRESSIONS[text]()) == expected


def test_declarations_are_printed_in_an_order_that_can_be_read() -> None:
    width = gnn.Param("width", int, 16, within=gnn.between(1, 512))
    near = gnn.Edges("near", gnn.sym(ROADS.edges) | gnn.same)
    big = gnn.Nodes("big", ROADS.nodes[node.size > 3])
    wires = gnn.Edges("wires", ROADS.edges, sources=ROADS.nodes, targets=big)
    scaled = gnn.Layer("scaled", gnn.dropout(X, 0.5))
    hidden = gnn.Layer("hidden", units=big, channels=width, activation="relu", bias=None, dropout=0.5)
    hidden.connect(scaled, via=wires, label="far", weights="shared", norm=gnn.row(abs=True))
    hidden.connect(X, via=wires)
    out = gnn.Output("y", units=ROADS.nodes, channels=2, activation="softmax").connect(hidden, via="all", init="zeros")
    truth = gnn.Target("truth", data=ROADS.nodes.label)
    cost = gnn.Loss("cost", gnn.cross_entropy(out, truth, on=big))
    test = gnn.Metric("acc", gnn.accuracy(out, truth))
    program = gnn.Program(cost, test, gnn.Assert(gnn.in_degree(near).isin(gnn.between(2, 6)), "2 to 6"))
    assert str(program) == TEXT
    assert formatted(Source("test", TEXT))[0] == TEXT


TEXT = """\
gnn 1

graph roads = read("roads.csv", source = "from")
nodes big = roads.nodes[node.size > 3]
param width: int in 1..512 = 16
input x[roads.nodes]
layer scaled = dropout(x, 0.5)
edges wires: roads.nodes -> big = roads.edges

layer hidden[big, width] {
  from scaled via wires as far { weights = shared, norm = row(abs = true) }
  from x via wires
  activation = relu
  bias = none
  dropout = 0.5
}

output y[roads.nodes, 2] {
  from hidden via all { init = zeros }
  activation = softmax
}

target truth = roads.nodes.label
loss cost = cross_entropy(y, truth, on = big)
metric acc = accuracy(y, truth)
edges near = sym(roads.edges) | same
assert in_degree(near) in 2..6, "2 to 6"
"""


def test_declarations_without_names_get_free_ones() -> None:
    first, second = gnn.read("a.csv"), gnn.graph(networkx.path_graph(3))
    third = gnn.read("b.csv", name="g2")
    x, z = gnn.Input("x", units=first.nodes), gnn.Input("z", units=second.nodes)
    y = gnn.Output("y", units=third.nodes).connect(x, via="all").connect(z, via="all")
    program = gnn.Program(y)
    assert re.findall(r"graph (\w+) = read\((.*)\)", str(program)) == [
        ("g2", '"b.csv"'), ("g1", '"a.csv"'), ("g3", '"bound from Python"')
    ]  # fmt: skip
    assert list(program.data) == ["g3"]


# ------------------------------------------------------------------ building


def layer_on(edges: object, units: int = 4) -> gnn.Output:
    x = gnn.Input("x", units=units)
    return gnn.Output("y", units=units, bias=None).connect(x, via=edges, weights=gnn.fixed(1))


def test_objects_are_bound_as_data() -> None:
    matrix = scipy.sparse.csr_array(np.eye(4, k=1) + np.eye(4, k=-3))
    pairs = (np.array([0, 1, 2, 3]), np.array([1, 2, 3, 0]))
    from_matrix = gnn.build(layer_on(gnn.table(matrix, name="wires")))
    from_pairs = gnn.build(gnn.Program(layer_on(gnn.table(pairs))))
    for net in (from_matrix, from_pairs):
        assert net.edges("y").source_keys.tolist() == [3, 0, 1, 2]


def test_graphs_features_and_targets_are_bound_as_data() -> None:
    ring = gnn.graph(networkx.cycle_graph(5), name="ring")
    x = gnn.Input("x", units=ring.nodes, channels=2, data=np.ones((5, 2)))
    y = gnn.Output("y", units=ring.nodes, channels=3).connect(x, via=ring.edges, weights="shared", norm="row")
    truth = gnn.Target("truth", data=np.array([0, 1, 2, 0, 1]))
    net = gnn.build(gnn.Program(y, gnn.Loss("cost", gnn.cross_entropy(y, truth))), seed=1)
    assert net.edges("y").indices.tolist() == [1, 4, 0, 2, 1, 3, 2, 4, 0, 3]
    assert {"ring", "x", "truth"} == set(gnn.Program(gnn.Loss("c", gnn.mse(y, truth))).data)


def test_data_of_the_call_replaces_that_of_the_program() -> None:
    path, ring = networkx.path_graph(4, networkx.DiGraph), networkx.cycle_graph(4, networkx.DiGraph)
    graph = gnn.graph(path, name="g")
    y = gnn.Output("y", units=graph.nodes).connect(gnn.Input("x", units=graph.nodes), via=graph.edges | gnn.same)
    assert len(gnn.build(y).edges("y")) == 7
    assert len(gnn.build(y, data={"g": ring}).edges("y")) == 8


def test_errors_are_about_the_printed_text() -> None:
    y = gnn.Output("y", units=3, activation="rellu").connect(gnn.Input("x", units=3), via="all")
    (found,) = gnn.check(y)
    assert found.code == "E107"
    assert found.span.text == "rellu"
    assert str(gnn.Program(y)).split("\n")[found.span.line - 1] == "  activation = rellu"
    with pytest.raises(gnn.GnnError, match=r"--> <program>:7:16\n.*\n 7 \|   activation = rellu"):
        gnn.build(y)


def test_a_long_chain_is_told_of_and_not_followed() -> None:
    edges = gnn.same
    for _ in range(3000):
        edges = edges | gnn.one_to_one
    assert [found.code for found in gnn.check(layer_on(edges))] == ["E013"]


# ------------------------------------------------------------------ what Python refuses


def test_conditions_have_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"write `&`, `\|` and `~`"):
        _ = (edge.a == 1) and (edge.b == 2)
    with pytest.raises(TypeError, match=r"`\.isin\(\.\.\)` for `in`"):
        _ = 1 < edge.a < 2
    with pytest.raises(TypeError, match=r"x\.isin"):
        _ = 1 in edge.a
    with pytest.raises(TypeError, match="no items"):
        list(ROADS.nodes)


WRONG: dict[str, tuple[type[Exception], Callable[[], object]]] = {
    "`my layer` cannot be a name": (ValueError, lambda: gnn.Input("my layer", units=3)),
    "`layer` cannot be a name": (ValueError, lambda: gnn.Layer("layer")),
    "`a # b` cannot be a name": (ValueError, lambda: gnn.Layer("a", activation="a # b")),
    "the number inf cannot": (ValueError, lambda: edge.w > float("inf")),
    "a value of type `dict` cannot": (TypeError, lambda: gnn.relu({})),
    "one condition, string or number": (TypeError, lambda: ROADS.nodes[1:2]),
    "`x` has channels but no units": (TypeError, lambda: gnn.Target("x", channels=3)),
    "given together": (TypeError, lambda: gnn.Edges("e", gnn.same, sources=ROADS.nodes)),
    "`Layer` needs a name": (TypeError, lambda: gnn.Layer(None)),  # type: ignore[arg-type]
    "has no clauses": (TypeError, lambda: gnn.Layer("r", gnn.relu(X)).connect(X, via="all")),
    "not callable": (TypeError, lambda: gnn.Layer("r").conect(X, via="all")),  # type: ignore[operator]
    "a program is made of layers": (TypeError, lambda: gnn.Program(gnn.relu(X))),  # type: ignore[arg-type]
    "<Layer a> is made from itself": (ValueError, lambda: gnn.Program(circle())),
}


def circle() -> gnn.Layer:
    a, b = gnn.Layer("a", units=3), gnn.Layer("b", units=3)
    b.connect(a, via="all")
    return a.connect(b, via="all")


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_written_is_refused_at_once(message: str) -> None:
    error, make = WRONG[message]
    with pytest.raises(error, match=re.escape(message)):
        make()


# ------------------------------------------------------------------ the words


def test_every_function_and_choice_of_the_language_is_a_word() -> None:
    known = {*functions.FUNCTIONS, *columns.FUNCTIONS, *columns.AGGREGATES, *columns.MEASURES, *tensors.ACTIVATIONS}
    known |= {*get_args(NamedInit)}
    assert known - WORDS == {"table"}


def test_words_are_names_of_the_package_and_hide_none() -> None:
    assert {"sym", "shared", "cross_entropy"} <= WORDS <= set(dir(gnn))
    package = Path(gnn.__file__).parent
    modules = {path.stem for path in package.glob("*.py")} | {path.name for path in package.iterdir() if path.is_dir()}
    assert not WORDS & (modules | set(gnn.__all__))
    assert repr(gnn.sym) == "<word sym of .gnn programs>"
