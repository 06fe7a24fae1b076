"""Build time and memory of a large edge list: 1,000,000 units, 4,000,000 edges by default.

    python benchmarks/large_csv.py [--units N] [--keep FOLDER]

Each step runs in a process of its own, so that its peak memory is its own. The yardstick of a build is the least that
anybody could do by hand: read the two columns with pyarrow and make a SciPy CSR matrix, trusting the data. The
yardstick of reading is the graph that it makes: how many times its arrays the process grew. Prints two Markdown tables.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PROGRAM = """gnn 1
graph g = read("edges.csv")
assert in_degree(g.edges) in 0..6, "each unit hears at most 6 others"
input x[g.nodes]
layer h[g.nodes] { from x via g.edges { weights = per_edge, init = edge.w } activation = tanh }
output y[10] { from h via all activation = softmax }
"""

GENERATE = "generate"
TEXT_KEYS = {"text": "unit{:07d}", "long text": "ENSG{:011d}.longer_name"}
FILES = [f"{name}.{format}" for format in ("csv", "parquet") for name in ("edges", *TEXT_KEYS)]


def generate(folder: Path, units: int) -> int:
    """Write the program and its edge lists: 2 to 6 in-edges a unit, distinct, in random order. The number of edges."""
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    degree = rng.integers(2, 7, units)
    target = np.repeat(np.arange(units), degree)
    pairs = np.unique(target * units + rng.integers(0, units, len(target)))
    pairs = rng.permutation(pairs)
    columns = {
        "source": pairs % units,
        "target": pairs // units,
        "w": rng.normal(size=len(pairs)).round(4),
    }
    table = pyarrow.table(columns)
    pyarrow.csv.write_csv(table, folder / "edges.csv")
    pyarrow.parquet.write_table(table, folder / "edges.parquet")
    for name, pattern in TEXT_KEYS.items():
        keys = pyarrow.array([pattern.format(i) for i in range(units)])
        ends = {end: keys.take(pyarrow.array(columns[end])) for end in ("source", "target")}
        pyarrow.csv.write_csv(pyarrow.table(columns | ends), folder / f"{name}.csv")
        pyarrow.parquet.write_table(pyarrow.table(columns | ends), folder / f"{name}.parquet")
    (folder / "model.gnn").write_text(PROGRAM)
    return len(pairs)


def by_hand(folder: Path) -> None:
    import pyarrow.csv
    import scipy.sparse

    table = pyarrow.csv.read_csv(folder / "edges.csv")
    row, column, value = (table[name].to_numpy() for name in ("target", "source", "w"))
    scipy.sparse.csr_array((value.astype(np.float32), (row, column)))


def resolve(folder: Path) -> None:
    from graphnn_compiler.compiler import Settings, compile_plan
    from graphnn_compiler.language.parser import load_source

    source, _ = load_source(folder / "model.gnn")
    assert source is not None
    compiled = compile_plan(source, Settings())
    assert compiled.resolution is not None, compiled.diagnostics


def build(folder: Path) -> None:
    from graphnn_compiler.cli.main import main

    assert main(["build", str(folder / "model.gnn"), "-o", str(folder / "model.gnnz")]) == 0


def first_call(folder: Path) -> None:
    import graphnn_compiler as gnn

    network = gnn.load(folder / "model.gnnz")
    units = len(network.plan.inputs[0].units)
    network(np.zeros((1, units), dtype=np.float32))


def peak_bytes() -> int:
    """Linux counts in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def read_only(path: Path) -> dict[str, float]:
    """The figures of reading one file as a graph."""
    from graphnn_compiler.topology.readers import GraphOptions, read_graph

    before, start = peak_bytes(), time.perf_counter()
    graph = read_graph(path, path.name, GraphOptions())
    seconds, grown = time.perf_counter() - start, peak_bytes() - before
    keys, edges = graph.sources.keys, graph.edges
    # beside the 16 bytes of each, NumPy keeps texts of more than 15 bytes apart, with a byte for the length
    apart = sum(len(key) + 1 for key in keys if len(key) > 15) if graph.sources.string_keys else 0
    finished = edges.row.nbytes + edges.column.nbytes + edges.columns["w"].values.nbytes + keys.nbytes + apart
    return {"seconds": seconds, "grown": grown, "finished": finished}


STEPS = {"by hand": by_hand, "parse, check, resolve": resolve, "gnnc build": build, "load and first call": first_call}


def run(step: str, folder: Path, units: int) -> None:
    """One step in this process; its figures as JSON on the last line."""
    if step == GENERATE:
        print(json.dumps({"edges": generate(folder, units)}))
        return
    if step in FILES:
        print(json.dumps(read_only(folder / step)))
        return
    start = time.perf_counter()
    STEPS[step](folder)
    print(json.dumps({"seconds": time.perf_counter() - start, "peak": peak_bytes()}))


def figures(step: str, folder: Path, units: int) -> dict[str, float]:
    """What `run` prints in a process of its own. On Linux a process's peak begins at that of the one that starts it, so
    this one must stay small."""
    command = [sys.executable, __file__, "--step", step, "--keep", str(folder), "--units", str(units)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def report(folder: Path, units: int) -> None:
    n_edges = figures(GENERATE, folder, units)["edges"]
    size = (folder / "edges.csv").stat().st_size / 1e6
    print(f"{units:,} units, {n_edges:,} edges, {size:.0f} MB of CSV\n")
    print("| step | seconds | times by hand | peak memory, MiB |\n|---|---:|---:|---:|")
    yardstick = None
    for step in STEPS:
        found = figures(step, folder, units)
        yardstick = yardstick or found["seconds"]
        ratio = found["seconds"] / yardstick
        print(f"| {step} | {found['seconds']:.1f} | {ratio:.1f} | {found['peak'] / 2**20:.0f} |", flush=True)
    print("\n| read | seconds | finished arrays, MiB | grown by, MiB | ratio |\n|---|---:|---:|---:|---:|")
    for file in FILES:
        found = figures(file, folder, units)
        sizes = f"{found['finished'] / 2**20:.0f} | {found['grown'] / 2**20:.0f}"
        print(f"| {file} | {found['seconds']:.1f} | {sizes} | {found['grown'] / found['finished']:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="write the files there and leave them")
    parser.add_argument("--step", choices=[GENERATE, *STEPS, *FILES], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        run(arguments.step, arguments.keep, arguments.units)
        return
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        report(arguments.keep, arguments.units)
        return
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), arguments.units)


if __name__ == "__main__":
    main()
