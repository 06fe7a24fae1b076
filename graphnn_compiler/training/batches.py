"""The samples that a network is trained on, batch by batch.

Input: arrays by the names of inputs and targets, in memory or mapped from files, and what the plan expects. Output: the
arguments of each step. The order of an epoch is a pure function of the seed and the epoch's number, so that a training
is resumed by its counts alone. Not for: reading files, what a step computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.arguments import by_name, check_batches, check_shape, numbers, target_array, value_array
from graphnn_compiler.diagnostics import count
from graphnn_compiler.topology.plan import Input, Plan, Target
from graphnn_compiler.training.digests import digest
from graphnn_compiler.training.refusals import require
from graphnn_compiler.training.sample_weights import SampleWeights

Arrays = dict[str, NDArray]
_ROWS_AT_ONCE = 65_536
_PURPOSES = {"order": 1, "split": 2}


@dataclass(frozen=True, eq=False)
class Data:
    """Inputs and targets by name; those in `batched` have a batch axis of `n_samples` in front.

    Default data without a batch axis is the network's own and stands here only where it was given anew. `n_samples` is
    None where nothing is batched: the data is then one sample, such as a whole graph. Where there are `numbers`, only
    the samples of these numbers belong to it.
    """

    plan: Plan
    inputs: Arrays
    targets: Arrays
    batched: frozenset[str]
    n_samples: int | None
    numbers: NDArray[np.int64] | None = None

    @staticmethod
    def of(plan: Plan, inputs: Any, targets: Any) -> Data:
        """Data as `Network.evaluate` takes it. Arrays in memory are cast and checked now, mapped ones by batches.

        ValueError and TypeError as there, and ValueError where a batch has no samples.
        """
        given_inputs = _given(inputs, plan.inputs, "input")
        given_targets = _given(targets, plan.targets, "target")
        found_inputs = {
            it.name: _input(plan, it, given_inputs[it.name]) for it in plan.inputs if it.name in given_inputs
        }
        found_targets = {
            it.name: _target(plan, it, given_targets[it.name]) for it in plan.targets if it.name in given_targets
        }
        batched = {it.name: found_inputs[it.name] for it in plan.inputs if _batched(found_inputs, it, it.units.shape)}
        batched |= {it.name: found_targets[it.name] for it in plan.targets if _batched(found_targets, it, it.shape)}
        check_batches({name: len(array) for name, array in batched.items()})
        n_samples = next((len(array) for array in batched.values()), None)
        require(n_samples != 0, "there are no samples to train on: the batch axis has length 0")
        return Data(plan, found_inputs, found_targets, frozenset(batched), n_samples)

    def places(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where in the arrays samples stand."""
        return chosen if self.numbers is None else self.numbers[chosen]

    def rows(self, chosen: NDArray[np.int64] | slice) -> tuple[Arrays, Arrays]:
        """Inputs and targets at some places of the arrays, as the compiled functions take them."""
        inputs, targets = (
            {name: array[chosen] if name in self.batched else array for name, array in arrays.items()}
            for arrays in (self.inputs, self.targets)
        )
        for node in self.plan.inputs:
            if node.name in inputs:
                inputs[node.name] = value_array(
                    f"input `{node.name}`", inputs[node.name], node.units.shape, self.plan.dtype
                )
        for target in self.plan.targets:
            if isinstance(self.targets.get(target.name), np.memmap):
                targets[target.name] = target_array(self.plan, target, targets[target.name])
        return inputs, targets

    def all(self) -> tuple[Arrays, Arrays]:
        """Every sample at once."""
        return self.rows(slice(None) if self.numbers is None else self.numbers)

    def subset(self, numbers: NDArray[np.int64]) -> Data:
        """Some of the samples, of which nothing is copied."""
        return replace(self, numbers=self.places(numbers), n_samples=len(numbers))

    def described(self) -> str:
        """A text that another run has only for the same data."""
        arrays = {**self.inputs, **self.targets}
        return " ".join(f"{name}:{digest(array)}" for name, array in sorted(arrays.items()))


def _given(given: Any, declared: tuple[Input, ...] | tuple[Target, ...], what: str) -> dict[str, Any]:
    """What was given, and default data that has a batch axis, which is cut into batches with it."""
    defaults = {it.name: it.default for it in declared if it.default is not None}
    found = by_name(given, [it.name for it in declared], defaults, what)
    for it in declared:
        shape = it.units.shape if isinstance(it, Input) else it.shape
        if it.name not in found and it.default is not None and it.default.ndim > len(shape):
            found[it.name] = it.default
    return found


def _batched(arrays: Arrays, declared: Input | Target, shape: tuple[int, ...]) -> bool:
    return declared.name in arrays and arrays[declared.name].ndim > len(shape)


def _input(plan: Plan, node: Input, value: Any) -> NDArray:
    label = f"input `{node.name}`"
    if not isinstance(value, np.memmap):
        return value_array(label, value, node.units.shape, plan.dtype)
    numbers(label, value)
    check_shape(label, value.shape, node.units.shape)
    return value


def _target(plan: Plan, target: Target, value: Any) -> NDArray:
    """A target; a mapped one is looked at in pieces, so that what is wrong with it is said before training."""
    if not isinstance(value, np.memmap):
        return target_array(plan, target, value)
    if value.ndim <= len(target.shape):
        return target_array(plan, target, value)
    for start in range(0, len(value), _ROWS_AT_ONCE):
        target_array(plan, target, value[start : start + _ROWS_AT_ONCE])
    return value


# ------------------------------------------------------------------ the order of samples


def random(seed: int, purpose: str, epoch: int) -> np.random.Generator:
    """The generator of one purpose in one epoch."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed % 2**64, _PURPOSES[purpose], epoch])))


def split(data: Data, share: float, seed: int) -> tuple[Data, Data]:
    """Data to train on, and a share of the samples, drawn by seed, to validate on.

    Where a target has one class a sample, each class gives its share, rounded up or down (stratified by the first such
    target).
    """
    n = data.n_samples
    if n is None:
        raise ValueError("a share of the samples is kept for validation only where inputs or targets have a batch axis")
    require(0 < share < 1, f"the share of samples for validation is between 0 and 1, not {share}")
    n_held = round(share * n)
    require(0 < n_held < n, f"{share:.3g} of {count(n, 'sample')} leaves none to validate or to train on")
    mixed = random(seed, "split", 0).permutation(n)
    classes = _classes(data)
    if classes is None:
        held = np.arange(n) < n_held
    else:
        mixed = mixed[np.argsort(classes[data.places(mixed)], kind="stable")]
        held = np.diff(np.arange(n + 1) * n_held // n) > 0  # one of every n / n_held, so of every class
    return data.subset(np.sort(mixed[~held])), data.subset(np.sort(mixed[held]))


def _classes(data: Data) -> NDArray[np.int64] | None:
    """The class numbers of all samples of the first target with one class a sample; None without such a target."""
    for target in data.plan.targets:
        if target.n_classes is not None and not target.shape and target.name in data.batched:
            return target_array(data.plan, target, data.targets[target.name])
    return None


def batch_ends(n_samples: int, size: int) -> NDArray[np.int64]:
    """Where the batches of an epoch end; a last sample alone joins the batch before it, unless all are alone.

    A batch norm takes no statistics of one sample.
    """
    ends = np.append(np.arange(size, n_samples, size), n_samples)
    return np.delete(ends, -2) if size > 1 and len(ends) > 1 and n_samples % size == 1 else ends


@dataclass(frozen=True, eq=False)
class Batches:
    """The steps of each epoch: `size` samples each, and in the last step what is left (see `batch_ends`)."""

    data: Data
    size: int
    seed: int
    shuffle: bool
    weights: SampleWeights

    def __len__(self) -> int:
        return 1 if self.data.n_samples is None else len(batch_ends(self.data.n_samples, self.size))

    @property
    def smallest(self) -> int | None:
        """The fewest samples of a step; None where nothing is batched."""
        n = self.data.n_samples
        return None if n is None else int(np.diff(batch_ends(n, self.size), prepend=0).min())

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[int, list[NDArray]]]:
        """How many samples, and the arguments, of each step of epoch `number` (from 0 on) from step `first` on."""
        n = self.data.n_samples
        if n is None:
            if first == 0:
                yield 1, self._arguments(slice(None))
            return
        order = random(self.seed, "order", number).permutation(n) if self.shuffle else np.arange(n)
        for some in np.split(order, batch_ends(n, self.size)[:-1])[first:]:
            # in the order of the file, so that mapped data is read forwards: within a batch it makes no difference
            chosen = np.sort(self.data.places(some))
            yield len(chosen), self._arguments(chosen)

    def _arguments(self, chosen: NDArray[np.int64] | slice) -> list[NDArray]:
        inputs, targets = self.data.rows(chosen)
        weights = self.weights.of(targets, chosen)
        return [*inputs.values(), *targets.values(), *weights.values()]
