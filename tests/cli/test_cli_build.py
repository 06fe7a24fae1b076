"""`gnnc build` and `gnnc inspect`: what is written, and that nothing is where something is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from command import ROADS, Command

from graphnn_compiler.archive import load, saving
from graphnn_compiler.language.parser import load_source, parse
from graphnn_compiler.model.dump import dump
from graphnn_compiler.model.elaborate import check

GOLDEN = Path(__file__).parent / "golden"


def test_a_model_beside_its_program(gnnc: Command, folder: Path) -> None:
    result = gnnc("build", "roads.gnn")
    assert (result.status, result.out) == (0, "")
    told = r"wrote roads\.gnnz \(2 layers, 61 parameters, 22 edges, \d+\.\d KiB\)\n"
    assert re.fullmatch(told, result.err)
    plan, values = load(folder / "roads.gnnz")
    assert [layer.name for layer in plan.layers] == ["h", "y"]
    assert values["h.near.weights"].shape == (3, 4)
    assert sorted(os.listdir(folder)) == ["bad.gnn", "edges.csv", "lint.gnn", "roads.gnn", "roads.gnnz", "sums.gnn"]


def test_options_of_a_build(gnnc: Command, folder: Path) -> None:
    options = ["-p", "width=7", "--seed", "5", "--dtype", "float64"]
    assert gnnc("build", "roads.gnn", *options, "-o", "one.gnnz").status == 0
    assert gnnc("build", "roads.gnn", *options, "-o", "two.gnnz").status == 0
    plan, values = load(folder / "one.gnnz")
    assert (plan.dtype, plan.provenance.seed, plan.provenance.params) == ("float64", 5, {"width": 7})
    assert values["h.near.weights"].shape == (3, 7)
    assert (folder / "one.gnnz").read_bytes() == (folder / "two.gnnz").read_bytes()
    assert gnnc("build", "roads.gnn", "-p", "width=7", "--dtype", "float64", "-o", "two.gnnz").status == 0
    assert (folder / "one.gnnz").read_bytes() != (folder / "two.gnnz").read_bytes()


@pytest.mark.parametrize(
    ("name", "made"), [("roads.v2.gnn", "roads.v2.gnnz"), ("roads", "roads.gnnz"), ("roads.txt", "roads.txt.gnnz")]
)
def test_the_name_of_the_result(gnnc: Command, folder: Path, name: str, made: str) -> None:
    (folder / name).write_text(ROADS, encoding="utf-8")
    assert gnnc("build", name).status == 0
    assert (folder / made).is_file()


def test_errors_leave_nothing(gnnc: Command, folder: Path) -> None:
    before = sorted(os.listdir(folder))
    for form in ([], ["--emit", "model"], ["--emit", "npz"], ["--emit", "plan", "-o", "out.txt"]):
        result = gnnc("build", "bad.gnn", *form)
        assert (result.status, result.out) == (1, "")
        assert result.err.endswith("\n2 errors in bad.gnn\n")
    assert sorted(os.listdir(folder)) == before


def test_a_failure_to_write(gnnc: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "write_container", full)
    (folder / "old.gnnz").write_bytes(b"old")
    before = sorted(os.listdir(folder))
    result = gnnc("build", "roads.gnn", "-o", "old.gnnz")
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        "error[E542]: `old.gnnz` cannot be written: no space left on device\n  --> old.gnnz\n\n1 error in old.gnnz\n"
    )
    assert (folder / "old.gnnz").read_bytes() == b"old"
    assert sorted(os.listdir(folder)) == before


def test_an_interrupt_while_writing(gnnc: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(stream: object, encoded: object) -> None:
        stream.write(b"half")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(saving, "write_container", interrupted)
    before = sorted(os.listdir(folder))
    result = gnnc("build", "roads.gnn")
    assert (result.status, result.out, result.err) == (130, "", "interrupted\n")
    assert sorted(os.listdir(folder)) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_device(gnnc: Command) -> None:
    result = gnnc("build", "roads.gnn", "--emit", "plan", "-o", "/dev/full")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("error[E542]: `/dev/full` cannot be written: no space left on device\n")


def test_data_of_the_program_is_not_overwritten(gnnc: Command, folder: Path) -> None:
    np.savez("own.npz", x=np.ones(3))
    content = (folder / "own.npz").read_bytes()
    (folder / "own.gnn").write_text('gnn 1\ninput x[3] = read("own.npz")\noutput y = x\n', encoding="utf-8")
    told = "error: `own.npz` would be overwritten by the result\n  = help: name another file with -o\n"
    for line in ("build own.gnn --emit npz", "build own.gnn -o own.npz", "run own.gnn -o own.npz"):
        result = gnnc(*line.split())
        assert (result.status, result.out, result.err) == (2, "", told)
    assert (folder / "own.npz").read_bytes() == content
    assert gnnc("build", "own.gnn", "--emit", "npz", "-o", "other.npz").status == 0


def test_a_saved_model_is_no_program(gnnc: Command) -> None:
    gnnc("build", "roads.gnn")
    for command in ("check", "build"):
        result = gnnc(command, "roads.gnnz")
        assert (result.status, result.out) == (2, "")
        assert result.err == (
            "error: `roads.gnnz` is a saved model, not a program\n  = help: `gnnc inspect` shows what is in it\n"
        )


# ------------------------------------------------------------------ forms


def test_emit_ast(gnnc: Command, folder: Path) -> None:
    result = gnnc("build", "sums.gnn", "--emit", "ast")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("Program edition=1\n")
    told = gnnc("build", "sums.gnn", "--emit", "ast", "-o", "tree.txt")
    assert (told.status, told.out, told.err) == (0, "", "wrote tree.txt\n")
    assert (folder / "tree.txt").read_text(encoding="utf-8") == result.out


def test_emit_plan(gnnc: Command) -> None:
    result = gnnc("build", "roads.gnn", "--emit", "plan", "--seed", "9", "-o", "-")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("plan, edition 1, float32, seed 9\n")
    assert "parameter h.near.weights (3, 4), weights\n" in result.out


def test_lints_do_not_stop_a_build(gnnc: Command) -> None:
    result = gnnc("build", "lint.gnn", "--emit", "ast")
    assert result.status == 0
    assert result.out.startswith("Program ")
    assert result.err.startswith("warning[W010]: ")


def test_emit_npz(gnnc: Command, folder: Path) -> None:
    result = gnnc("build", "roads.gnn", "--emit", "npz")
    assert (result.status, result.out) == (0, "")
    assert result.err.startswith("wrote roads.npz (")
    with np.load(folder / "roads.npz") as arrays:
        assert arrays["h.keys"].tolist() == [1, 2, 3, 4]
        neighbours = {
            int(key): sorted(arrays["h.keys"][arrays["h.near.indices"][start:stop]].tolist())
            for key, start, stop in zip(
                arrays["h.keys"], arrays["h.near.indptr"], arrays["h.near.indptr"][1:], strict=False
            )
        }
        assert arrays["y.r.weights"].shape == (10, 4, 1)
    assert neighbours == {1: [1, 2, 3, 4], 2: [1, 2, 3], 3: [1, 2, 3], 4: [1, 4]}


def test_emit_model_without_data(gnnc: Command, folder: Path) -> None:
    (folder / "edges.csv").unlink()
    result = gnnc("build", "roads.gnn", "--emit", "model", "-p", "width=9")
    assert (result.status, result.err) == (0, "")
    assert "param width = 9\n" in result.out
    assert "\nlayer h[g.nodes, 9]\n" in result.out


def test_the_text_of_a_model_with_everything_in_it() -> None:
    """GNN_UPDATE_EXPECTED=1 writes it anew."""
    with contextlib.chdir(GOLDEN):
        source, _ = load_source(Path("everything.gnn"))
    assert source is not None
    program, problems = parse(source)
    assert program is not None
    model, found = check(program, {"rate": "0.5"})
    assert (problems, found) == ([], [])
    assert model is not None
    golden = GOLDEN / "everything.model"
    if os.environ.get("GNN_UPDATE_EXPECTED") == "1":
        golden.write_text(dump(model), encoding="utf-8")
    assert dump(model) == golden.read_text(encoding="utf-8")


def test_the_text_of_shared_sets_stays_short(gnnc: Command, folder: Path) -> None:
    """Each statement doubles what the one before it stands for."""
    lines = ['graph g = read("edges.csv", source = "a", target = "b")', "edges e0 = g.edges | same"]
    lines += [f"edges e{k + 1} = e{k} @ e{k} | e{k}" for k in range(40)]
    lines += ["input x[g.nodes]", "output y[g.nodes] { from x via e40 }"]
    (folder / "deep.gnn").write_text("\n".join(lines), encoding="utf-8")
    result = gnnc("build", "deep.gnn", "--emit", "model")
    assert result.status == 0
    assert "\n$1 = g.edges | same\n$2 = $1 @ $1 | $1\n" in result.out
    assert len(result.out) < 2500


def test_the_text_of_a_long_chain_of_sets(gnnc: Command, folder: Path) -> None:
    lines = ['graph g = read("edges.csv", source = "a", target = "b")', "edges e0 = g.edges | same"]
    lines += [f"edges e{k + 1} = ~e{k}" for k in range(1000)]
    lines += ["input x[g.nodes]", "output y[g.nodes] { from x via e1000 }"]
    (folder / "chain.gnn").write_text("\n".join(lines), encoding="utf-8")
    result = gnnc("build", "chain.gnn", "--emit", "model")
    assert (result.status, result.err) == (0, "")
    assert f"    from x via {'~' * 1000}(g.edges | same) as x\n" in result.out


# ------------------------------------------------------------------ inspect


def test_inspect_a_program_and_its_saved_model(gnnc: Command) -> None:
    result = gnnc("inspect", "roads.gnn")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("2 layers, 61 parameters of float32")
    gnnc("build", "roads.gnn")
    assert gnnc("inspect", "roads.gnnz") == result


def test_inspect_json(gnnc: Command) -> None:
    result = gnnc("inspect", "roads.gnn", "--json")
    assert (result.status, result.err) == (0, "")
    told = json.loads(result.out)
    assert (told["format_version"], told["parameters"]) == (1, 61)
    h = told["layers"][0]
    assert (h["name"], h["units"], h["channels"], h["parameters"]) == ("h", 4, 4, 16)
    clause = h["clauses"][0]
    assert (clause["label"], clause["source"], clause["edges"]) == ("near", "x", 12)
    assert clause["in_degree"] == {"min": 2, "mean": 3.0, "max": 4}


def test_a_damaged_model(gnnc: Command, folder: Path) -> None:
    gnnc("build", "roads.gnn")
    content = (folder / "roads.gnnz").read_bytes()
    (folder / "cut.gnnz").write_bytes(content[: len(content) // 2])
    result = gnnc("inspect", "cut.gnnz")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("error[E531]: `cut.gnnz` cannot be loaded: it is no saved model, or it was cut off\n")
    assert "\n  --> cut.gnnz\n  = note: " in result.err
    assert result.err.endswith("\n\n1 error in cut.gnnz\n")


@pytest.mark.parametrize(
    ("options", "named"),
    [(["-p", "width=3"], "-p"), (["--seed", "0"], "--seed"), (["--max-bytes", "0"], "--max-bytes")],
)
def test_a_saved_model_is_built_already(gnnc: Command, options: list[str], named: str) -> None:
    gnnc("build", "roads.gnn")
    result = gnnc("inspect", "roads.gnnz", *options)
    assert (result.status, result.out) == (2, "")
    assert result.err == f"error: `{named}` says how a program is built, and `roads.gnnz` is built already\n"
