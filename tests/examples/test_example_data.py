"""The data that comes with the examples: it is what their generators write, and wires what their READMEs say."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from folders import EXAMPLES, copied
from readme_commands import run
from slopes import INTERPRETED

import graphnn_compiler as gnn

LARGEST = 150_000


@pytest.mark.parametrize(
    "name",
    ["chain", "convolution", "karate", "mlp_digits", "pooled_stops", "reactome_levels", "relational", "tied_depth"],
)
def test_data_is_what_its_generator_writes(name: str, tmp_path: Path) -> None:
    shipped = copied(name, tmp_path)
    (fresh := tmp_path / "fresh").mkdir()
    run("python make_data.py -o ../fresh", shipped)
    data = [file for file in shipped.iterdir() if file.suffix in (".csv", ".graphml", ".npy", ".npz")]
    assert {file.name for file in data} == {file.name for file in fresh.iterdir()}
    for file in data:
        again = fresh / file.name
        assert file.stat().st_size <= LARGEST
        match file.suffix:
            case ".npy":
                assert np.array_equal(np.load(file), np.load(again))
            case ".npz":
                with np.load(file) as old, np.load(again) as new:
                    assert {key: old[key].dtype for key in old} == {key: new[key].dtype for key in new}
                    assert all(np.array_equal(old[key], new[key]) for key in old)
            case ".graphml":
                assert nx.utils.graphs_equal(nx.read_graphml(file), nx.read_graphml(again))
            case _:
                assert file.read_text(encoding="utf-8") == again.read_text(encoding="utf-8")


def test_a_unit_of_the_digits_hears_the_pixels_around_it() -> None:
    net = gnn.build(EXAMPLES / "mlp_digits" / "model.gnn")
    edges = net.edges("wired")
    pixels = [(row, column) for row in range(8) for column in range(8)]
    expected = {(f"r{a}c{b}", f"r{c}c{d}") for a, b in pixels for c, d in pixels if max(abs(a - c), abs(b - d)) <= 1}
    assert set(zip(edges.source_keys.tolist(), edges.target_keys.tolist(), strict=True)) == expected
    assert len(edges) == len(expected)
    assert net.plan.units["x"].keys.tolist() == [f"r{row}c{column}" for row, column in pixels]


def test_the_karate_club_in_the_file_and_in_memory_are_one() -> None:
    program, club = EXAMPLES / "karate" / "model.gnn", nx.karate_club_graph()
    of_file = gnn.build(program, mode=INTERPRETED)
    of_object = gnn.build(program, data={"club": club}, mode=INTERPRETED)
    both_ways = {(str(a), str(b)) for a, b in club.edges} | {(str(b), str(a)) for a, b in club.edges}
    for net in (of_file, of_object):
        edges = net.edges("hidden")
        pairs = {(str(a), str(b)) for a, b in zip(edges.source_keys, edges.target_keys, strict=True)}
        assert pairs == both_ways | {(str(member), str(member)) for member in club}
        assert len(edges) == 190
    assert np.array_equal(of_file(), of_object())
    assert of_file.evaluate() == of_object.evaluate()


def test_the_chain_hears_cells_nearby_and_the_wires_of_the_table() -> None:
    net = gnn.build(EXAMPLES / "chain" / "model.gnn", mode=INTERPRETED)
    near, far = net.edges("heard", "near"), net.edges("heard", "far")
    steps = np.abs(near.target_keys - near.source_keys)
    assert (steps.min(), steps.max()) == (1, 8)
    assert set(np.diff(near.indptr).tolist()) == {2, 3, 4, 5, 6}
    wires = np.loadtxt(EXAMPLES / "chain" / "long_wires.csv", delimiter=",", skiprows=1)
    listed = {(int(pre), int(post)): strength for pre, post, strength in wires}
    pairs = zip(far.source_keys.tolist(), far.target_keys.tolist(), strict=True)
    assert dict(zip(pairs, far.weights.tolist(), strict=True)) == pytest.approx(listed)
