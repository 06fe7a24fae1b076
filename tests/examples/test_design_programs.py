"""The programs that the language was designed on compile and run on small data, and wire what they say."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import MappingProxyType

import design_data
import numpy as np
import pytest
from slopes import INTERPRETED, randomise

import graphnn_compiler as gnn

DESIGN = Path(__file__).parent / "design"
PROGRAMS = sorted(path.name for path in DESIGN.glob("*.gnn"))
TOUR = "09_algebra_tour.gnn"

PARAMS = MappingProxyType({"04_chain.gnn": {"cells": 100}, "07_deep_tied.gnn": {"steps": 3}})

OUTPUTS = MappingProxyType(
    {
        "01_mlp_roads.gnn": (10,),
        "02_gcn_cora.gnn": (21, 7),
        "03_pathways.gnn": (1,),
        "03b_reactome_levels.gnn": (1,),
        "04_chain.gnn": (100,),
        "05_relations.gnn": (8, 120),
        "06_residual_mix.gnn": (21, 6),
        "07_deep_tied.gnn": (1,),
        "08_main.gnn": (12, 2),
    }
)
"""The shape of the output of one sample, by program."""

# the tour declares sets only: every one of them in a layer on units that fit it
LAYERS = (
    "input x[g.nodes]\ninput c[cell]\ninput image[4096]\ninput k[kg.nodes]\n"
    + "".join(
        f"layer of_r{n}[g.nodes] {{ from x via r{n} }}\n"
        for n in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 14, 16, 17, 18, 20, 21, 22, 23, 24)
    )
    + "".join(f"layer of_r{n}[kg.nodes] {{ from k via r{n} }}\n" for n in (15, 19))
    + "layer of_r9[4096] { from image via r9 }\nlayer of_r13[cell] { from c via r13 }\n"
    + "layer of_k2[k2] { from k via all }\nlayer of_r25[cut[1].nodes] { from of_k2 via r25 }\n"
    + "output y[2] { from of_r25 via all }\n"
)


# units without edges, and edges between other units than those of a layer, on such small data
pytestmark = pytest.mark.filterwarnings("ignore::graphnn_compiler.GnnWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = shutil.copytree(DESIGN, tmp_path_factory.mktemp("design"), dirs_exist_ok=True)
    design_data.write(to)
    return to


def test_every_program_is_tried() -> None:
    assert {*OUTPUTS, TOUR} == set(PROGRAMS)


@pytest.mark.parametrize("name", sorted(OUTPUTS))
def test_a_program_compiles_and_runs(name: str, folder: Path) -> None:
    net = gnn.build(folder / name, params=PARAMS.get(name), mode=INTERPRETED)
    randomise(net, seed=1)
    random = np.random.default_rng(0)
    inputs = {node.name: random.standard_normal((2, *node.units.shape)) for node in net.plan.inputs}
    found = net(inputs)
    assert isinstance(found, np.ndarray)
    assert found.shape == (2, *OUTPUTS[name])
    assert np.all(np.isfinite(found))
    assert not np.array_equal(found[0], found[1])


def test_every_set_of_the_tour_wires_a_layer(folder: Path) -> None:
    text = (folder / TOUR).read_text(encoding="utf-8")
    (folder / "tour.gnn").write_text(text + LAYERS, encoding="utf-8")
    net = gnn.build(folder / "tour.gnn")
    wired = {layer.name: layer.body.clauses[0] for layer in net.plan.layers}
    names = {f"of_r{n}" for n in range(1, 26)}
    assert names <= set(wired)
    assert all(wired[name].n_edges > 0 for name in names - {"of_r1"})
    assert len(net.edges("of_r24")) >= len(net.edges("of_r14"))
    assert np.all(np.diff(net.edges("of_r22").indptr) <= 3)
