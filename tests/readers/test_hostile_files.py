"""Files of every format, damaged at random: each is read, or refused by a diagnostic with a place, never a traceback.

The damage is drawn from a fixed seed. In a process that crashes, as readers written in C may, this test does not end.
"""

from __future__ import annotations

import gzip
import io
import json
import random
from pathlib import Path

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
import scipy.sparse as sp

from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.diagnostics import render
from graphnn_compiler.source import Source

ROUNDS = 150
CSV = b'source,target,type,w\na,b,up,1\nb,c,down,2.5\n"c ""x""",a,up,\n\nd,a,"u,p",7\n'
ODD = [
    *(bytes([byte]) for byte in b'\0\xff\x80\x1a\x0c\x1c"\n\r,\t -%<>[]{}'),
    *(b"\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xc2\x85", b"\\ud800"),
    *(b"-1", b"nan", b"inf", b"1e999", b"99999999999999999999", b"9" * 5000, b"null", b"true", b"id"),
    *(b"[" * 2000, b"&amp;", b'<!DOCTYPE x [<!ENTITY a "b">]>'),
]


def written(write) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def valid_files() -> dict[str, bytes]:
    graph = nx.DiGraph([("a", "b", {"w": 1.5}), ("b", "c", {"w": 2.0})])
    graph.nodes["a"]["kind"] = "x"
    table = pa.table({"source": ["a", "b"] * 20, "target": [f"t{i}" for i in range(40)], "w": list(range(40))})
    symmetric = sp.coo_array(np.eye(3))
    return {
        "x.csv": CSV,
        "x.csv.gz": gzip.compress(CSV),
        "x.tsv": CSV.replace(b",", b"\t"),
        "x.graphml": written(lambda file: nx.write_graphml(graph, file)),
        "x.gml": "\n".join(nx.generate_gml(graph)).encode(),
        "x.json": json.dumps(nx.node_link_data(graph, edges="links")).encode(),
        "x.gmt": b"set1\tabout\tg1\tg2\nset2\thttp\tg2\tg3\n",
        "x.parquet": written(lambda file: pq.write_table(table, file)),
        "x.npz": written(lambda file: np.savez(file, source=np.array([1, 2]), target=np.array([2, 3]))),
        "sparse.npz": written(lambda file: sp.save_npz(file, sp.csr_array(np.eye(3)))),
        "x.npy": written(lambda file: np.save(file, np.eye(3))),
        "x.mtx": written(lambda file: scipy.io.mmwrite(file, symmetric)),
        "x.mtx.gz": gzip.compress(written(lambda file: scipy.io.mmwrite(file, symmetric))),
    }


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content cut short, or with some bytes put in, replaced, left out or repeated."""
    found = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(found) + 1)
        end = min(len(found), start + rng.randint(0, 12))
        match rng.randrange(5):
            case 0:
                del found[start:]
            case 1:
                found[start:start] = rng.choice(ODD)
            case 2:
                found[start:end] = rng.choice(ODD)
            case 3:
                del found[start:end]
            case _:
                found[start:start] = found[start:end] * rng.randint(1, 5)
    return bytes(found)


def said(folder: Path, name: str, options: str = "") -> list[str]:
    """The codes of the errors of a program that reads the file; each message can be shown."""
    layers = "input x[g.sources]\noutput y[g.targets] { from x via g.edges }\n"
    source = Source("model.gnn", f'gnn 1\ngraph g = read("{name}"{options})\n{layers}', folder)
    found = [d for d in compile_plan(source, Settings()).diagnostics if d.severity == "error"]
    for diagnostic in found:
        render(diagnostic).encode()
    return [diagnostic.code for diagnostic in found]


@pytest.mark.parametrize("name", valid_files())
def test_damaged_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    content, rng = valid_files()[name], random.Random(name)
    (tmp_path / name).write_bytes(content)
    assert said(tmp_path, name) == []
    refused = 0
    for _ in range(ROUNDS):
        (tmp_path / name).write_bytes(damaged(content, rng))
        options = rng.choice(["", "", ", directed = false", ", duplicates = first", ', type = "type"'])
        refused += bool(said(tmp_path, name, options))
    assert refused > ROUNDS // 4


@pytest.mark.parametrize("name", valid_files())
def test_every_beginning_of_a_file_and_every_wrong_extension(tmp_path: Path, name: str) -> None:
    content = valid_files()[name]
    for length in range(0, len(content), max(1, len(content) // 25)):
        (tmp_path / name).write_bytes(content[:length])
        said(tmp_path, name)
    for other in valid_files():
        (tmp_path / f"other_{other}").write_bytes(content)
        codes = said(tmp_path, f"other_{other}")
        # any text with tabs is a GMT file too
        assert codes or other.split(".")[1:] == name.split(".")[1:] or (name, other) == ("x.tsv", "x.gmt"), other


def test_very_many_columns(tmp_path: Path) -> None:
    names = ["source", "target", *(f"column_{i}" for i in range(2_000))]
    (tmp_path / "x.csv").write_text(",".join(names) + "\n" + ",".join(["a"] * len(names)) + "\n")
    assert said(tmp_path, "x.csv") == []
    (tmp_path / "x.csv").write_text(",".join([*names, "column_7"]) + "\n")
    assert said(tmp_path, "x.csv") == ["E207"]
    (tmp_path / "x.csv").write_text("source,target" + "," * 100_000 + "\n")
    assert said(tmp_path, "x.csv") == ["E207"]
