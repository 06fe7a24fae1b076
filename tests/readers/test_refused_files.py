"""Every way in which a table or a file can be wrong, with the full text of the refusal."""

import gzip
import itertools
import pickle

import pytest
from reading import refused

from graphnn_compiler.topology.readers import GraphOptions, TableOptions, read_array, read_edge_table, read_graph

EDGES = b"source,target\na,b\n"
HEADER = "--> e.csv:1: the header names the columns"
QUOTES = 'help: a quote inside a quoted cell is written twice, as in "say ""yes"""'

BAD = [
    (b"", {}, "E206: `e.csv` is empty\nhelp: the first line names the columns"),
    (b"\n\r\n", {}, "E206: `e.csv` is empty\nhelp: the first line names the columns"),
    (
        b"a,b,a\n1,2,3\n",
        {},
        f"E207: the header of `e.csv` names `a` twice\n{HEADER}\nhelp: give every column a name of its own",
    ),
    (
        b'source,target\n\n"a\nb",c\n1,2,3\n',
        {},
        "E208: a row of `e.csv` has 3 cells where the header has 2\n--> e.csv:5: 3 cells here\n"
        'help: a cell that holds the separator is quoted, as in "a,b"',
    ),
    (
        EDGES + b'c,"d\ne,f\n',
        {},
        f"E209: `e.csv` has a quote that is never closed\n--> e.csv:3: the row begins here\n{QUOTES}",
    ),
    (
        b'"source,target\na,b\n',
        {},
        f"E209: `e.csv` has a quote that is never closed\n--> e.csv:1: the row begins here\n{QUOTES}",
    ),
    (
        EDGES + b"caf\xe9,d\n",
        {},
        "E204: `e.csv` is not UTF-8 text\n--> e.csv:3: the byte 0xE9 begins no UTF-8 character\n"
        "help: save the file as UTF-8, or name what it is with `encoding =`: "
        '`"latin-1"` or `"cp1252"` or `"utf-16"`',
    ),
    (
        b"s\xf6urce,target\n",
        {},
        "E204: `e.csv` is not UTF-8 text\n--> e.csv:1: the byte 0xF6 begins no UTF-8 character\n"
        "help: save the file as UTF-8, or name what it is with `encoding =`: "
        '`"latin-1"` or `"cp1252"` or `"utf-16"`',
    ),
    (
        EDGES + b"c,\0\n",
        {},
        "E205: `e.csv` holds a NUL byte, so it is no text table\n--> e.csv:3: a NUL byte stands here\n"
        'help: the file may be binary, or UTF-16 without its mark: `encoding = "utf-16"`',
    ),
    (
        gzip.compress(EDGES),
        {},
        "E203: `e.csv` is a gzip file, not a table of text\n--> e.csv: begins with the bytes of a gzip file\n"
        "help: let its name end in `.gz`, or unpack it",
    ),
    (
        pickle.dumps({"a": 1}),
        {},
        "E203: `e.csv` is a Python pickle, not a table of text\n--> e.csv: begins with the bytes of a Python pickle\n"
        "help: unpack or export it, or correct the file's name",
    ),
    (
        "source,target\n".encode("utf-16"),
        {},
        "E203: `e.csv` is text in UTF-16, not a table of text\n--> e.csv: begins with the bytes of text in UTF-16\n"
        'help: save it as UTF-8 text, or write `encoding = "utf-16"` where the kind of file takes one',
    ),
    (
        b"head,tail\na,b\n",
        {"source": "haed", "target": "tail"},
        f"E210: `e.csv` has no column `haed`, which `source =` names\n{HEADER}\nhelp: did you mean `head`?\n"
        "note: the columns are `head`, `tail`",
    ),
    (
        b"Source,target\na,b\n",
        {},
        "E211: `e.csv` has no column called `source`, so `source =` and `target =` must say which to take\n"
        f"{HEADER}\nhelp: the columns are `Source`, `target`",
    ),
    (
        EDGES + b",c\nd,\n",
        {},
        "E212: the key column `source` of `e.csv` has 1 empty cell\n--> e.csv:3: `source` is empty here\n"
        "help: give each of these rows a key, or remove it",
    ),
    (
        b"source,target\n1,2\n3,007\nx,4\n",
        {"key_type": "int"},
        "E213: `e.csv` has 2 keys that are no integer, where integers are asked for: `007`, `x`\n"
        "--> e.csv:3: `007` is no integer\n--> e.csv:4: `x` is no integer\n"
        "help: an integer key is plain decimal text, without a leading zero or `+`",
    ),
    (
        EDGES + b"b,c\n\na,b\nb,c\na,b\n",
        {},
        "E216: `e.csv` lists 2 edges more than once: `a -> b`, `b -> c`\n--> e.csv:2: `a -> b` is listed here\n"
        "--> e.csv:5: and again here\n--> e.csv:3: `b -> c` is listed here\n--> e.csv:6: and again here\n"
        "help: remove the repeats, or say what becomes of them: `duplicates =` sum, mean, min, max, first or last",
    ),
    (
        EDGES + b"b,a\n",
        {"directed": False},
        "E216: `e.csv` lists 1 edge more than once: `a -- b`\n--> e.csv:2: `a -- b` is listed here\n"
        "--> e.csv:3: and again here\n"
        "help: remove the repeats, or say what becomes of them: `duplicates =` sum, mean, min, max, first or last",
    ),
    (
        b"source,target,r\na,b,x\na,b,\na,b,x\n",
        {"type": "r"},
        "E216: `e.csv` lists 1 edge more than once: `a -> b (x)`\n--> e.csv:2: `a -> b (x)` is listed here\n"
        "--> e.csv:4: and again here\n"
        "help: remove the repeats, or say what becomes of them: `duplicates =` sum, mean, min, max, first or last",
    ),
    (
        b"source,target,c\na,b,red\na,b,blue\n",
        {"duplicates": "sum"},
        "E217: the column `c` of `e.csv` holds no numbers, so `duplicates = sum` cannot merge its values\n"
        "--> e.csv:2: `a -> b` has one value here\n--> e.csv:3: and another here\n"
        "help: use `duplicates = first` or `last`, or leave the column out of the data",
    ),
    (
        b"source,target,w\na,b,9223372036854775807\na,b,1\n",
        {"duplicates": "sum"},
        "E244: the sum of `w` over the repeats of `a -> b` is beyond 64-bit integers\n"
        "--> e.csv:2: the edge is first listed here\nhelp: write the column as real numbers, as in 1e18",
    ),
    (
        EDGES,
        {"rows": "target"},
        "E218: `rows =` does not apply to a table\n--> e.csv: this is a table\nhelp: remove 1 option",
    ),
    (
        EDGES,
        {"key": "id"},
        "E218: `key =` does not apply to a graph without a node table\n"
        "--> e.csv: this is a graph without a node table\nhelp: remove 1 option",
    ),
]


@pytest.mark.parametrize(("content", "options", "expected"), BAD, ids=[text[:40] for *_, text in BAD])
def test_refused_table(tmp_path, content, options, expected):
    (tmp_path / "e.csv").write_bytes(content)
    assert refused(lambda: read_graph(tmp_path / "e.csv", "e.csv", GraphOptions(**options))) == expected


def test_refused_node_tables(tmp_path):
    (tmp_path / "e.csv").write_bytes(b"source,target\nann,bob\nbob,eve\nzoe,bob\n")
    options = GraphOptions(key="id", nodes="n.csv")

    def read():
        return read_graph(tmp_path / "e.csv", "e.csv", options, tmp_path / "n.csv", "n.csv")

    (tmp_path / "n.csv").write_bytes(b"id\nann\nbob\nzo\n")
    assert refused(read) == (
        "E215: 2 edge keys of `e.csv` are not in `n.csv`: `eve`, `zoe`\n--> e.csv:3: `eve` is no node\n"
        "--> e.csv:4: `zoe` is no node\nhelp: add the nodes, or remove the edges\nnote: 2 edges have such an end"
    )
    (tmp_path / "n.csv").write_bytes(b"id\nann\nbob\neve\nzo\n")
    assert "help: did you mean `zo`?" in refused(read)
    (tmp_path / "n.csv").write_bytes(b"id\nann\nbob\nann\nann\n")
    assert refused(read) == (
        "E214: `n.csv` gives 1 key to more than one node: `ann`\n--> n.csv:2: the key `ann` stands here\n"
        "--> n.csv:4: and again here\nhelp: give every node one row and a key of its own"
    )


def test_long_keys_are_found(tmp_path):
    names = [f"a key of many more than fifteen bytes {i}" for i in range(50)]
    (tmp_path / "e.csv").write_text("source,target\n" + "".join(f"{a},{b}\n" for a, b in itertools.pairwise(names)))
    (tmp_path / "n.csv").write_text("key\n" + "".join(f"{name}\n" for name in reversed(names)))
    graph = read_graph(tmp_path / "e.csv", "e.csv", GraphOptions(), tmp_path / "n.csv", "n.csv")
    assert graph.sources.keys.tolist() == names[::-1]
    assert (graph.edges.column - graph.edges.row).tolist() == [1] * 49


def test_first_three_of_many(tmp_path):
    (tmp_path / "e.csv").write_text("source,target\n" + "".join(f"{i},0\n" for i in range(1, 1010)))
    (tmp_path / "n.csv").write_text("key\n0\n")
    text = refused(lambda: read_graph(tmp_path / "e.csv", "e.csv", GraphOptions(), tmp_path / "n.csv", "n.csv"))
    assert text.startswith("E215: 1,009 edge keys of `e.csv` are not in `n.csv`: `1`, `2`, `3` and 1,006 more\n")


def test_refused_paths(tmp_path):
    (tmp_path / "d.csv").mkdir()
    (tmp_path / "e.csv").write_bytes(EDGES)

    def read(name):
        return lambda: read_graph(tmp_path / name, name, GraphOptions())

    assert refused(read("roads_of_2019.csv")) == (
        "E201: there is no file `roads_of_2019.csv`\nhelp: paths are relative to the folder of the program"
    )
    assert refused(read("ee.csv")) == "E201: there is no file `ee.csv`\nhelp: did you mean `e.csv`?"
    assert refused(read("d.csv")) == "E202: `d.csv` is a folder, not a file\nhelp: name a file inside it"
    assert refused(read("e.csv/x.csv")) == "E202: `e.csv/x.csv` cannot be read: Not a directory"
    known = (
        "help: the extensions that are read here are `.csv`, `.tsv`, `.parquet`, `.npz`, `.npy`, `.mtx`, `.graphml`, "
        "`.gml`, `.json`, `.gmt`"
    )
    assert refused(read("e.xlsx")) == (
        "E200: `e.xlsx` has the extension `.xlsx`, so it is unclear how to read it\n--> e.xlsx: this file\n" + known
    )
    assert refused(read("e.npz.gz")) == (
        "E200: `e.npz.gz` has the extension `.npz.gz`, so it is unclear how to read it\n--> e.npz.gz: this file\n"
        + known
        + "; those that are text may be packed by gzip, as `.csv.gz`"
    )
    assert refused(read("e.csv.zip")) == (
        "E200: `e.csv.zip` has the extension `.zip`, so it is unclear how to read it\n--> e.csv.zip: this file\n"
        "help: unpack it, or pack the file that is in it with gzip: `.csv.gz` is read as it is"
    )
    assert refused(lambda: read_array(tmp_path / "noext", "noext")) == (
        "E200: `noext` has no extension, so it is unclear how to read it\n--> noext: this file\n"
        "help: the extensions that are read here are `.npy`, `.npz`, `.csv`, `.tsv`, `.parquet`"
    )


def test_refused_positions(tmp_path):
    path = tmp_path / "t.csv"
    options = TableOptions(by="position")
    path.write_bytes(b"source,target\n0,1\n-1,2\n")
    assert refused(lambda: read_edge_table(path, "t.csv", options)) == (
        "E243: 1 row of `t.csv` has a negative position\n--> t.csv:3: a negative position\n"
        "help: positions count from 0; `by = key` reads the columns as keys"
    )
    path.write_bytes(b"source,target\n0,10000000000000\n")
    assert refused(lambda: read_edge_table(path, "t.csv", options)) == (
        "E232: `t.csv` speaks of 10,000,000,000,001 units, more than the 100,000,000 that are allowed\n"
        "--> t.csv: this data\nhelp: look for a wrong number in the data"
    )
    path.write_bytes(b"source,target\n0,x\n")
    assert refused(lambda: read_edge_table(path, "t.csv", options)).startswith("E213")
