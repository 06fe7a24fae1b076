"""The measurement of memory, of growth with the number of units, and of a build from nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peers.measure import Layers, Settings, problem_folder, say, turn
from peers.processes import Failure, Worker
from peers.registry import BENCHMARKS, BY_NAME, OURS, REFERENCE, ROOT, SCIPY, Peer, variables

GROWING = (OURS, REFERENCE, SCIPY, "torch")
"""The peers whose growth is measured."""


def memory(peer: Peer, formulation: str, folder: Path, warm: Path, settings: Settings) -> dict[str, float] | str:
    """Peak bytes beyond start-up of a process of its own, the least possible, and start-up; or why there are none."""
    try:
        with Worker(peer, settings.environments, settings.log) as worker:
            return worker.ask("memory", formulation=formulation, warm=str(warm), folder=str(folder))
    except Failure as failure:
        return str(failure)


def memories(settings: Settings, found: Layers) -> dict[tuple[str, int], dict[str, float] | str]:
    """By peer and batch: ours at all batches, the others at the largest; each with its fastest formulation."""
    results: dict[tuple[str, int], dict[str, float] | str] = {}
    for batch in settings.batches:
        with problem_folder(settings.units, batch, settings.seed) as (folder, _), small(batch, settings) as warm:
            for peer in settings.peers:
                formulation = found.best(peer.name, batch, "both")
                if formulation and (batch == max(settings.batches) or peer.name == OURS):
                    results[peer.name, batch] = memory(peer, formulation, folder, warm, settings)
        say(f"batch {batch}: memory")
    return results


@contextmanager
def small(batch: int, settings: Settings) -> Iterator[Path]:
    with problem_folder(500, batch, settings.seed) as (folder, _):
        yield folder


@dataclass(frozen=True)
class Growth:
    units: int
    n_edges: int
    seconds: dict[str, float]
    bytes: dict[str, float]


def growth(settings: Settings, found: Layers, sizes: list[int], batch: int) -> list[Growth]:
    """Forward and backward at one batch: seconds and peak bytes beyond start-up by peer, for each number of units."""
    results = []
    for units in sizes:
        with problem_folder(units, batch, settings.seed) as (folder, drawn), small(batch, settings) as warm:
            seconds, taken = {}, {}
            for peer in settings.named(*GROWING):
                formulation = found.best(peer.name, batch, "both")
                if formulation is None:
                    continue
                with Worker(peer, settings.environments, settings.log) as worker:
                    median = alone(worker, folder, formulation, settings)
                if median is not None:
                    seconds[peer.name] = median
                used = memory(peer, formulation, folder, warm, settings)
                if not isinstance(used, str):
                    taken[peer.name] = used["bytes"]
            results.append(Growth(units, drawn.n_edges, seconds, taken))
        say(f"growth: {units:,} units")
    return results


def alone(worker: Worker, folder: Path, formulation: str, settings: Settings) -> float | None:
    try:
        worker.ask("load", folder=str(folder))
        worker.ask("prepare", formulation=formulation, which="both")
    except Failure as failure:
        say(f"{worker.peer.title}: {failure}")
        return None
    return turn(worker, formulation, "both", settings)


def first_results(settings: Settings, units: int) -> dict[str, dict[str, float]]:
    """examples/seed_100k from its files to its first outputs, in a process each: empty caches, then what that left."""
    example = ROOT / "examples" / "seed_100k"
    found = {}
    with tempfile.TemporaryDirectory() as place:
        maker = [sys.executable, str(example / "make_data.py"), "--units", str(units), "-o", f"{place}/edges.csv"]
        subprocess.run(maker, check=True)
        caches = {
            "XDG_CACHE_HOME": f"{place}/cache",
            "NUMBA_CACHE_DIR": f"{place}/numba",
            "PYTENSOR_FLAGS": f"base_compiledir={place}/pytensor",
        }
        environment = variables(BY_NAME[OURS], settings.environments) | caches
        for state in ("cold", "warm"):
            command = [sys.executable, "-m", "peers.first_result", f"{place}/edges.csv", str(units)]
            started = os.times().elapsed
            done = subprocess.run(command, cwd=BENCHMARKS, env=environment, check=True, capture_output=True, text=True)
            build, result = (float(word) for word in done.stdout.split()[-2:])
            found[state] = {"build": build, "result": result, "process": os.times().elapsed - started}
            say(f"seed_100k, {state}: {found[state]}")
    return found
