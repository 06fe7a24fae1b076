"""The training loop: epochs of steps, scores after each, checkpoints, early stopping.

Input: a network, data and settings. Output: the network with other parameters, and a `History`. Not for: what a step
computes (`step`), the order of samples (`batches`), files of data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.archive import plan_digest, save
from graphnn_compiler.diagnostics import GnnError, Problem
from graphnn_compiler.topology.plan import Plan
from graphnn_compiler.training.batches import Arrays, Batches, Data, split
from graphnn_compiler.training.checkpoint import Course, read_state, restore, state_of
from graphnn_compiler.training.diagnosis import not_finite
from graphnn_compiler.training.files import named_arrays
from graphnn_compiler.training.history import Epoch, History
from graphnn_compiler.training.interruption import interrupts_noticed
from graphnn_compiler.training.optimisers import optimiser
from graphnn_compiler.training.preparation import prepared_inputs
from graphnn_compiler.training.refusals import require
from graphnn_compiler.training.sample_weights import sample_weights
from graphnn_compiler.training.settings import Settings, settings_of
from graphnn_compiler.training.step import Step, compile_step
from graphnn_compiler.training.stopping import LOSS, VALIDATION, Watch, watch

if TYPE_CHECKING:
    from graphnn_compiler.network import Network


def fit(network: Network, inputs: Any = None, targets: Any = None, **options: Any) -> History:
    """Train a network's parameters in place; the options are the fields of `Settings`, the defaults its own.

    Inputs and targets are as `Network.evaluate` takes them, arrays mapped from files (`numpy.memmap`) included, which
    are read batch by batch; or `inputs` alone is the name of an `.npz` file with all of them. Those with a batch axis
    are cut into batches along it; without any, each epoch is one step on everything there is, as for one whole graph.

    With `scale` or `missing` the network fills and scales its inputs from then on, in every use.

    ValueError, TypeError and KeyError for what does not fit the network; GnnError where the loss stops being finite
    (E546), or a checkpoint cannot be written or gone on from. KeyboardInterrupt comes between two steps, after the
    checkpoint was written. The network then has the parameters of the step before.
    """
    settings, plan = settings_of(options), network.plan
    with _about(inputs if isinstance(inputs, str | os.PathLike) else plan.provenance.source_name):
        training = Training(network, Data.of(plan, *named_arrays(plan, inputs, targets)), settings)
    with _about(settings.checkpoint or plan.provenance.source_name):
        if settings.resume and settings.checkpoint is not None and os.path.exists(settings.checkpoint):
            training.resume(settings.checkpoint)
        return training.run()


@contextmanager
def _about(file: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except Problem as problem:
        raise GnnError([problem.about(os.fspath(file))]) from None


class Training:
    """One training: its batches, its compiled step, and how far it has come."""

    def __init__(self, network: Network, data: Data, settings: Settings) -> None:
        self.network = network
        self.settings = settings
        self.seed = network.plan.provenance.seed if settings.seed is None else settings.seed
        weights = sample_weights(settings.weights, network.plan, data.targets, data.n_samples)
        trained, self.validation = self._split(data)
        self.batches = Batches(trained, settings.batch, self.seed, settings.shuffle, weights)
        _check_batch_norms(network.plan, self.batches)
        self.losses = [goal.name for goal in network.plan.objectives if goal.kind == "loss"]
        self.measured = self._measured()
        self.scores = self._names_of_scores()
        self.watch = self._watch()
        network.prepare_inputs(prepared_inputs(network.plan, trained, settings.scale, settings.missing))
        self.course = Course(sums=np.zeros(1 + len(self.losses)))
        self.step: Step = compile_step(network, trained, weights.shapes(data.targets), settings, self.seed)
        self.data = data
        self._on_epoch = [] if settings.on_epoch is None else [settings.on_epoch]
        self._on_step = [] if settings.on_step is None else [settings.on_step]

    def run(self) -> History:
        """Train from where it is to its end. KeyboardInterrupt comes between two steps, after a checkpoint."""
        with interrupts_noticed() as interrupted:
            while not self._is_over():
                for n_samples, arguments in self.batches.epoch(self.course.epoch, self.course.batch):
                    self._take_step(n_samples, arguments)
                    if interrupted() and self.course.batch < len(self.batches):
                        self._keep()
                        raise KeyboardInterrupt
                self._end_epoch()
                if self._is_over() or interrupted() or self.course.epoch % self.settings.every == 0:
                    self._keep()
                if interrupted() and not self._is_over():
                    raise KeyboardInterrupt
        return self._ended()

    # -------------------------------------------------------------- before

    def _split(self, data: Data) -> tuple[Data, Data | None]:
        given = self.settings.validation
        if given is None:
            return data, None
        if isinstance(given, Data):
            return data, given
        if isinstance(given, tuple):
            return data, Data.of(self.network.plan, *given)
        if isinstance(given, str | os.PathLike):
            return data, Data.of(self.network.plan, *named_arrays(self.network.plan, given, None))
        return split(data, given, self.seed)

    def _measured(self) -> list[str]:
        """The losses and metrics that are measured after each epoch."""
        goals = self.network.plan.objectives
        if self.validation is None:
            whole = self.batches.data.n_samples is None
            return [goal.name for goal in goals if goal.kind == "metric" and whole]
        return [goal.name for goal in goals if goal.kind == "metric" or len(self.losses) > 1]

    def _names_of_scores(self) -> list[str]:
        names = [LOSS, *(self.losses if len(self.losses) > 1 else [])]
        if self.validation is None:
            names += self.measured
        else:
            names += [f"{VALIDATION}{name}" for name in (LOSS, *self.measured)]
        twice = sorted({name for name in names if names.count(name) > 1})
        require(not twice, f"two scores would be named {', '.join(f'`{name}`' for name in twice)}: rename the metric")
        return names

    def _watch(self) -> Watch | None:
        stop = self.settings.stop
        validated = self.validation is not None
        return None if stop is None else watch(stop, self.network.plan, self.scores, validated)

    @cached_property
    def _identity(self) -> dict[str, str]:
        """What a run that goes on from a checkpoint must have in common with the one that wrote it, as texts."""
        settings, trained = self.settings, self.batches.data
        return {
            "network": plan_digest(self.network.plan),
            "data": self.data.described(),
            "batch size": str(settings.batch),
            "seed": str(self.seed),
            "shuffling": str(settings.shuffle),
            "optimiser": repr(optimiser(settings.optimiser)),
            "schedule": repr(settings.schedule),
            "clipping": f"norm {settings.clip_norm}, value {settings.clip_value}",
            "validation": ""
            if self.validation is None
            else f"{self.validation.n_samples} {self.validation.described()}",
            "number of samples": str(trained.n_samples),
            "early stopping": repr(None if settings.stop is None else replace(settings.stop, patience=1)),
            "weights of samples": self.batches.weights.described(),
            "frozen parameters": ", ".join(sorted(map(self.network.parameter_name, settings.frozen))),
            "constraints": ", ".join(f"{name}: {it!r}" for name, it in sorted(settings.constraints.items())),
        }

    def follow(self, on_epoch: Callable[[Epoch], None], on_step: Callable[[int, int], None] | None = None) -> None:
        """Tell one more of what is done."""
        self._on_epoch.append(on_epoch)
        self._on_step += [] if on_step is None else [on_step]

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Go to where a checkpoint was written. `Problem` for one that is not of this training or no checkpoint."""
        values, state = read_state(path, self._identity)
        restore(state, self.step, self.course, values, self.scores)
        self.network.set_weights(values)

    # -------------------------------------------------------------- steps and epochs

    def _is_over(self) -> bool:
        over = self.watch is not None and self._is_waited_out(self.watch)
        return over or self.course.epoch >= self.settings.epochs

    def _is_waited_out(self, watch: Watch) -> bool:
        return self.course.epoch - self.course.best_epoch >= watch.patience

    def _rate(self) -> float:
        method = optimiser(self.settings.optimiser)
        return method.rate * self.settings.schedule.factor(self.course.step, self.course.epoch)

    def _take_step(self, n_samples: int, arguments: list[NDArray]) -> None:
        course = self.course
        self.step.rate.set_value(np.asarray(self._rate()))
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # it is looked at below
            found = np.array([float(value) for value in self.step.function(*arguments)])
        if not np.isfinite(found[0]):
            inputs: Arrays = dict(zip(self.batches.data.inputs, arguments, strict=False))
            raise not_finite(self.network, inputs, found[0], course.step + 1, course.epoch + 1)
        course.sums = course.sums + n_samples * found
        course.samples += n_samples
        course.batch += 1
        course.step += 1
        for tell in self._on_step:
            tell(course.batch, len(self.batches))

    def _end_epoch(self) -> None:
        course = self.course
        rate = float(self.step.rate.get_value())
        scores = self._seen() | self._measure()
        course.epoch += 1
        course.epochs.append(Epoch(course.epoch, course.step, rate, {name: scores[name] for name in self.scores}))
        course.batch, course.samples, course.sums = 0, 0, np.zeros_like(course.sums)
        if self.watch is not None:
            self._note_best(self.watch, scores[self.watch.metric])
        for tell in self._on_epoch:
            tell(course.epochs[-1])

    def _seen(self) -> dict[str, float]:
        """The losses as the steps of the epoch have seen them."""
        means = (self.course.sums / self.course.samples).tolist()
        return dict(zip([*self.losses, LOSS], [*means[1:], means[0]], strict=True))

    def _measure(self) -> dict[str, float]:
        """The scores after an epoch, on validation data or else on the data itself where it is one whole."""
        if self.validation is None:
            found = self.network.evaluate(*self.batches.data.all()) if self.measured else {}
            return {name: found[name] for name in self.measured}
        found = self.network.evaluate(*self.validation.all())
        scores = {f"{VALIDATION}{name}": found[name] for name in self.measured}
        return scores | {f"{VALIDATION}{LOSS}": sum(found[name] for name in self.losses)}

    def _note_best(self, watch: Watch, score: float) -> None:
        course = self.course
        if np.isfinite(score) and watch.improves(score, course.best):
            course.best, course.best_epoch = score, course.epoch
            course.best_weights = self.network.weights

    # -------------------------------------------------------------- after

    def _keep(self) -> None:
        if self.settings.checkpoint is not None:
            self.write_checkpoint(self.settings.checkpoint)

    def write_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Write the model and all that the next step depends on. `Problem` E542 where it cannot be written."""
        save(path, self.network.plan, self.network.weights, state_of(self.course, self.step, self._identity))

    def _ended(self) -> History:
        course = self.course
        if self.watch is None or course.best is None:
            return History(tuple(course.epochs))
        self.network.set_weights(course.best_weights)
        return History(tuple(course.epochs), course.best_epoch, self._is_waited_out(self.watch))


def _check_batch_norms(plan: Plan, batches: Batches) -> None:
    """ValueError where a step of one sample meets a batch norm over the batch alone."""
    if batches.smallest != 1:
        return
    for layer in plan.layers:
        per_unit = layer.batchnorm is not None and plan.parameter[layer.batchnorm.gain].shape == layer.units.shape
        require(
            not per_unit,
            f"the batch norm of layer `{layer.name}` takes statistics of two samples or more, and a step has one",
        )
