"""The text, the sizes and the named arrays of a plan."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import sample_plans as s
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn_compiler.topology.graph import string_array
from graphnn_compiler.topology.npy import decode_strings, encode_strings, npy_header, write_npy, write_npz
from graphnn_compiler.topology.plan import Apply, Arithmetic, Combination, Constant, Plan, Ref, SparseClause, Units
from graphnn_compiler.topology.plan_arrays import edge_arrays
from graphnn_compiler.topology.plan_summary import summary, summary_text
from graphnn_compiler.topology.plan_text import dump, formula

PLAN = s.every_node()
GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(("name", "text"), [("every_node.plan", dump(PLAN)), ("every_node.txt", summary_text(PLAN))])
def test_golden_text(name: str, text: str) -> None:
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


@settings(max_examples=60, deadline=None)
@given(made=s.plans())
def test_text_of_any_plan(made: tuple[Plan, dict]) -> None:
    plan, _ = made
    text, again = dump(plan), dump(plan)
    assert text == again
    for layer in plan.layers:
        assert f"output {layer.name} [" in text
    sizes = json.loads(json.dumps(summary(plan)))
    assert sizes["parameters"] + sizes["state"] == sum(np.prod(it.shape) for it in plan.parameters)
    assert sizes["state"] == sum(
        2 * np.prod(plan.parameter[it.batchnorm.mean].shape) for it in plan.layers if it.batchnorm
    )
    assert summary_text(plan).startswith(f"{len(plan.layers)} layer")


def _value(expr: object, x: float) -> float:
    match expr:
        case Constant(value=value):
            return value
        case Ref():
            return x
        case Arithmetic(operator="+", left=left, right=right):
            return _value(left, x) + _value(right, x)
        case Arithmetic(operator="-", left=left, right=right):
            return _value(left, x) - _value(right, x)
        case Arithmetic(operator="*", left=left, right=right):
            return _value(left, x) * _value(right, x)
    raise AssertionError(expr)


def _arithmetic(inner: st.SearchStrategy) -> st.SearchStrategy:
    return st.builds(Arithmetic, st.sampled_from("+-*"), inner, inner)


@settings(max_examples=200, deadline=None)
@given(expr=st.recursive(st.builds(Constant, st.integers(-9, 9)) | st.just(Ref("x")), _arithmetic, max_leaves=8))
def test_formula_means_the_tree(expr: object) -> None:
    """The parentheses are right: Python, whose precedence the language has, reads the text as the tree."""
    code = compile(formula(expr), "formula", "eval")
    assert eval(code, {"__builtins__": {}, "x": 5}) == _value(expr, 5)


def test_summary_counts_by_brute_force() -> None:
    sizes = summary(PLAN)
    assert sizes["format_version"] == 1
    assert [layer["name"] for layer in sizes["layers"]] == ["h", "r", "m", "d", "e", "g", "y"]
    for layer, found in zip(PLAN.layers, sizes["layers"], strict=True):
        clauses = layer.body.clauses if isinstance(layer.body, Combination) else ()
        for clause, clause_sizes in zip(clauses, found["clauses"], strict=True):
            degrees = _degrees(clause, layer.units)
            expected = {"min": min(degrees), "mean": sum(degrees) / len(degrees), "max": max(degrees)}
            assert clause_sizes["edges"] == sum(degrees)
            assert clause_sizes["in_degree"] == expected
            assert sum(clause_sizes["in_degree_histogram"].values()) == len(degrees)
    assert sizes["layers"][0]["clauses"][0]["left_out"] == 3
    assert sizes["layers"][0]["parameters"] == 5 * 2 * 3 + 4 * 3


def _degrees(clause: object, units: Units) -> list[int]:
    if not isinstance(clause, SparseClause):
        return [len(PLAN.units[clause.source])] * len(units)
    degrees = [0] * len(units)
    for part in clause.parts:
        for row in part.csr.rows:
            degrees[row] += 1
    return degrees


def test_histogram_bins() -> None:
    full = s.csr([(row, column) for row in range(4) for column in range(2**row - 1)], (4, 8))
    plan = s.with_part(PLAN, "h", "x", csr=full)
    assert summary(plan)["layers"][0]["clauses"][0]["in_degree_histogram"] == {"0": 1, "1": 1, "2..3": 1, "4..7": 1}


# ------------------------------------------------------------------ arrays


def test_edge_arrays_and_npz() -> None:
    values = s.values_of(PLAN)
    arrays = edge_arrays(PLAN, values)
    stream, again = io.BytesIO(), io.BytesIO()
    write_npz(stream, arrays)
    write_npz(again, dict(reversed(arrays.items())))
    assert stream.getvalue() == again.getvalue()
    with np.load(io.BytesIO(stream.getvalue()), allow_pickle=False) as loaded:
        assert set(loaded) == set(arrays)
        assert all(s.same(loaded[name], arrays[name]) for name in arrays)
        assert loaded["x.keys"].tolist() == ["a", "b", "c", "ü"]
        assert loaded["h.x.indices"].tolist() == [1, 2, 3, 0, 1]
        assert loaded["r.h.1.coefficients"].tolist() == [0.25] * 3
        assert loaded["r.h.relations"].tolist() == ["up", ""]
        assert loaded["r.own.value"] == -2.0
        assert loaded["d.m.coefficient"] == 0.5
        assert s.same(loaded["s"], values["s"])


@pytest.mark.parametrize("keys", [["a" * 65, "b"], ["a\0", "a"]])
def test_keys_that_fixed_width_text_cannot_hold(keys: list[str]) -> None:
    plan = s.with_layer(PLAN, "d", units=Units(string_array(keys)))
    arrays = edge_arrays(plan, {})
    assert "d.keys" not in arrays
    assert decode_strings(arrays["d.keys.utf8"], arrays["d.keys.offsets"]).tolist() == keys


def test_npz_has_no_dates() -> None:
    stream = io.BytesIO()
    write_npz(stream, {"a": np.zeros(3)})
    with zipfile.ZipFile(stream) as container:
        (info,) = container.infolist()
    assert (info.date_time, info.compress_type, info.create_system) == ((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 3)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.array(3, dtype=np.int16),
        np.zeros((0, 4), dtype=bool),
        np.arange(5, dtype=">i4"),
        np.arange(400_000)[::2],
    ],
)
def test_npy_is_what_numpy_reads(array: np.ndarray) -> None:
    stream = io.BytesIO()
    write_npy(stream, array)
    assert len(npy_header(array.dtype, array.shape)) % 64 == 0
    found = np.load(io.BytesIO(stream.getvalue()), allow_pickle=False)
    assert found.shape == array.shape
    assert found.dtype == array.dtype.newbyteorder("<")
    assert np.array_equal(found, array)


def test_npy_refuses_objects() -> None:
    with pytest.raises(ValueError, match="dtype object"):
        write_npy(io.BytesIO(), np.array([None]))


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.text(st.characters(codec="utf-8"))))
def test_strings_round_trip(texts: list[str]) -> None:
    data, offsets = encode_strings(string_array(texts))
    assert decode_strings(data, offsets).tolist() == texts


@pytest.mark.parametrize(
    ("data", "offsets"),
    [
        (b"ab", [0, 1]),
        (b"ab", [1, 2]),
        (b"ab", []),
        (b"ab", [0, 3, 2]),
        ("ü".encode(), [0, 1, 2]),
        (b"\xff", [0, 1]),
    ],
)
def test_strings_refused(data: bytes, offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="string"):
        decode_strings(np.frombuffer(data, dtype=np.uint8), np.array(offsets, dtype=np.int64))


def test_formula_of_functions() -> None:
    assert formula(Apply(PLAN.layer["m"].activation, Ref("a"))) == "softmax(a, axis = units)"
