"""Small data for the programs in `design/`, drawn at a fixed seed.

`write(folder)` writes every file that they read. Not for: data that means anything.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp


def write(folder: Path) -> None:
    """Every file, relative to the programs' folder."""
    random = np.random.default_rng(4)
    for make in (_roads, _cora, _pathways, _levels, _chain, _relations, _city, _mesh, _tour):
        make(folder, random)
    sp.save_npz(folder / "graph.npz", sp.csr_array(np.triu(random.random((12, 12)) < 0.3, 1).astype(float)))


def _table(path: Path, header: str, rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, delimiter="\t" if path.suffix == ".tsv" else ",").writerows([header.split(), *rows])


def _pairs(random: np.random.Generator, n: int, density: float) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in np.argwhere(random.random((n, n)) < density) if a != b]


def _roads(folder: Path, random: np.random.Generator) -> None:
    roads = nx.DiGraph()
    roads.add_nodes_from((k, {"osmid": f"j{k}"}) for k in range(30))
    for target in range(30):
        others = np.delete(np.arange(30), target)
        sources = random.choice(others, int(random.integers(2, 7)), replace=False)
        roads.add_edges_from((int(source), target) for source in sources)
    nx.write_graphml(roads, folder / "roads.graphml")


def _cora(folder: Path, random: np.random.Generator) -> None:
    cited = [(a, b) for a, b in _pairs(random, 21, 0.2) if a < b]
    _table(folder / "cora" / "edges.csv", "source target", cited)
    papers = [(k, k % 7, ("train", "val", "test")[k % 3]) for k in range(21)]
    _table(folder / "cora" / "nodes.csv", "id label split", papers)
    np.savez_compressed(folder / "cora" / "features.npz", words=(random.random((21, 1433)) < 0.02).astype("float32"))


def _pathways(folder: Path, random: np.random.Generator) -> None:
    genes, pathways, processes = ([f"{kind}{k}" for k in range(n)] for kind, n in (("g", 12), ("p", 4), ("q", 2)))
    up = [(gene, pathways[(k + step) % 4]) for k, gene in enumerate(genes) for step in (0, 1)]
    up += [(pathway, processes[k % 2]) for k, pathway in enumerate(pathways)]
    scored = [
        (*pair, "part_of", f"{score:.2f}") for pair, score in zip(up, random.uniform(0.1, 1, len(up)), strict=True)
    ]
    _table(folder / "reactome.tsv", "child parent kind score", [*scored, ("g0", "g1", "binds", "0.5")])
    kinds = [
        (name, kind)
        for names, kind in ((genes, "gene"), (pathways, "pathway"), (processes, "process"))
        for name in names
    ]
    _table(folder / "terms.csv", "key kind", kinds)


def _levels(folder: Path, random: np.random.Generator) -> None:
    children = [(f"R{(k - 1) // 2}", f"R{k}") for k in range(1, 31)]
    _table(folder / "pathway_edges.csv", "parent child", children)
    annotated = {(f"P{k % 20}", f"R{random.integers(7, 31)}") for k in range(60)}
    _table(folder / "protein_pathway.csv", "protein pathway", sorted(annotated))


def _chain(folder: Path, random: np.random.Generator) -> None:
    wires = {
        (int(a), int(a) + 20 + int(b))
        for a, b in zip(random.integers(0, 60, 9), random.integers(0, 20, 9), strict=True)
    }
    _table(folder / "long_wires.csv", "pre post w0", [(*wire, 0.5) for wire in sorted(wires)])


def _relations(folder: Path, random: np.random.Generator) -> None:
    drugs, genes = [f"d{k}" for k in range(8)], [f"g{k}" for k in range(6)]
    found = [
        (drug, gene, ("binds", "inhibits", "carries")[k], float(random.uniform(0.5, 1)))
        for drug in drugs
        for gene in genes
        for k in range(3)
        if random.random() < 0.4
    ]
    columns = zip(*found, strict=True)
    names = ("head", "tail", "relation", "confidence")
    pq.write_table(
        pa.table({name: list(column) for name, column in zip(names, columns, strict=True)}), folder / "kg.parquet"
    )
    _table(folder / "things.csv", "id kind", [*((drug, "drug") for drug in drugs), *((gene, "gene") for gene in genes)])


def _city(folder: Path, random: np.random.Generator) -> None:
    city = nx.DiGraph()
    for k in range(24):
        x, y = random.uniform(0, 2000, 2)
        kind = "stop" if k < 21 else "depot"
        city.add_node(f"s{k}", kind=kind, district=("north", "south", "mill")[k % 3], x=float(x), y=float(y))
    city.add_edges_from((f"s{a}", f"s{b}", {"trips": 1 + (a * b) % 9}) for a, b in _pairs(random, 24, 0.3))
    nx.write_graphml(city, folder / "city.graphml")


def _mesh(folder: Path, random: np.random.Generator) -> None:
    sides = [(k, k + step, step, "side") for k in range(31) for step in (1, 2) if k + step < 31]
    parents = [(k, (k - 1) // 2, 0, "parent") for k in range(1, 31)]  # a binary tree of five levels
    names = ("source", "target", "orientation", "relation")
    columns = (np.array(column) for column in zip(*sides, *parents, strict=True))
    np.savez(folder / "mesh.npz", **dict(zip(names, columns, strict=True)))


def _tour(folder: Path, random: np.random.Generator) -> None:
    g = nx.DiGraph()
    for k in range(20):
        places = dict(zip(("x", "y", "z"), random.uniform(0, 12, 3).tolist(), strict=True))
        on_earth = {"lon": float(random.uniform(5, 9)), "lat": float(random.uniform(45, 49))}
        said = {"population": 5000 * (k + 1), "country": "XYZ"[k % 3], "district": k % 4, "age": 3 * k}
        g.add_node(f"n{k}", **places, **on_earth, **said)
    g.add_edges_from(
        (f"n{a}", f"n{b}", {"lanes": 1 + (a + b) % 3, "length": float(a + b)}) for a, b in _pairs(random, 20, 0.2)
    )
    nx.write_graphml(g, folder / "g.graphml")
    tree = [(k, (k - 1) // 2, "parent") for k in range(1, 15)]
    others = [(1, 2, "binds"), (3, 4, "binds"), (5, 6, "inhibits")]
    _table(folder / "kg.csv", "head tail relation", [*tree, *others])
    positions = np.array([(k, (7 * k + 1) % 1000) for k in range(40)] + [(0, 1)]).T
    np.savez(folder / "edges.npz", i=positions[0], j=positions[1], w=np.ones(41))
