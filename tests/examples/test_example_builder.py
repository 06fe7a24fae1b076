"""The example programs written in Python build to the same plan, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from folders import PARAMETERS, small

import graphnn_compiler as gnn
from graphnn_compiler.topology.plan_arrays import edge_arrays
from graphnn_compiler.topology.plan_text import dump


def mlp_digits() -> gnn.Program:
    pixels = gnn.read(
        "pixels.csv", source="source", target="target", nodes="pixel_nodes.csv", key="pixel", directed=False,
        name="pixels",
    )  # fmt: skip
    around = gnn.Edges("around", pixels.edges | gnn.same)
    x = gnn.Input("x", units=pixels.nodes)
    hidden = gnn.Layer("hidden", units=pixels.nodes, activation="tanh").connect(x, via="all")
    wired = gnn.Layer("wired", units=pixels.nodes, activation="tanh").connect(hidden, via=around, weights="per_edge")
    label = gnn.Output("label", units=10, activation="softmax").connect(wired, via="all", init="zeros")
    truth = gnn.Target("truth")
    penalty = gnn.l2(hidden.weights, wired.weights, label.weights)
    return gnn.Program(
        gnn.Assert(
            gnn.in_degree(around).isin(gnn.between(4, 9)),
            "3 neighbours in a corner, 8 inside the image, and the pixel itself",
        ),
        gnn.Loss("cost", gnn.cross_entropy(label, truth) + 1e-4 * penalty),
        gnn.Metric("acc", gnn.accuracy(label, truth)),
    )


def seed_100k() -> gnn.Program:
    wires, units = gnn.Param("wires", Path, "edges.csv"), gnn.Param("units", int, 100_000)
    wiring = gnn.table(wires, source="source", target="target", name="wiring")
    x = gnn.Input("x", units=units)
    first = gnn.Layer("first", units=units, activation="tanh").connect(x, via=wiring)
    second = gnn.Layer("second", units=units, activation="tanh").connect(first, via=wiring)
    label = gnn.Output("label", units=10, activation="softmax").connect(second, via="all")
    limits = gnn.Assert(
        gnn.in_degree(wiring).isin(gnn.between(2, 6)), "each neuron hears 2 to 6 neurons of the layer before it"
    )
    return gnn.Program(limits, gnn.Loss("cost", gnn.cross_entropy(label, gnn.Target("truth"))))


def cora() -> gnn.Program:
    data, words = gnn.Param("data", "path", "data"), gnn.Param("words", int, 1433)
    topics, width = gnn.Param("topics", int, 7), gnn.Param("width", int, 16, within=gnn.between(1, 1024))
    drop = gnn.Param("drop", float, 0.5, within=gnn.between(0.0, 0.9))
    papers = gnn.read(
        data / "edges.csv", source="source", target="target", nodes=data / "nodes.csv", key="id", directed=False,
        name="papers",
    )  # fmt: skip
    near = gnn.Edges("near", papers.edges | gnn.same)
    bag = gnn.Input("bag", units=papers.nodes, channels=words, data=gnn.array(data / "features.npz"))
    scaled = gnn.Layer("scaled", gnn.dropout(gnn.row_normalize(bag), drop))
    hidden = gnn.Layer(
        "hidden", units=papers.nodes, channels=width, bias="per_channel", activation="relu", dropout=drop
    )
    hidden.connect(scaled, via=near, weights="shared", norm="symmetric")
    topic = gnn.Output("topic", units=papers.nodes, channels=topics, bias="per_channel", activation="softmax")
    topic.connect(hidden, via=near, weights="shared", norm="symmetric")
    truth = gnn.Target("truth", data=papers.nodes.label)

    def of(split: str) -> object:
        return papers.nodes[gnn.node.split == split]

    return gnn.Program(
        gnn.Loss("cost", gnn.cross_entropy(topic, truth, on=of("train")) + 2.5e-4 * gnn.l2(hidden.weights)),
        gnn.Metric("val", gnn.accuracy(topic, truth, on=of("val"))),
        gnn.Metric("test", gnn.accuracy(topic, truth, on=of("test"))),
    )


def karate() -> gnn.Program:
    width = gnn.Param("width", int, 8, within=gnn.between(1, 128))
    club = gnn.read("karate.graphml", name="club")
    near = gnn.Edges("near", club.edges | gnn.same)
    who = gnn.Input("who", units=club.nodes, channels=34, data="one_hot.npy")
    hidden = gnn.Layer("hidden", units=club.nodes, channels=width, activation="relu")
    hidden.connect(who, via=near, weights="shared", norm="symmetric")
    side = gnn.Output("side", units=club.nodes, channels=2, activation="softmax")
    side.connect(hidden, via=near, weights="shared", norm="symmetric")
    joined = gnn.Target("joined", data=club.nodes.club)
    leaders = club.nodes[(gnn.node.index == 0) | (gnn.node.index == 33)]
    return gnn.Program(
        gnn.Loss("cost", gnn.cross_entropy(side, joined, on=leaders)),
        gnn.Metric("agreement", gnn.accuracy(side, joined)),
    )


@pytest.mark.parametrize("program", [mlp_digits, seed_100k, cora, karate])
def test_an_example_in_python(
    program: Callable[[], gnn.Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = program.__name__
    folder = small(name, tmp_path)
    monkeypatch.chdir(folder)
    (folder / "printed.gnn").write_text(str(program()), encoding="utf-8")
    nets = [
        gnn.build(each, params=PARAMETERS.get(name), seed=3)
        for each in (folder / "model.gnn", program(), folder / "printed.gnn")
    ]
    written, *others = nets
    for net in others:
        assert dump(net.plan) == dump(written.plan)
        arrays, expected = edge_arrays(net.plan, net.weights), edge_arrays(written.plan, written.weights)
        assert arrays.keys() == expected.keys()
        assert all(arrays[key].tobytes() == expected[key].tobytes() for key in expected)
