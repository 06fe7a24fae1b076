"""The measurement of layers: every formulation checked and tried, the fast ones in interleaved rounds.

Input: which peers, sizes, how long. Output: plain data, which `report` writes. Not for: text, figures.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers import problem
from peers.processes import Failure, Worker
from peers.registry import BY_NAME, REFERENCE, Peer

PASSES = ("forward", "both")
CLOSE = 1.15
"""Formulations within this factor of a peer's fastest first try go into the rounds; at most MOST_KEPT of them."""
MOST_KEPT = 3
HOPELESS = 8.0
"""A formulation slower by this factor than the peer's best is not tried at larger batches."""


@dataclass(frozen=True)
class Settings:
    """Sizes and lengths of a run. `say` hears what is going on."""

    peers: tuple[Peer, ...]
    environments: Path
    units: int = 100_000
    batches: tuple[int, ...] = (1, 32, 64, 256)
    rounds: int = 5
    seconds: float = 0.12
    calls: int = 3
    seed: int = 0
    log: Any = subprocess.DEVNULL

    def named(self, *names: str) -> list[Peer]:
        return [peer for peer in self.peers if peer.name in names]


@dataclass
class Case:
    """What one peer did in one pass at one batch.

    `tried`: seconds of a first try by formulation, or why there is none. `best` and `seconds`: the fastest median of
    the rounds. `deviation`: the largest from SciPy, as a part of the largest entry.
    """

    tried: dict[str, float | str] = field(default_factory=dict)
    deviation: float = 0.0
    best: str | None = None
    seconds: float | None = None


@dataclass
class Layers:
    versions: dict[str, str] = field(default_factory=dict)
    layouts: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    cases: dict[tuple[str, int, str], Case] = field(default_factory=dict)
    """By peer, batch and pass."""
    n_edges: int = 0

    def seconds(self, peer: str, batch: int, which: str) -> float | None:
        case = self.cases.get((peer, batch, which))
        return None if case is None else case.seconds

    def best(self, peer: str, batch: int, which: str) -> str | None:
        case = self.cases.get((peer, batch, which))
        return None if case is None else case.best


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def problem_folder(units: int, batch: int, seed: int) -> Iterator[tuple[Path, problem.Problem]]:
    """A problem and what SciPy makes of it, in files for as long as the block runs."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "problem"
        drawn = problem.draw(units, batch, seed)
        problem.write(folder, drawn)
        problem.write_reference(folder, drawn)
        yield folder, drawn


def layers(settings: Settings) -> Layers:
    found = Layers()
    with ExitStack() as stack:
        workers = []
        for peer in settings.peers:
            worker = stack.enter_context(Worker(peer, settings.environments, settings.log))
            try:
                about = worker.ask("describe")
            except Failure as failure:
                found.absent[peer.name] = f"does not start: {failure}"
                continue
            found.versions[peer.name], found.layouts[peer.name] = about["version"], about["layout"]
            workers.append(worker)
        for batch in settings.batches:
            with problem_folder(settings.units, batch, settings.seed) as (folder, drawn):
                found.n_edges = drawn.n_edges
                for worker in workers:
                    first_tries(worker, folder, batch, found, settings)
                rounds(workers, batch, found, settings)
    return found


def first_tries(worker: Worker, folder: Path, batch: int, found: Layers, settings: Settings) -> None:
    """Every formulation, checked against SciPy and timed alone; the slow ones are dropped again."""
    name = worker.peer.name
    for which in PASSES:
        found.cases[name, batch, which] = Case()
    try:
        offered = [f for f in worker.ask("load", folder=str(folder))["formulations"] if f.startswith(worker.peer.only)]
    except Failure as failure:
        for which in PASSES:
            found.cases[name, batch, which].tried["all"] = str(failure)
        return
    for formulation in offered:
        for which in PASSES:
            case = found.cases[name, batch, which]
            reason = hopeless(found, name, batch, which, formulation)
            case.tried[formulation] = reason or first_try(worker, formulation, which, case, settings)
        if not any(formulation in kept(found.cases[name, batch, which]) for which in PASSES):
            forget(worker, formulation)
    say(f"batch {batch}: {worker.peer.title} checked and tried")


def forget(worker: Worker, formulation: str) -> None:
    try:
        worker.ask("forget", formulation=formulation)
    except Failure as failure:
        say(f"{worker.peer.title}: {failure}")


def first_try(worker: Worker, formulation: str, which: str, case: Case, settings: Settings) -> float | str:
    try:
        prepared = worker.ask("prepare", formulation=formulation, which=which)
        worst = max(prepared["deviations"].values())
        if not worst <= problem.TOLERANCE:
            return f"differs from SciPy: {prepared['deviations']}"
        times = worker.ask("time", formulation=formulation, which=which, seconds=settings.seconds, calls=2)["times"]
    except Failure as failure:
        return str(failure)
    case.deviation = max(case.deviation, worst)
    return float(min(times))


def hopeless(found: Layers, name: str, batch: int, which: str, formulation: str) -> str | None:
    """Why a formulation is not tried: it failed, or was far behind, at a smaller batch (a batch of one apart)."""
    for (peer, smaller, other), case in found.cases.items():
        if peer != name or other != which or not 1 < smaller < batch:
            continue
        before, numbers = case.tried.get(formulation), [t for t in case.tried.values() if isinstance(t, float)]
        if isinstance(before, str):
            return before
        if before is not None and before > HOPELESS * min(numbers):
            return f"not tried: {before / min(numbers):.0f} times slower than the fastest at batch {smaller}"
    return None


def kept(case: Case) -> list[str]:
    """The formulations that go into the rounds."""
    numbers = sorted((taken, name) for name, taken in case.tried.items() if isinstance(taken, float))
    return [name for taken, name in numbers if taken <= CLOSE * numbers[0][0]][:MOST_KEPT]


def rounds(workers: list[Worker], batch: int, found: Layers, settings: Settings) -> None:
    """Every peer in turn, `rounds` times, each time another one first; medians of the medians of the turns."""
    turns: dict[tuple[str, str, str], list[float]] = {}
    for number in range(settings.rounds):
        start = number % len(workers)
        for worker in workers[start:] + workers[:start]:
            for which in PASSES:
                case = found.cases[worker.peer.name, batch, which]
                for formulation in kept(case):
                    taken = turn(worker, formulation, which, settings)
                    if taken is not None:
                        turns.setdefault((worker.peer.name, which, formulation), []).append(taken)
    for (name, which, formulation), taken_in_turns in turns.items():
        case, median = found.cases[name, batch, which], statistics.median(taken_in_turns)
        if case.seconds is None or median < case.seconds:
            case.best, case.seconds = formulation, median
    say(f"batch {batch}: {settings.rounds} rounds")


def turn(worker: Worker, formulation: str, which: str, settings: Settings) -> float | None:
    try:
        given = {"formulation": formulation, "which": which, "seconds": settings.seconds, "calls": settings.calls}
        return statistics.median(worker.ask("time", **given)["times"])
    except Failure as failure:
        say(f"{worker.peer.title}, {formulation}: {failure}")
        return None


def bandwidth(settings: Settings) -> dict[str, Any] | None:
    if not settings.named(REFERENCE):
        return None
    with Worker(BY_NAME[REFERENCE], settings.environments, settings.log) as worker:
        return worker.ask("bandwidth", batches=list(settings.batches))
