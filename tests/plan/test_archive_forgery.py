"""Archives in which every digest is right and something else is wrong are refused for what is wrong."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sample_plans as s
from forgeries import Forgery, refusal

from graphnn_compiler.archive import TrainingState, load, load_checkpoint, save
from graphnn_compiler.archive.encoding import MAX_DEPTH
from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.npy import npy_header
from graphnn_compiler.topology.scaling import Scaling

PLAN = s.every_node()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("archive") / "good.gnnz"
    save(path, PLAN, s.values_of(PLAN))
    return path.read_bytes()


@pytest.fixture
def forgery(good: bytes) -> Forgery:
    return Forgery(good)


def test_sealed_anew_is_sound(tmp_path: Path, forgery: Forgery) -> None:
    (tmp_path / "m.gnnz").write_bytes(forgery.sealed())
    assert s.same(load(tmp_path / "m.gnnz")[0], PLAN)


def test_future_version(tmp_path: Path, forgery: Forgery) -> None:
    forgery.manifest = {"format": "gnnz", "format_version": 4, "something": "else"}
    problem = refusal(tmp_path, forgery.sealed())
    assert problem.code == "E532"
    assert problem.help is not None


def _plan(forgery: Forgery) -> Any:
    return forgery.manifest["plan"]


def _weights_array(forgery: Forgery) -> int:
    return int(forgery.manifest["values"]["h.x.weights"]["array"])


def _set(*path: str | int, to: object) -> Callable[[Forgery], None]:
    def change(forgery: Forgery) -> None:
        place = forgery.manifest
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return change


def _huge(forgery: Forgery) -> None:
    number = _weights_array(forgery)
    header = npy_header(np.dtype("<f4"), (10**12,))
    forgery.raw(number, header + b"\0" * 8, shape=[10**12])


def _rename(old: str, new: str) -> Callable[[Forgery], None]:
    return lambda forgery: forgery.members.update({new: forgery.members.pop(old)})


def _objects(forgery: Forgery) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.array([print, None]), allow_pickle=True)
    forgery.raw(0, stream.getvalue(), dtype="|O", shape=[2])


def _other_header(forgery: Forgery) -> None:
    number = _weights_array(forgery)
    data = forgery.members[f"{number}.npy"].replace(b"'fortran_order': False", b"'fortran_order': True ")
    forgery.raw(number, data)


def _not_utf8(forgery: Forgery) -> None:
    number = _plan(forgery)["inputs"][0]["units"]["keys"]["text"][0]
    forgery.array(number, np.full(5, 255, dtype=np.uint8))


def _extra_array(forgery: Forgery) -> None:
    number = len(forgery.manifest["arrays"])
    forgery.manifest["arrays"].append({})
    forgery.array(number, np.zeros(1))


LAYER = ("plan", "layers", 0)
Y_BODY = ("plan", "layers", 6, "body")
CLAUSE = (*LAYER, "body", "clauses", 0)
FORGED: dict[str, tuple[Callable[[Forgery], object], str]] = {
    "format": (_set("format", to="zip"), "E531"),
    "no manifest": (lambda f: f.members.pop("manifest.json"), "E531"),
    "version 0": (_set("format_version", to=0), "E537"),
    "version text": (_set("format_version", to="1"), "E537"),
    "norm without a gain": (lambda f: _plan(f)["layers"][1]["batchnorm"].pop("gain"), "E537"),
    "norm that is a list": (_set("plan", "layers", 1, "batchnorm", to=[]), "E537"),
    "norm of an unknown parameter": (_set("plan", "layers", 1, "batchnorm", "mean", to="z"), "E541"),
    "trained state": (_set("plan", "parameters", 6, "trainable", to=True), "E541"),
    "kind of parameter": (_set("plan", "parameters", 6, "kind", to="buffer"), "E537"),
    "path": (_rename("0.npy", "../0.npy"), "E534"),
    "absolute path": (lambda f: f.members.update({"/etc/x": b""}), "E534"),
    "folder": (lambda f: f.members.update({"a/": b""}), "E534"),
    "missing array": (lambda f: f.members.pop("3.npy"), "E534"),
    "digest of array": (_set("arrays", 0, "sha256", to="0" * 64), "E535"),
    "dtype of objects": (_objects, "E538"),
    "unknown dtype": (_set("arrays", 0, "dtype", to="<U4"), "E538"),
    "header of 10**12 elements": (_huge, "E539"),
    "impossible shape": (_set("arrays", 0, "shape", to=[2**62, 2**62, 0]), "E538"),
    "many dimensions": (_set("arrays", 0, "shape", to=[1] * 9), "E538"),
    "negative shape": (_set("arrays", 0, "shape", to=[-1]), "E537"),
    "size of array": (_set("arrays", 0, "shape", to=[1]), "E538"),
    "another header": (_other_header, "E538"),
    "unused array": (_extra_array, "E537"),
    "not UTF-8": (_not_utf8, "E540"),
    "unknown field": (_set("more", to=1), "E537"),
    "unknown field of a layer": (_set(*LAYER, "more", to=1), "E537"),
    "missing field": (lambda f: _plan(f)["layers"][0].pop("units"), "E537"),
    "flag": (_set(*LAYER, "output", to=1), "E537"),
    "whole number": (_set(*LAYER, "units", "channels", to=True), "E537"),
    "real number": (_set(*LAYER, "dropout", to=0), "E537"),
    "text": (_set(*LAYER, "name", to=None), "E537"),
    "list": (_set("plan", "layers", to={}), "E537"),
    "object": (_set("plan", "provenance", to=[]), "E537"),
    "plan is a list": (_set("plan", to=[]), "E537"),
    "file that is no text": (_set("plan", "provenance", "files", "e.csv", to=1), "E537"),
    "param": (_set("plan", "provenance", "params", "p", to=[]), "E537"),
    "relation": (_set("plan", "layers", 1, "body", "clauses", 0, "relations", to=[1, None]), "E537"),
    "penalty": (_set("plan", "objectives", 0, "value", "terms", 1, "term", "terms", 0, "parameters", to=[1]), "E537"),
    "choice": (_set(*CLAUSE, "weights", "mode", to="free"), "E537"),
    "node of a body": (_set(*Y_BODY, "node", to="__class__"), "E537"),
    "node of a clause": (_set(*CLAUSE, "node", to="eval"), "E537"),
    "node of an objective": (_set("plan", "objectives", 0, "value", "node", to="x"), "E537"),
    "array out of range": (_set(*CLAUSE, "parts", 0, "indices", to={"array": 10**6}), "E537"),
    "negative array": (_set(*CLAUSE, "parts", 0, "indices", to={"array": -1}), "E537"),
    "text of one array": (_set(*LAYER, "units", "keys", to={"text": [0]}), "E537"),
    "side of a matrix": (_set(*CLAUSE, "parts", 0, "shape", to=[4]), "E537"),
    "values": (lambda f: f.manifest["values"].pop("s"), "E537"),
    "inconsistent": (_set(*CLAUSE, "source", to="y"), "E541"),
    "other array": (_set(*CLAUSE, "parts", 0, "indptr", to={"array": 0}), "E541"),
    "value of another dtype": (lambda f: f.array(_weights_array(f), np.zeros((5, 2, 3))), "E541"),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged(tmp_path: Path, forgery: Forgery, name: str) -> None:
    change, code = FORGED[name]
    change(forgery)
    data = forgery.sealed() if name != "no manifest" else _without_manifest(forgery)
    assert refusal(tmp_path, data).code == code


def _without_manifest(forgery: Forgery) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as container:
        container.writestr("0.npy", forgery.members["0.npy"])
    return stream.getvalue()


def test_declared_size_is_checked_before_it_is_allocated(tmp_path: Path, forgery: Forgery) -> None:
    _huge(forgery)
    assert refusal(tmp_path, forgery.sealed(), max_bytes=2**62).code == "E538"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 100_000,
        '{"a":' * 100_000,
        "NaN",
        "[-Infinity]",
        "9" * 5000,
        "[" + "9" * 30 + "]",
        '{"format":"gnnz","format":"gnnz"}',
        '{"format":"gnnz"',
    ],
)
def test_manifest_that_is_no_json(tmp_path: Path, forgery: Forgery, text: str) -> None:
    assert refusal(tmp_path, forgery.sealed_text(text)).code == "E536"


def test_number_beyond_the_largest(tmp_path: Path, forgery: Forgery) -> None:
    text = json.dumps(forgery.manifest).replace('"dropout": 0.5', '"dropout": 1e999')
    assert refusal(tmp_path, forgery.sealed_text(text)).code == "E537"


def test_nested_expression(tmp_path: Path, forgery: Forgery) -> None:
    body: Any = {"node": "ref", "layer": "h"}
    for _ in range(MAX_DEPTH + 1):
        body = {"node": "layernorm", "operand": body}
    _set(*Y_BODY, to=body)(forgery)
    problem = refusal(tmp_path, forgery.sealed())
    assert problem.code == "E537"
    assert "nested" in problem.message


# ------------------------------------------------------------------ inputs that are filled and scaled


@pytest.fixture
def scaled(tmp_path: Path) -> Forgery:
    node = PLAN.inputs[0]
    numbers = np.arange(1.0, 1 + np.prod(node.units.shape)).reshape(node.units.shape)
    inputs = (replace(node, fill=numbers, scaling=Scaling("standardize", numbers, numbers + 1)), *PLAN.inputs[1:])
    save(tmp_path / "s.gnnz", replace(PLAN, inputs=inputs), s.values_of(PLAN), STATE)
    return Forgery((tmp_path / "s.gnnz").read_bytes())


def test_scaling_comes_back(tmp_path: Path, scaled: Forgery) -> None:
    (tmp_path / "m.gnnz").write_bytes(scaled.sealed())
    plan, _, state = load_checkpoint(tmp_path / "m.gnnz")
    node = plan.inputs[0]
    assert scaled.manifest["format_version"] == 3
    assert state is not None
    assert node.scaling is not None
    assert node.fill is node.scaling.mean  # stored once
    np.testing.assert_array_equal(node.scaling.deviation, node.fill + 1)


INPUT = ("plan", "inputs", 0)


def _deviation(array: np.ndarray) -> Callable[[Forgery], None]:
    return lambda f: f.array(_plan(f)["inputs"][0]["scaling"]["deviation"]["array"], array)


SHAPE = PLAN.inputs[0].units.shape
FORGED_SCALING: dict[str, tuple[Callable[[Forgery], object], str]] = {
    "older version": (_set("format_version", to=1), "E537"),
    "method": (_set(*INPUT, "scaling", "method", to="whiten"), "E537"),
    "list": (_set(*INPUT, "scaling", to=[]), "E537"),
    "no deviation": (lambda f: _plan(f)["inputs"][0]["scaling"].pop("deviation"), "E537"),
    "numbers of another method": (_set(*INPUT, "scaling", "method", to="row_normalize"), "E537"),
    "array of strings": (lambda f: _set(*INPUT, "fill", to=_plan(f)["inputs"][0]["units"]["keys"])(f), "E541"),
    "zero": (_deviation(np.zeros(SHAPE)), "E541"),
    "negative": (_deviation(-np.ones(SHAPE)), "E541"),
    "not finite": (_deviation(np.full(SHAPE, np.nan)), "E541"),
    "shape": (_deviation(np.ones((7, *SHAPE))), "E541"),
    "dtype": (_deviation(np.ones(SHAPE, np.float32)), "E541"),
}


@pytest.mark.parametrize("name", FORGED_SCALING)
def test_forged_scaling(tmp_path: Path, scaled: Forgery, name: str) -> None:
    change, code = FORGED_SCALING[name]
    change(scaled)
    assert refusal(tmp_path, scaled.sealed()).code == code


# ------------------------------------------------------------------ the state of a training

STATE = TrainingState(
    epoch=2, batch=1, samples=8, step=9, best_epoch=1, best=0.5, settings={"seed": "0"},
    arrays={"sums": np.arange(2.0), "state:time": np.array(9, dtype=np.int64)},
)  # fmt: skip
SECTION = ("training",)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Forgery:
    save(tmp_path / "c.gnnz", PLAN, s.values_of(PLAN), STATE)
    return Forgery((tmp_path / "c.gnnz").read_bytes())


def test_a_state_comes_back(tmp_path: Path, checkpoint: Forgery, good: bytes) -> None:
    (tmp_path / "m.gnnz").write_bytes(checkpoint.sealed())
    plan, _, state = load_checkpoint(tmp_path / "m.gnnz")
    assert s.same(plan, PLAN)
    assert state is not None
    assert {**vars(state), "arrays": None} == {**vars(STATE), "arrays": None}
    assert {name: array.tolist() for name, array in state.arrays.items()} == {"sums": [0, 1], "state:time": 9}
    assert s.same(load(tmp_path / "m.gnnz")[0], PLAN)
    (tmp_path / "m.gnnz").write_bytes(good)
    assert load_checkpoint(tmp_path / "m.gnnz")[2] is None
    assert (checkpoint.manifest["format_version"], Forgery(good).manifest["format_version"]) == (2, 1)


FORGED_STATES: dict[str, tuple[Callable[[Forgery], object], str]] = {
    "in a file of version 1": (_set("format_version", to=1), "E537"),
    "none in a file of version 2": (lambda f: f.manifest.pop("training"), "E537"),
    "null": (_set(*SECTION, to=None), "E537"),
    "list": (_set(*SECTION, to=[]), "E537"),
    "newer": (_set(*SECTION, "version", to=2), "E537"),
    "count": (_set(*SECTION, "step", to=-1), "E537"),
    "fraction": (_set(*SECTION, "epoch", to=1.5), "E537"),
    "best": (_set(*SECTION, "best", to="0.5"), "E537"),
    "settings": (_set(*SECTION, "settings", "seed", to=0), "E537"),
    "unknown field": (_set(*SECTION, "more", to=1), "E537"),
    "missing field": (lambda f: f.manifest["training"].pop("samples"), "E537"),
    "array that is none": (_set(*SECTION, "arrays", "sums", to=3), "E537"),
    "array out of range": (_set(*SECTION, "arrays", "sums", "array", to=10**6), "E537"),
    "array that nothing refers to": (lambda f: f.manifest["training"]["arrays"].pop("sums"), "E537"),
}


@pytest.mark.parametrize("name", FORGED_STATES)
def test_forged_state(tmp_path: Path, checkpoint: Forgery, name: str) -> None:
    change, code = FORGED_STATES[name]
    change(checkpoint)
    assert refusal(tmp_path, checkpoint.sealed()).code == code


def test_a_best_score_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        save(tmp_path / "c.gnnz", PLAN, s.values_of(PLAN), replace(STATE, best=float("nan")))
    assert caught.value.code == "E543"
    assert not (tmp_path / "c.gnnz").exists()


def test_digest_of_the_manifest(tmp_path: Path, forgery: Forgery) -> None:
    text = json.dumps(forgery.manifest)
    sealed = forgery.sealed_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest().encode()
    swapped = digest[::-1]
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sealed)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            new.writestr(name, swapped if name == "manifest.sha256" else old.read(name))
    assert refusal(tmp_path, stream.getvalue()).code == "E535"


def test_compressed_bomb(tmp_path: Path, forgery: Forgery) -> None:
    forgery.members["0.npy"] = b"\0" * 50_000_000
    assert refusal(tmp_path, forgery.sealed(zipfile.ZIP_DEFLATED)).code == "E534"


def test_duplicate_member(tmp_path: Path, good: bytes) -> None:
    stream = io.BytesIO(good)
    with zipfile.ZipFile(stream, "a") as container, pytest.warns(UserWarning, match="Duplicate"):
        container.writestr("0.npy", b"other")
    assert refusal(tmp_path, stream.getvalue()).code == "E534"


def test_wrong_crc(tmp_path: Path, good: bytes) -> None:
    damaged = bytearray(good)
    at = good.index(b"\x93NUMPY") + 128
    damaged[at] ^= 1
    assert refusal(tmp_path, bytes(damaged)).code == "E533"


def test_max_bytes(tmp_path: Path, good: bytes) -> None:
    problem = refusal(tmp_path, good, max_bytes=1000)
    assert problem.code == "E539"
    assert "1000 bytes" in problem.message
