"""Packed files, encodings, separators and line ends; the types of columns that change far down in a file."""

import codecs
import gzip
import hashlib
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import cells, edges, refused

from graphnn_compiler.topology.readers import GraphOptions, TableOptions, delimited, read_array, read_graph, text_files

FILES = [HealthCheck.function_scoped_fixture]


def test_packed_tables(tmp_path):
    content = gzip.compress(b"source,target,w\na,b,1\nb,c,2\n")
    (tmp_path / "e.csv.gz").write_bytes(content)
    (tmp_path / "n.tsv.GZ").write_bytes(gzip.compress(b"key\tsize\nc\t1\nb\t2\na\t3\n"))
    graph = read_graph(tmp_path / "e.csv.gz", "e.csv.gz", GraphOptions(), tmp_path / "n.tsv.GZ", "n.tsv.GZ")
    assert edges(graph) == {("a", "b"): {"w": 1}, ("b", "c"): {"w": 2}}
    assert graph.sources.keys.tolist() == ["c", "b", "a"]
    assert graph.files["e.csv.gz"] == hashlib.sha256(content).hexdigest()


def test_lines_of_a_packed_file(tmp_path):
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress(b'source,target\n"a\nb",c\nd,\n'))
    assert refused(lambda: read_graph(tmp_path / "e.csv.gz", "e.csv.gz", GraphOptions())) == (
        "E212: the key column `target` of `e.csv.gz` has 1 empty cell\n--> e.csv.gz:4: `target` is empty here\n"
        "help: give each of these rows a key, or remove it"
    )
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress(b"source,target\na,b\nc,caf\xe9\n"))
    assert "--> e.csv.gz:3: the byte 0xE9 begins" in refused(
        lambda: read_graph(tmp_path / "e.csv.gz", "e.csv.gz", GraphOptions())
    )


CONTENT = b"source,target\n" + b"".join(b"%d,%d\n" % (i, i + 1) for i in range(1000))
WHOLE = gzip.compress(CONTENT)
DAMAGED = {
    "cut": (WHOLE[:-900], "Compressed file ended before the end-of-stream marker was reached"),
    "plain": (b"source,target\n", "Not a gzipped file (b'so')"),
    "flipped": (
        WHOLE[:-8] + b"\0\0\0\0" + WHOLE[-4:],
        "CRC check failed 0x0 != " + hex(zlib.crc32(gzip.decompress(WHOLE))),
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
@pytest.mark.parametrize("kind", ["csv", "gml", "json", "gmt", "mtx", "graphml"])
def test_damaged_packed_files(tmp_path, case, kind):
    content, reason = DAMAGED[case]
    shown = f"e.{kind}.gz"
    (tmp_path / shown).write_bytes(content)
    assert refused(lambda: read_graph(tmp_path / shown, shown, GraphOptions())) == (
        f"E247: `{shown}` is no whole gzip file\n--> {shown}: this file\n"
        f"help: pack the file again, or fetch it again\nnote: {reason}"
    )


@pytest.mark.parametrize("kind", ["csv", "gml", "json", "gmt", "mtx", "graphml"])
def test_a_file_that_unpacks_to_too_much(tmp_path, kind):
    shown = f"e.{kind}.gz"
    packer = zlib.compressobj(wbits=31)
    block = b" " * (1 << 20)
    (tmp_path / shown).write_bytes(b"".join(packer.compress(block) for _ in range(70)) + packer.flush())
    assert refused(lambda: read_graph(tmp_path / shown, shown, GraphOptions())) == (
        f"E248: `{shown}` unpacks to more than 64.0 MiB, which is out of all proportion\n--> {shown}: this file\n"
        "help: unpack it yourself if you trust it"
    )


def test_encodings(tmp_path):
    text = "source,target,ort\nä,€,x\n€,ß,y\n"
    for encoding in ("cp1252", "utf-16", "UTF-8"):
        (tmp_path / "e.csv").write_bytes(text.encode(encoding))
        graph = read_graph(tmp_path / "e.csv", "e.csv", GraphOptions(encoding=encoding))
        assert edges(graph) == {("ä", "€"): {"ort": "x"}, ("€", "ß"): {"ort": "y"}}
    (tmp_path / "n.csv").write_bytes("key\nÄ\nÖ\n".encode("latin-1"))
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress("source,target\nÖ,Ä\n".encode("latin-1")))
    options = GraphOptions(encoding="latin-1")
    graph = read_graph(tmp_path / "e.csv.gz", "e.csv.gz", options, tmp_path / "n.csv", "n.csv")
    assert edges(graph).keys() == {("Ö", "Ä")}


@settings(max_examples=30, deadline=None, suppress_health_check=FILES)
@given(st.text(st.sampled_from("aé€\U0001f600\n,"), max_size=30), st.integers(1, 7))
def test_recoding_in_pieces_of_any_size(tmp_path, text, size):
    (tmp_path / "t").write_bytes(text.encode("utf-16"))
    with text_files.TextFile(tmp_path / "t", "t", "utf-16").open() as stream:
        pieces = iter(lambda: stream.read(size), b"")
        assert b"".join(pieces) == text.encode()


def test_refused_encodings(tmp_path):
    path = tmp_path / "e.csv"
    path.write_bytes(b"source,target\na,b\nc,\x81\n")
    assert refused(lambda: read_graph(path, "e.csv", GraphOptions(encoding="cp1252"))) == (
        "E204: `e.csv` is not cp1252 text\n--> e.csv:3: no cp1252 text here\n"
        "help: leave `encoding =` out if the file is UTF-8, or name another encoding"
    )
    assert refused(lambda: read_graph(path, "e.csv", GraphOptions(encoding="latin1"))) == (
        "E246: `encoding =` cannot be `latin1`\n--> e.csv: read in this encoding\nhelp: did you mean `latin-1`?"
    )
    assert refused(lambda: read_graph(path, "e.csv", GraphOptions(encoding="rot13"))) == (
        "E246: `encoding =` cannot be `rot13`\n--> e.csv: read in this encoding\n"
        "help: it is one of `utf-8`, `latin-1`, `cp1252`, `utf-16`"
    )
    path.write_bytes(codecs.BOM_UTF16_LE + b"a\0,")
    assert refused(lambda: read_graph(path, "e.csv", GraphOptions(encoding="utf-16"))).startswith(
        "E204: `e.csv` is not utf-16"
    )


def test_separators(tmp_path):
    path = tmp_path / "e.csv"
    path.write_bytes(b'\xef\xbb\xbfsource;target;km\r\na;b;"1,5"\r\n"b;c";a;2\r\n')
    assert refused(lambda: read_graph(path, "e.csv", GraphOptions())) == (
        "E245: the header of `e.csv` is one column, whose cells seem to be separated by `;`, not by a comma\n"
        "--> e.csv: the header names the columns\n"
        'help: write `separator = ";"`; for a single column of that name, `separator = ","`'
    )
    graph = read_graph(path, "e.csv", GraphOptions(separator=";"))
    assert edges(graph) == {("a", "b"): {"km": "1,5"}, ("b;c", "a"): {"km": "2"}}
    path.write_bytes(b"source\ttarget\n")
    assert 'help: write `separator = "\\t"`;' in refused(lambda: read_graph(path, "e.csv", GraphOptions()))
    path.write_bytes(b"a;b\n1\n2\n")
    assert read_array(path, "e.csv", separator=",").values.tolist() == [1, 2]
    for wrong in ("", ";;", '"', "\n", "é"):
        assert refused(lambda wrong=wrong: read_graph(path, "e.csv", GraphOptions(separator=wrong))) == (
            f"E246: `separator =` cannot be `{wrong!r}`\n--> e.csv: separated by it\n"
            'help: it is one character, as in `separator = ";"`'
        )


@pytest.mark.parametrize("kind", ["gml", "json", "gmt", "mtx", "graphml", "parquet", "npz", "tsv"])
def test_a_separator_of_what_has_none(tmp_path, kind):
    (tmp_path / f"e.{kind}").write_bytes(b"")
    found = refused(lambda: read_graph(tmp_path / f"e.{kind}", "e", GraphOptions(separator=";")))
    assert found.startswith("E218: `separator =` does not apply to a ")


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_line_ends(tmp_path, ending):
    content = b'\xef\xbb\xbfsource,target,note\na,b,"x\ny"\n\nb,c,z\n'.replace(b"\n", ending)
    (tmp_path / "e.csv").write_bytes(content)
    graph = read_graph(tmp_path / "e.csv", "e.csv", GraphOptions())
    assert edges(graph) == {("a", "b"): {"note": "x" + ending.decode() + "y"}, ("b", "c"): {"note": "z"}}
    (tmp_path / "e.csv").write_bytes(content + b"b,\xff,w" + ending)
    assert "--> e.csv:6: the byte 0xFF" in refused(lambda: read_graph(tmp_path / "e.csv", "e.csv", GraphOptions()))


CELL = st.sampled_from(["", "1", "-7", "007", "1.50", "true", "False", "x", "9223372036854775808", "nan"])


@settings(max_examples=80, deadline=None, suppress_health_check=FILES)
@given(st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=12))
def test_batches_change_nothing(tmp_path, rows):
    """The columns of a file are the same whether it comes in one batch or a few rows at a time."""
    text = "source,target,c,r\n" + "".join(f"{i},{i + 1},{a},{b}\n" for i, (a, b) in enumerate(rows))
    (tmp_path / "e.csv").write_text(text)

    def read():
        graph = read_graph(tmp_path / "e.csv", "e.csv", GraphOptions(type="r"))
        return repr(edges(graph)), graph.edges.columns["c"].values.dtype

    whole = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "_BLOCK", 40)
        patch.setattr(delimited, "_ROWS", 1)
        assert read() == whole


def test_keys_that_turn_out_to_be_text(tmp_path):
    """Integers, then reals, then names: keys are the texts as they are written."""
    rows = [f"{i},{i}.50,{i % 7}.5" for i in range(30_000)]
    (tmp_path / "e.csv").write_text("source,target,w\n" + "\n".join(rows) + "\n007,x,y\n")
    graph = read_graph(tmp_path / "e.csv", "e.csv", GraphOptions())
    found = edges(graph)
    assert len(found) == 30_001
    assert found["0", "0.50"] == {"w": "0.5"}
    assert found["29999", "29999.50"] == {"w": "4.5"}
    assert found["007", "x"] == {"w": "y"}
    assert cells(graph.edges.columns["w"])[0] == "0.5"


def test_options_of_a_table():
    assert TableOptions(separator=";", encoding="cp1252").as_graph_options() == GraphOptions(
        separator=";", encoding="cp1252"
    )
