"""The ways of making a sparse layer in Theano that people were given, beside this project's.

    ./dev theano
    python benchmarks/approaches.py [-o FILE] [--units N ..] [--only NAME ..]

One layer: n units, each with 2 to 6 prescribed inputs among n, a batch of 16, float32. Every case runs in a process of
its own, in classic Theano (the environment that `./dev theano` makes, or GNN_THEANO_VENV) or, for ours, in this one. It
has a limit of memory and of time; what it says when it fails is what the table says. Values and gradients are compared
with a loop over the edges before anything is timed. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

BATCH, SEED, MEMORY, SECONDS = 16, 0, 12 * 2**30, 60
ROOT = Path(__file__).parents[1]
APPROACHES = {
    "list": "list of sliced dots",
    "padded": "one indexed product",
    "blocks": "`sparse_block_dot`",
    "masked": "masked dense matrix",
    "csr": "`sparse.CSR`, `structured_dot`",
    "ours": "this project",
}

# ------------------------------------------------------------------ the problem


def problem(n):
    """indptr (n + 1,), indices (E,), weights (E,), x (BATCH, n) and the gradient of y."""
    rng = np.random.default_rng(SEED)
    degrees = rng.integers(2, min(n, 6) + 1, n)
    indptr = np.concatenate([[0], np.cumsum(degrees)]).astype(np.int32)
    rows = [np.sort(rng.choice(n, k, replace=False)) if n < 100 else None for k in degrees]
    if rows[0] is None:  # distinct sources without n choices out of n: steps of at least one around the ring
        steps = rng.integers(1, n // 6, indptr[-1])
        ends = np.cumsum(steps)
        starts = np.repeat(ends[indptr[:-1]] - steps[indptr[:-1]], degrees)
        offset = np.repeat(rng.integers(0, n, n), degrees)
        indices = (offset + ends - starts) % n
        order = np.lexsort((indices, np.repeat(np.arange(n), degrees)))
        indices = indices[order]
    else:
        indices = np.concatenate(rows)
    weights, x, gy = rng.standard_normal(indptr[-1]), rng.standard_normal((BATCH, n)), rng.standard_normal((BATCH, n))
    return indptr, indices.astype(np.int32), *(array.astype(np.float32) for array in (weights, x, gy))


def expected(indptr, indices, weights, x, gy):
    """The layer and the gradient by its weights, from the list of edges."""
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    y = np.zeros(x.shape)
    np.add.at(y.T, rows, weights[:, None] * x.T[indices].astype(float))
    return y, (x.T[indices].astype(float) * gy.T[rows]).sum(axis=1)


# ------------------------------------------------------------------ the approaches


def in_theano(approach, given):
    """(x, y, w, gradient taker, how to get the E gradients of a result)."""
    import theano
    import theano.tensor as tt
    from theano import sparse
    from theano.tensor.nnet.blocksparse import sparse_block_dot

    indptr, indices, weights, _, _ = given
    n, rows = len(indptr) - 1, np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    x = tt.fmatrix("x")
    if approach == "list":
        w = theano.shared(weights)
        bounds = zip(indptr[:-1].tolist(), indptr[1:].tolist(), strict=True)
        y = tt.stack([tt.dot(x[:, indices[a:b]], w[a:b]) for a, b in bounds], axis=1)
        return theano, x, y, w, lambda g: g
    if approach == "padded":
        places = np.arange(len(indices)) - np.repeat(indptr[:-1], np.diff(indptr))
        sources, padded = np.zeros((n, 6), np.int64), np.zeros((n, 6), np.float32)
        sources[rows, places], padded[rows, places] = indices, weights
        w = theano.shared(padded)
        return theano, x, (x[:, sources] * w).sum(axis=2), w, lambda g: g[rows, places]
    if approach == "blocks":
        w = theano.shared(np.zeros((n, n, 1, 1), np.float32))
        value = w.get_value(borrow=True)
        value[indices, rows, 0, 0] = weights
        every = tt.arange(n).dimshuffle("x", 0) + tt.zeros((x.shape[0], 1), "int64")
        y = sparse_block_dot(w, x.dimshuffle(0, 1, "x"), every, tt.zeros((n, 1), "float32"), every)
        return theano, x, y[:, :, 0], w, lambda g: g[indices, rows, 0, 0]
    if approach == "masked":
        dense, mask = np.zeros((n, n), np.float32), np.zeros((n, n), np.float32)
        dense[indices, rows], mask[indices, rows] = weights, 1
        w = theano.shared(dense, borrow=True)
        return theano, x, tt.dot(x, w * theano.shared(mask, borrow=True)), w, lambda g: g[indices, rows]
    w = theano.shared(weights)
    matrix = sparse.CSR(w, indices, indptr, (n, n))
    return theano, x, sparse.structured_dot(matrix, x.T).T, w, lambda g: g


def in_ours(given):
    import pytensor
    import pytensor.tensor as pt

    import graphnn_compiler as gnn

    indptr, indices, weights, _, _ = given
    n, rows = len(indptr) - 1, np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    program = f'gnn 1\ninput x[{n}]\noutput y[{n}] {{ from x via table("wires") as only  bias = none }}\n'
    net = gnn.build(program, data={"y.only": (indices, rows)})
    net.set_weights({"y.weights": weights})
    x = pt.fmatrix("x")
    return pytensor, x, net.symbolic(x), net.parameters["y.only.weights"], lambda g: g


def measure(approach, n):
    """Run by `work` in a process of its own: seconds and bytes of one case."""
    given = problem(n)
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    library, x, y, w, edges = in_ours(given) if approach == "ours" else in_theano(approach, given)
    gy = x.type("gy")
    forward = library.function([x], y)
    both = library.function([x, gy], [y, library.grad((y * gy).sum(), w)])
    arrays = given[3:]
    value = forward(arrays[0])
    slopes = both(*arrays)[1]
    compiled = time.perf_counter() - began
    right, slope = expected(*given)
    np.testing.assert_allclose(value, right, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(edges(np.asarray(slopes)), slope, rtol=1e-3, atol=1e-3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start
    return {
        "compile": compiled,
        "forward": median(lambda: forward(arrays[0])),
        "both": median(lambda: both(*arrays)),
        "memory": peak * 1024,
    }


def median(action):
    times = []
    while len(times) < 3 or (sum(times) < 1 and len(times) < 15):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def work(approach, n):
    """The case as one line of JSON; an exception as its last line."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        print(json.dumps(measure(approach, n)))
    except BaseException as problem:
        said = (str(problem).strip() or "no message").splitlines()[0]
        print(json.dumps({"failed": f"{type(problem).__name__}: {said[:110]}"}))


# ------------------------------------------------------------------ the table


def run(approach, n):
    environment = Path(os.environ.get("GNN_THEANO_VENV") or ROOT / ".venv-theano")
    python = sys.executable if approach == "ours" else str(environment / "bin" / "python")
    variables = {**os.environ, "THEANO_FLAGS": "blas.ldflags="}
    command = [python, str(Path(__file__).resolve()), "--work", approach, str(n)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=variables, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"not compiled and run within {SECONDS} s"}
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]) if lines else {"failed": f"the process ended with status {done.returncode}"}


def cells(result):
    if "failed" in result:
        return ["", "", "", "", result["failed"].replace("|", "/")]
    times = [f"{result['compile']:.1f}", f"{1e3 * result['forward']:.2f}", f"{1e3 * result['both']:.2f}"]
    return [*times, f"{result['memory'] / 2**20:.0f}", ""]


def report(sizes, approaches):
    lines = [
        "# Sparse layers in Theano, as people were told to make them",
        "",
        f"n units with 2 to 6 prescribed inputs each, batch {BATCH}, float32; seconds to compile and call once, median",
        "milliseconds of a call, MiB by which the process grew. A case may take 12 GiB of address space and",
        f"{SECONDS} s. Made by `python benchmarks/approaches.py`; the approaches are told in [theano.md](theano.md).",
        "",
        "| units | approach | compile, s | forward, ms | forward + gradient, ms | memory, MiB | what becomes of it |",
        "|---:|---|---:|---:|---:|---:|---|",
    ]
    for n in sizes:
        for approach in approaches:
            result = run(approach, n)
            lines.append("| " + " | ".join([f"{n:,}", APPROACHES[approach], *cells(result)]) + " |")
            print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="write the page there (default: print)")
    parser.add_argument("--units", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--only", nargs="+", choices=APPROACHES, default=list(APPROACHES))
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work[0], int(arguments.work[1]))
        return
    page = report(arguments.units, arguments.only)
    if arguments.out is None:
        print(page, end="")
    else:
        beside = arguments.out.with_name(arguments.out.name + ".part")
        beside.write_text(page, encoding="utf-8")
        beside.replace(arguments.out)


if __name__ == "__main__":
    main()
