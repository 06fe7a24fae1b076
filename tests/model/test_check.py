"""The checker: what a program leaves out is filled in as the language says, and what is wrong is said once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphnn_compiler.compiler import Checked, Settings, analyse, compile_plan
from graphnn_compiler.diagnostics import Related
from graphnn_compiler.model.columns import ColumnRef, Operation, Value
from graphnn_compiler.model.types import FilteredEdges, IntegerUnits, LayerModel, Model, RandomDegree
from graphnn_compiler.source import Source, Span
from graphnn_compiler.topology.plan import Plan, SparseClause

GRAPH = 'graph g = read("g.csv", source = "a", target = "b", nodes = "n.csv", key = "id")\n'
EDGES = "a,b,w,kind\n1,2,0.5,road\n2,3,,rail\n3,1,2.5,\n3,4,4.0,road\n"
NODES = "id,name,size,town\n1,bern,10,true\n2,thun,,false\n3,spiez,30,\n4,visp,40,true\n"
TAIL = "output end[1] { from x via all }\n"


def checked(text: str, **params: object) -> Checked:
    return analyse(Source("test", text, Path("programs")), params)  # type: ignore[arg-type]


def model_of(text: str, **params: object) -> Model:
    found = checked(text, **params)
    assert found.model is not None, [str(d) for d in found.diagnostics]
    return found.model


def layer_of(text: str) -> LayerModel:
    """The layer called h of a program with the input x."""
    model = model_of(GRAPH + "input x[g.nodes, 4]\n" + text + "\n" + TAIL)
    return next(layer for layer in model.layers if layer.name == "h")


def codes(text: str, **params: object) -> list[str]:
    return [diagnostic.code for diagnostic in checked(text, **params).diagnostics]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "g.csv").write_text(EDGES, encoding="utf-8")
    (tmp_path / "n.csv").write_text(NODES, encoding="utf-8")
    return tmp_path


def plan_of(text: str, folder: Path) -> Plan:
    compiled = compile_plan(Source("test", GRAPH + text, folder), Settings())
    assert compiled.resolution is not None, [str(d) for d in compiled.diagnostics]
    return compiled.resolution.plan


def chosen_edges(condition: str, folder: Path) -> list[tuple[int, int]]:
    """The (source, target) keys of the edges that pass a condition."""
    plan = plan_of(f"input x[g.nodes]\noutput y[g.nodes] {{ from x via g.edges[{condition}] }}\n", folder)
    clause = plan.layers[0].body.clauses[0]  # type: ignore[union-attr]
    assert isinstance(clause, SparseClause)
    csr = clause.parts[0].csr
    return sorted((int(s) + 1, int(t) + 1) for s, t in zip(csr.indices, csr.rows, strict=True))


# ------------------------------------------------------------------ defaults


@pytest.mark.parametrize(
    ("layer", "bias"),
    [
        ("layer h[g.nodes] { from x via g.edges }", "per_unit"),
        ("layer h[g.nodes] { from x via all }", "per_unit"),
        ("layer h[g.nodes] { from x via g.edges { weights = shared } }", "per_channel"),
        ("layer h[g.nodes] { from x via g.edges { weights = per(edge.kind) } }", "per_channel"),
        ("layer h[g.nodes, 3] { from x via g.edges }", "per_channel"),
        ("layer h[g.nodes, 1] { from x via g.edges }", "per_channel"),
        ("layer h[g.nodes] { from x via g.edges { weights = shared } from x via same as s }", "per_unit"),
        ("layer h[g.nodes, 3] { from x via g.edges  bias = per_unit }", "per_unit"),
        ("layer h[g.nodes, 3] { from x via g.edges  bias = none }", "none"),
    ],
)
def test_the_bias_follows_from_sharing_and_channels(layer: str, bias: str) -> None:
    assert layer_of(layer).bias == bias


def test_everything_that_is_left_out_is_filled_in() -> None:
    layer = layer_of("layer h[g.nodes] { from x via g.edges }")
    (clause,) = layer.clauses
    assert (clause.source, clause.label, clause.weights.mode, clause.init) == ("x", "x", "per_edge", "glorot")
    assert (clause.norm.kind, clause.norm.absolute, clause.scale, clause.trainable) == ("none", False, None, True)
    assert (layer.activation.name, layer.dropout, layer.layernorm, layer.trainable) == ("linear", 0.0, False, True)
    assert (layer.channels, layer.channel_axis, layer.output) == (1, False, False)


def test_a_clause_is_labelled_by_its_name_or_its_source() -> None:
    layer = layer_of("layer h[g.nodes] { from x via g.edges from x via ~g.edges as back }")
    assert [clause.label for clause in layer.clauses] == ["x", "back"]


def test_parameters_are_named_after_layer_and_label(folder: Path) -> None:
    plan = plan_of("input x[g.nodes]\noutput y[g.nodes] { from x via g.edges | same as near from x via all }\n", folder)
    assert [p.name for p in plan.parameters] == ["y.near.weights", "y.x.weights", "y.bias"]


def test_a_frozen_layer_freezes_its_clauses(folder: Path) -> None:
    text = "input x[g.nodes]\noutput y[g.nodes] { from x via same  trainable = false }\n"
    assert [p.trainable for p in plan_of(text, folder).parameters] == [False, False]
    text = "input x[g.nodes]\noutput y[g.nodes] { from x via same { trainable = false } }\n"
    assert [p.trainable for p in plan_of(text, folder).parameters] == [False, True]


@pytest.mark.parametrize(
    ("shape", "axis"),
    [("[10]", "units"), ("[10, 3]", "channels"), ("[g.nodes, 3]", "channels"), ("[10, 1]", "channels")],
)
def test_softmax_runs_over_channels_where_there_are_some(shape: str, axis: str) -> None:
    assert layer_of(f"layer h{shape} {{ from x via all  activation = softmax }}").activation.axis == axis


def test_softmax_over_the_nodes_of_a_graph_must_be_written() -> None:
    assert "E406" in codes(GRAPH + "input x[g.nodes]\noutput h[g.nodes] { from x via all  activation = softmax }\n")
    layer = layer_of("layer h[g.nodes] { from x via all  activation = softmax(axis = units) }")
    assert layer.activation.axis == "units"


def test_random_streams_are_named_after_what_they_draw() -> None:
    text = "input x[8]\nedges e: range(8) -> range(8) = random(in_degree = 1) | random(in_degree = 2)\n"
    text += "layer h[8] { from x via e from x via random(in_degree = 1) as r }\n" + TAIL
    clauses = model_of(text).layers[0].clauses
    declared = clauses[0].rule.base  # type: ignore[union-attr]
    assert [declared.left.stream, declared.right.stream] == ["e", "e/2"]
    assert isinstance(clauses[1].rule, RandomDegree)
    assert clauses[1].rule.stream == "h.r"


# ------------------------------------------------------------------ params


def sized(declaration: str, **params: object) -> int:
    units = model_of(declaration + "\ninput x[n]\n" + TAIL, **params).inputs[-1].shape.units
    assert isinstance(units, IntegerUnits)
    return units.size


def test_a_given_value_replaces_the_default() -> None:
    assert sized("param n: int = 4") == 4
    assert sized("param n: int = 4", n=6) == 6
    assert sized("param n: int = 4", n="6") == 6
    assert sized("param n: int", n=np.int64(6)) == 6
    assert model_of("param n: int = 4\ninput x[n]\n" + TAIL, n="6").params == {"n": 6}


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [("float", "0.5", 0.5), ("float", "3", 3.0), ("bool", "true", True), ("bool", "False", False), ("str", "7", "7")],
)
def test_text_stands_for_what_it_says(type: str, text: str, value: object) -> None:
    params = model_of(f"param p: {type}\ninput x[4]\n" + TAIL, p=text).params
    assert params == {"p": value}
    assert params["p"].__class__ is value.__class__


@pytest.mark.parametrize(
    ("declaration", "given", "code"),
    [
        ("param n: int = 4", "4.5", "E123"),
        ("param n: int = 4", 4.0, "E123"),
        ("param n: int = 4", True, "E123"),
        ("param n: int = 4", 2**70, "E123"),
        ("param n: int = 4", "9" * 5000, "E123"),
        ("param n: float = 4", "nan", "E123"),
        ("param n: float = 4", float("inf"), "E123"),
        ("param n: float = 4", 10**400, "E123"),
        ("param n: bool = true", "yes", "E123"),
        ("param n: str = \"a\"", 5, "E123"),
        ("param n: int in 1..8 = 4", 9, "E122"),
        ("param n: int in 1..8 = 4", "0", "E122"),
        ("param n: int in [2, 4] = 4", 3, "E122"),
        ("param n: str in [\"a\", \"b\"] = \"a\"", "c", "E122"),
        ("param n: str in 1..3 = \"a\"", None, "E123"),
        ("param n: int in 1..8 = 9", None, "E122"),
        ("param n: number = 9", None, "E123"),
        ("param n: int", None, "E121"),
    ],
)  # fmt: skip
def test_values_that_a_param_refuses(declaration: str, given: object, code: str) -> None:
    params = {} if given is None else {"n": given}
    assert codes(declaration + "\ninput x[4]\n" + TAIL, **params) == [code]


def test_paths_in_the_program_are_relative_to_it_and_given_ones_to_the_working_folder() -> None:
    text = 'param p: path = "d"\ngraph g = read(p / "e" + ".csv", source = "a", target = "b")\n'
    text += "input x[g.nodes]\n" + TAIL
    assert model_of(text).reads["g"].file.path == Path("programs/d/e.csv")
    assert model_of(text, p="d").reads["g"].file.path == Path("d/e.csv")
    assert model_of(text, p=Path("/a")).reads["g"].file.path == Path("/a/e.csv")
    assert model_of(text, p="d").reads["g"].file.shown == "d/e.csv"


# ------------------------------------------------------------------ constants


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", 14),
        ("-2 ** 2 + 10", 6),
        ("2 ** 3 ** 2", 512),
        ("7 // 2 * 2 + 7 % 2", 7),
        ("(2 + 3) * 4", 20),
        ("16 if 2 > 1 else 8", 16),
        ("16 if 2 in [1, 3] else 8", 8),
        ("16 if 2 in 1..3 and not false else 8", 16),
        ("1 if false else 2 if false else 3", 3),
        ("[4, 5, 6][1]", 5),
        ("max(1, min(9, 5))", 5),
        ("ceil(sqrt(17))", 5),
        ("abs(-3)", 3),
        ("floor(2.9) if \"a\" == \"a\" and \"a\" != \"b\" else 1", 2),
        ("channels(z)", 7),
    ],
)  # fmt: skip
def test_constants_are_computed_as_in_python(expression: str, value: int) -> None:
    assert sized(f"input z[2, 7]\nlet n = {expression}") == value


def test_a_branch_that_is_not_taken_is_not_computed() -> None:
    assert sized("let n = 3 if true else 1 // 0") == 3


# ------------------------------------------------------------------ conditions over columns


def test_conditions_have_the_precedence_of_python() -> None:
    text = "layer h[g.nodes] { from x via g.edges[not a == 1 and b + 1 * 2 > 3 or c] }"
    rule = layer_of(text).clauses[0].rule
    assert isinstance(rule, FilteredEdges)
    either = rule.predicate
    assert isinstance(either, Operation)
    assert either.operator == "or"
    both, c = either.arguments
    assert isinstance(both, Operation)
    assert isinstance(c, ColumnRef)
    negated, larger = both.arguments
    assert isinstance(negated, Operation)
    assert isinstance(larger, Operation)
    assert (both.operator, negated.operator, larger.operator) == ("and", "not", ">")
    assert larger.arguments[0].operator == "+"  # type: ignore[union-attr]
    assert larger.arguments[0].arguments[1] == Value(2, span=larger.span)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ("size > 10", [3, 4]),
        ("size != 10", [3, 4]),
        ("not size == 10", [2, 3, 4]),
        ("not size != 10", [1, 2]),
        ("size in 10..30", [1, 3]),
        ("size in [10, 40]", [1, 4]),
        ("size not in [10, 40]", [3]),
        ("missing(size)", [2]),
        ("not missing(size) and size < 35", [1, 3]),
        ("default(size, 35) > 31", [2, 4]),
        ("size + 1 > 0", [1, 3, 4]),
        ("size > 10 or name == \"thun\"", [2, 3, 4]),
        ("node.size > 10", [3, 4]),
        ("node[\"size\"] > 10", [3, 4]),
        ("key <= 2", [1, 2]),
        ("index == 0", [1]),
        ("in_degree == 0 or out_degree == 0", [4]),
        ("degree >= 3", [3]),
        ("in_degree(~g.edges) >= 2", [3]),
        ("town", [1, 4]),
        ("not town", [2, 3]),
        ("(1 if town else 0) == 1", [1, 4]),
        ("limit < size", [3, 4]),
        ("name in names", [1, 4]),
    ],
)  # fmt: skip
def test_a_missing_value_is_never_equal_nor_unequal(condition: str, keys: list[int], folder: Path) -> None:
    given = 'let limit = 20\nlet names = ["bern", "visp"]\n'
    plan = plan_of(given + f"input x[g.nodes[{condition}]]\n" + TAIL, folder)
    assert plan.inputs[0].units.keys.tolist() == keys


@pytest.mark.parametrize(
    ("condition", "pairs"),
    [
        ("w > 1", [(3, 1), (3, 4)]),
        ("w != 4", [(1, 2), (3, 1)]),
        ("missing(w)", [(2, 3)]),
        ("kind == \"road\"", [(1, 2), (3, 4)]),
        ("kind != \"road\"", [(2, 3)]),
        ("edge.w > 1 and src.size < 35", [(3, 1), (3, 4)]),
        ("src.size < dst.size", [(3, 4)]),
        ("dst.in_degree == 1 and src.out_degree == 2", [(3, 1), (3, 4)]),
        ("src.index + 1 == dst.index", [(1, 2), (2, 3), (3, 4)]),
        ("src.name == \"bern\"", [(1, 2)]),
    ],
)  # fmt: skip
def test_conditions_on_edges_see_columns_and_ends(condition: str, pairs: list[tuple[int, int]], folder: Path) -> None:
    assert chosen_edges(condition, folder) == pairs


def test_a_name_of_the_program_that_is_a_column_too_must_be_told_apart(folder: Path) -> None:
    def found(condition: str) -> list[str]:
        text = GRAPH + f"let size = 20\ninput x[g.nodes[{condition}]]\n" + TAIL
        return [d.code for d in compile_plan(Source("test", text, folder), Settings()).diagnostics]

    assert found("index < size") == ["E130"]
    assert found("node.size > 10") == []
    assert found("key < 3") == []


# ------------------------------------------------------------------ several errors, none twice


def test_five_independent_errors_are_those_five_in_order() -> None:
    text = (
        'graph roads = read("e.csv", sorce = "a")\n'  # 1: E109
        "nodes towns = roads.nodes\n"
        "input x[towns, 4]\n"
        "input z[8]\n"
        "let k = 1 / 0\n"  # 5: E124
        "layer a[k] { from z via all }\n"
        "layer b[8] { from zz via all }\n"  # 7: E100
        "layer c[8] { from b via same { wieghts = shared } }\n"
        "layer d[8] {\n  from z via same { norm = rwo }\n  activation = rellu\n}\n"  # 10: E107, 11: E107
        "output y[2] { from d via all from a via all from c via all from x via all }\n"
        "target t\nloss cost = cross_entropy(y, t, on = towns) + l2(b.weights)\n"
    )
    assert [(d.code, d.span.line) for d in checked(text).diagnostics] == [
        ("E109", 1),
        ("E124", 5),
        ("E100", 7),
        ("E107", 10),
        ("E107", 11),
    ]


def test_a_refused_layer_hides_only_what_needs_it(folder: Path) -> None:
    text = GRAPH + (
        "input x[g.nodes]\n"
        "layer a[g.nodes] { from x via g.edges { scale = edge.ww } }\n"  # 3: no such column
        "layer b[g.nodes] { from a via g.edges { scale = edge.vv } }\n"
        'layer c[g.nodes] { from x via g.edges["rail"] }\n'  # 5: no relations
        "output y[g.nodes] { from b via same }\n"
        'output z[g.nodes] { from x via one_to_one  from x via g.edges[w > "far"] as far }\n'  # 7: text
    )
    found = compile_plan(Source("test", text, folder), Settings()).diagnostics
    assert [(d.code, d.span.line) for d in found] == [("E131", 3), ("E311", 5), ("E132", 7)]


def test_an_option_that_concerns_layer_and_clauses_is_refused_once() -> None:
    assert codes("input x[4]\noutput y[4] { from x via same  trainable = 3 }\n") == ["E110"]


def test_a_clause_from_a_refused_layer_refuses_its_layer_without_a_word() -> None:
    text = "input x[4]\nlayer a[0] { from x via all }\nlayer b[4] { from a via all  from x via same }\n"
    text += "target t\noutput y[2] { from b via all }\nloss c = mse(y, t) + l2(b.a.weights)\n"
    assert codes(text) == ["E411"]


def test_a_refused_node_set_is_reported_where_it_is_declared_and_once(folder: Path) -> None:
    text = GRAPH + (
        "nodes none_of_them = g.nodes[size > 1000]\n"
        "edges among: none_of_them -> none_of_them = g.edges\n"
        "input x[none_of_them]\ninput z[none_of_them, 2]\nassert count(none_of_them) > 0\nassert count(among) > 0\n"
        "output y[g.nodes] { from x via same }\noutput w[none_of_them] { from z via among }\n"
    )
    found = compile_plan(Source("test", text, folder), Settings()).diagnostics
    assert [(d.code, d.span.line) for d in found] == [("E253", 2)]


def test_a_refused_edge_set_is_reported_once_however_often_it_is_used(folder: Path) -> None:
    text = GRAPH + 'edges rails = g.edges["rail"]\ninput x[g.nodes]\n'
    text += "layer a[g.nodes] { from x via rails from x via same as skip }\noutput b[g.nodes] { from x via ~rails }\n"
    text += "output c[g.nodes] { from x via same from x via rails as again }\n"
    found = compile_plan(Source("test", text, folder), Settings()).diagnostics
    assert [(d.code, d.span.line) for d in found] == [("E311", 2)]


# ------------------------------------------------------------------ what was meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("input pixels[4]\noutput y[1] { from pixel via all }\n", "pixels"),
        ("input x[4]\noutput y[1] { from x via al }\n", "all"),
        ("input x[4]\noutput y[1] { from x via all { nrm = row } }\n", "norm"),
        ("input x[4]\noutput y[1] { from x via all { norm = symetric } }\n", "symmetric"),
        ("input x[4]\noutput y[1] { from x via all { init = glorrot } }\n", "glorot"),
        ("input x[4]\noutput y[1] { from x via all  actvation = relu }\n", "activation"),
        ("input x[4]\noutput y[1] { from x via all  bias = per_chanel }\n", "per_channel"),
        ("input x[4]\noutput y[1] { from x via randm(in_degree = 2) }\n", "random"),
        ("input x[4]\noutput y[1] { from x via random(in_degre = 2) }\n", "in_degree"),
        ("input x[4]\noutput y[1] { from x via random(in_degree = 2, shortfall = al) }\n", "all"),
        (GRAPH + "input x[g.node]\n" + TAIL, "nodes"),
        ("input x[4]\noutput y = sigmiod(x)\n", "sigmoid"),
        ('graph g = read("e.csv", duplicates = summ)\ninput x[g.nodes]\n' + TAIL, "sum"),
        ("input x[4]\ntarget t\noutput y[1] { from x via all }\nloss c = msee(y, t)\n", "mse"),
        ("input x[4]\ntarget t\noutput y[1] { from x via all as near }\nloss c = l2(y.neer.weights)\n", "near"),
    ],
)
def test_near_misses_are_asked_about(text: str, meant: str) -> None:
    (found,) = checked(text).diagnostics
    assert found.help == f"did you mean `{meant}`?"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("input x[g.nodes[sise > 1]]\n" + TAIL, "size"),
        ("input x[g.nodes]\noutput y[1] { from x via g.edges[knd == \"road\"] }\n", "kind"),
        ("input x[g.nodes]\noutput y[g.nodes] { from x via g.edges { scale = src.sizes } }\n", "size"),
        (
            "input x[g.nodes]\ntarget t = g.nodes.nam\noutput y[g.nodes, 4] { from x via same }\n"
            "metric a = accuracy(y, t)\n",
            "name",
        ),
    ],
)  # fmt: skip
def test_near_misses_in_the_data_are_asked_about(text: str, meant: str, folder: Path) -> None:
    (found,) = compile_plan(Source("test", GRAPH + text, folder), Settings()).diagnostics
    assert found.help == f"did you mean `{meant}`?"


@pytest.mark.parametrize("name", ["param", "data"])
def test_near_misses_in_what_is_given_are_asked_about(name: str, folder: Path) -> None:
    text = "param width: int = 4\n" + GRAPH.replace("graph g", "graph roads") + "input x[4]\n" + TAIL
    source = Source("test", text, folder)
    given = Settings(params={"widht": 4}) if name == "param" else Settings(data={"raods": None})
    (found,) = compile_plan(source, given).diagnostics
    assert found.help == f"did you mean `{'width' if name == 'param' else 'roads'}`?"


def test_second_places_are_shown() -> None:
    def second(text: str) -> list[str]:
        (found,) = checked(text).diagnostics
        return [r.place.text for r in found.related if isinstance(r, Related) and isinstance(r.place, Span)]

    assert second("let a = 1\nlet a = 2\ninput x[4]\n" + TAIL) == ["a"]
    assert second("input x[b]\nlet b = 2\n" + TAIL) == ["b"]
    assert second("param n: int in 1..3 = 4\ninput x[n]\n" + TAIL) == ["1..3"]
    assert second("input x[4, 2]\nlayer h[4, 3] = relu(x)\n" + TAIL) == ["[4, 3]"]
