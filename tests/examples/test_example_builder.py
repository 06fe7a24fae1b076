"""The example programs written in Python build to the same plan, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from folders import NAMES, PARAMETERS, small

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


def chain() -> gnn.Program:
    cells, seed = gnn.Param("cells", int, 100, within=gnn.between(20, 1_000_000)), gnn.Param("seed", int, 7)
    cell = gnn.Nodes("cell", gnn.range(cells))
    candidates = gnn.offset(gnn.between(-8, 8)) - gnn.same
    drawn = gnn.random(in_degree=gnn.between(2, 6), among=candidates, seed=seed)
    local = gnn.Edges("local", drawn, sources=cell, targets=cell)
    listed = gnn.table("long_wires.csv", source="pre", target="post", duplicates="error")
    wires = gnn.Edges("wires", listed, sources=cell, targets=cell)
    x = gnn.Input("x", units=cell)
    heard = gnn.Layer("heard", units=cell, batchnorm=True, activation="leaky_relu")
    heard.connect(x, via=local, label="near", init=gnn.normal(0, 1 / gnn.sqrt(gnn.dst.in_degree)))
    heard.connect(x, via=wires, label="far", init=gnn.edge.w0)
    smooth = gnn.Layer("smooth", units=cell, activation="leaky_relu")
    smooth.connect(heard, via=gnn.offset(gnn.between(-2, 2)), weights=gnn.per(gnn.edge.offset))
    answer = gnn.Output("answer", units=cell).connect(smooth, via="one_to_one", init=1.0)
    answer.connect(heard, via="same", init="zeros")
    truth = gnn.Target("truth")
    return gnn.Program(
        gnn.Assert(gnn.in_degree(local).isin(gnn.between(2, 6))),
        gnn.Assert(gnn.count(wires & local) == 0, "a long wire repeats a local one"),
        gnn.Loss("cost", gnn.mse(answer, truth)),
        gnn.Metric("off", gnn.mae(answer, truth)),
    )


def convolution() -> gnn.Program:
    side = 12
    steps = [[row, column] for row in (-1, 0, 1) for column in (-1, 0, 1)]
    window = gnn.Edges("window", gnn.offset(steps, shape=[side, side]))
    by_step = gnn.per(gnn.edge.offset)
    x = gnn.Input("x", units=side * side)
    strokes = gnn.Layer("strokes", units=side * side, channels=4, activation="relu")
    strokes.connect(x, via=window, weights=by_step)
    shapes = gnn.Layer("shapes", units=side * side, channels=8, activation="relu")
    shapes.connect(strokes, via=window, weights=by_step, init="he")
    pooled = gnn.Layer("pooled", gnn.mean(shapes, axis=gnn.units))
    kind = gnn.Output("kind", units=3, activation="softmax").connect(pooled, via="all")
    truth = gnn.Target("truth")
    penalty = gnn.l2(strokes.weights, shapes.weights)
    return gnn.Program(
        gnn.Loss("cost", gnn.cross_entropy(kind, truth) + 1e-4 * penalty),
        gnn.Metric("acc", gnn.accuracy(kind, truth)),
    )


def pooled_stops() -> gnn.Program:
    width = gnn.Param("width", int, 12, within=gnn.between(1, 64))
    city = gnn.read("trips.csv", source="from", target="to", nodes="stops.csv", key="id", name="city")
    stop = gnn.Nodes("stop", city.nodes[gnn.node.kind == "stop"])
    districts = gnn.Nodes("districts", gnn.group(stop, by=gnn.node.district))
    places = [gnn.node.x, gnn.node.y]
    close = gnn.Edges("close", gnn.within(300, at=places), sources=stop, targets=stop)
    busy = gnn.Edges("busy", gnn.top(city.edges, k=4, by=gnn.edge.trips, per=gnn.dst))
    around = gnn.Edges("around", busy | close)
    today = gnn.Input("today", units=stop, channels=6, data=gnn.array("today.csv", key="id"))
    heard = gnn.Layer("heard", units=stop, channels=width, activation="relu")
    heard.connect(today, via=around, weights="shared", scale=gnn.default(gnn.edge.trips, 10), norm="row")
    heard.connect(today, via="same", label="own", weights="shared")
    pooled = gnn.Layer("pooled", units=districts, channels=6, bias=None)
    pooled.connect(today, via=districts.members, weights=gnn.fixed(1), norm="row")
    back = gnn.Layer("back", units=stop, channels=6, bias=None)
    back.connect(pooled, via=~districts.members, weights=gnn.fixed(1))
    joined = gnn.Layer("joined", gnn.dropout(gnn.concat(heard, back, today), 0.1))
    tomorrow = gnn.Output("tomorrow", units=stop, channels=6).connect(joined, via="same", weights="shared")
    truth = gnn.Target("truth", data=gnn.array("tomorrow.csv", key="id"))
    penalty = gnn.l2(heard.today.weights, heard.own.weights)
    cost = gnn.mse(tomorrow, truth, on=stop[gnn.node.split == "train"]) + 1e-4 * penalty
    off = gnn.mae(tomorrow, truth, on=stop[gnn.node.split == "test"])
    return gnn.Program(gnn.Loss("cost", cost), gnn.Metric("off", off))


def reactome_levels() -> gnn.Program:
    data = gnn.Param("data", Path, ".")
    up = gnn.Edges("up", ~gnn.table(data / "pathway_edges.csv", source="parent", target="child"))
    feeds = gnn.table(data / "protein_pathway.csv", source="protein", target="pathway", name="feeds")
    alive = gnn.Nodes("alive", gnn.targets(feeds | feeds @ gnn.closure(up)))
    kept = gnn.Edges("kept", up, sources=alive, targets=alive)
    cut = gnn.levels(kept, depth=4)
    reached = feeds | feeds @ gnn.closure(kept)
    into_last = gnn.Edges("into_last", reached, sources=gnn.sources(feeds), targets=cut[4].nodes)
    before, via = gnn.Input("x", units=gnn.Nodes("protein", gnn.sources(into_last))), into_last
    levels = []
    for k in (4, 3, 2, 1):
        before = gnn.Layer(f"l{k}", units=cut[k].nodes, activation="tanh").connect(before, via=via)
        levels.append(before)
        via = cut[k].edges
    score = gnn.Output("score", units=1, activation="sigmoid").connect(before, via="all")
    group = gnn.Target("group")
    penalty = gnn.l2(*(level.weights for level in levels))
    return gnn.Program(
        gnn.Assert(gnn.acyclic(up), "no pathway is part of itself"),
        gnn.Loss("cost", gnn.binary_cross_entropy(score, group) + 1e-4 * penalty),
        gnn.Metric("hits", gnn.accuracy(score, group)),
    )


def relational() -> gnn.Program:
    width = gnn.Param("width", int, 12, within=gnn.between(1, 128))
    bases = gnn.Param("bases", int, 2, within=gnn.between(1, 8))
    kg = gnn.read(
        "kg.csv", source="head", target="tail", type="relation", nodes="things.csv", key="id", name="kg"
    )  # fmt: skip
    people = gnn.Nodes("people", kg.nodes[gnn.node.kind == "person"])
    name = gnn.Input("name", units=kg.nodes, channels=96, data="one_hot.npy")
    sharing = {"weights": gnn.per(gnn.edge.type, bases=bases), "norm": gnn.row(per=gnn.edge.type)}

    def wired(layer: gnn.Layer, source: gnn.Input | gnn.Layer) -> gnn.Layer:
        layer.connect(source, via=~kg.edges, label="said", **sharing)
        layer.connect(source, via=kg.edges, label="heard", **sharing)
        return layer.connect(source, via="same", label="itself", weights="shared")

    hidden = wired(gnn.Layer("hidden", units=kg.nodes, channels=width, activation="relu"), name)
    language = wired(gnn.Output("language", units=kg.nodes, channels=3, activation="softmax"), hidden)
    spoken = gnn.Target("spoken", data=kg.nodes.language)
    train, test = (people[gnn.node.split == split] for split in ("train", "test"))
    penalty = gnn.l2(hidden.said.bases, hidden.heard.bases, hidden.itself.weights)
    return gnn.Program(
        gnn.Assert(gnn.count(kg.edges["works_at"]) == gnn.count(people), "everybody works at one company"),
        gnn.Loss("cost", gnn.cross_entropy(language, spoken, on=train) + 5e-4 * penalty),
        gnn.Metric("train", gnn.accuracy(language, spoken, on=train)),
        gnn.Metric("test", gnn.accuracy(language, spoken, on=test)),
    )


IN_PYTHON = (
    chain, convolution, cora, karate, mlp_digits, pooled_stops, reactome_levels, relational, seed_100k
)  # fmt: skip


def test_every_example_is_written_in_python() -> None:
    """All but `tied_depth`: Python's functions and loops stand for blocks and untied repeats, but not for tied ones."""
    assert {program.__name__ for program in IN_PYTHON} == {*NAMES} - {"tied_depth"}


@pytest.mark.filterwarnings(r"ignore:warning\[W212\]")  # the file of `reactome_levels` allows it in a comment
@pytest.mark.parametrize("program", IN_PYTHON)
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
