"""`within`, `nearest`, `match`, `pairs`, `top` and `group` in programs, against loops over the units of a small table.

The programs are compiled as a user's would be, from files; what is meant is said in Python over keys and cells.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphnn_compiler.compiler import Settings, analyse, compile_plan
from graphnn_compiler.model.dump import dump
from graphnn_compiler.source import Source
from graphnn_compiler.topology.plan import Combination, SparseClause

KEYS = {"int": [3, 0, 7, 2, 5], "string": ["c", "a", "007", "b", "é"]}


class City:
    """Nodes with a place, a kind and a number that may be missing; edges with a number each."""

    def __init__(self, keys, cells, edges):
        self.keys, self.edges = keys, edges
        self.x, self.y, self.kind, self.size = (
            dict(zip(keys, column, strict=True)) for column in zip(*cells, strict=True)
        )

    def apart(self, a, b):
        return abs(self.x[a] - self.x[b]) + abs(self.y[a] - self.y[b])

    def write(self, folder: Path) -> str:
        shown = {key: "" if self.size[key] is None else self.size[key] for key in self.keys}
        nodes = [f"{key},{self.x[key]},{self.y[key]},{self.kind[key]},{shown[key]}" for key in self.keys]
        (folder / "nodes.csv").write_text("\n".join(["id,px,py,kind,size", *nodes]) + "\n")
        edges = [f"{s},{t},{w}" for (s, t), w in self.edges.items()]
        (folder / "edges.csv").write_text("\n".join(["source,target,w", *edges]) + "\n")
        return (
            'gnn 1\ngraph g = read("edges.csv", nodes = "nodes.csv", key = id)\n'
            "nodes some = g.nodes[px < 2]\ninput x[g.nodes]\n"
        )


@st.composite
def cities(draw):
    keys = draw(st.permutations(KEYS[draw(st.sampled_from(sorted(KEYS)))]))
    cell = st.tuples(
        st.integers(0, 3), st.integers(0, 2), st.sampled_from("pq"), st.one_of(st.none(), st.integers(0, 2))
    )
    cells = [(0, 0, "p", 1), *(draw(cell) for _ in keys[1:])]
    pairs = draw(st.lists(st.sampled_from(list(product(keys, keys))), min_size=1, max_size=12, unique=True))
    return City(keys, cells, {pair: draw(st.integers(0, 2)) for pair in pairs})


def pairs_between(city: City, folder: Path, rule: str, units: str = "g.nodes", declared: str = "") -> list:
    """The pairs of a clause from all nodes to some, in the order of the CSR rows."""
    text = f"{city.write(folder)}{declared}\noutput y[{units}] {{ from x via {rule}  from x via same as own }}\n"
    compiled = compile_plan(Source("model.gnn", text, folder), Settings())
    errors = [diagnostic for diagnostic in compiled.diagnostics if diagnostic.severity == "error"]
    if [diagnostic.code for diagnostic in errors] == ["E344"]:
        return []
    assert errors == []
    body = compiled.resolution.plan.layer["y"].body
    assert isinstance(body, Combination)
    clause = body.clauses[0]
    assert isinstance(clause, SparseClause)
    (part,) = clause.parts
    part.csr.verify()
    sources, targets = (compiled.resolution.plan.units[name].keys.tolist() for name in "xy")
    return [(sources[s], targets[t]) for t, s in zip(part.csr.rows.tolist(), part.csr.indices.tolist(), strict=True)]


def ordered(pairs, sources, targets):
    return [(s, t) for t in targets for s in sources if (s, t) in pairs]


def close(city, r, sources, targets):
    return {(s, t) for s, t in product(sources, targets) if s != t and city.apart(s, t) <= r}


def nearest(city, k, sources, targets):
    found = set()
    for t in targets:
        others = sorted((s for s in sources if s != t), key=lambda s: (city.apart(s, t), sources.index(s)))
        found |= {(s, t) for s in others[:k]}
    return found


def best(city, pairs, k, per):
    found = set()
    for unit in city.keys:
        own = [pair for pair in ordered(pairs, city.keys, city.keys) if pair[per] == unit]
        found |= set(sorted(own, key=lambda pair: -city.edges[pair])[:k])
    return found


def equal(a, b):
    return a is not None and a == b


CASES = {
    "within(2, at = [px, py], metric = manhattan)": lambda c, d: close(c, 2, c.keys, d),
    "nearest(2, at = [px, py], metric = manhattan)": lambda c, d: nearest(c, 2, c.keys, d),
    "within(2, at = [node.px, py], metric = manhattan)[distance > 0]": lambda c, d: {
        (s, t) for s, t in close(c, 2, c.keys, d) if c.apart(s, t) > 0
    },
    "match(src.kind == dst.kind)": lambda c, d: {(s, t) for s, t in product(c.keys, d) if c.kind[s] == c.kind[t]},
    "match(dst.px == src.size + 1 and src.kind == dst.kind)": lambda c, d: {
        (s, t)
        for s, t in product(c.keys, d)
        if c.size[s] is not None and c.size[s] + 1 == c.x[t] and c.kind[s] == c.kind[t]
    },
    "match(src.size == dst.size)": lambda c, d: {(s, t) for s, t in product(c.keys, d) if equal(c.size[s], c.size[t])},
    "pairs(src.px + dst.py > 3 or src.size < dst.size)": lambda c, d: {
        (s, t)
        for s, t in product(c.keys, d)
        if c.x[s] + c.y[t] > 3 or (c.size[s] is not None and c.size[t] is not None and c.size[s] < c.size[t])
    },
    "pairs(src.px >= dst.px) - match(src.kind == dst.kind)": lambda c, d: {
        (s, t) for s, t in product(c.keys, d) if c.x[s] >= c.x[t] and c.kind[s] != c.kind[t]
    },
    "g.edges & nearest(1, at = [px, py], metric = manhattan)": lambda c, d: {
        (s, t) for s, t in set(c.edges) & nearest(c, 1, c.keys, c.keys) if t in d
    },
    "within(1, at = [px, py], metric = manhattan) | g.edges": lambda c, d: {
        (s, t) for s, t in close(c, 1, c.keys, c.keys) | set(c.edges) if t in d
    },
    "top(g.edges, 2, by = w)": lambda c, d: {(s, t) for s, t in best(c, set(c.edges), 2, 1) if t in d},
    "top(g.edges[w > 0], k = 1, by = edge.w, per = src)": lambda c, d: {
        (s, t) for s, t in best(c, {pair for pair, w in c.edges.items() if w > 0}, 1, 0) if t in d
    },
    "~nearest(1, at = [px, py], metric = manhattan)": lambda c, d: {(s, t) for t, s in nearest(c, 1, d, c.keys)},
}


@pytest.mark.parametrize("rule", CASES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(city=cities(), restricted=st.booleans())
def test_a_rule_in_a_clause(tmp_path: Path, rule: str, city: City, restricted: bool) -> None:
    units = [key for key in city.keys if city.x[key] < 2] if restricted else city.keys
    if "~nearest" in rule and len(units) < 2:
        return  # fewer sources than asked for
    found = pairs_between(city, tmp_path, rule, "some" if restricted else "g.nodes")
    assert found == ordered(CASES[rule](city, units), city.keys, units)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(city=cities(), by=st.sampled_from(["kind", "px", "node.px / 2 * 2", "in_degree", "in_degree(g.edges[w > 0])"]))
def test_groups_and_their_members(tmp_path: Path, city: City, by: str) -> None:
    def inward(key, least):
        return sum(t == key and w >= least for (_, t), w in city.edges.items())

    of = {key: city.kind[key] if by == "kind" else city.x[key] for key in city.keys}
    if "in_degree" in by:
        of = {key: inward(key, 1 if "w > 0" in by else 0) for key in city.keys}
    declared = f"nodes groups = group(g.nodes, by = {by})\nlayer h[groups] {{ from x via groups.members }}\n"
    text = city.write(tmp_path) + declared + "output y[g.nodes] { from h via ~groups.members }\n"
    compiled = compile_plan(Source("model.gnn", text, tmp_path), Settings())
    assert list(compiled.diagnostics) == []
    plan = compiled.resolution.plan
    assert plan.units["h"].keys.tolist() == list(dict.fromkeys(of.values()))
    for layer, source in (("h", "x"), ("y", "h")):
        (clause,) = plan.layer[layer].body.clauses
        csr, left, right = clause.parts[0].csr, plan.units[source].keys.tolist(), plan.units[layer].keys.tolist()
        found = {(left[s], right[t]) for t, s in zip(csr.rows.tolist(), csr.indices.tolist(), strict=True)}
        assert found == (set(of.items()) if layer == "h" else {(group, key) for key, group in of.items()})


def test_edges_know_their_distance(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("id,a\np,0\nq,3\nr,7\n")
    (tmp_path / "e.csv").write_text("source,target\np,q\n")
    text = (
        'gnn 1\ngraph g = read("e.csv", nodes = "n.csv", key = id)\ninput x[g.nodes]\n'
        "edges e: g.nodes -> g.nodes = nearest(1, at = [a])\n"
        "assert count(e) == 3 and count(e[distance == 3]) == 2 and count(e[distance == 4]) == 1\n"
        "assert count(top(e, 1, by = 1 / distance, per = src)) == 2\n"
        "output y[g.nodes] { from x via e { weights = fixed(1), scale = 1 / edge.distance } }\n"
    )
    compiled = compile_plan(Source("model.gnn", text, tmp_path), Settings())
    assert [str(diagnostic) for diagnostic in compiled.diagnostics] == []


def test_rules_are_written_in_the_model(tmp_path: Path) -> None:
    text = """gnn 1
graph g = read("edges.csv")
nodes m = group(g.nodes, by = floor(a / 2))
input x[g.nodes]
layer h[m] { from x via m.members }
layer k[g.nodes] { from x via within(2, at = [a, node["b c"]], metric = chebyshev) }
layer l[g.nodes] { from x via nearest(3, at = [a], shortfall = all) }
layer n[g.nodes] { from x via match(dst.b + 1 == src.a and src.c == dst.c) }
layer o[g.nodes] { from x via pairs(src.a < dst.a, limit = 1e3) }
output y[g.nodes] { from x via top(g.edges, k = 4, by = -w, per = src) }
"""
    checked = analyse(Source("model.gnn", text, tmp_path))
    assert [str(diagnostic) for diagnostic in checked.diagnostics] == []
    written = dump(checked.model)
    for rule in (
        "group(g.nodes, by = floor(node.a / 2))",
        ".members",
        'within(2.0, at = [node.a, node["b c"]], metric = chebyshev)',
        "nearest(3, at = [node.a], metric = euclidean, shortfall = all)",
        "match(src.a == dst.b + 1 and src.c == dst.c)",
        "pairs(src.a < dst.a, limit = 1000)",
        "top(g.edges, 4, by = -edge.w, per = src)",
    ):
        assert rule in written
