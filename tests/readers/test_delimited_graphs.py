"""Tables of edges and nodes against a brute-force reader made of the csv module and dicts."""

import csv
import hashlib
import io
import math
import re
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import cells, edges

from graphnn_compiler.topology.readers import GraphOptions, TableOptions, read_edge_table, read_graph

CORA = Path(__file__).parents[3] / "shared" / "data" / "cora"
SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

KEYS = st.sampled_from(["1", "2", "3", "-4", "10", "9223372036854775807"])
ODD_KEYS = KEYS | st.sampled_from(
    ["007", "+1", "1.0", "-0", "a", "b,c", 'd"e', "f\ng", " 1", "9223372036854775808", "ü"]
)
WHOLE = st.integers(-5, 5).map(str)
REAL = st.sampled_from(["0.5", "-1e3", "2", ".25", "3.", "+1.5"])
WORDS = st.sampled_from(["x", "y z", "007", "TRUE", "1", "0.5"])
CELLS = st.sampled_from(["int", "real", "bool", "word"]).flatmap(
    lambda kind: st.lists(
        {"int": WHOLE, "real": REAL, "bool": st.sampled_from(["true", "False"]), "word": WORDS}[kind] | st.just(""),
        min_size=12,
        max_size=12,
    )
)


def write(path, header, rows, newline="\n"):
    text = io.StringIO()
    csv.writer(text, lineterminator=newline).writerows([header, *rows])
    path.write_bytes(text.getvalue().encode())
    return path


def typed(texts):
    """A column by the letter of the rule."""
    filled = [t for t in texts if t]
    if not filled:
        return [None] * len(texts)
    if all(is_decimal(t) for t in filled):
        parse = int
    elif all(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", t) and not re.match(r"[+-]?0\d", t) for t in filled):
        parse = float
    elif all(t.lower() in ("true", "false") for t in filled):
        parse = {"true": True, "false": False}.__getitem__
        texts = [t.lower() for t in texts]
    else:
        parse = str
    return [parse(t) if t else None for t in texts]


def is_decimal(text):
    return bool(re.fullmatch(r"0|-?[1-9]\d*", text)) and -(2**63) <= int(text) < 2**63


def typed_keys(columns):
    if all(is_decimal(t) for column in columns for t in column):
        return [[int(t) for t in column] for column in columns]
    return columns


@SETTINGS
@given(st.data())
def test_keys_order_attributes_and_direction(tmp_path, data):
    pairs = data.draw(st.lists(st.tuples(ODD_KEYS, ODD_KEYS) | st.tuples(KEYS, KEYS), max_size=12))
    directed = data.draw(st.booleans())
    seen, rows = set(), []
    for pair, cell in zip(pairs, data.draw(CELLS), strict=False):
        identity = pair if directed else tuple(sorted(pair))
        if identity not in seen:
            seen.add(identity)
            rows.append([pair[0], cell, pair[1]])
    newline = data.draw(st.sampled_from(["\n", "\r\n"]))
    path = write(tmp_path / "e.csv", ["source", "w", "target"], rows, newline)
    graph = read_graph(path, "e.csv", GraphOptions(directed=directed))

    sources, targets = typed_keys([[r[0] for r in rows], [r[2] for r in rows]])
    order = list(dict.fromkeys(key for pair in zip(sources, targets, strict=True) for key in pair))
    assert graph.sources.keys.tolist() == order
    assert graph.targets is graph.sources
    expected = {}
    for s, t, w in zip(sources, targets, typed([r[1] for r in rows]), strict=True):
        expected[s, t] = {"w": w}
        if not directed:
            expected[t, s] = {"w": w}
    assert edges(graph) == expected


@SETTINGS
@given(st.data())
def test_node_table_gives_order_and_key_type(tmp_path, data):
    names = data.draw(st.lists(ODD_KEYS | st.just("z"), min_size=1, max_size=8, unique=True))
    attributes = data.draw(CELLS)[: len(names)]
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), unique=True, max_size=10))
    edge_path = write(tmp_path / "e.csv", ["source", "target"], pairs)
    node_path = write(tmp_path / "n.csv", ["id", "a"], zip(names, attributes, strict=True))
    graph = read_graph(edge_path, "e.csv", GraphOptions(key="id", nodes="n.csv"), node_path, "n.csv")
    (keys, *_) = typed_keys([names])
    assert graph.sources.keys.tolist() == keys
    assert cells(graph.sources.columns["a"]) == typed(attributes)
    name_of = dict(zip(names, keys, strict=True))
    assert set(edges(graph)) == {(name_of[s], name_of[t]) for s, t in pairs}
    assert graph.files == {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (edge_path, node_path)}


def merged(values, how):
    present = [v for v in values if v is not None]
    if how in ("first", "last"):
        return values[0 if how == "first" else -1]
    if not present:
        return None
    return {"sum": sum, "mean": statistics.fmean, "min": min, "max": max}[how](present)


@SETTINGS
@given(
    st.lists(
        st.tuples(KEYS, KEYS, st.sampled_from(["p", "q", ""]), WHOLE | st.just(""), REAL | st.just("")), max_size=12
    ),
    st.sampled_from(["sum", "mean", "min", "max", "first", "last"]),
    st.booleans(),
    st.booleans(),
)
def test_duplicates_are_merged(tmp_path, rows, how, directed, with_type):
    path = write(tmp_path / "e.csv", ["source", "target", "kind", "w", "x"], rows)
    rows = [list(row) if with_type else [*row[:2], "", *row[3:]] for row in rows]
    if not with_type:
        path = write(tmp_path / "e.csv", ["source", "target", "kind", "w", "x"], rows)
    options = GraphOptions(directed=directed, duplicates=how, type="kind" if with_type else None)
    graph = read_graph(path, "e.csv", options)
    sources, targets = typed_keys([[r[0] for r in rows], [r[1] for r in rows]])
    order = list(dict.fromkeys(key for pair in zip(sources, targets, strict=True) for key in pair))
    groups = {}
    values = zip(sources, targets, rows, typed([r[3] for r in rows]), typed([r[4] for r in rows]), strict=True)
    for s, t, row, w, x in values:
        ends = (s, t) if directed else tuple(sorted((s, t), key=order.index))
        groups.setdefault((*ends, row[2] or None), []).append((w, x))
    expected = {}
    for (s, t, kind), members in groups.items():
        attributes = {name: merged([m[i] for m in members], how) for i, name in enumerate(("w", "x"))}
        for ends in ((s, t),) if directed else ((s, t), (t, s)):
            expected[(*ends, kind) if with_type else ends] = attributes
    found = edges(graph)
    assert set(found) == set(expected)
    for identity, attributes in expected.items():
        for name, value in attributes.items():
            got = found[identity][name]
            assert got == value if value is None or got is None else math.isclose(got, value, rel_tol=1e-12)
    if with_type:
        first = list(dict.fromkeys(r[2] for r in rows if r[2]))
        assert list(graph.edges.relations.names) == first


@pytest.mark.parametrize(
    ("how", "values", "expected", "dtype"),
    [
        ("sum", ["1", "2"], 3, np.int64),
        ("mean", ["1", "2"], 1.5, np.float64),
        ("max", ["-1", ""], -1, np.int64),
        ("min", ["0.5", "nan"], math.nan, np.float64),
    ],
)
def test_merged_type(tmp_path, how, values, expected, dtype):
    path = write(tmp_path / "e.csv", ["source", "target", "w"], [["a", "b", v] for v in values])
    column = read_graph(path, "e.csv", GraphOptions(duplicates=how)).edges.columns["w"]
    assert column.values.dtype == dtype
    np.testing.assert_array_equal(column.values, [expected])


def test_text_that_agrees_survives_a_sum(tmp_path):
    rows = [["a", "b", "1", "red", ""], ["a", "b", "2", "red", ""], ["b", "a", "4", "", "yes"]]
    path = write(tmp_path / "e.csv", ["source", "target", "w", "colour", "note"], rows)
    assert edges(read_graph(path, "e.csv", GraphOptions(duplicates="sum"))) == {
        ("a", "b"): {"w": 3, "colour": "red", "note": None},
        ("b", "a"): {"w": 4, "colour": None, "note": "yes"},
    }


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "-2", ""], [1, -2, None]),
        (["1", "2.5"], [1.0, 2.5]),
        (["007", "1"], ["007", "1"]),
        (["-07.5", "1"], ["-07.5", "1"]),
        (["+1", "2"], [1.0, 2.0]),
        (["-0", "1"], [-0.0, 1.0]),
        (["TRUE", "false", ""], [True, False, None]),
        (["true", "1"], ["true", "1"]),
        (["", ""], [None, None]),
        (["inf", "-Infinity"], [math.inf, -math.inf]),
        (["nan(1)", "1"], ["nan(1)", "1"]),
        (["NA", "1"], ["NA", "1"]),
        (["null", "None"], ["null", "None"]),
        ([" 1", "2"], [" 1", "2"]),
        (["0x10", "1"], ["0x10", "1"]),
        (["1_000", "1"], ["1_000", "1"]),
        (["9223372036854775808", "1"], [9223372036854775808.0, 1.0]),
        (["-9223372036854775808", "1"], [-(2**63), 1]),
        (["2024-01-01", "1"], ["2024-01-01", "1"]),
        (['say "yes"', "a,b\nc"], ['say "yes"', "a,b\nc"]),
    ],
)
def test_attribute_types(tmp_path, texts, expected):
    path = write(tmp_path / "e.csv", ["source", "target", "w"], [["0", str(i), t] for i, t in enumerate(texts)])
    column = read_graph(path, "e.csv", GraphOptions()).edges.columns["w"]
    found = cells(column)
    assert found == expected
    assert [type(f) for f in found] == [type(e) for e in expected]


def test_an_empty_column_is_missing_reals(tmp_path):
    path = write(tmp_path / "e.csv", ["source", "target", "w"], [["a", "b", ""]])
    column = read_graph(path, "e.csv", GraphOptions()).edges.columns["w"]
    assert column.values.dtype == np.float64
    assert column.missing.tolist() == [True]


def test_more_distinct_texts_than_one_batch(tmp_path):
    rows = [[f"n{i}", f"n{i + 1}", f"text number {i}"] for i in range(70_000)]
    graph = read_graph(write(tmp_path / "e.csv", ["source", "target", "note"], rows), "e.csv", GraphOptions())
    assert graph.sources.keys.tolist() == [f"n{i}" for i in range(70_001)]
    assert graph.edges.columns["note"].values.tolist() == [row[2] for row in rows]


@pytest.mark.parametrize(
    "text", ["source,target", "source,target\n", "\ufeffsource,target\r\n", "\n\nsource,target\n\n"]
)
def test_header_only_is_a_graph_without_edges(tmp_path, text):
    (tmp_path / "e.csv").write_bytes(text.encode())
    write(tmp_path / "n.csv", ["id"], [["a"], ["b"]])
    graph = read_graph(tmp_path / "e.csv", "e.csv", GraphOptions())
    assert (len(graph.sources), len(graph.edges)) == (0, 0)
    options = GraphOptions(key="id", directed=False, duplicates="mean")
    graph = read_graph(tmp_path / "e.csv", "e.csv", options, tmp_path / "n.csv", "n.csv")
    assert (graph.sources.keys.tolist(), len(graph.edges)) == (["a", "b"], 0)


def test_byte_order_mark_blank_lines_tabs_and_old_line_ends(tmp_path):
    (tmp_path / "e.tsv").write_bytes(b"\xef\xbb\xbfsource\ttarget\tw\r\r1\t2\t0.5\r\r2\t3\t1\r")
    graph = read_graph(tmp_path / "e.tsv", "e.tsv", GraphOptions())
    assert edges(graph) == {(1, 2): {"w": 0.5}, (2, 3): {"w": 1.0}}


def test_key_type_overrides(tmp_path):
    path = write(tmp_path / "e.csv", ["source", "target"], [["1", "2"]])
    assert read_graph(path, "e.csv", GraphOptions(key_type="string")).sources.keys.tolist() == ["1", "2"]
    assert read_graph(path, "e.csv", GraphOptions(key_type="int")).sources.keys.tolist() == [1, 2]


def test_one_text_key_in_the_node_table_makes_all_keys_text(tmp_path):
    edge_path = write(tmp_path / "e.csv", ["source", "target"], [["1", "2"]])
    node_path = write(tmp_path / "n.csv", ["key"], [["2"], ["1"], ["x"]])
    graph = read_graph(edge_path, "e.csv", GraphOptions(), node_path, "n.csv")
    assert graph.sources.keys.tolist() == ["2", "1", "x"]
    assert set(edges(graph)) == {("1", "2")}


def test_columns_may_stand_anywhere_and_share_both_ends(tmp_path):
    path = write(tmp_path / "e.csv", ["w", "tail", "head"], [["1", "b", "a"]])
    graph = read_graph(path, "e.csv", GraphOptions(source="head", target="tail"))
    assert edges(graph) == {("a", "b"): {"w": 1}}
    graph = read_graph(path, "e.csv", GraphOptions(source="head", target="head"))
    assert edges(graph) == {("a", "a"): {"w": 1, "tail": "b"}}


def test_table_by_key_and_by_position(tmp_path):
    path = write(tmp_path / "t.csv", ["source", "target", "w"], [["3", "1", "0.5"], ["1", "0", ""]])
    by_key = read_edge_table(path, "t.csv", TableOptions())
    assert by_key.sources.keys.tolist() == [3, 1, 0]
    by_position = read_edge_table(path, "t.csv", TableOptions(by="position"))
    assert by_position.sources.keys.tolist() == [0, 1, 2, 3]
    assert edges(by_position) == edges(by_key) == {(3, 1): {"w": 0.5}, (1, 0): {"w": None}}
    empty = write(tmp_path / "empty.csv", ["source", "target"], [])
    assert len(read_edge_table(empty, "empty.csv", TableOptions(by="position")).sources) == 0


@pytest.mark.skipif(not CORA.exists(), reason="the shared Cora data is not on this machine")
def test_cora():
    options = GraphOptions(key="id", directed=False)
    graph = read_graph(CORA / "edges.csv", "edges.csv", options, CORA / "nodes.csv", "nodes.csv")
    pairs = [tuple(map(int, row)) for row in list(csv.reader((CORA / "edges.csv").read_text().splitlines()))[1:]]
    assert (len(graph.sources), len(pairs), len(graph.edges)) == (2708, 5278, 2 * 5278)
    assert set(edges(graph)) == {*pairs, *((t, s) for s, t in pairs)}
    assert [c.values.dtype.kind for c in graph.sources.columns.values()] == ["i", "T"]
