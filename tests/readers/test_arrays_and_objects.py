"""Matrices, array files and Python objects, with SciPy and NumPy as the oracle."""

import io
import zipfile
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import edges, refused

from graphnn_compiler.topology.readers import (
    GraphOptions,
    TableOptions,
    array_from_object,
    edge_table_from_object,
    graph_from_object,
    read_array,
    read_edge_table,
    read_graph,
)

CORA = Path(__file__).parents[3] / "shared" / "data" / "cora"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.lists(st.integers(-2, 2), min_size=16, max_size=16),
    st.sampled_from(["csr", "csc", "coo"]),
    st.sampled_from([None, "source", "target"]),
    st.booleans(),
)
def test_matrices(tmp_path, n, m, numbers, form, rows, stored_zeros):
    dense = np.array(numbers[: n * m], dtype=float).reshape(n, m)
    turned = dense.T if rows == "target" else dense
    expected = {(i, j): {"weight": turned[i, j]} for i, j in np.ndindex(turned.shape) if turned[i, j] or stored_zeros}
    i, j = np.nonzero(dense + 9 if stored_zeros else dense)
    sparse = sp.coo_array((dense[i, j], (i, j)), shape=dense.shape).asformat(form)
    sp.save_npz(tmp_path / "a.npz", sparse)
    options = GraphOptions(rows=rows)
    graphs = [graph_from_object(sparse, "a", options), read_graph(tmp_path / "a.npz", "a.npz", options)]
    if not stored_zeros:
        np.save(tmp_path / "a.npy", dense)
        graphs += [graph_from_object(dense, "a", options), read_graph(tmp_path / "a.npy", "a.npy", options)]
    for graph in graphs:
        assert edges(graph) == expected
        assert graph.bipartite == (n != m)
        assert graph.sources.keys.tolist() == list(range(turned.shape[0]))
        assert graph.targets.keys.tolist() == list(range(turned.shape[1]))
    assert list(graphs[1].files) == ["a.npz"]
    np.testing.assert_array_equal(read_array(tmp_path / "a.npz", "a.npz").values, dense)
    np.testing.assert_array_equal(array_from_object(sparse, "a").values, dense)


def test_undirected_matrix():
    a = np.array([[1.0, 2.0, 0.0], [2.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    assert edges(graph_from_object(a, "a", GraphOptions(directed=False))) == {
        (0, 0): {"weight": 1.0},
        (0, 1): {"weight": 2.0},
        (1, 0): {"weight": 2.0},
        (1, 2): {"weight": 3.0},
        (2, 1): {"weight": 3.0},
    }
    a[2, 1] = 4.0
    assert refused(lambda: graph_from_object(a, "a", GraphOptions(directed=False))) == (
        "E237: the matrix `a` is not symmetric, but `directed = false`: the two entries of 1 edge differ: `1 -- 2`\n"
        "--> a: this matrix\nhelp: write `directed = true`, or make the matrix symmetric"
    )


def test_columns_in_npz_and_objects(tmp_path):
    columns = {"head": np.array(["x", "y"]), "tail": np.array(["y", "x"]), "w": np.array([1, 2], dtype=np.uint8)}
    np.savez(tmp_path / "e.npz", **columns)
    expected = {("x", "y"): {"w": 1}, ("y", "x"): {"w": 2}}
    options = TableOptions(source="head", target="tail")
    assert edges(read_graph(tmp_path / "e.npz", "e.npz", GraphOptions(source="head", target="tail"))) == expected
    assert edges(read_edge_table(tmp_path / "e.npz", "e.npz", options)) == expected
    assert edges(edge_table_from_object(columns, "e", options)) == expected
    pair = (np.array([3, 1]), [1, 0])
    assert set(edges(edge_table_from_object(pair, "e", TableOptions(by="position")))) == {(3, 1), (1, 0)}
    assert len(edge_table_from_object(pair, "e", TableOptions(by="position")).sources) == 4


def test_networkx_multigraph_types_and_keys():
    graph = nx.MultiDiGraph([("a", "b", {"kind": "x"}), ("a", "b", {"kind": "y"})])
    assert set(edges(graph_from_object(graph, "g", GraphOptions(type="kind")))) == {("a", "b", "x"), ("a", "b", "y")}
    assert refused(lambda: graph_from_object(graph, "g", GraphOptions())).startswith(
        "E216: `g` lists 1 edge more than once: `a -> b`\n--> g: `a -> b` is listed here"
    )
    assert refused(lambda: graph_from_object(nx.Graph([(1, "a")]), "g", GraphOptions())) == (
        "E219: the nodes of `g` are of type `int` and `str`; keys are all 64-bit integers or all strings\n"
        "--> g: this graph\nhelp: rename them, as with `networkx.relabel_nodes(graph, str)`"
    )
    assert "E219" in refused(lambda: graph_from_object(nx.Graph([(True, False)]), "g", GraphOptions()))
    assert "E219" in refused(lambda: graph_from_object(nx.Graph([(2**63, 0)]), "g", GraphOptions()))
    positions = nx.Graph([(0, 1, {"at": (1, 2)})])
    assert refused(lambda: graph_from_object(positions, "g", GraphOptions())) == (
        "E241: the edge attribute `at` of `g` holds values of type `tuple`, which no column can hold\n"
        "--> g: 1 value of this attribute\n"
        "help: use numbers, strings or booleans, one of them throughout, or remove the attribute"
    )


def test_values(tmp_path):
    np.savez(tmp_path / "x.npz", keys=np.array(["a", "b"]), values=np.eye(2, dtype=np.float32))
    loaded = read_array(tmp_path / "x.npz", "x.npz")
    assert (loaded.keys.tolist(), loaded.values.dtype) == (["a", "b"], np.float32)
    np.savez(tmp_path / "y.npz", u=np.arange(3), v=np.array([True, False]))
    assert read_array(tmp_path / "y.npz", "y.npz", name="v").values.tolist() == [1, 0]
    assert refused(lambda: read_array(tmp_path / "y.npz", "y.npz", name="w")) == (
        "E233: `y.npz` holds 2 arrays, none of them called `w`\n--> y.npz: it holds `u`, `v`\n"
        "help: name one of them with `name =`: `u`, `v`"
    )
    (tmp_path / "t.csv").write_text("key,a,b\nn1,1,2.5\nn0,3,4\n")
    loaded = read_array(tmp_path / "t.csv", "t.csv")
    assert (loaded.keys.tolist(), loaded.values.tolist()) == (["n1", "n0"], [[1, 2.5], [3, 4]])
    (tmp_path / "l.csv").write_text("id,label\n1,red\n2,blue\n")
    loaded = read_array(tmp_path / "l.csv", "l.csv", key="id")
    assert (loaded.keys.tolist(), loaded.values.tolist()) == ([1, 2], ["red", "blue"])
    (tmp_path / "m.csv").write_text("key,a\n1,\n")
    assert refused(lambda: read_array(tmp_path / "m.csv", "m.csv")) == (
        "E242: the column `a` of `m.csv` has 1 empty cell, and an input has a value for every unit\n"
        "--> m.csv:2: `a` is empty here\nhelp: fill the cells, or leave the rows out"
    )


@pytest.mark.skipif(not CORA.exists(), reason="the shared Cora data is not on this machine")
def test_cora_features():
    values = read_array(CORA / "features.npz", "features.npz").values
    assert (values.shape, values.dtype) == ((2708, 1433), np.float32)
    np.testing.assert_array_equal(values, sp.load_npz(CORA / "features.npz").toarray())


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def header(shape, dtype="<f8"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (npy(np.array([[{}]], dtype=object)), "E230"),
        (npy(np.eye(3))[:-5], "E231"),
        (b"", "E231"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "E231"),
        (header("(1000000, 1000000)"), "E232"),
        (header("(100000, 1000)"), "E231"),
        (header("(-1, -1)") + bytes(8), "E231"),
        (header("(1, 1)", "<c16") + bytes(16), "E239"),
        (header("(1, 1)", "nonsense"), "E231"),
        (npy(np.array([[np.nan]])), "E236"),
        (npy(np.zeros(3)), "E234"),
        (npy(np.zeros((1, 1, 1, 1))), "E234"),
        (npy(np.array([["a"]])), "E239"),
        (npy(np.array([[2**63]], dtype=np.uint64)), "E239"),
    ],
)
def test_bad_npy(tmp_path, content, code):
    (tmp_path / "a.npy").write_bytes(content)
    assert refused(lambda: read_graph(tmp_path / "a.npy", "a.npy", GraphOptions())).startswith(code)


def test_bad_npy_messages(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(np.array([[{}]], dtype=object)))
    assert refused(lambda: read_graph(tmp_path / "a.npy", "a.npy", GraphOptions())) == (
        "E230: `a.npy` holds Python objects (pickle), which are never loaded\n--> a.npy: this file\n"
        "help: save numbers or text: `array.astype(float)`, `array.astype(str)`"
    )
    (tmp_path / "a.npy").write_bytes(header("(1000000, 1000000)"))
    assert refused(lambda: read_graph(tmp_path / "a.npy", "a.npy", GraphOptions())) == (
        "E232: `a.npy` is too large: 1,000,000 x 1,000,000 x 8 bytes = 7.3 TiB\n--> a.npy: this data\n"
        "help: keep it sparse, or make it smaller"
    )


GOOD = {
    "format": np.array(b"csr"),
    "shape": np.array([2, 2]),
    "data": np.ones(2),
    "indices": np.array([0, 1]),
    "indptr": np.array([0, 1, 2]),
}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"indptr": np.array([0, 2, 1])}, "E235"),
        ({"indptr": np.array([0, 2])}, "E235"),
        ({"indptr": np.array([], dtype=int)}, "E235"),
        ({"indices": np.array([0, 2])}, "E235"),
        ({"indices": np.array([0, -1])}, "E235"),
        ({"indices": np.array([0.0, 1.0])}, "E235"),
        ({"data": np.ones(3)}, "E235"),
        ({"shape": np.array([2])}, "E235"),
        ({"shape": np.array([2, 10**12])}, "E232"),
        ({"format": np.array(b"bsr")}, "E235"),
        ({"format": np.array([], dtype="S3")}, "E235"),
        ({"indptr": np.array([0, 2, 2]), "indices": np.array([1, 1])}, "E216"),
    ],
)
def test_bad_sparse(tmp_path, change, code):
    np.savez(tmp_path / "a.npz", **GOOD)
    assert set(edges(read_graph(tmp_path / "a.npz", "a.npz", GraphOptions()))) == {(0, 0), (1, 1)}
    np.savez(tmp_path / "a.npz", **{**GOOD, **change})
    assert refused(lambda: read_graph(tmp_path / "a.npz", "a.npz", GraphOptions())).startswith(code)


def test_bad_zip(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(10_000.0).reshape(100, 100))
    whole = (tmp_path / "a.npz").read_bytes()
    for content in (whole[:-30], b"", b"no zip", whole[:200] + b"\0" * 50 + whole[250:]):
        (tmp_path / "a.npz").write_bytes(content)
        assert refused(lambda: read_graph(tmp_path / "a.npz", "a.npz", GraphOptions())).startswith("E231")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("notes.txt", "hello")
    assert refused(lambda: read_array(tmp_path / "a.npz", "a.npz")).startswith("E233: `a.npz` holds no array")


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"source": [1], "target": ["a"]}, "E219"),
        ({"source": [1.5], "target": [1.0]}, "E219"),
        ({"source": [1, 2], "target": [1]}, "E234"),
        ({"source": [[1]], "target": [1]}, "E234"),
        ({"source": ["a", ""], "target": ["b", "c"]}, "E212"),
        ({"source": [1], "target": [2], "w": [{}]}, "E239"),
        ({"source": [1]}, "E211"),
    ],
)
def test_bad_columns(columns, code):
    assert refused(lambda: edge_table_from_object(columns, "t", TableOptions())).startswith(code)


def test_columns_and_pairs_are_graphs():
    columns = {"a": ["x", "y"], "b": ["y", "z"], "w": [1.5, 2.5]}
    graph = graph_from_object(columns, "roads", GraphOptions(source="a", target="b", nodes="n.csv", key="id"))
    assert graph.sources.keys.tolist() == ["x", "y", "z"]
    assert graph.edges.columns["w"].values.tolist() == [1.5, 2.5]
    pair = graph_from_object(([3, 1], [1, 2]), "roads", GraphOptions(directed=False))
    assert pair.sources.keys.tolist() == [3, 1, 2]
    assert len(pair.edges) == 4


def test_bad_objects():
    assert refused(lambda: graph_from_object({1, 2}, "roads", GraphOptions())) == (
        "E240: the data bound to `roads` is of type `set`, which is not read\n--> roads: bound with `data=`\n"
        "help: bind a NetworkX graph, a matrix of SciPy or NumPy, a mapping of columns or a (source, target) pair"
    )
    assert refused(lambda: edge_table_from_object("a", "t", TableOptions())).startswith("E240")
    assert refused(lambda: array_from_object("a", "x")).startswith("E240")
    assert refused(lambda: graph_from_object(np.ones((2, 3)), "a", GraphOptions(directed=False))).startswith("E238")
    assert refused(lambda: graph_from_object(np.eye(2), "a", GraphOptions(source="a", type="b"))) == (
        "E218: `type =` does not apply to a matrix\n--> a: this is a matrix\nhelp: remove 1 option"
    )
    assert refused(lambda: array_from_object([[1], [1, 2]], "x")).startswith("E239")
