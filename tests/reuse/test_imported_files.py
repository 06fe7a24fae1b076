"""`import`: names, paths, places of errors, provenance; files that import each other."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from reused import INTERPRETED, codes

import graphnn_compiler as gnn
from graphnn_compiler.compiler import Settings, analyse, compile_plan
from graphnn_compiler.language.parser import load_source
from graphnn_compiler.source import Source

LIBRARY = """gnn 1
import "deeper/base.gnn" as base
param width: int = 2
let half = base.whole / 2
graph roads = read("roads.csv", source = "a", target = "b")
edges both = sym(roads.edges) | same
block mixed(x: layer) {
  layer mix[units(x), width] { from x via both { weights = shared } }
  return base.positive(mix)
}
"""
PROGRAM = """gnn 1
import "lib/blocks.gnn" as lib
import mixed as blend, both from "lib/blocks.gnn"
input x[lib.roads.nodes, 3]
layer h = lib.mixed(x) * lib.half + blend(x)
output y[lib.roads.nodes, 1] { from h via same from x via both as b { weights = shared, scale = 0 } }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lib" / "deeper").mkdir(parents=True)
    (tmp_path / "model.gnn").write_text(PROGRAM)
    (tmp_path / "lib" / "blocks.gnn").write_text(LIBRARY)
    (tmp_path / "lib" / "roads.csv").write_text("a,b\np,q\nq,r\n")
    (tmp_path / "lib" / "deeper" / "base.gnn").write_text("let whole = 1.0\nblock positive(x) { return relu(x) }\n")
    return tmp_path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_imported_names_mean_what_their_file_says(folder: Path) -> None:
    (folder / "model.gnn").write_text(PROGRAM[: PROGRAM.index("output")] + "output y = h\n")
    net = gnn.build(folder / "model.gnn", dtype="float64", mode=INTERPRETED)
    assert list(net.weights) == [
        f"h.{name}.mix.{part}" for name in ("mixed", "mixed_2") for part in ("x.weights", "bias")
    ]
    x = np.random.default_rng(0).standard_normal((3, 3))
    near = abs(np.subtract.outer(range(3), range(3))) <= 1
    first, second = (np.maximum(near @ x @ net.weights[f"h.{name}.mix.x.weights"], 0) for name in ("mixed", "mixed_2"))
    np.testing.assert_allclose(net(x), first / 2 + second, rtol=1e-12)


def test_provenance_names_every_file(folder: Path) -> None:
    plan = gnn.build(folder / "model.gnn", mode=INTERPRETED).plan
    names = ("lib/blocks.gnn", "lib/deeper/base.gnn", "lib/roads.csv")
    assert dict(plan.provenance.files) == {name: digest(folder / name) for name in names}


def test_a_file_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    read_bytes = Path.read_bytes

    def counted(path: Path) -> bytes:
        read.append(path.name)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    assert gnn.check(folder / "model.gnn") == []
    assert read == ["model.gnn", "blocks.gnn", "base.gnn"]


def test_what_an_imported_file_reads_is_read_when_it_is_used(folder: Path) -> None:
    (folder / "lib" / "roads.csv").unlink()
    text = 'import "lib/blocks.gnn" as lib\ninput x[3]\noutput y = x * lib.half\n'
    assert codes(text, folder) == []
    assert codes(PROGRAM, folder) == ["E201"]
    assert gnn.check(folder / "model.gnn") == []


def test_data_replaces_what_an_imported_file_reads(folder: Path) -> None:
    net = gnn.build(folder / "model.gnn", data={"blocks.roads": np.eye(5)}, mode=INTERPRETED)
    assert len(net.plan.units["x"]) == 5


def test_errors_are_shown_where_they_are(folder: Path) -> None:
    (folder / "lib" / "blocks.gnn").write_text(LIBRARY.replace("base.whole / 2", "base.hole"))
    source, _ = load_source(folder / "model.gnn")
    assert source is not None
    found = compile_plan(source, Settings()).diagnostics
    assert [(one.code, one.span.text, Path(one.span.source.name)) for one in found] == [
        ("E144", "hole", folder / "lib" / "blocks.gnn")
    ]


def test_a_lint_is_allowed_by_the_file_that_it_is_in(folder: Path) -> None:
    lint = "block b(x) {\n  layer m[3] { from x via same }\n  return m\n}\n"
    text = 'import "lint.gnn" as l\ninput x[2]\noutput y = l.b(x)\n'
    (folder / "lint.gnn").write_text(lint)
    assert codes(text, folder) == ["W210"]
    assert codes("# gnn: allow W210\n" + text, folder) == ["W210"]
    (folder / "lint.gnn").write_text("# gnn: allow W210\n" + lint)
    assert codes(text, folder) == []


def test_files_of_one_name_keep_their_reads_apart(folder: Path) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "g.gnn").write_text('graph g = read("g.csv")\n')
    text = 'import "one/g.gnn" as a\nimport "two/g.gnn" as b\ninput x[2]\noutput y = x\n'
    model = analyse(Source("text", text, folder)).model
    assert model is not None
    assert {name: read.file.shown for name, read in model.reads.items()} == {"g.g": "one/g.csv", "g_2.g": "two/g.csv"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('import "lib/blocks.gnn" as lib\nimport "lib/blocks.gnn" as lib', "E101"),
        ('import mixed, mixed from "lib/blocks.gnn"', "E101"),
        ('import mixed as relu from "lib/blocks.gnn"', "E102"),
        ('import "lib" as lib', "E153"),
        ('import "" as lib', "E153"),
        ('import "lib/blocks.gnn" as lib\nlet k = lib', None),
        ('import "lib/blocks.gnn" as lib\nlayer z = lib', "E110"),
        ('import "lib/blocks.gnn" as lib\nlayer z = lib.half(x)', "E108"),
        ('import "lib/blocks.gnn" as lib\nlayer z = lib.mixed.no(x)', "E108"),
        ('import "lib/blocks.gnn" as lib\nlayer z = lib.mixed.no', "E111"),
    ],
)
def test_imports_that_are_wrong(text: str, code: str | None, folder: Path) -> None:
    imports, _, rest = text.partition("\n")
    program = f"{imports}\ninput x[2]\n{rest}\noutput y[1] {{ from x via all }}\n"
    if rest.startswith("import"):
        program = f"{imports}\n{rest}\ninput x[2]\noutput y[1] {{ from x via all }}\n"
    assert codes(program, folder) == ([] if code is None else [code])


def test_a_long_chain_of_files_is_refused(tmp_path: Path) -> None:
    for k in range(150):
        (tmp_path / f"f{k}.gnn").write_text(f'import "f{k + 1}.gnn" as next_one\n')
    assert codes('import "f0.gnn" as f\ninput x[2]\noutput y = x\n', tmp_path) == ["E153"]
