"""Edge expressions of the language against double loops over their definitions, on small random graphs.

The program is compiled as a user's would be, from files; the oracle works on sets of key pairs and knows nothing of
arrays.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.source import Source
from graphnn_compiler.topology.plan import Combination, DenseClause, SparseClause

KEYS = {"int": [0, 1, 2, 5, 10, -3], "string": ["a", "b", "c", "ab", "é", "007"]}


@dataclass(frozen=True)
class Graph:
    """Nodes in order with a kind and a number each; edges with a number each."""

    nodes: list
    kinds: dict
    edges: dict

    def write(self, folder: Path, name: str) -> str:
        rows = [f"{s},{t},{'' if w is None else w}" for (s, t), w in self.edges.items()]
        (folder / f"{name}.csv").write_text("\n".join(["source,target,w", *rows]) + "\n")
        nodes = [f"{key},{kind}" for key, kind in self.kinds.items()]
        (folder / f"{name}_nodes.csv").write_text("\n".join(["id,kind", *nodes]) + "\n")
        return f'graph {name} = read("{name}.csv", nodes = "{name}_nodes.csv", key = id)\n'


@st.composite
def graphs(draw, key_type: str) -> Graph:
    nodes = draw(st.lists(st.sampled_from(KEYS[key_type]), min_size=1, max_size=5, unique=True))
    pairs = draw(st.lists(st.sampled_from(list(product(nodes, nodes))), max_size=10, unique=True))
    weight = st.one_of(st.none(), st.integers(-2, 3))
    return Graph(nodes, {n: draw(st.sampled_from("pq")) for n in nodes}, {pair: draw(weight) for pair in pairs})


@dataclass(frozen=True)
class Expr:
    """Text of an edge expression; `pairs(sources, targets)` is its meaning there; `domain` is None where it is open."""

    text: str
    pairs: object
    domain: tuple[list, list] | None = None
    columns: dict = field(default_factory=dict)


def ordered_union(left: list, right: list) -> list:
    return [*left, *(key for key in right if key not in left)]


def whole(expr: Expr, domain: tuple[list, list]) -> set:
    """The pairs of an operand: of a bound one all, of an open one those on the other operand's units."""
    return expr.pairs(*(expr.domain or domain))


def leaf(name: str, graph: Graph) -> Expr:
    return Expr(f"{name}.edges", lambda s, t: set(graph.edges), (graph.nodes, graph.nodes))


def rules() -> list[Expr]:
    return [
        Expr("same", lambda s, t: {(a, b) for a, b in product(s, t) if a == b}),
        Expr("all", lambda s, t: set(product(s, t))),
        Expr(
            "offset(-1..2)",
            lambda s, t: {(a, b) for (i, a), (j, b) in product(enumerate(s), enumerate(t)) if -1 <= j - i <= 2},
        ),
    ]


def filters(name: str, graph: Graph) -> list[Expr]:
    own = (graph.nodes, graph.nodes)
    inward = {n: sum(t == n for _, t in graph.edges) for n in graph.nodes}

    def where(text: str, keep) -> Expr:
        pairs = {(s, t) for (s, t), w in graph.edges.items() if keep(s, t, w)}
        return Expr(f"{name}.edges[{text}]", lambda s, t: pairs, own)

    return [
        where("w > 0", lambda s, t, w: w is not None and w > 0),
        where("w != 1", lambda s, t, w: w is not None and w != 1),
        where("not (w == 1)", lambda s, t, w: w != 1),
        where("missing(w) or w in 0..2", lambda s, t, w: w is None or 0 <= w <= 2),
        where("default(w, 3) * 2 >= 6", lambda s, t, w: (3 if w is None else w) * 2 >= 6),
        where(
            'src.kind == dst.kind and src.kind in ["p", "x"]', lambda s, t, w: graph.kinds[s] == graph.kinds[t] == "p"
        ),
        where("dst.in_degree >= 2", lambda s, t, w: inward[t] >= 2),
        where("src.index < dst.index", lambda s, t, w: graph.nodes.index(s) < graph.nodes.index(t)),
    ]


def reverse(e: Expr) -> Expr:
    return Expr(
        f"~({e.text})",
        lambda s, t: {(b, a) for a, b in e.pairs(t, s)},
        None if e.domain is None else (e.domain[1], e.domain[0]),
    )


def sym(e: Expr) -> Expr:
    return Expr(f"sym({e.text})", lambda s, t: e.pairs(s, t) | {(b, a) for a, b in e.pairs(s, t)}, e.domain)


def join(symbol: str, a: Expr, b: Expr) -> Expr:
    combine = {"|": set.union, "&": set.intersection, "-": set.difference}[symbol]
    text = f"({a.text}) {symbol} ({b.text})"
    if a.domain is None and b.domain is None:
        return Expr(text, lambda s, t: combine(a.pairs(s, t), b.pairs(s, t)))
    domain = a.domain or b.domain
    if a.domain and b.domain and symbol == "|":
        domain = tuple(ordered_union(x, y) for x, y in zip(a.domain, b.domain, strict=True))
    other = a.domain or b.domain
    return Expr(text, lambda s, t: combine(whole(a, other), whole(b, other)), domain)


def compose(a: Expr, b: Expr) -> Expr:
    def pairs(s: list, t: list) -> set:
        first, second = a.pairs(*a.domain), b.pairs(*b.domain)
        return {(x, z) for (x, y), (y2, z) in product(first, second) if y == y2}

    return Expr(f"({a.text}) @ ({b.text})", pairs, (a.domain[0], b.domain[1]))


@st.composite
def expressions(draw, leaves: list[Expr], depth: int) -> Expr:
    if depth == 0:
        return draw(st.sampled_from(leaves))
    a = draw(expressions(leaves, depth - 1))
    operation = draw(st.sampled_from(["leaf", "~", "sym", "|", "&", "-", "@"]))
    if operation == "leaf":
        return a
    if operation == "~":
        return reverse(a)
    if operation == "sym":
        return sym(a) if a.domain is not None and a.domain[0] == a.domain[1] else reverse(a)
    b = draw(expressions(leaves, depth - 1))
    if operation == "@":
        return compose(a, b) if a.domain is not None and b.domain is not None else join("|", a, b)
    return join(operation, a, b)


@st.composite
def programs(draw):
    key_type = draw(st.sampled_from(sorted(KEYS)))
    g, h = draw(graphs(key_type)), draw(graphs(key_type))
    leaves = [leaf("g", g), leaf("h", h), *rules(), *filters("g", g)]
    return g, h, draw(expressions(leaves, 2))


def resolved_pairs(text: str, folder: Path) -> tuple[list | None, list[str]]:
    """The pairs of the one clause `y.x` in the order of the CSR rows, or None; and the codes of all diagnostics."""
    compiled = compile_plan(Source("model.gnn", text, folder), Settings())
    codes = [diagnostic.code for diagnostic in compiled.diagnostics]
    if compiled.resolution is None:
        return None, codes
    plan = compiled.resolution.plan
    body = plan.layer["y"].body
    assert isinstance(body, Combination)
    (clause,) = body.clauses
    sources, targets = plan.units["x"].keys.tolist(), plan.units["y"].keys.tolist()
    if isinstance(clause, DenseClause):
        return [(s, t) for t in targets for s in sources], codes
    assert isinstance(clause, SparseClause)
    (part,) = clause.parts
    part.csr.verify()
    rows, columns = part.csr.rows.tolist(), part.csr.indices.tolist()
    return [(sources[j], targets[i]) for i, j in zip(rows, columns, strict=True)], codes


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=programs(), bounded=st.booleans())
def test_every_expression_equals_a_double_loop(tmp_path: Path, program, bounded: bool) -> None:
    g, h, expr = program
    domain = ": g.nodes -> h.nodes" if bounded else ""
    text = (
        "gnn 1\n"
        + g.write(tmp_path, "g")
        + h.write(tmp_path, "h")
        + f"edges e{domain} = {expr.text}\n"
        + "input x[g.nodes]\n"
        + "output y[h.nodes] { from x via e }\n"
    )
    meant = expr.pairs(*(expr.domain or (g.nodes, h.nodes)))
    wanted = [(s, t) for t, s in product(h.nodes, g.nodes) if (s, t) in meant]
    pairs, codes = resolved_pairs(text, tmp_path)
    if not wanted:
        assert "E344" in codes, text
        return
    assert pairs == wanted, text


@dataclass(frozen=True)
class Typed:
    """A graph with relations: pairs by relation."""

    nodes: list
    edges: list


@st.composite
def typed_graphs(draw) -> Typed:
    nodes = draw(st.lists(st.sampled_from(KEYS["string"]), min_size=2, max_size=4, unique=True))
    triples = [(s, t, r) for s, t, r in product(nodes, nodes, ["up", "down", ""])]
    return Typed(nodes, draw(st.lists(st.sampled_from(triples), min_size=1, max_size=12, unique=True)))


TYPED = {
    "kg.edges": lambda e: e,
    'kg.edges["up"]': lambda e: {(s, t, r) for s, t, r in e if r == "up"},
    "~kg.edges": lambda e: {(t, s, r) for s, t, r in e},
    "sym(kg.edges)": lambda e: e | {(t, s, r) for s, t, r in e},
    'kg.edges - kg.edges["down"]': lambda e: {(s, t, r) for s, t, r in e if r != "down"},
    'kg.edges["up"] & ~kg.edges': lambda e: {(s, t, r) for s, t, r in e if r == "up" and (t, s, r) in e},
    'kg.edges["up"] | kg.edges["down"]': lambda e: {(s, t, r) for s, t, r in e if r},
    "kg.edges | same": lambda e: e | {(n, n, "") for s, t, r in e for n in (s, t)},
    'kg.edges[type == "up" or missing(type)]': lambda e: {(s, t, r) for s, t, r in e if r != "down"},
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=typed_graphs(), text=st.sampled_from(sorted(TYPED)))
def test_typed_expressions_work_per_relation(tmp_path: Path, graph: Typed, text: str) -> None:
    used = [n for n in graph.nodes if any(n in (s, t) for s, t, _ in graph.edges)]
    (tmp_path / "kg.csv").write_text("\n".join(["source,target,type", *map(",".join, graph.edges)]) + "\n")
    program = (
        'gnn 1\ngraph kg = read("kg.csv", type = type)\n'
        f"input x[kg.nodes]\noutput y[kg.nodes] {{ from x via {text} {{ weights = per_edge, init = zeros }} }}\n"
    )
    meant = TYPED[text](set(graph.edges))
    compiled = compile_plan(Source("model.gnn", program, tmp_path), Settings())
    if not meant:
        # a relation that the data does not have is E310; one that has no edge here is E344
        assert compiled.resolution is None
        assert {d.code for d in compiled.diagnostics} <= {"E310", "E344"}
        return
    if compiled.resolution is None:
        assert [d.code for d in compiled.diagnostics] == ["E310"], program
        return
    plan = compiled.resolution.plan
    (clause,) = plan.layer["y"].body.clauses
    keys = plan.units["x"].keys.tolist()
    assert sorted(keys) == sorted(used)
    found = []
    names = clause.relations or [None] * len(clause.parts)
    for part, name in zip(clause.parts, names, strict=True):
        part.csr.verify()
        for row, column in zip(part.csr.rows.tolist(), part.csr.indices.tolist(), strict=True):
            found.append((keys[column], keys[row], name))
    if clause.relations is not None:
        assert {(s, t, r or "") for s, t, r in found} == meant
        groups = sorted(int(g) for part in clause.parts for g in part.groups)
        assert groups == list(range(len(meant))), "each edge has a weight of its own"
    else:
        assert {(s, t) for s, t, _ in found} == {(s, t) for s, t, _ in meant}
        assert len(found) == len(meant), "a pair under several relations needs several parts"
    assert plan.parameter["y.x.weights"].shape == (len(meant),)


@pytest.mark.parametrize("key_type", sorted(KEYS))
def test_the_same_program_gives_the_same_bytes(tmp_path: Path, key_type: str) -> None:
    keys = KEYS[key_type]
    edges = {(keys[i], keys[j]): i + j for i in range(5) for j in range(6) if (i * 7 + j * 3) % 4}
    g = Graph(keys, dict.fromkeys(keys, "p"), edges)
    head = "gnn 1\n" + g.write(tmp_path, "g")
    body = (
        "edges r: g.nodes -> g.nodes = random(in_degree = 1..4)\n"
        "input x[g.nodes]\n"
        "layer h[g.nodes, 2] { from x via r from x via sym(g.edges) | same as near { weights = shared } }\n"
        "output y[3] { from h via all }\n"
    )
    moved = body.replace("edges r", "edges unused: g.nodes -> g.nodes = random(in_degree = 2)\nedges r")

    def arrays(text: str) -> dict[str, bytes]:
        compiled = compile_plan(Source("model.gnn", head + text, tmp_path), Settings(seed=3))
        assert compiled.resolution is not None, compiled.diagnostics
        plan, values = compiled.resolution.plan, compiled.resolution.values
        found = {name: value.tobytes() for name, value in values.items()}
        for clause in plan.layer["h"].body.clauses:
            found[clause.label] = b"".join(p.csr.indptr.tobytes() + p.csr.indices.tobytes() for p in clause.parts)
        return found

    assert arrays(body) == arrays(body)
    assert arrays(body) == arrays(moved), "draws depend on names and keys, not on the order of statements"


RANDOM = [
    "edges fixed: g.nodes -> g.nodes = random(in_degree = 2, among = all - same)",
    "edges some: g.nodes -> g.nodes = random(in_degree = 1..4)",
    "edges likely: g.nodes -> g.nodes = random(p = 0.4)",
    "edges listed = random(p = 0.5, among = g.edges)",
    "edges into = shuffled(g.edges, keep = in_degree)",
    "edges both = shuffled(g.edges, keep = both_degrees)",
    "edges number = shuffled(g.edges, keep = count)",
    "edges drawn = shuffled(random(in_degree = 3, among = g.edges, shortfall = all), keep = count)",
]


@pytest.mark.parametrize("key_type", sorted(KEYS))
def test_random_rules_depend_on_no_order_and_no_threads(tmp_path: Path, key_type: str) -> None:
    keys = KEYS[key_type]
    edges = {(keys[i], keys[j]): i + j for i in range(5) for j in range(6) if (i * 7 + j * 3) % 4}
    names = [line.split()[1].strip(":") for line in RANDOM]
    clauses = "\n".join(f"from x via {name} as {name}" for name in names)
    layer = f"input x[g.nodes]\noutput y[g.nodes] {{\n{clauses}\n}}\n"

    def pairs(statements: list[str], seed: int = 3) -> dict[str, bytes]:
        text = head + "\n".join(statements) + "\n" + layer
        compiled = compile_plan(Source("model.gnn", text, tmp_path), Settings(seed=seed))
        assert compiled.resolution is not None, compiled.diagnostics
        body = compiled.resolution.plan.layer["y"].body
        return {
            clause.label: b"".join(part.csr.indptr.tobytes() + part.csr.indices.tobytes() for part in clause.parts)
            for clause in body.clauses
        }

    head = "gnn 1\n" + Graph(keys, dict.fromkeys(keys, "p"), edges).write(tmp_path, "g")
    expected = pairs(RANDOM)
    assert pairs(RANDOM[::-1]) == expected
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(pairs, [RANDOM[i:] + RANDOM[:i] for i in range(8)])) == [expected] * 8
    other = pairs(RANDOM, seed=4)
    assert all(other[name] != expected[name] for name in ("some", "likely", "both", "number"))
    # rows of the edge table, and with them nothing of the canonical edges, stand in another order
    head = "gnn 1\n" + Graph(keys, dict.fromkeys(keys, "p"), dict(reversed(edges.items()))).write(tmp_path, "g")
    assert pairs(RANDOM) == expected
