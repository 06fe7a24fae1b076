"""Paths, levels and columns of whole graphs in programs, from text and files to units and edges."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.source import Source
from graphnn_compiler.topology.plan import Combination, DenseClause, SparseClause

ROOT = Path(__file__).parents[2]
PROTEOMICS = ROOT.parent / "shared" / "data" / "proteomics"
GRAPH = 'gnn 1\ngraph g = read("links.csv", type = "kind")\n'
LINKS = """source,target,kind
a,b,x
a,b,y
b,c,x
c,d,x
a,d,y
e,f,x
g,g,y
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "links.csv").write_text(LINKS, encoding="utf-8")
    return tmp_path


def codes(text: str, folder: Path) -> list[str]:
    """The codes of all diagnostics of a program that reads `links.csv`."""
    program = f"{GRAPH}{text}\ninput x[g.nodes]\noutput y[1] {{ from x via all }}\n"
    compiled = compile_plan(Source("model.gnn", program, folder), Settings())
    return [diagnostic.code for diagnostic in compiled.diagnostics]


@pytest.mark.parametrize(
    "condition",
    [
        "count(g.edges) == 7",
        "count(hops(g.edges, 1)) == 5",  # kinds are dropped, and so is the loop
        "count(hops(g.edges, 0)) == 7",
        "count(hops(g.edges, 2)[hops == 2 and src.key == 'a']) == 1",
        "count(hops(g.edges, 2)) == 2",
        "count(walks(g.edges, 2)) == 3",
        "count(walks(g.edges, 3)[value == 1]) == 2",
        "count(closure(g.edges)) == 8",
        "count(closure(g.edges['y'])) == 3",
        "count(g.nodes[component == 0]) == 4",
        "count(g.nodes[component in 1..2]) == 3",
        "count(g.edges[src.component == 2 and dst.component == 2]) == 1",
        "acyclic(g.edges['x'])",
        "not acyclic(g.edges)",
        "max(depth(g.edges['x'])) == 3",
        "count(g.nodes[depth(g.edges['x']) == 0]) == 3",
        "count(g.nodes[height(g.edges['x']) == 1]) == 2",
        "count(levels(g.edges['x'], depth = 2)[1].nodes) == 3",  # of d, f and g
        "count(levels(g.edges['x'], root = 'd', depth = 3)[3].edges) == 1",
    ],
)
def test_conditions_that_hold(condition: str, folder: Path) -> None:
    assert codes(f"assert {condition}", folder) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("assert count(hops(all, 2)) == 0", "E340"),
        ("let cut = levels(same, depth = 2)", "E340"),
        ("let cut = levels(g.edges)", "E109"),
        ("let cut = levels(g.edges, root = 1.5, depth = 2)", "E110"),
        ("assert count(hops(g.edges, 1.5)) == 0", "E110"),
        ("let cut = levels(g.edges, depth = 2)[1].units", "E111"),
        ("nodes n = levels(g.edges, depth = 2)[1]", "E110"),
        ("nodes n = levels(g.edges, root = 'g', depth = 2)[1].nodes", "E320"),
        ("nodes n = g.nodes[depth == 0]", "E321"),
        ("edges e = g.edges[dst.height > 0]", "E321"),
        ("nodes n = targets(g.edges)[depth == 0]", "E131"),
    ],
)
def test_programs_that_are_refused(text: str, code: str, folder: Path) -> None:
    assert codes(text, folder) == [code]


def test_a_list_of_levels_is_cut_once_and_refused_once(folder: Path) -> None:
    text = "let cut = levels(g.edges, root = 'g', depth = 3)\nnodes a = cut[1].nodes\nedges b = cut[2].edges"
    assert codes(text, folder) == ["E320"]


def test_reactome_is_cut_as_binn_cuts_it() -> None:
    if not PROTEOMICS.is_dir():
        pytest.skip("the proteomics data is not there (../shared/data/proteomics beside the checkout)")
    program = ROOT / "examples" / "reactome_levels" / "model.gnn"
    source = Source("model.gnn", program.read_text(encoding="utf-8"), program.parent)
    compiled = compile_plan(source, Settings(params={"data": str(PROTEOMICS)}))
    assert compiled.resolution is not None
    plan = compiled.resolution.plan
    assert [len(plan.inputs[0].units), *(len(layer.units) for layer in plan.layers)] == [448, 471, 306, 125, 28, 1]
    edges = []
    for layer in plan.layers:
        assert isinstance(layer.body, Combination)
        (clause,) = layer.body.clauses
        dense = isinstance(clause, DenseClause)
        assert dense or isinstance(clause, SparseClause)
        edges.append(28 if dense else clause.n_edges)
    assert edges == [2609, 473, 306, 126, 28]
