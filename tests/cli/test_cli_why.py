"""`gnnc why`: each in-edge of a unit with the rule, the place in the program and the row that it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphnn_compiler.cli.main import main

PROGRAM = """gnn 1
graph roads = read("roads.csv", source = "from", target = "to")
edges two = roads.edges @ roads.edges
edges near = sym(roads.edges[len < 3]) | same
input x[roads.nodes]
layer h[roads.nodes] {
  from x via near as near { weights = shared, norm = row }
  from x via two as two
  from x via ~roads.edges as back
  from x via all as every
  from x via offset(-1..1) & near as both
}
layer r = relu(h)
output y[3] { from r via all }
"""
ROADS = [("a", "b", 1), ("b", "c", 2), ("c", "a", 3)]

SAID = """unit `b` of layer `h`: 8 in-edges

near: from `a`, c = 0.333333
    `a -> b` is listed, roads.csv:2

near: from `b`, c = 0.333333
    the rule `same`, model.gnn:4:42

near: from `c`, c = 0.333333
    the reverse of an edge, added by `sym`, model.gnn:4:14
    `b -> c` is listed, roads.csv:3

two: from `c`, c = 1
    the path `c -> a -> b`, model.gnn:3:13
    `c -> a` is listed, roads.csv:4
    `a -> b` is listed, roads.csv:2

back: from `c`, c = 1
    an edge turned round by `~`, model.gnn:9:14
    `b -> c` is listed, roads.csv:3

every: all 3 units, c = 1
    every pair, model.gnn:10:14

both: from `a`, c = 1
    the rule `offset(-1..1)`, model.gnn:11:14
    `a -> b` is listed, roads.csv:2

both: from `b`, c = 1
    the rule `offset(-1..1)`, model.gnn:11:14
    the rule `same`, model.gnn:4:42

both: from `c`, c = 1
    the rule `offset(-1..1)`, model.gnn:11:14
    the reverse of an edge, added by `sym`, model.gnn:4:14
    `b -> c` is listed, roads.csv:3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = [f"{source},{target},{length}" for source, target, length in ROADS]
    (tmp_path / "roads.csv").write_text("\n".join(["from,to,len", *rows]) + "\n")
    (tmp_path / "model.gnn").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_step_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "model.gnn", "h", "--unit", "b"]) == 0
    assert capsys.readouterr().out == SAID


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "model.gnn", "h", "--unit", "b", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["format_version"] == 1
    near = [edge for edge in found["in_edges"] if edge["clause"] == "near"]
    assert [edge["source"] for edge in near] == ["a", "b", "c"]
    assert near[0]["steps"] == [{"text": "`a -> b` is listed", "place": "roads.csv:2"}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["h", "--unit", "bb"], "error: layer `h` has no unit `bb`\n  = help: did you mean `b`?\n"),
        (["g", "--unit", "b"], "error: the program has no layer `g`\n  = help: there are `h`, `r`, `y`\n"),
        (["r", "--unit", "b"], "error: layer `r` is an expression over other layers and has no edges of its own\n"),
        (["y", "--unit", "z"], "error: layer `y` has no unit `z`\n  = help: its first are `0`, `1`, `2`\n"),
    ],
)
def test_wrong_names(folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(["why", "model.gnn", *arguments]) == 2
    assert capsys.readouterr().err == said


def test_rows_of_typed_undirected_and_repeated_edges(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "kg.csv").write_text('source,target,type\n1,2,up\n"1","2",down\n3,2,up\n2,4,up\n')
    (folder / "kg.gnn").write_text(
        'gnn 1\ngraph kg = read("kg.csv", type = type, directed = false)\n'
        "input x[kg.nodes]\noutput y[kg.nodes] { from x via kg.edges { weights = per(edge.type) } }\n"
    )
    assert main(["why", "kg.gnn", "y", "--unit", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["in_edges"]
    assert [(edge["source"], edge["relation"]) for edge in found] == [(1, "up"), (3, "up"), (4, "up"), (1, "down")]
    assert [edge["steps"][0]["place"] for edge in found] == ["kg.csv:2", "kg.csv:4", "kg.csv:5", "kg.csv:3"]


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ('kg.edges["down"]', [[3]]),
        ("kg.edges[w > 1]", [[3], [4]]),
        ("kg.edges[w > 2]", [[4]]),
        ("sym(kg.edges)", [[2], [3], [4]]),
        ('kg.edges["up"] | kg.edges', [[2], [3], [4]]),
        ('kg.edges - kg.edges["up"]', [[3], [4]]),
        ("~(~kg.edges)", [[2], [3], [4]]),
        ('kg.edges["down"] @ same_again', [[3, 6]]),
    ],
)
def test_rows_of_a_pair_with_several_relations(
    folder: Path, capsys: pytest.CaptureFixture[str], rule: str, rows: list[list[int]]
) -> None:
    """Rows 2 .. 4 list one pair as `up`, `down` and without a relation; each edge has its own."""
    (folder / "kg.csv").write_text("source,target,type,w\n1,2,up,1\n1,2,down,2\n1,2,,3\n2,2,down,9\n2,2,up,9\n")
    (folder / "kg.gnn").write_text(
        'gnn 1\ngraph kg = read("kg.csv", type = type)\nedges same_again = kg.edges["up"]\n'
        f"input x[kg.nodes]\noutput y[kg.nodes] {{ from x via {rule} }}\n"
    )
    assert main(["why", "kg.gnn", "y", "--unit", "2", "--json"]) == 0
    found = [edge for edge in json.loads(capsys.readouterr().out)["in_edges"] if edge["source"] == 1]
    listed = [[step["place"] for step in edge["steps"] if "listed" in step["text"]] for edge in found]
    assert sorted(listed) == [[f"kg.csv:{row}" for row in one] for one in rows]
