"""Every way in which GML, JSON, Matrix Market, GMT and Parquet files can be wrong.

The full text of each refusal stands in `refused_formats.txt`, under what was read. To write it anew after a change of
wording, run the tests with GNN_UPDATE_EXPECTED=1 in the environment, and read the difference.
"""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from reading import refused

from graphnn_compiler.topology.readers import GraphOptions, TableOptions, read_array, read_edge_table, read_graph

G = "{" + '"directed": true, "nodes": [{"id": "a"}], '
H = b"%%MatrixMarket matrix coordinate real general\n"
BAD = [
    ("g.gml", b"graph [ node [ id 1 ] $ ]"),
    ("g.gml", b"graph [\n node [ id 1 ]\n"),
    ("g.gml", b'graph [ node [ id 1 \n label "x ] ]\n'),
    ("g.gml", b"graph [ node [ id ] ]"),
    ("g.gml", b"graph [ directed yes ]"),
    ("g.gml", b"graph [ 7 ]"),
    ("g.gml", b"graph [ x [ y [ ]\n"),
    ("g.gml", b"graph [ id 123456789012345678901234567890 ]"),
    ("g.gml", b'graph [ label "caf\xe9" ]'),
    ("g.gml", b"graph [ ]\0"),
    ("g.gml", b'Creator "me"'),
    ("g.gml", b"graph [ ]\ngraph [ ]"),
    ("g.gml", b"graph [ directed 2 ]"),
    ("g.gml", b'graph [\n node [ label "x" ] ]'),
    ("g.gml", b"graph [ node [ id 1 ]\n edge [ source 1 ] ]"),
    ("g.gml", b'graph [ node [ id "a" ] ]'),
    ("g.gml", b"graph [ node [ id 9223372036854775808 ] ]"),
    ("g.gml", b'graph [ node [ id 1 w 1 ]\n node [ id 2 w "x" ] ]'),
    ("g.gml", b"graph [ node [ id 1 w 1 w 2 ] ]"),
    ("g.gml", b"graph [ node [ id 1 id 2 ] ]"),
    ("g.gml", b"graph [ node [ id 1 w 9223372036854775808 ] ]"),
    ("g.gml", b"graph [ node [ id 1 ]\n node [ id 1 ] ]"),
    ("g.gml", b"graph [ node [ id 1 ]\n edge [ source 1 target 2 ] ]"),
    ("g.gml", b"<graphml/>"),
    ("g.json", b'{"nodes": [\n1,]}'),
    ("g.json", b""),
    ("g.json", b"[" * 100000),
    ("g.json", b'{"a": 1, "a": 2}'),
    ("g.json", b'{"a": ' + b"9" * 5000 + b"}"),
    ("g.json", b'{"nodes": "\xff"}'),
    ("g.json", b"[]"),
    ("g.json", b'{"name": "x", "children": []}'),
    ("g.json", b'{"nodes": {}, "links": []}'),
    ("g.json", b'{"nodes": [], "links": [], "edges": []}'),
    ("g.json", b'{"nodes": [], "links": [], "directed": 1}'),
    ("g.json", b'{"nodes": [], "links": []}'),
    ("g.json", (G + '"links": [7]}').encode()),
    ("g.json", (G + '"links": [{"source": "a"}]}').encode()),
    ("g.json", (G + '"links": [{"source": "a", "target": 0}]}').encode()),
    ("g.json", (G + '"links": [{"source": "a", "target": 1.0}]}').encode()),
    ("g.json", (G + '"links": [{"source": "a", "target": ["a", 1]}]}').encode()),
    ("g.json", (G + '"links": [{"source": "a", "target": true}]}').encode()),
    ("g.json", (G + '"links": [{"source": "a", "target": "b"}]}').encode()),
    ("g.json", (G + '"links": [{"source": "a", "target": "a", "w": [1]}]}').encode()),
    ("g.json", (G + '"links": [{"source": "a", "target": "a", "w": 9223372036854775808}]}').encode()),
    (
        "g.json",
        (G + '"links": [{"source": "a", "target": "a", "w": 1}, {"source": "a", "target": "a", "w": true}]}').encode(),
    ),
    ("g.json", (G + '"links": [{"source": "a", "target": "a"}, {"source": "a", "target": "a"}]}').encode()),
    ("g.json", b'{"directed": true, "nodes": [{"id": 1}, {"id": 1}], "links": []}'),
    ("g.json", b'{"directed": true, "nodes": [{"name": "x"}], "links": []}'),
    ("a.mtx", b""),
    ("a.mtx", b"1 1 1\n"),
    ("a.mtx", H.replace(b"real", b"complex")),
    ("a.mtx", H.replace(b"general", b"skew-symmetric")),
    ("a.mtx", H.replace(b" general", b"")),
    ("a.mtx", b"%%MatrixMarket matrix array pattern general\n"),
    ("a.mtx", H),
    ("a.mtx", H + b"% none\n2 2\n1 1 1\n"),
    ("a.mtx", H + b"2 2 1000000000000\n1 1 1\n"),
    ("a.mtx", H.replace(b"coordinate", b"array") + b"1000000 1000000\n1\n"),
    ("a.mtx", H.replace(b"coordinate", b"array") + b"1000 1000\n1\n"),
    ("a.mtx", H.replace(b"general", b"symmetric") + b"2 3 1\n1 1 1\n"),
    ("a.mtx", H + b"1000000000000 2 1\n1 1 1\n"),
    ("a.mtx", H + b"2 2 2\n1 1 1\n3 1 1\n"),
    ("a.mtx", H + b"2 2 2\n1 1 1\n1 1 x\n"),
    ("a.mtx", H + b"2 2 2\n1 1 1000000\n"),
    ("a.mtx", H + b"2 2 1\n1 1 1\n1 2 1\n"),
    ("a.mtx", H + b"2 2 2\n1 1 1\n1 1 2\n"),
    ("a.mtx", H.replace(b"real", b"integer") + b"2 2 1\n1 1 99999999999999999999\n"),
    ("a.mtx", H.replace(b"coordinate", b"array") + b"1 1\nnan\n"),
    ("a.mtx", H.replace(b"general", b"symmetric") + b"3 3 3\n1 1 1\n2 2 1id"),
    ("a.mtx", H.replace(b"general", b"symmetric") + b"3 3 3\n1 1 1\n2 2 1"),
    ("a.mtx", H + b"2 2 1\n1 1\n"),
    ("a.mtx", H + b"2 2 1\n0 1 1\n"),
    ("a.mtx", H + b"2 2 1\n1.0 1 1\n"),
    ("a.mtx", H + b"2 2 1\n1 1 \xff\n"),
    ("a.mtx", H + b"2 2 0\n1 1 1\n"),
    ("a.mtx", H + b"2 2 1\n1 1 " + b"9" * 70_000 + b"\n"),
    ("a.mtx", H.replace(b"real", b"pattern") + b"2 2 1\n1 1 1\n"),
    ("a.mtx", H.replace(b"coordinate", b"array") + b"2 2\n1 2\n3 4\n"),
    ("g.json", b'{"directed": true, "nodes": [{"id": "\\ud800"}], "links": []}'),
    ("g.json", b'{"directed": true, "nodes": [{"id": "a", "\\udfff": 1}], "links": []}'),
    ("g.gml", b"graph \x1c\n[ directed 1 ]\n"),
    ("g.gml", b"graph [ node [ id 0 ] \xc2\x85 \n]"),
    ("g.graphml", b'<?xml version="1.0" encoding="utf-9"?>\n<graphml/>\n'),
    ("s.gmt", b"set\n"),
    ("s.gmt", b"\td\ta\n"),
    ("s.gmt", b"p\td\ta\t\tb\n"),
    ("s.gmt", b"p\td\ta\n\np\te\tb\n"),
    ("s.gmt", b"p\td\ta\ta\n"),
    ("s.gmt", b"p\td\t\xff\n"),
    ("e.parquet", b"PAR1"),
    ("e.parquet", b"source,target\n"),
]

EXPECTED = Path(__file__).parent / "refused_formats.txt"


def test_refused_formats(tmp_path):
    said = []
    for number, (name, content) in enumerate(BAD):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / name
        path.write_bytes(content)
        text = refused(lambda path=path: read_graph(path, path.name, GraphOptions()))
        start = repr(content)[1:] if len(content) < 200 else f"{content[:20]!r}.."
        said.append(f"### {name} {start}\n{text}\n")
    found = "\n".join(said)
    if os.environ.get("GNN_UPDATE_EXPECTED") == "1":
        EXPECTED.write_text(found, encoding="utf-8")
    assert found == EXPECTED.read_text(encoding="utf-8")


def parquet(path, **columns):
    pq.write_table(pa.table({"source": ["a"], "target": ["b"], **columns}), path)
    return lambda: read_graph(path, path.name, GraphOptions())


def test_refused_parquet_columns(tmp_path):
    path = tmp_path / "e.parquet"
    assert refused(parquet(path, when=pa.array([0], pa.timestamp("s")))) == (
        "E265: the column `when` of `e.parquet` is of type `timestamp[ms]`, which no column of a graph can hold\n"
        "--> e.parquet: this column\nhelp: write it as integers, reals, booleans or text, or leave it out"
    )
    assert "`l` of `e.parquet` is of type `list<element: int64>`" in refused(parquet(path, l=[[1]]))
    assert refused(parquet(path, u=pa.array([2**63], pa.uint64()))) == (
        "E239: the column `u` of `e.parquet` holds integers beyond 64-bit signed integers\n--> e.parquet: this column\n"
        "help: use smaller numbers, reals or text"
    )
    assert refused(parquet(path, source=[1.5])) == (
        "E219: the keys in `source` of `e.parquet` are of type `double`\n--> e.parquet: this file\n"
        "help: keys are integers or text"
    )
    assert refused(parquet(path, source=[1])) == (
        "E219: the keys of `e.parquet` are integers in one column and text in another: `source`, `target`\n"
        "--> e.parquet: this file\nhelp: use one type for both ends"
    )
    assert refused(parquet(path, source=pa.array([None], pa.string()))) == (
        "E212: the key column `source` of `e.parquet` has 1 empty cell\n"
        "--> e.parquet: the first is row 0, counted from 0\nhelp: give each of these rows a key, or remove it"
    )
    parquet(path)
    assert refused(lambda: read_graph(path, "e.parquet", GraphOptions(key_type="int"))) == (
        "E213: `e.parquet` has 2 keys that are no integer, where integers are asked for: `a`, `b`\n"
        "--> e.parquet: `a` is no integer\nhelp: an integer key is plain decimal text, without a leading zero or `+`"
    )
    parquet(path, source=["<here>"])
    path.write_bytes(path.read_bytes().replace(b"<here>", b"<h\xe9re>"))
    assert refused(lambda: read_graph(path, "e.parquet", GraphOptions())).startswith(
        "E264: `e.parquet` is no Parquet file, or is damaged"
    )
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), path)
    assert refused(lambda: read_array(path, "e.parquet")).startswith("E207: `e.parquet` has two columns called `a`\n")
    path.write_bytes(path.read_bytes()[:-20])
    assert refused(lambda: read_array(path, "e.parquet")).startswith(
        "E264: `e.parquet` is no Parquet file, or is damaged"
    )


def test_a_parquet_file_that_would_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("graphnn_compiler.topology.readers.parquet.MAX_BYTES", 7_000)
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"a": pa.array([1] * 1000)}), path)
    assert refused(lambda: read_array(path, "e.parquet")) == (
        "E232: `e.parquet` is too large: 1,000 rows, 7.8 KiB\n--> e.parquet: this file\nhelp: make it smaller"
    )


def test_options_that_do_not_apply(tmp_path):
    for kind in ("gml", "json", "gmt", "graphml"):
        path = tmp_path / f"g.{kind}"
        path.write_bytes(b"")
        found = refused(lambda path=path: read_graph(path, path.name, GraphOptions(source="a", rows="target")))
        assert found.startswith("E218: `source =`, `rows =` do not apply to a ")
        found = refused(lambda path=path: read_edge_table(path, path.name, TableOptions(by="position")))
        assert found.startswith("E218: `by = position` does not apply to a ")
