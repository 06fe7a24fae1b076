"""Archives: what is saved is loaded, and what is no sound archive is refused with a `Problem` and nothing else."""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sample_plans as s
from forgeries import refusal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphnn_compiler
from graphnn_compiler.archive import load, save
from graphnn_compiler.archive.encoding import MAX_DEPTH
from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.plan import Activation, Apply, Plan, Provenance, Ref

PLAN = s.every_node()
SLOW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("archive") / "good.gnnz"
    save(path, PLAN, s.values_of(PLAN))
    return path.read_bytes()


# ------------------------------------------------------------------ round trips


def test_every_node(tmp_path: Path) -> None:
    values = s.values_of(PLAN)
    save(tmp_path / "m.gnnz", PLAN, values)
    plan, loaded = load(tmp_path / "m.gnnz")
    assert s.same(plan, PLAN)
    assert s.same(loaded, values)


@SLOW
@given(made=s.plans())
def test_round_trip(tmp_path: Path, made: tuple[Plan, dict]) -> None:
    save(tmp_path / "a.gnnz", *made)
    plan, values = load(tmp_path / "a.gnnz")
    assert s.same(plan, made[0])
    assert s.same(values, made[1])
    save(tmp_path / "b.gnnz", plan, values)
    assert (tmp_path / "a.gnnz").read_bytes() == (tmp_path / "b.gnnz").read_bytes()


def test_a_plan_without_batch_norm_is_written_as_before_there_was_any(tmp_path: Path) -> None:
    plan = s.without_batch_norm(PLAN)
    save(tmp_path / "m.gnnz", plan, s.values_of(plan))
    with zipfile.ZipFile(tmp_path / "m.gnnz") as container:
        assert b"batchnorm" not in container.read("manifest.json")
    assert s.same(load(tmp_path / "m.gnnz")[0], plan)


def test_same_finds_differences() -> None:
    """The equality that these tests rest on is not blind."""
    assert not s.same(PLAN, s.with_part(PLAN, "h", "x", coefficients=np.ones(5)))
    assert not s.same(PLAN, s.with_part(PLAN, "r", "h", groups=np.array([0, 0, 1, 1, 0], dtype=np.int32)))
    assert not s.same(PLAN, s.with_layer(PLAN, "y", dropout=0.1))


def test_arrays_are_shared_and_readable_by_numpy(tmp_path: Path) -> None:
    save(tmp_path / "m.gnnz", PLAN, s.values_of(PLAN))
    plan, _ = load(tmp_path / "m.gnnz")
    assert plan.units["x"].keys is plan.units["h"].keys
    with np.load(tmp_path / "m.gnnz", allow_pickle=False) as arrays:
        shapes = {arrays[name].shape for name in arrays if name.isdigit()}
    assert (5, 2, 3) in shapes


def test_bytes_do_not_depend_on_layout(tmp_path: Path) -> None:
    values = s.values_of(PLAN)
    save(tmp_path / "a.gnnz", PLAN, values)
    save(tmp_path / "b.gnnz", PLAN, {name: np.asfortranarray(value) for name, value in values.items()})
    assert (tmp_path / "a.gnnz").read_bytes() == (tmp_path / "b.gnnz").read_bytes()


def _nested(depth: int) -> Plan:
    expr: Any = Ref("h")
    for _ in range(depth):
        expr = Apply(Activation("tanh"), expr)
    return s.with_layer(PLAN, "y", body=expr)


def test_deep_expressions(tmp_path: Path) -> None:
    deep = _nested(MAX_DEPTH)
    save(tmp_path / "m.gnnz", deep, s.values_of(deep))
    assert s.same(load(tmp_path / "m.gnnz")[0].layer["y"].body, deep.layer["y"].body)
    with pytest.raises(Problem, match="nested") as caught:
        save(tmp_path / "m.gnnz", _nested(MAX_DEPTH + 1), s.values_of(deep))
    assert caught.value.code == "E543"


# ------------------------------------------------------------------ saving


@pytest.mark.parametrize(
    "plan",
    [
        replace(PLAN, provenance=Provenance("", "", {}, {"p": float("nan")}, 0, {})),
        replace(PLAN, edition=0),
        s.with_layer(PLAN, "h", dropout=2.0),
    ],
)
def test_save_refuses_what_could_not_be_loaded(tmp_path: Path, plan: Plan) -> None:
    with pytest.raises(Problem) as caught:
        save(tmp_path / "m.gnnz", plan, s.values_of(PLAN))
    assert caught.value.code == "E543"
    assert list(tmp_path.iterdir()) == []


def test_save_into_nowhere(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        save(tmp_path / "no" / "m.gnnz", PLAN, s.values_of(PLAN))
    assert caught.value.code == "E542"


# ------------------------------------------------------------------ damage


@settings(SLOW, max_examples=250)
@given(data=st.data())
def test_damaged_bytes(tmp_path: Path, good: bytes, data: st.DataObject) -> None:
    """Whatever is flipped, cut out or put in: a `Problem`, or the very plan that was saved."""
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        # The directory at the end is small and has the fields that decide most, so half of the damage goes there.
        tail = max(0, len(damaged) - 4000)
        at = data.draw(st.integers(0, max(0, len(damaged) - 1)) | st.integers(tail, max(tail, len(damaged) - 1)))
        match data.draw(st.sampled_from(["flip", "set", "cut", "end", "put"])):
            case "flip":
                damaged[at : at + 1] = bytes(
                    byte ^ (1 << data.draw(st.integers(0, 7))) for byte in damaged[at : at + 1]
                )
            case "set":
                damaged[at : at + 4] = data.draw(st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\0\0\0\x80"]))
            case "cut":
                del damaged[at : at + data.draw(st.integers(1, 50))]
            case "end":
                del damaged[at:]
            case "put":
                damaged[at:at] = data.draw(st.binary(max_size=20))
    (tmp_path / "m.gnnz").write_bytes(damaged)
    assert is_refused_or_sound(tmp_path / "m.gnnz")


def is_refused_or_sound(path: Path) -> bool:
    try:
        plan, values = load(path)
    except Problem as problem:
        return re.fullmatch(r"E5[345]\d", problem.code) is not None
    return s.same(plan, PLAN) and s.same(values, s.values_of(PLAN))


def test_every_byte_of_the_directory(tmp_path: Path, good: bytes) -> None:
    start = good.index(b"PK\x01\x02")
    (tmp_path / "m.gnnz").write_bytes(good)
    for at in range(start, len(good), 3):
        damaged = bytearray(good)
        damaged[at] ^= 0xFF
        (tmp_path / "m.gnnz").write_bytes(damaged)
        assert is_refused_or_sound(tmp_path / "m.gnnz")


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x05\x06" + b"\0" * 18], ids=["empty", "text", "empty zip"])
def test_no_archive(tmp_path: Path, data: bytes) -> None:
    assert refusal(tmp_path, data).code == "E531"


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.gnnz", tmp_path):
        with pytest.raises(Problem) as caught:
            load(path)
        assert caught.value.code == "E530"


def test_pipe_is_refused(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Problem, match="regular file"):
        load(tmp_path / "pipe")


def test_every_code_has_a_page() -> None:
    package = Path(graphnn_compiler.__file__).parent
    sources = [*(package / "archive").glob("*.py")]
    codes = {code for source in sources for code in re.findall(r'"(E5\d\d)"', source.read_text("utf-8"))}
    assert len(codes) >= 12
    for code in codes:
        page = (package / "explain" / f"{code}.md").read_text("utf-8")
        assert page.startswith(f"# {code}: ")
