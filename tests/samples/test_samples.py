"""Samples from tables, sparse matrices and several files; every way in which columns and units do not meet."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

import graphnn_compiler as gnn
from graphnn_compiler.arguments import target_array
from graphnn_compiler.compiler import Settings, compile_plan
from graphnn_compiler.diagnostics import Problem, render
from graphnn_compiler.samples.classes import with_learned_classes
from graphnn_compiler.samples.reading import read_samples
from graphnn_compiler.source import Source
from graphnn_compiler.topology.plan import Plan
from graphnn_compiler.topology.verification import verify

EDGES = "a,b\noak,elm\nelm,ash\n"
TREES = """\
gnn 1
graph g = read("e.csv", source = "a", target = "b")
input x[g.nodes]
target kind
target tall
layer h[g.nodes] { from x via g.edges | same }
output y[2] { from h via all  activation = softmax }
output t[g.nodes] { from h via same }
loss cost = cross_entropy(y, kind) + mse(t, tall)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "e.csv").write_text(EDGES, encoding="utf-8")
    return tmp_path


def plan_of(text: str) -> Plan:
    result = compile_plan(Source("m.gnn", text, Path()), Settings())
    assert result.resolution is not None, [render(it) for it in result.diagnostics]
    return result.resolution.plan


def said(plan: Plan, *files: str, **options: object) -> str:
    """The whole text of what is wrong."""
    with pytest.raises(Problem) as caught:
        read_samples(plan, files, **options)  # type: ignore[arg-type]
    return render(caught.value.about(files[0]))


# ------------------------------------------------------------------ tables


def test_columns_are_units_by_key(folder: Path) -> None:
    text = "id,ash,tall.elm,kind,oak,elm,tall.oak,note,tall.ash\ns1,1,2,0,3,4.5,5,hm,6\ns2,7,8,1,9,10,11,ha,12\n"
    (folder / "d.csv").write_text(text, encoding="utf-8")
    plan = plan_of(TREES)
    assert plan.units["x"].keys.tolist() == ["oak", "elm", "ash"]
    found = read_samples(plan, ["d.csv"], index="id")
    np.testing.assert_array_equal(found.inputs["x"], [[3, 4.5, 1], [9, 10, 7]])
    np.testing.assert_array_equal(found.targets["tall"], [[5, 2, 6], [11, 8, 12]])
    np.testing.assert_array_equal(found.targets["kind"], [0, 1])
    assert found.labels is not None
    assert (found.labels.tolist(), found.label) == (["s1", "s2"], "id")
    assert found.notes == ("left out 1 column of d.csv that belong to no unit and no target: `note`",)
    assert read_samples(plan, ["d.csv"], index="id", targets=False).targets == {}


def test_the_order_of_columns_says_nothing(folder: Path) -> None:
    plan = plan_of(TREES.replace("target tall\n", "").replace(" + mse(t, tall)", ""))

    @given(st.permutations(["oak", "elm", "ash", "kind"]), st.sampled_from(["csv", "tsv", "parquet"]))
    def check(names: list[str], ending: str) -> None:
        values = {"oak": [1.5, 2], "elm": [3, 4], "ash": [5, 6], "kind": [1, 0]}
        if ending == "parquet":
            pq.write_table(pa.table({name: values[name] for name in names}), folder / "d.parquet")
        else:
            sign = "," if ending == "csv" else "\t"
            rows = [names, *([str(values[name][row]) for name in names] for row in (0, 1))]
            (folder / f"d.{ending}").write_text("\n".join(sign.join(row) for row in rows), encoding="utf-8")
        found = read_samples(plan, [f"d.{ending}"])
        np.testing.assert_array_equal(found.inputs["x"], [[1.5, 3, 5], [2, 4, 6]])
        np.testing.assert_array_equal(found.targets["kind"], [1, 0])

    check()


def test_channels_integer_keys_and_two_inputs(folder: Path) -> None:
    plan = plan_of("gnn 1\ninput x[2, 2]\ninput z[2, 1]\noutput y = concat(x, z)\n")
    text = "z.1,x.1[0],0[1],0[0],1[1],z.0,01\n1,2,3,4,5,6,7\n"
    (folder / "d.csv").write_text(text, encoding="utf-8")
    found = read_samples(plan, ["d.csv"])
    np.testing.assert_array_equal(found.inputs["x"], [[[4, 3], [2, 5]]])
    np.testing.assert_array_equal(found.inputs["z"], [[[6], [1]]])
    assert found.notes == ("left out 1 column of d.csv that belong to no unit and no target: `01`",)


def test_names_of_classes_are_taken_as_they_are_written(folder: Path) -> None:
    (folder / "n.csv").write_text("id,kind\noak,1\nelm,01\nash,1\n", encoding="utf-8")
    text = (
        'gnn 1\ngraph g = read("e.csv", source = "a", target = "b", nodes = "n.csv", key = "id")\ninput x[g.nodes]\n'
        "target kind = g.nodes.kind\noutput y[g.nodes, 2] { from x via g.edges | same }\n"
        "loss cost = cross_entropy(y, kind)\n"
    )
    plan = plan_of(text)
    assert plan.targets[0].classes is not None
    assert plan.targets[0].classes.tolist() == ["01", "1"]
    (folder / "d.csv").write_text("oak,elm,ash,kind.oak,kind.elm,kind.ash\n1,2,3,1,1,1\n", encoding="utf-8")
    assert read_samples(plan, ["d.csv"]).targets["kind"].tolist() == [["1", "1", "1"]]  # not the class number 1


PLAIN = TREES.replace("target tall\n", "").replace(" + mse(t, tall)", "")
TWO_INPUTS = "gnn 1\ninput x[2]\ninput z[2]\noutput y = x + z\n"

WRONG = {
    "a unit without a column": (
        PLAIN,
        "oak,Elm,kind\n1,2,0\n",
        {},
        "error[E285]: `d.csv` has no column for 2 units of input `x`: `elm`, `ash`\n  --> d.csv\n"
        "  = help: add the columns, called by the keys of the units\n",
    ),
    "no unit at all": (
        PLAIN,
        "s1,s2\n1,2\n",
        {},
        "error[E285]: no column of `d.csv` is called by a unit of an input or by a target\n  --> d.csv\n"
        "  = help: `x` wants columns such as `oak`, `elm`, `ash`; there are `s1`, `s2`\n",
    ),
    "a unit of a target": (
        TREES,
        "oak,elm,ash,kind,tall.oak\n1,2,3,0,5\n",
        {},
        "error[E285]: `d.csv` has no column for 2 units of target `tall`: `elm`, `ash`\n  --> d.csv\n"
        "  = help: add the columns, called by the keys of the units\n",
    ),
    "two inputs": (
        TWO_INPUTS,
        "0,1,z.0,z.1\n1,2,3,4\n",
        {},
        "error[E286]: the column `0` of `d.csv` fits units of several inputs: `x`, `z`\n  --> d.csv\n"
        "  = help: name the input too, as in `x.0`\n",
    ),
    "two columns": (
        PLAIN,
        "oak,elm,ash,x.elm,kind\n1,2,3,4,0\n",
        {},
        "error[E286]: `d.csv` has two columns for one unit of input `x`: `elm`, `x.elm`\n  --> d.csv\n"
        "  = help: keep one of them\n",
    ),
    "text": (
        PLAIN,
        "oak,elm,ash,kind\n1,NA,x,0\n2,3,4,1\n",
        {},
        "error[E288]: `d.csv` holds text in 2 columns of input `x`: `elm`, `ash`\n  --> d.csv\n"
        "  = help: units take numbers; only the empty cell is missing, so `NA` is text\n",
    ),
    "missing cells": (
        PLAIN,
        "oak,elm,ash,kind\n1,,3,0\n2,,4,1\n3,3,,1\n",
        {},
        "error[E287]: `d.csv` has 3 missing cells in 2 columns of input `x`\n  --> d.csv\n"
        "  --> d.csv:2: `elm` is empty here\n  --> d.csv:4: `ash` is empty here\n"
        "  = help: fill them in, or say `--missing mean`, `--missing zero`, or `--missing drop` (of the samples)\n",
    ),
    "a target is never made up": (
        PLAIN,
        "oak,elm,ash,kind\n1,2,3,\n2,,4,1\n",
        {"missing": "mean"},
        "error[E287]: `d.csv` has 1 missing cell in 1 column of target `kind`\n  --> d.csv\n"
        "  --> d.csv:2: `kind` is empty here\n"
        "  = help: targets are never made up, by `--missing mean` neither; `--missing drop` leaves the samples out\n",
    ),
    "a mean of nothing": (
        PLAIN,
        "oak,elm,ash,kind\n1,,3,0\n2,,4,1\n",
        {"missing": "mean"},
        "error[E287]: no sample of `d.csv` has a value for `elm` of input `x`\n  --> d.csv\n"
        "  = help: there is no mean of nothing: `--missing zero` puts 0 there\n",
    ),
    "nothing is left": (
        PLAIN,
        "oak,elm,ash,kind\n1,,3,0\n2,2,4,\n",
        {"missing": "drop"},
        "error[E287]: every sample of `d.csv` has a missing cell, so `--missing drop` leaves none\n  --> d.csv\n"
        "  = help: fill the cells in, or say `--missing mean` or `--missing zero`\n",
    ),
    "no index": (
        PLAIN,
        "oak,elm,ash,kind,sample\n1,2,3,0,a\n",
        {"index": "smaple"},
        "error[E210]: `d.csv` has no column `smaple`, which --index names\n  --> d.csv\n"
        "  = help: did you mean `sample`?\n",
    ),
    "names without a vocabulary": (
        PLAIN,
        "oak,elm,ash,kind\n1,2,3,red\n",
        {},
        "error[E282]: target `kind` takes class numbers, not text: it has no names of classes\n  --> d.csv\n",
    ),
    "no targets": (
        PLAIN,
        "oak,elm,ash\n1,2,3\n",
        {"targets": True},
        "error[E281]: target `kind` is not given and has no default data\n  --> d.csv\n"
        "  = help: add an array of that name to the file that --data names\n",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_table(folder: Path, case: str) -> None:
    program, table, options, expected = WRONG[case]
    (folder / "d.csv").write_text(table, encoding="utf-8")
    assert said(plan_of(program), "d.csv", **options) == expected


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_policies_for_missing_cells(folder: Path, ending: str) -> None:
    columns = {"oak": [1.0, 2, None], "elm": [None, 4, 8], "ash": [1, 2, 3], "kind": [0, 1, 1], "id": ["a", "b", "c"]}
    if ending == "csv":
        rows = [columns, *zip(*columns.values(), strict=True)]
        cells = [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
        (folder / "d.csv").write_text("\n".join(cells), encoding="utf-8")
    else:
        pq.write_table(pa.table(columns), folder / "d.parquet")
    plan, file = plan_of(PLAIN), [f"d.{ending}"]
    mean, zero, drop = (read_samples(plan, file, index="id", missing=it) for it in ("mean", "zero", "drop"))  # type: ignore[arg-type]
    np.testing.assert_array_equal(mean.inputs["x"], [[1, 6, 1], [2, 4, 2], [1.5, 8, 3]])
    np.testing.assert_array_equal(zero.inputs["x"], [[1, 0, 1], [2, 4, 2], [0, 8, 3]])
    np.testing.assert_array_equal(drop.inputs["x"], [[2, 4, 2]])
    np.testing.assert_array_equal(drop.targets["kind"], [1])
    assert drop.labels is not None
    assert (drop.labels.tolist(), mean.notes) == (["b"], ())
    assert drop.notes == (f"left out 2 samples of d.{ending} with missing cells",)


# ------------------------------------------------------------------ other files


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_sparse_matrices(folder: Path, form: str) -> None:
    dense = np.array([[0, 2, 0], [1, 0, 0], [0, 0, 0]], dtype=np.float32)
    scipy.sparse.save_npz(folder / "x.npz", scipy.sparse.coo_array(dense).asformat(form))
    np.save(folder / "kind.npy", np.array([0, 1, 1]))
    plan = plan_of(PLAIN)
    np.testing.assert_array_equal(read_samples(plan, ["x.npz"]).inputs["x"], dense)
    found = read_samples(plan, ["x=x.npz", "kind=kind.npy"])
    np.testing.assert_array_equal(found.inputs["x"], dense)
    np.testing.assert_array_equal(found.targets["kind"], [0, 1, 1])


def test_several_files(folder: Path) -> None:
    (folder / "d.csv").write_text("oak,elm,ash,kind\n1,2,3,0\n", encoding="utf-8")
    np.savez(folder / "more.npz", labels=np.array([1]), other=np.array([2]))
    np.savez(folder / "one.npz", labels=np.array([1]))
    plan = plan_of(PLAIN)
    np.testing.assert_array_equal(read_samples(plan, ["x=d.csv", "kind=one.npz"]).targets["kind"], [1])
    assert said(plan, "d.csv", "kind=one.npz") == (
        "error[E286]: `kind` stands in two files, `d.csv` and `one.npz`\n  --> d.csv\n  = help: leave one of them out\n"
    )
    assert said(plan, "kind=more.npz") == (
        "error[E281]: `more.npz` has no array `kind`; its arrays are `labels`, `other`\n  --> kind=more.npz\n"
        "  = help: save it by name: `numpy.savez(.., kind=array)`\n"
    )
    (folder / "a=b.csv").write_text("oak,elm,ash\n1,2,3\n", encoding="utf-8")  # `a` is no input: the whole is a file
    assert read_samples(plan, ["a=b.csv"]).inputs["x"].tolist() == [[1, 2, 3]]


def test_a_table_of_thousands_of_columns(folder: Path) -> None:
    n = 3_000
    plan = plan_of(f"gnn 1\ninput x[{n}]\noutput y = x * 2\n")
    order = np.random.default_rng(0).permutation(n)
    lines = [",".join(map(str, order.tolist())), ",".join(map(str, (2 * order).tolist()))]
    (folder / "d.csv").write_text("\n".join(lines), encoding="utf-8")
    np.testing.assert_array_equal(read_samples(plan, ["d.csv"]).inputs["x"], [2 * np.arange(n)])


# ------------------------------------------------------------------ names of classes


@pytest.mark.parametrize(
    ("given", "names", "codes"),
    [
        (np.array(["sick", "well", "sick"]), ["sick", "well"], [0, 1, 0]),
        (np.array([2, 1, 1]), [1, 2], [1, 0, 0]),
        (np.array([0, 1, 1]), None, [0, 1, 1]),
        (np.array([1, 1]), None, [1, 1]),
    ],
)
def test_names_of_classes_are_learned(given: np.ndarray, names: list | None, codes: list[int]) -> None:
    plan, notes = with_learned_classes(plan_of(PLAIN), {"kind": given})
    assert len(notes) == (names is not None)
    verify(plan)
    (target,) = plan.targets
    assert (target.classes is None) == (names is None)
    assert names is None or (target.classes is not None and target.classes.tolist() == names)
    assert target_array(plan, target, given).tolist() == codes


def test_names_are_learned_from_a_table_where_that_is_asked_for(folder: Path) -> None:
    (folder / "d.csv").write_text("oak,elm,ash,kind\n1,2,3,well\n4,5,6,sick\n", encoding="utf-8")
    found = read_samples(plan_of(PLAIN), ["d.csv"], learn_classes=True)
    assert found.plan.targets[0].classes is not None
    assert found.plan.targets[0].classes.tolist() == ["sick", "well"]
    assert found.targets["kind"].tolist() == ["well", "sick"]
    assert "the classes of `kind` are `sick`, `well`, in this order" in found.notes


def test_another_number_of_classes_than_the_network_has() -> None:
    with pytest.raises(Problem) as caught:
        with_learned_classes(plan_of(PLAIN), {"kind": np.array([1, 2, 3, 7])})
    expected = "target `kind` has 4 classes (`1`, `2`, `3` and 1 more), and the network tells 2 apart"
    assert (caught.value.code, caught.value.message) == ("E282", expected)


# ------------------------------------------------------------------ arrays with keys


@given(order=st.permutations(["oak", "elm", "ash", "fir"]), batched=st.booleans())
def test_arrays_are_put_in_order_by_their_keys(order: list[str], batched: bool) -> None:
    values = {"oak": 1.0, "elm": 2.0, "ash": 3.0, "fir": 9.0}
    x = np.array([values[key] for key in order])
    with tempfile.TemporaryDirectory() as place:
        name = str(Path(place) / "d.npz")
        np.savez(name, **{"x": np.stack([x, 2 * x]) if batched else x, "x.units": np.array(order)})
        found = read_samples(plan_of(TREES), [name])
    wanted = np.array([1.0, 2, 3])
    np.testing.assert_array_equal(found.inputs["x"], np.stack([wanted, 2 * wanted]) if batched else wanted)
    assert found.notes == (f"1 unit of `x` in {name} left out: the network has none such",)


def test_keys_of_targets_and_whole_numbers(folder: Path) -> None:
    plan = plan_of("gnn 1\ninput x[3, 2]\ntarget t[3]\noutput y[3] { from x via same }\nloss c = mse(y, t)\n")
    x = np.arange(12.0).reshape(2, 3, 2)
    np.savez(folder / "d.npz", **{"x": x[:, [2, 0, 1]], "x.units": [2, 0, 1], "t": [[5, 4, 6]], "t.units": [1, 0, 2]})
    with pytest.raises(Problem, match="equally long"):
        read_samples(plan, ["d.npz"])
    np.savez(folder / "d.npz", **{"x": x[:1, [2, 0, 1]], "x.units": [2, 0, 1], "t": [[5, 4, 6]], "t.units": [1, 0, 2]})
    found = read_samples(plan, ["d.npz"])
    np.testing.assert_array_equal(found.inputs["x"], x[:1])
    assert found.targets["t"].tolist() == [[4, 5, 6]]


WRONG_KEYS = {
    "E289]: `x.units` of `d.npz` has shape (2,), and `x` has shape (1, 3)": ["oak", "elm"],
    "E289]: `x.units` of `d.npz` holds a key twice": ["oak", "elm", "oak"],
    "E289]: `x.units` of `d.npz` holds whole numbers, and the keys of the units are texts": [1, 2, 3],
    "E285]: `x.units` of `d.npz` lacks 2 units of input `x`: `elm`, `ash`": ["oak", "Elm", "Ash"],
}


@pytest.mark.parametrize("message", WRONG_KEYS)
def test_keys_that_do_not_fit(folder: Path, message: str) -> None:
    np.savez(folder / "d.npz", **{"x": np.ones((1, 3)), "x.units": WRONG_KEYS[message]})
    assert said(plan_of(TREES), "d.npz").splitlines()[0] == f"error[{message}"


def test_keys_of_an_array_that_is_not_there(folder: Path) -> None:
    np.savez(folder / "d.npz", **{"x": np.ones((1, 3)), "tall.units": ["oak"]})
    first = said(plan_of(TREES), "d.npz").splitlines()[0]
    assert first == "error[E289]: `d.npz` holds `tall.units` and no array `tall`"


# ------------------------------------------------------------------ from Python


def test_samples_for_a_network(folder: Path) -> None:
    net = gnn.build(TREES, mode="FAST_COMPILE")
    (folder / "d.csv").write_text("oak,elm,ash,kind\n1,2,3,1\n4,,6,0\n", encoding="utf-8")
    np.save(folder / "tall.npy", np.zeros((2, 3)))
    found = gnn.read_samples(net, folder / "d.csv", "tall=tall.npy", missing="zero")
    assert sorted(found.targets) == ["kind", "tall"]
    assert found.inputs["x"].tolist() == [[1, 2, 3], [4, 0, 6]]
    assert set(net.evaluate(found.inputs, found.targets)) == {"cost"}


def test_what_is_refused_from_python(folder: Path) -> None:
    net = gnn.build(TREES, mode="FAST_COMPILE")
    (folder / "d.csv").write_text("oak,elm\n1,2\n", encoding="utf-8")
    with pytest.raises(gnn.GnnError, match=r"E285.*d\.csv") as caught:
        gnn.read_samples(net, "d.csv")
    assert caught.value.diagnostics[0].code == "E285"
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        gnn.read_samples(net, "none.csv")
    with pytest.raises(ValueError, match=r"^`d\.txt` is not named as one of \.npz, \.npy, "):
        gnn.read_samples(net, "d.txt")
