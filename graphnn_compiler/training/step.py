"""One step of training as a compiled function, and every variable that it changes.

Input: a network, the arguments that its steps have, and settings. Output: `Step`. A step whose loss is not finite
changes no parameter, so that what was wrong can be looked for. Not for: batches, the order of steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from graphnn_compiler.backend.activations import reseed
from graphnn_compiler.topology.plan import Plan
from graphnn_compiler.training.batches import Arrays, Data
from graphnn_compiler.training.constraints import Sign
from graphnn_compiler.training.optimisers import State, Variable, optimiser
from graphnn_compiler.training.refusals import require
from graphnn_compiler.training.settings import Settings

if TYPE_CHECKING:
    from graphnn_compiler.network import Network


@dataclass(frozen=True, eq=False)
class Step:
    """A compiled step. `function` takes the arrays of a batch and returns the sum of the losses, and each of them.

    `rate` is the shared variable of the learning rate. `state` are the shared variables that the next step depends on
    beside the parameters; `random` are those of them that are random generators.
    """

    function: Any
    rate: Variable
    losses: tuple[str, ...]
    state: Mapping[str, Variable]
    random: Mapping[str, Variable]


def compile_step(network: Network, data: Data, weights: Mapping[str, Any], settings: Settings, seed: int) -> Step:
    """The step for arguments such as `data` and `weights` have them. ValueError where nothing can be trained."""
    plan = network.plan
    names = tuple(goal.name for goal in plan.objectives if goal.kind == "loss")
    require(bool(names), "the network declares no loss, so that there is nothing to train for")
    x, y, w = _arguments(plan, data, weights)
    losses = network.objectives(list(names), x, y, True, w)
    total = reduce(add, losses)
    state = State()
    updates = _moves(network, total, settings, state)
    followed = network.state_updates(total)
    random = {it: value for it, value in followed.items() if not isinstance(it.type, pt.TensorType)}
    running = {it: value for it, value in followed.items() if it not in random}
    sound = ~(pt.isnan(total) | pt.isinf(total))
    guarded = {it: pt.switch(sound, value, it) for it, value in (updates | state.updates | running).items()}
    for generator in random:
        reseed(generator, seed)
    function = pytensor.function(
        [*x.values(), *y.values(), *w.values()],
        [total, *losses],
        updates=guarded | random,
        mode=network.mode,
        on_unused_input="ignore",
    )
    rate = state.variables.pop("rate")
    return Step(function, rate, names, state.variables, {it.name: it for it in random})


def _arguments(plan: Plan, data: Data, weights: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """A variable for each array of a batch: inputs, targets, weights."""
    dtypes = {target.name: "int64" for target in plan.targets if target.n_classes is not None}

    def variables(arrays: Arrays | Mapping[str, Any], batched: frozenset[str], suffix: str = "") -> dict[str, Any]:
        return {
            name: pt.tensor(
                name + suffix,
                dtype=plan.dtype if suffix else dtypes.get(name, plan.dtype),
                shape=(None, *array.shape[1:]) if name in batched else array.shape,
            )
            for name, array in arrays.items()
        }

    return (
        variables(data.inputs, data.batched),
        variables(data.targets, data.batched),
        variables(weights, data.batched, ".weights"),
    )


def _moves(network: Network, total: Variable, settings: Settings, state: State) -> dict[Variable, Variable]:
    """The next value of each parameter that moves; the rate and the optimiser's state are added to `state`."""
    parameters = _moving(network, settings)
    slopes = pytensor.grad(total, list(parameters.values()), disconnected_inputs="ignore", return_disconnected="none")
    reached = {name: slope for name, slope in zip(parameters, slopes, strict=True) if slope is not None}
    require(bool(reached), "no loss depends on a parameter that may move, so that there is nothing to train")
    parameters = {name: parameters[name] for name in reached}
    method = optimiser(settings.optimiser)
    rate = state.added("rate", np.float64(method.rate))
    moved = method.moved(parameters, _clipped(reached, settings), rate, state)
    for given, constraint in settings.constraints.items():
        name = network.parameter_name(given)
        require(name in moved, f"parameter `{name}` has a constraint and does not move")
        if isinstance(constraint, Sign) and constraint.by_edge is not None:
            free = np.zeros(parameters[name].type.shape, dtype=np.int8)
            constraint = Sign(network.with_edges(name, free, constraint.by_edge))
        moved[name] = constraint.projected(parameters[name], moved[name], state)
    return {parameters[name]: value for name, value in moved.items()}


def _moving(network: Network, settings: Settings) -> dict[str, Variable]:
    """The parameters that are trainable and not frozen, by name."""
    if isinstance(settings.frozen, str):
        raise TypeError("`frozen` is a sequence of names, not one name")
    frozen = {network.parameter_name(name) for name in settings.frozen}
    return {variable.name: variable for variable in network.trainable if variable.name not in frozen}


def _clipped(slopes: dict[str, Variable], settings: Settings) -> dict[str, Variable]:
    """Slopes with each number in -c .. c, then with a common norm of at most c."""
    if settings.clip_value is not None:
        limit = settings.clip_value
        slopes = {name: pt.clip(it, *(np.asarray(c, it.dtype) for c in (-limit, limit))) for name, it in slopes.items()}
    if settings.clip_norm is None:
        return slopes
    norm = pt.sqrt(reduce(add, [pt.sqr(it).sum().astype("float64") for it in slopes.values()]))
    share = settings.clip_norm / pt.maximum(norm, settings.clip_norm)
    return {name: it * share.astype(it.dtype) for name, it in slopes.items()}
