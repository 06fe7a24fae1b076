"""The speed of sparse layers and networks beside every peer that is installed, as Markdown and SVG.

    python benchmarks/speed.py setup [NAME ..]        environments of the peers (all, or these)
    python benchmarks/speed.py [--out docs/benchmarks-speed.md] [--quick] [--only NAME ..] [--parts PART ..]

Each peer runs in an environment of its own, made from benchmarks/peers/requirements-NAME.txt; the C reference kernels
need gcc. A peer that is not installed is left out, and the report says so. Every result is compared with SciPy's before
anything is timed. What it measures and how is written in the report. Linux only: it stops processes, and reads /proc.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from peers import growth, measure, report, training
from peers.measure import Settings, say
from peers.registry import BY_NAME, OURS, PEERS, default_environments, missing, set_up

PARTS = ("layers", "memory", "growth", "networks", "build")
UNITS = 100_000
SIZES = (1_000, 10_000, 100_000, 1_000_000, 2_500_000)
GROWTH_BATCH = 32


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="*", metavar="setup NAME", help="make environments instead of measuring")
    parser.add_argument("--out", type=Path, help="write FILE.md, and figures FILE-*.svg beside it (default: print)")
    parser.add_argument("--only", nargs="+", choices=list(BY_NAME), metavar="NAME", help=f"of {', '.join(BY_NAME)}")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="2,000 units, small batches, 2 rounds: does it all run?")
    parser.add_argument("--units", type=int, default=UNITS)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32, 64, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--environments", type=Path, default=default_environments(), metavar="FOLDER")
    parser.add_argument("--log", type=Path, help="what the workers and their libraries print")
    return parser.parse_args()


def settings_of(wishes: argparse.Namespace) -> tuple[Settings, dict[str, str]]:
    """The settings of a run, and the peers that are left out with the reason."""
    wanted = [BY_NAME[name] for name in wishes.only] if wishes.only else list(PEERS)
    absent = {peer.name: reason for peer in wanted if (reason := missing(peer, wishes.environments))}
    for name, reason in absent.items():
        say(f"{BY_NAME[name].title}: {reason}")
    settings = Settings(
        peers=tuple(peer for peer in wanted if peer.name not in absent),
        environments=wishes.environments.absolute(),
        units=wishes.units,
        batches=tuple(wishes.batches),
        rounds=wishes.rounds,
        seed=wishes.seed,
    )
    if wishes.quick:
        settings = replace(settings, units=min(2_000, wishes.units), rounds=2, seconds=0.02, batches=(1, 32))
    return settings, absent


def measured(settings: Settings, parts: list[str], quick: bool) -> report.Results:
    found = report.Results(settings)
    found.bandwidth = measure.bandwidth(settings)
    if not {"layers", "memory", "growth"}.isdisjoint(parts):
        found.layers = measure.layers(settings)
        if "memory" in parts:
            found.memory = growth.memories(settings, found.layers)
        if "growth" in parts and GROWTH_BATCH in settings.batches:
            sizes = [size for size in SIZES if not quick or size <= 10_000]
            found.growth = growth.growth(settings, found.layers, sizes, GROWTH_BATCH)
    if "networks" in parts:
        papers = training.networks.PAPERS
        cases = [("wired", settings.units, 32), ("wired", settings.units, 64), ("deep", settings.units, 64)]
        found.networks = [training.network(settings, name, units, batch, 0.0) for name, units, batch in cases]
        found.networks.append(training.network(settings, "gcn", 300 if quick else papers, 1, 0.5))
    if "build" in parts and settings.named(OURS):
        found.first_results = growth.first_results(settings, settings.units)
    return found


def main() -> None:
    wishes = arguments()
    if wishes.command:
        if wishes.command[0] != "setup":
            sys.exit(f"unknown command `{wishes.command[0]}`: it is `setup`")
        sys.exit(bool(set_up(wishes.command[1:], wishes.environments)))
    settings, absent = settings_of(wishes)
    if wishes.log is None:
        found = measured(settings, wishes.parts, wishes.quick)
    else:
        with wishes.log.open("w") as log:
            found = measured(replace(settings, log=log), wishes.parts, wishes.quick)
    found.absent = absent | (found.layers.absent if found.layers else {})
    text, figures = report.write(found, wishes.out.stem if wishes.out else "speed")
    if wishes.out is None:
        print(text)
        return
    wishes.out.parent.mkdir(parents=True, exist_ok=True)
    wishes.out.write_text(text, encoding="utf-8")
    for name, figure in figures.items():
        (wishes.out.parent / name).write_text(figure, encoding="utf-8")
    say(f"wrote {wishes.out} and {len(figures)} figures")


if __name__ == "__main__":
    main()
