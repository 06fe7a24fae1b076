"""`gnnc train`: fit the parameters of a program or a saved model to data.

Input: parsed arguments. Output: a saved model; if asked for a checkpoint, a log, a picture of the curves. An interrupt
ends it between two steps, with a checkpoint and the command that goes on. Not for: what training computes.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from numpy.typing import NDArray

from graphnn_compiler.archive import load, save
from graphnn_compiler.cli import output
from graphnn_compiler.cli.arrays import samples_of
from graphnn_compiler.cli.curves import draw_curves, require_matplotlib
from graphnn_compiler.cli.epoch_log import epoch_log
from graphnn_compiler.cli.null_models import check_null_options, compare_null_models
from graphnn_compiler.cli.output import UsageError
from graphnn_compiler.cli.programs import STDIN, about, data_files, plan_of_model, require_file, shown
from graphnn_compiler.cli.progress import progress, scores_text
from graphnn_compiler.cli.training_settings import settings_of
from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.network import Network
from graphnn_compiler.samples.reading import split_name
from graphnn_compiler.samples.tables import Missing
from graphnn_compiler.topology.plan import Plan
from graphnn_compiler.training import History
from graphnn_compiler.training.batches import Data
from graphnn_compiler.training.loop import Training
from graphnn_compiler.warm_start import warm_started

INTERRUPTED = 130


def train(arguments: argparse.Namespace) -> int:
    """0, 130 if interrupted, or an exception for anything that is wrong."""
    destination, checkpoint = _files(arguments)
    run = _training(arguments, checkpoint, [destination, checkpoint])
    if arguments.resume:
        _resume(run, checkpoint)
    with progress(arguments.epochs) as shown_to, epoch_log(arguments.log, run.course.epochs) as log:
        run.follow(log.write)
        if shown_to is not None:
            run.follow(shown_to.epoch, shown_to.step)
        try:
            with about(arguments.checkpoint or shown(arguments.model)):
                history = run.run()
        except KeyboardInterrupt:
            with about(checkpoint):
                run.write_checkpoint(checkpoint)
            _say_how_to_go_on(arguments, run, checkpoint)
            return INTERRUPTED
    with about(destination):
        save(destination, run.network.plan, run.network.weights)
    if arguments.curves is not None:
        output.write_file(arguments.curves, lambda stream: draw_curves(stream, history))
    output.say(f"wrote {destination} ({_summary(history)})")
    if arguments.null is not None:
        compare_null_models(arguments, run, history)
    return 0


# ------------------------------------------------------------------ before


def _files(arguments: argparse.Namespace) -> tuple[str, str]:
    """Where the trained model goes, and the checkpoint; both can be written and replace nothing that is read."""
    check_null_options(arguments)
    if arguments.model == STDIN and arguments.output is None:
        raise UsageError("a program from standard input has no name to make another of", help="add -o OUT")
    destination = arguments.output or str(_renamed(Path(arguments.model), ".trained.gnnz"))
    checkpoint = arguments.checkpoint or str(_renamed(Path(destination), ".checkpoint.gnnz"))
    read = [None if arguments.model == STDIN else arguments.model, *arguments.data]
    read += [arguments.validation] if isinstance(arguments.validation, str) else []
    read += [] if arguments.warm_start is None else [arguments.warm_start]
    for written in (destination, checkpoint, arguments.log, arguments.curves, arguments.null_report):
        if written is not None:
            output.require_destination(written, read)
    if Path(destination) == Path(checkpoint):
        raise UsageError(f"`{checkpoint}` is both the checkpoint and the trained model", help="give them two names")
    if arguments.curves is not None:
        require_matplotlib()
    return destination, checkpoint


def _renamed(path: Path, suffix: str) -> Path:
    return path.with_suffix(suffix) if path.suffix in (".gnn", ".gnnz") else path.with_name(path.name + suffix)


def _training(arguments: argparse.Namespace, checkpoint: str, written: list[str]) -> Training:
    plan, values = plan_of_model(arguments.model, arguments, seed_is_of_training=True)
    if arguments.warm_start is not None:
        plan, values = _warm(plan, values, arguments.warm_start)
    read = [split_name(plan, name)[1] for name in arguments.data]
    for name in written:
        output.require_destination(name, [*read, *data_files(arguments.model, plan)])
    with about(arguments.data[0] if arguments.data else shown(arguments.model)):
        plan, data = _data(plan, arguments.data, arguments, learn_classes=True)
    validation = arguments.validation
    if isinstance(validation, str):
        with about(validation):
            _, validation = _data(plan, [validation], arguments, learn_classes=False)
    with _usage(), about(arguments.data[0] if arguments.data else shown(arguments.model)):
        return Training(Network(plan, values), data, settings_of(arguments, validation, checkpoint))


def _warm(plan: Plan, values: Mapping[str, NDArray], name: str) -> tuple[Plan, Mapping[str, NDArray]]:
    """The plan and values with what another saved model has of them."""
    require_file(name)
    with about(name):
        other = load(name)
    try:
        changed, inputs, report = warm_started(plan, values, *other)
    except ValueError as error:
        raise UsageError(f"`{name}` is no start for this network: {error}") from error
    output.say(f"warm start from {name}: {report}")
    return replace(plan, inputs=inputs), changed


def _data(plan: Plan, names: list[str], arguments: argparse.Namespace, *, learn_classes: bool) -> tuple[Plan, Data]:
    """Inputs and all targets of files, and the plan with the names of classes in them, if they are to be learned."""
    # means are those of the samples that are trained on, which are not known before the split
    missing: Missing | None = "keep" if arguments.missing == "mean" else arguments.missing
    options = {"index": arguments.index, "missing": missing}
    samples = samples_of(plan, names, targets=True, learn_classes=learn_classes, mapped=True, **options)
    for note in samples.notes:
        output.say(note)
    try:
        return samples.plan, Data.of(samples.plan, samples.inputs, samples.targets)
    except (ValueError, TypeError) as error:
        raise Problem("E282", str(error)) from None


@contextmanager
def _usage() -> Iterator[None]:
    """What a training refuses of its settings, as an error of usage."""
    try:
        yield
    except (ValueError, KeyError) as error:
        raise UsageError(str(error.args[0]) if error.args else str(error)) from error


def _resume(run: Training, checkpoint: str) -> None:
    if not Path(checkpoint).exists():
        output.say(f"there is no checkpoint `{checkpoint}` yet: training begins anew")
        return
    with about(checkpoint):
        run.resume(checkpoint)


# ------------------------------------------------------------------ after


def _say_how_to_go_on(arguments: argparse.Namespace, run: Training, checkpoint: str) -> None:
    words = ["gnnc", *arguments.words]
    words += [] if arguments.checkpoint is not None else ["--checkpoint", checkpoint]
    words += [] if arguments.resume else ["--resume"]
    done = f"{count(run.course.epoch, 'epoch')} and {count(run.course.batch, 'step')} are done and in {checkpoint}"
    output.say(f"interrupted: {done}; go on with\n  {shlex.join(words)}")


def _summary(history: History) -> str:
    text = f"{count(len(history.epochs), 'epoch')}: "
    if history.best_epoch is None:
        return text + scores_text(history.epochs[-1])
    stopped = ", stopped early" if history.stopped_early else ""
    return f"{text}best in epoch {history.best_epoch}{stopped}: {scores_text(history.epochs[history.best_epoch - 1])}"
