"""The ways of making a sparse layer in Theano that people were given, beside this project's.

    ./dev theano
    python benchmarks/approaches.py [-o docs/benchmarks-approaches.md] [--units N ..] [--only NAME ..] [--keep FILE]

One layer: n units, each with 2 to 6 prescribed inputs among n, a batch of 16, float32. Every case runs in a process of
its own, in classic Theano (the environment that `./dev theano` makes, or GNN_THEANO_VENV) or, for ours and the one in
NumPy, in this Python. It has a limit of memory and of time; what it says when it fails is what the table says. It runs
twice, with an empty cache of compiled code and with what that left, from which all other figures are. Values and
gradients are compared with a loop over the edges before anything is timed. Prints a Markdown table. `--keep` stores
results, and takes those that are stored, so that a run can be made in pieces.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BATCH, SEED, MEMORY, SECONDS = 16, 0, 12 * 2**30, 120
ROOT = Path(__file__).parents[1]
APPROACHES = {
    "list": "list of sliced dots",
    "numpy": "the same in NumPy, concatenated",
    "padded": "one indexed product",
    "blocks": "`sparse_block_dot`",
    "masked": "masked dense matrix",
    "csr": "`sparse.CSR`, `structured_dot`",
    "ours": "this project",
}
HERE = ("numpy", "ours")
"""Those that need no Theano."""

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


def bounds(indptr):
    """Where the edges of each unit begin and end."""
    ends = indptr.tolist()
    return [(ends[i], ends[i + 1]) for i in range(len(ends) - 1)]


def in_numpy(given):
    """The layer, and the layer with its gradient by the weights, as a Python loop over units each."""
    indptr, indices, weights, _, _ = given
    units = [(i, indices[a:b], slice(a, b)) for i, (a, b) in enumerate(bounds(indptr))]

    def forward(x):
        return np.concatenate([x[:, sources].dot(weights[edges, None]) for _, sources, edges in units], axis=1)

    def both(x, gy):
        slopes = np.concatenate([gy[:, i].dot(x[:, sources]) for i, sources, _ in units])
        return forward(x), slopes

    return forward, both


def in_theano(approach, given):
    """(library, x, y, w, how to get the gradients by edge from that by w)."""
    import theano
    import theano.tensor as tt
    from theano import sparse
    from theano.tensor.nnet.blocksparse import sparse_block_dot

    indptr, indices, weights, _, _ = given
    n, rows = len(indptr) - 1, np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    x = tt.fmatrix("x")
    if approach == "list":
        w = theano.shared(weights)
        y = tt.stack([tt.dot(x[:, indices[a:b]], w[a:b]) for a, b in bounds(indptr)], axis=1)
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
    return pytensor, x, net.symbolic(x), net.parameters["y.only.weights"], lambda g: g, net.mode


def measure(approach, n):
    """Run by `work` in a process of its own: seconds and bytes of one case."""
    given = problem(n)
    arrays = given[3:]
    start = peak()
    began = time.perf_counter()
    forward, both, edges = compiled_functions(approach, given)
    value = forward(arrays[0])
    slopes = both(*arrays)[1]
    compiled = time.perf_counter() - began
    right, slope = expected(*given)
    np.testing.assert_allclose(value, right, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(edges(np.asarray(slopes)), slope, rtol=1e-3, atol=1e-3)
    times = {"forward": median(lambda: forward(arrays[0])), "both": median(lambda: both(*arrays))}
    return {"compile": compiled, **times, "memory": peak() - start}


def compiled_functions(approach, given):
    """x -> y; (x, gradient of y) -> y and the gradient by w; that gradient -> the gradient by edge."""
    if approach == "numpy":
        return *in_numpy(given), lambda g: g
    options = {}
    if approach == "ours":
        library, x, y, w, edges, options["mode"] = in_ours(given)
    else:
        library, x, y, w, edges = in_theano(approach, given)
    gy = x.type("gy")
    slope = library.grad((y * gy).sum(), w)
    return library.function([x], y, **options), library.function([x, gy], [y, slope], **options), edges


def peak():
    """The largest resident set so far, in bytes: Linux counts in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


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
    """A case, first with an empty cache of compiled code and then with what that left there."""
    with tempfile.TemporaryDirectory() as cache:
        first = run_once(approach, n, cache)
        if "failed" in first:
            return first
        return {**run_once(approach, n, cache), "first": first["compile"]}


def run_once(approach, n, cache):
    environment = Path(os.environ.get("GNN_THEANO_VENV") or ROOT / ".venv-theano")
    python = sys.executable if approach in HERE else str(environment / "bin" / "python")
    flags = f"base_compiledir={cache}"
    variables = {**os.environ, "PYTENSOR_FLAGS": flags}
    variables["THEANO_FLAGS"] = ",".join(["blas.ldflags=", flags, *filter(None, [os.environ.get("THEANO_FLAGS")])])
    command = [python, str(Path(__file__).resolve()), "--work", approach, str(n)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=variables, start_new_session=True) as case:
        try:
            printed, complaint = case.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(case.pid, signal.SIGKILL)  # with the compilers that it started
            return {"failed": f"not compiled, checked and timed within {SECONDS} s"}
    if printed:
        return json.loads(printed.splitlines()[-1])
    return {"failed": f"ended with status {case.returncode}: {' '.join(complaint.splitlines()[-1:])[:110]}"}


def cells(result):
    if "failed" in result:
        return ["", "", "", "", "", result["failed"].replace("|", "/")]
    compiling = [f"{result['first']:.1f}", f"{result['compile']:.1f}"]
    times = [f"{1e3 * result['forward']:.2f}", f"{1e3 * result['both']:.2f}"]
    return [*compiling, *times, f"{result['memory'] / 2**20:.0f}", ""]


def report(sizes, approaches, keep):
    lines = [
        "# Sparse layers in Theano, as people were told to make them",
        "",
        f"n units with 2 to 6 prescribed inputs each, batch {BATCH}, float32. **Compile** means to import, build,",
        "compile and call once, with an empty cache of compiled code and with a filled one (**cached**); **ms** is the",
        "median of calls, **MiB** by how much the process grew, its libraries included. A case may take",
        f"{MEMORY // 2**30} GiB of address space and {SECONDS} s, and is checked before it is timed. Made by",
        "`python benchmarks/approaches.py`; the approaches are told in [theano.md](theano.md).",
        "",
        "| units | approach | compile, s | cached, s | forward, ms | forward + gradient, ms | MiB | how it fails |",
        "|---:|---|---:|---:|---:|---:|---:|---|",
    ]
    kept = json.loads(keep.read_text()) if keep and keep.exists() else {}
    for n in sizes:
        for approach in approaches:
            case = f"{approach} {n}"
            if case not in kept:
                kept[case] = run(approach, n)
                if keep:
                    written(keep, json.dumps(kept, indent=1) + "\n")
            lines.append("| " + " | ".join([f"{n:,}", APPROACHES[approach], *cells(kept[case])]) + " |")
            print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines) + "\n"


def written(path, text):
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="write the page there (default: print)")
    parser.add_argument("--units", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--only", nargs="+", choices=APPROACHES, default=list(APPROACHES))
    parser.add_argument("--keep", type=Path, help="where results are stored, and taken from")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work[0], int(arguments.work[1]))
        return
    page = report(arguments.units, arguments.only, arguments.keep)
    if arguments.out is None:
        print(page, end="")
    else:
        written(arguments.out, page)


if __name__ == "__main__":
    main()
