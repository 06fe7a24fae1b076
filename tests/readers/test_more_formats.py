"""GML, node-link JSON, Matrix Market, Parquet and GMT: against the libraries that write them."""

import gzip
import hashlib
import json
import math

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import cells, edges

from graphnn_compiler.topology.readers import (
    GraphOptions,
    TableOptions,
    read_array,
    read_edge_table,
    read_graph,
)

FILES = [HealthCheck.function_scoped_fixture]
NAMES = st.sampled_from(["a", "b", "c & d", 'e "f"', "ü", "x&eacute;y", "[7]", "# no comment", "two\nlines"])
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "w": st.integers(-9, 9),
        "big": st.integers(-(2**31), 2**31 - 1),
        "x": st.floats(allow_nan=False),
        "note": st.sampled_from(["red", "a & b", " x ", "1", "long\ntext"]),
    },
)


def oracle_of(pairs, directed, nodes):
    oracle = nx.DiGraph() if directed else nx.Graph()
    oracle.add_nodes_from(nodes.items())
    oracle.add_edges_from(pairs)
    return oracle


def assert_same(graph, oracle):
    """The same nodes in the same order, edges and attributes."""
    assert graph.sources.keys.tolist() == list(oracle)
    both = oracle if oracle.is_directed() else oracle.to_directed()
    assert {k: {n: v for n, v in a.items() if v is not None} for k, a in edges(graph).items()} == {
        (s, t): data for s, t, data in both.edges(data=True)
    }
    for name, column in graph.sources.columns.items():
        assert cells(column) == [data.get(name) for _, data in oracle.nodes(data=True)]


GRAPHS = given(
    st.lists(st.tuples(NAMES, NAMES, ATTRIBUTES), max_size=8), st.booleans(), st.dictionaries(NAMES, ATTRIBUTES)
)


@settings(max_examples=60, deadline=None, suppress_health_check=FILES)
@GRAPHS
def test_gml_of_networkx(tmp_path, pairs, directed, nodes):
    oracle = oracle_of(pairs, directed, nodes)
    nx.write_gml(oracle, tmp_path / "g.gml.gz")
    assert_same(
        read_graph(tmp_path / "g.gml.gz", "g.gml.gz", GraphOptions(key="label"))
        if len(oracle)
        else read_graph(tmp_path / "g.gml.gz", "g.gml.gz", GraphOptions()),
        oracle,
    )


@settings(max_examples=60, deadline=None, suppress_health_check=FILES)
@GRAPHS
def test_node_link_of_networkx(tmp_path, pairs, directed, nodes):
    oracle = oracle_of(pairs, directed, nodes)
    for word in ("links", "edges"):
        (tmp_path / "g.json").write_text(json.dumps(nx.node_link_data(oracle, edges=word)))
        assert_same(read_graph(tmp_path / "g.json", "g.json", GraphOptions()), oracle)


def test_gml_as_people_have_it(tmp_path):
    """Comments, lists of drawing programs, `NAN`, a byte order mark, a text over several lines, CR LF and CR."""
    text = """# made by hand
Creator "me"
graph [
  comment "a ] b" directed 1 label "" bounds [ x 1 y [ z 2 ] ]
  node [ id 10 label "caf&#233; &quot;x&quot; &unknown; & co" graphics [ x 1.5 fill "#FFF" ] rank 1 ]
  node [ id -3 label "two
lines" rank 2.5 ] # a comment
  edge [ source 10 target -3 value NAN graphics [ ] ]
  edge [ source -3 target -3 value -INF ]
]
"""
    for ending in ("\n", "\r\n", "\r"):
        (tmp_path / "g.gml").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", ending).encode())
        graph = read_graph(tmp_path / "g.gml", "g.gml", GraphOptions())
        assert graph.sources.keys.tolist() == [10, -3]
        columns = {name: cells(column) for name, column in graph.sources.columns.items()}
        assert columns == {"label": ['café "x" &unknown; & co', "two\nlines"], "rank": [1.0, 2.5]}
        found = edges(graph)
        assert found.keys() == {(10, -3), (-3, -3)}
        assert math.isnan(found[10, -3]["value"])
        assert found[-3, -3]["value"] == -math.inf


def test_direction_and_keys_by_option(tmp_path):
    (tmp_path / "g.gml").write_text(
        'graph [ node [ id 1 label "7" ] node [ id 2 label "8" ] edge [ source 1 target 2 ] ]'
    )
    path = tmp_path / "g.gml"
    assert edges(read_graph(path, "g", GraphOptions())).keys() == {(1, 2), (2, 1)}
    assert edges(read_graph(path, "g", GraphOptions(directed=True, key="label"))).keys() == {(7, 8)}
    assert edges(read_graph(path, "g", GraphOptions(directed=True, key_type="string"))).keys() == {("1", "2")}
    (tmp_path / "g.json").write_text('{"nodes": [{"id": "1"}, {"id": "2"}], "links": [{"source": "1", "target": "2"}]}')
    found = read_graph(tmp_path / "g.json", "g", GraphOptions(directed=True))
    assert edges(found).keys() == {("1", "2")}
    assert edges(read_graph(tmp_path / "g.json", "g", GraphOptions(directed=False, key_type="int"))).keys() == {
        (1, 2),
        (2, 1),
    }


@pytest.mark.parametrize("kind", ["gml", "json"])
def test_parallel_edges_are_duplicates(tmp_path, kind):
    oracle = nx.MultiDiGraph([(0, 1, {"w": 1}), (0, 1, {"w": 2}), (1, 0, {"w": 5})])
    path = tmp_path / f"g.{kind}"
    if kind == "gml":
        nx.write_gml(oracle, path)
    else:
        path.write_text(json.dumps(nx.node_link_data(oracle, edges="links")))
    graph = read_graph(path, path.name, GraphOptions(duplicates="sum"))
    assert edges(graph) == {(0, 1): {"w": 3}, (1, 0): {"w": 5}}


def test_relations_of_a_node_link_file(tmp_path):
    links = [{"source": 1, "target": 2, "kind": "a"}, {"source": 1, "target": 2, "kind": "b"}]
    (tmp_path / "g.json").write_text(json.dumps({"directed": True, "nodes": [{"id": 1}, {"id": 2}], "links": links}))
    graph = read_graph(tmp_path / "g.json", "g.json", GraphOptions(type="kind"))
    assert edges(graph) == {(1, 2, "a"): {}, (1, 2, "b"): {}}


@settings(max_examples=60, deadline=None, suppress_health_check=FILES)
@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 4)), st.integers(-5, 5), max_size=9),
    st.sampled_from(["real", "integer", "pattern"]),
    st.booleans(),
)
def test_matrix_market_of_scipy(tmp_path, n, m, entries, field, symmetric):
    entries = {(i % n, j % m): value for (i, j), value in entries.items()}
    if symmetric:
        m = n
        entries = {(max(i, j % n), min(i, j % n)): value for (i, j), value in entries.items()}
        entries |= {(j, i): value for (i, j), value in entries.items()}
    pairs = list(entries)
    matrix = scipy.sparse.coo_array(
        (list(entries.values()), ([i for i, _ in pairs], [j for _, j in pairs])), shape=(n, m), dtype=float
    )
    scipy.io.mmwrite(tmp_path / "a.mtx", matrix, field=field, symmetry="symmetric" if symmetric else "general")
    weight = (lambda value: 1) if field == "pattern" else float if field == "real" else int
    expected = {pair: {"weight": weight(value)} for pair, value in entries.items()}
    graph = read_graph(tmp_path / "a.mtx", "a.mtx", GraphOptions())
    assert edges(graph) == expected
    assert (len(graph.sources), len(graph.targets), graph.bipartite) == (n, m, n != m)
    turned = read_graph(tmp_path / "a.mtx", "a.mtx", GraphOptions(rows="target"))
    assert edges(turned) == {(j, i): value for (i, j), value in expected.items()}


def test_dense_matrix_market(tmp_path):
    dense = np.array([[0, 1.5, 0], [2, 0, 0]])
    scipy.io.mmwrite(tmp_path / "a.mtx", dense)
    packed = gzip.compress((tmp_path / "a.mtx").read_bytes())
    (tmp_path / "a.mtx.gz").write_bytes(packed)
    for name in ("a.mtx", "a.mtx.gz"):
        graph = read_edge_table(tmp_path / name, name, TableOptions())
        assert edges(graph) == {(0, 1): {"weight": 1.5}, (1, 0): {"weight": 2.0}}
    assert graph.files == {"a.mtx.gz": hashlib.sha256(packed).hexdigest()}


def columns(cells, dtype):
    return st.lists(cells, min_size=6, max_size=6).map(lambda values: pa.array(values, dtype))


TEXTS = st.none() | st.sampled_from(["x", "ü", "7"])
COLUMN = st.one_of(
    columns(st.none() | st.integers(-(2**63), 2**63 - 1), pa.int64()),
    columns(st.none() | st.integers(0, 255), pa.uint8()),
    columns(st.none() | st.floats(allow_nan=False), pa.float64()),
    columns(st.none() | st.booleans(), pa.bool_()),
    columns(TEXTS, pa.string()),
    columns(TEXTS, pa.string()).map(lambda column: column.dictionary_encode()),
    st.just(pa.nulls(6)),
)
KEYS = columns(st.integers(-5, 5), pa.int32()) | columns(st.sampled_from(["a", "b", "1", "007"]), pa.large_string())


@settings(max_examples=60, deadline=None, suppress_health_check=FILES)
@given(KEYS, COLUMN)
def test_parquet_of_pyarrow(tmp_path, keys, column):
    targets = keys.take(pa.array([5, 4, 3, 2, 1, 0]))
    pq.write_table(pa.table({"source": keys, "target": targets, "c": column}), tmp_path / "e.parquet", row_group_size=4)
    graph = read_graph(tmp_path / "e.parquet", "e.parquet", GraphOptions(duplicates="first"))
    expected = {}
    for source, target, value in zip(keys.to_pylist(), targets.to_pylist(), column.to_pylist(), strict=True):
        expected.setdefault((source, target), {"c": value})
    assert edges(graph) == expected
    ends = [end for pair in zip(keys.to_pylist(), targets.to_pylist(), strict=True) for end in pair]
    assert graph.sources.keys.tolist() == list(dict.fromkeys(ends))


def test_parquet_as_node_table_relations_and_values(tmp_path):
    table = pa.table({"source": ["a", "a"], "target": ["b", "b"], "r": pa.array(["x", None])})
    pq.write_table(table, tmp_path / "e.parquet")
    pq.write_table(pa.table({"key": ["b", "c", "a"], "size": pa.array([1.5, None, 2])}), tmp_path / "n.parquet")
    path, nodes = tmp_path / "e.parquet", tmp_path / "n.parquet"
    graph = read_graph(path, "e.parquet", GraphOptions(type="r"), nodes, "n.parquet")
    assert edges(graph) == {("a", "b", "x"): {}, ("a", "b", None): {}}
    assert graph.sources.keys.tolist() == ["b", "c", "a"]
    assert cells(graph.sources.columns["size"]) == [1.5, None, 2.0]
    assert set(graph.files) == {"e.parquet", "n.parquet"}
    pq.write_table(pa.table({"key": [3, 1], "u": [1, 2], "v": [3, 4]}), tmp_path / "x.parquet")
    loaded = read_array(tmp_path / "x.parquet", "x.parquet")
    assert loaded.keys.tolist() == [3, 1]
    assert loaded.values.tolist() == [[1, 3], [2, 4]]


def test_gene_sets(tmp_path):
    (tmp_path / "s.gmt.gz").write_bytes(gzip.compress(b"P1\tfirst\tA\tB\t\t\r\nP2\t\tB\n\nEMPTY\tnobody\n"))
    graph = read_graph(tmp_path / "s.gmt.gz", "s.gmt.gz", GraphOptions())
    assert edges(graph).keys() == {("A", "P1"), ("B", "P1"), ("B", "P2")}
    assert graph.sources.keys.tolist() == ["P1", "A", "B", "P2", "EMPTY"]
    assert cells(graph.sources.columns["description"]) == ["first", None, None, None, "nobody"]
    table = read_edge_table(tmp_path / "s.gmt.gz", "s.gmt.gz", TableOptions())
    assert edges(table) == edges(graph)
