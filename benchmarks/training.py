"""What `gnnc train` reaches, and what it costs: cora, digits, kills, memory.

    python benchmarks/training.py cora --data FOLDER [--seeds N]    test accuracy with and without the graph's edges
    python benchmarks/training.py digits [--seeds N]                test accuracy on a stratified quarter
    python benchmarks/training.py kills [--times N] [--seed N]      SIGKILL at random moments, then resume: equal bits
    python benchmarks/training.py memory [--batch N]                seed_100k: peak memory and time per step

Each trains by the command itself, in a process of its own. The folder of cora is described in examples/cora/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parents[1] / "examples"
GNNC = [sys.executable, "-m", "graphnn_compiler"]


def gnnc(*arguments: object) -> None:
    """Run a command; an error of it is one here."""
    gnnc_in(Path(), *arguments)


def gnnc_in(folder: Path, *arguments: object) -> None:
    """The same in a folder."""
    done = subprocess.run([*GNNC, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"gnnc {' '.join(map(str, arguments))}\n{done.stderr}")


def last_scores(log: Path) -> dict[str, float]:
    """The scores of the last epoch in a log."""
    scores: dict[str, float] = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])["scores"]
    return scores


def report(what: str, scores: list[float]) -> None:
    spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
    listed = " ".join(f"{100 * score:.1f}" for score in scores)
    print(f"{what}: mean {100 * statistics.mean(scores):.2f} %, standard deviation {100 * spread:.2f} ({listed})")


# ------------------------------------------------------------------ accuracy


def cora(data: Path, n_seeds: int, folder: Path) -> None:
    """The settings of Kipf and Welling (2017): Adam at 0.01, 200 epochs, the rest is in the program."""
    text = (EXAMPLES / "cora" / "model.gnn").read_text(encoding="utf-8")
    edges = "edges near = papers.edges | same"
    assert edges in text
    programs = {
        "with the graph's edges": text,
        "without": text.replace(edges, "edges near = papers.edges - papers.edges | same"),
    }
    for name, program in programs.items():
        (folder / "model.gnn").write_text(program, encoding="utf-8")
        scores = []
        for seed in range(n_seeds):
            gnnc("train", folder / "model.gnn", "-p", f"data={data}", "--rate", 0.01, "--epochs", 200, "--seed", seed,
                 "--log", folder / "log.jsonl", "-o", folder / "out.gnnz")  # fmt: skip
            scores.append(last_scores(folder / "log.jsonl")["test"])
        report(f"cora {name}, test accuracy of {n_seeds} seeds", scores)


def digits(n_seeds: int, folder: Path) -> None:
    """Three quarters to train on; every fourth image of each class, in an order drawn by the seed, to test on."""
    with np.load(EXAMPLES / "mlp_digits" / "digits.npz") as file:
        images, classes = file["x"], file["truth"]
    scores = []
    for seed in range(n_seeds):
        mixed = np.random.default_rng(seed).permutation(len(classes))
        by_class = mixed[np.argsort(classes[mixed], kind="stable")]
        test, training = by_class[::4], np.setdiff1d(by_class, by_class[::4])
        for name, chosen in {"training": training, "test": test}.items():
            np.savez(folder / f"{name}.npz", x=images[chosen], truth=classes[chosen])
        gnnc("train", EXAMPLES / "mlp_digits" / "model.gnn", "--data", folder / "training.npz", "--validation",
             folder / "test.npz", "--epochs", 100, "--batch", 16, "--rate", 0.003, "--schedule", "cosine",
             "--seed", seed, "--log", folder / "log.jsonl", "-o", folder / "out.gnnz")  # fmt: skip
        scores.append(last_scores(folder / "log.jsonl")["val_acc"])
    report(f"mlp_digits, test accuracy of {n_seeds} seeds", scores)


# ------------------------------------------------------------------ kills


def kills(n_times: int, seed: int, folder: Path) -> None:
    """Train in pieces, each but the last ended by SIGKILL at a random moment; the models must be equal bit for bit."""
    shutil.copytree(EXAMPLES / "mlp_digits", folder, dirs_exist_ok=True)
    # dropout, so that random states count too
    program = (folder / "model.gnn").read_text(encoding="utf-8")
    (folder / "model.gnn").write_text(
        program.replace("activation = tanh", "activation = tanh dropout = 0.2", 1), "utf-8"
    )
    common = ["train", "model.gnn", "--data", "digits.npz", "--validation", "0.2", "--epochs", "400", "--batch", "16"]
    subprocess.run([*GNNC, *common, "-o", "whole.gnnz"], cwd=folder, check=True, capture_output=True)
    draw, checkpoint = random.Random(seed), folder / "c.gnnz"
    for _ in range(n_times):
        process = _begun([*GNNC, *common, "-o", "pieces.gnnz", "--checkpoint", "c.gnnz", "--resume"], checkpoint)
        time.sleep(draw.uniform(0, 0.3))
        if process.poll() is not None:
            sys.exit("the training was over before it was killed")
        process.kill()
        process.wait()
        gnnc("inspect", checkpoint)  # always loadable
    gnnc_in(folder, *common, "-o", "pieces.gnnz", "--checkpoint", "c.gnnz", "--resume")
    same = (folder / "whole.gnnz").read_bytes() == (folder / "pieces.gnnz").read_bytes()
    print(f"{n_times} kills, the checkpoint loadable after each; the models are {'equal' if same else 'DIFFERENT'}")
    if not same:
        sys.exit(1)


def _begun(command: list[str], checkpoint: Path) -> subprocess.Popen[bytes]:
    """A process that has written its first checkpoint."""
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
    process = subprocess.Popen(command, cwd=checkpoint.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before):
        time.sleep(0.002)
    return process


# ------------------------------------------------------------------ memory


def memory(batch: int, folder: Path) -> None:
    """One epoch of 10 steps of examples/seed_100k by the command; its peak memory, and the seconds of a step."""
    subprocess.run([sys.executable, EXAMPLES / "seed_100k" / "make_data.py", "-o", folder / "edges.csv"], check=True)
    draw = np.random.default_rng(0)
    x = draw.standard_normal((10 * batch, 100_000), dtype=np.float32)
    np.savez(folder / "data.npz", x=x, truth=draw.integers(10, size=len(x)))
    del x
    program = EXAMPLES / "seed_100k" / "model.gnn"
    command = ["train", program, "-p", f"wires={folder / 'edges.csv'}", "--data", folder / "data.npz", "--batch", batch,
               "--epochs", 3, "--log", folder / "log.jsonl", "-o", folder / "out.gnnz"]  # fmt: skip
    process = subprocess.Popen([*GNNC, *map(str, command)])
    times: list[float] = []
    while process.poll() is None and len(times) < 3:
        lines = (folder / "log.jsonl").read_text(encoding="utf-8").count("\n") if (folder / "log.jsonl").exists() else 0
        times += [time.perf_counter()] * (lines - len(times))
        time.sleep(0.005)
    _, _, usage = os.wait4(process.pid, 0)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"seed_100k at batch {batch}: peak {peak / 2**20:,.0f} MiB, {100 * (times[-1] - times[-2]):.1f} ms a step")


def main() -> None:
    parser = argparse.ArgumentParser(description="What `gnnc train` reaches, and what it costs.")
    parser.add_argument("what", choices=("cora", "digits", "kills", "memory"))
    parser.add_argument("--data", type=Path, help="of cora: the folder of its three files")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=32)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        match wishes.what:
            case "cora":
                if wishes.data is None:
                    parser.error("cora needs --data FOLDER")
                cora(wishes.data.resolve(), wishes.seeds or 10, folder)
            case "digits":
                digits(wishes.seeds or 5, folder)
            case "kills":
                kills(wishes.times, wishes.seed, folder)
            case _:
                memory(wishes.batch, folder)


if __name__ == "__main__":
    main()
