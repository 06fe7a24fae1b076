"""A network: a plan, its parameters as shared variables, and compiled functions made when first called.

Input: a plan and parameter values. Output: NumPy arrays from NumPy arrays, or PyTensor variables from variables.
Arrays are batch-first, with or without the batch axis. Not for: parsing, the training loop, the format of saved models.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import ArrayLike, NDArray

from graphnn_compiler.archive import load, save
from graphnn_compiler.arguments import (
    by_name,
    check_batches,
    check_shape,
    parameter_array,
    target_array,
    unknown,
    value_array,
)
from graphnn_compiler.backend.activations import random_updates
from graphnn_compiler.backend.batch_norm import running_updates
from graphnn_compiler.backend.jax_mode import jax_mode
from graphnn_compiler.backend.mode import network_mode
from graphnn_compiler.backend.objectives import scalar
from graphnn_compiler.backend.program.files import write_program
from graphnn_compiler.backend.program.module import Comments
from graphnn_compiler.backend.program.targets import TargetName
from graphnn_compiler.backend.symbolic import Applied, SymbolicNetwork
from graphnn_compiler.diagnostics import GnnError, Problem, count
from graphnn_compiler.edges import Edges, clause_of, weights_by_pair
from graphnn_compiler.evaluation.batches import batches
from graphnn_compiler.evaluation.measuring import Measured, Parts, joined, measure, parts_of
from graphnn_compiler.evaluation.reports import report
from graphnn_compiler.topology.plan import Clause, Combination, DenseClause, Input, Layer, Parameter, Plan, Target
from graphnn_compiler.warm_start import WarmStart, warm_started

if TYPE_CHECKING:
    from graphnn_compiler.training import History

Variable: TypeAlias = Any
"""A PyTensor variable; PyTensor ships no complete types."""

Arrays: TypeAlias = NDArray | dict[str, NDArray]
Variables: TypeAlias = Any
"""One variable, or a mapping of variables by name."""


class Network:
    """A plan with values. Calling it computes the outputs; dropout is off unless `training` is asked for."""

    def __init__(
        self, plan: Plan, values: Mapping[str, ArrayLike], mode: Any = None, comments: Comments | None = None
    ) -> None:
        """`values` holds every parameter by name; `mode` is a PyTensor mode or its name, None for `network_mode`.

        `comments` are those of the program's author, for `write_program`.

        ValueError for a value that is missing or of another shape, TypeError for one that is no real number.
        """
        self.plan = plan
        self._mode = network_mode() if mode is None else jax_mode() if mode == "JAX" else mode
        self._comments = comments
        self._parameters = {one.name: _shared(one.name, _value(plan, one, values)) for one in plan.parameters}
        self._input_defaults = {
            node.name: _shared(node.name, np.asarray(node.default, plan.dtype), len(node.units.shape))
            for node in plan.inputs
            if node.default is not None
        }
        self._target_defaults = {
            target.name: _shared(
                target.name, np.asarray(target.default, _target_dtype(plan, target)), len(target.shape)
            )
            for target in plan.targets
            if target.default is not None
        }
        self._symbolic = SymbolicNetwork(plan, self._parameters)
        self._functions: dict[object, Any] = {}

    def __repr__(self) -> str:
        n_numbers = sum(parameter.size for parameter in self.plan.parameters if parameter.kind != "state")
        inputs, outputs = ", ".join(self.inputs), ", ".join(self.outputs)
        sizes = f"{count(len(self.plan.layers), 'layer')}, {count(n_numbers, 'parameter')}, {self.plan.dtype}"
        return f"Network({inputs} -> {outputs}; {sizes})"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs, those with default data included."""
        return tuple(node.name for node in self.plan.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(layer.name for layer in self.plan.outputs)

    @property
    def mode(self) -> Any:
        """How the network is compiled: what to give `pytensor.function(.., mode=)` for functions of its variables."""
        return self._mode

    # -------------------------------------------------------------- computing

    def __call__(self, inputs: Any = None, /, **named: ArrayLike) -> Arrays:
        """The outputs for `net(x)`, `net({"x": x, ..})` or `net(x=x, ..)`: an array, or several by name.

        An input takes (U,) or (U, C), as it was declared, or a batch (B, U) or (B, U, C) of any length, 0 included;
        it is cast to the network's dtype, and may be left out where it has default data. An output that no batched
        input reaches has no batch axis. ValueError for a wrong name or shape, TypeError for what is no number.
        """
        if inputs is not None and named:
            raise TypeError("give the inputs by name or as one argument, not both")
        arrays = self._input_arrays(named or inputs)
        self._check_batches(arrays)
        results = self._function("outputs", arrays, {})(*arrays.values())
        return results[0] if len(results) == 1 else dict(zip(self.outputs, results, strict=True))

    def predict(self, inputs: Any = None, batch_size: int | None = None) -> Arrays:
        """The outputs as a call gives them, computed for `batch_size` samples at a time (see `evaluate`)."""
        arrays = self._input_arrays(inputs)
        self._check_batches(arrays)
        several = [
            self._function("outputs", batch.inputs, {})(*batch.inputs.values())
            for batch in batches(self.plan, arrays, None, batch_size)
        ]
        named = zip(self.plan.outputs, zip(*several, strict=True), strict=True)
        results = {layer.name: joined(pieces, len(layer.units.shape)) for layer, pieces in named}
        return next(iter(results.values())) if len(results) == 1 else results

    def evaluate(self, inputs: Any = None, targets: Any = None, batch_size: int | None = None) -> dict[str, float]:
        """The value of every loss and metric, dropout off.

        Inputs and targets are arrays by name (or the array itself where there is one), and may be left out where they
        have default data. A class target takes class names or numbers: () or (U,), as its loss has it, or a batch of
        that. `batch_size` samples are computed at a time, which changes no value but by rounding; by default so many
        that all layers hold 2^24 numbers. ValueError for a class that is unknown, or missing where it is compared, and
        for a batch size below 1; GnnError (E552) for a metric whose library is not installed.
        """
        return self._measured(inputs, targets, batch_size, tables=False).values

    def report(self, inputs: Any = None, targets: Any = None, batch_size: int | None = None) -> dict[str, Any]:
        """What `evaluate` gives, the number of samples and confusion matrices: the JSON of `gnnc evaluate`."""
        return report(self.plan, self._measured(inputs, targets, batch_size, tables=True))

    def _measured(self, inputs: Any, targets: Any, batch_size: int | None, *, tables: bool) -> Measured:
        input_arrays, target_arrays = self._input_arrays(inputs), self._target_arrays(targets)
        self._check_batches(input_arrays, target_arrays)
        parts = parts_of(self.plan, tables=tables)

        def run(x: dict[str, NDArray], y: dict[str, NDArray]) -> Any:
            return self._function(parts, x, y)(*x.values(), *y.values())

        return measure(self.plan, parts, run, input_arrays, target_arrays, batch_size)

    def symbolic(self, inputs: Variables = None, training: bool = False) -> Variables:
        """The outputs as variables: one, or several by name, of the inputs given as variables (or arrays).

        An input is a variable with the numbers of dimensions that a call takes, and is cast to the network's dtype.
        Gradients flow to the inputs and to `parameters`. In training, dropout draws masks and batch norms take the
        statistics of the batch: give `net.state_updates(..)` of what is compiled to `pytensor.function`.
        """
        applied = self.applied(inputs, training)
        results = {name: applied.value(name) for name in self.outputs}
        return next(iter(results.values())) if len(results) == 1 else results

    def objective(
        self, name: str, inputs: Variables = None, targets: Variables = None, training: bool = False
    ) -> Variable:
        """A loss or metric as a variable of shape (). Class targets are class numbers of an integer type.

        KeyError for an unknown name.
        """
        return self.objectives([name], inputs, targets, training)[0]

    def loss(self, inputs: Variables = None, targets: Variables = None, training: bool = True) -> Variable:
        """The sum of all losses as a variable of shape (); see `symbolic` for training. ValueError if there is none."""
        names = [goal.name for goal in self.plan.objectives if goal.kind == "loss"]
        if not names:
            raise ValueError("the network declares no loss")
        return reduce(add, self.objectives(names, inputs, targets, training))

    def fit(self, inputs: Any = None, targets: Any = None, **options: Any) -> History:
        """Train the parameters in place: data as in `evaluate`, options and result as in `training.fit`."""
        from graphnn_compiler.training import fit

        return fit(self, inputs, targets, **options)

    @staticmethod
    def state_updates(*variables: Variable) -> dict[Variable, Variable]:
        """What each call in training moves on, for `pytensor.function(.., updates=)`, found in what is compiled.

        That is the random states of dropouts, so that masks are drawn anew, and the running statistics of batch norms.
        """
        return random_updates(variables) | running_updates(variables)

    def objectives(
        self, names: list[str], inputs: Variables, targets: Variables, training: bool, weights: Variables = None
    ) -> list[Variable]:
        """Several losses and metrics of one application; `weights`, by target, say what each sample counts in them."""
        goals = {goal.name: goal for goal in self.plan.objectives}
        for name in names:
            if name not in goals:
                raise KeyError(unknown("loss or metric", name, goals))
        applied = self.applied(inputs, training)
        compared = self._target_variables(targets)
        return [scalar(goals[name].value, applied, self._parameters, compared, weights) for name in names]

    def applied(self, inputs: Variables, training: bool, sums_of: Collection[str] = ()) -> Applied:
        """The variables of every layer, inside the network's own layout; `symbolic` gives the outputs."""
        given = by_name(inputs, self.inputs, self._input_defaults, "input")
        variables: dict[str, Variable] = dict(self._input_defaults)
        for node in self.plan.inputs:
            if node.name in given:
                label = f"input `{node.name}`"
                variables[node.name] = _variable(label, given[node.name], node.units.shape, self.plan.dtype)
        return self._symbolic.apply(variables, training, sums_of, by_default=set(variables) - set(given))

    def _target_variables(self, targets: Variables) -> dict[str, Variable]:
        names = [target.name for target in self.plan.targets]
        given = by_name(targets, names, self._target_defaults, "target")
        variables: dict[str, Variable] = dict(self._target_defaults)
        for target in self.plan.targets:
            if target.name in given:
                dtype, label = _target_dtype(self.plan, target), f"target `{target.name}`"
                variables[target.name] = _variable(label, given[target.name], target.shape, dtype)
        return variables

    # -------------------------------------------------------------- weights and edges

    @property
    def parameters(self) -> Mapping[str, Variable]:
        """Every parameter by name, as a shared variable of the same name; trainable ones and frozen ones."""
        return MappingProxyType(self._parameters)

    @property
    def trainable(self) -> list[Variable]:
        """The shared variables that training may change, in the order of the plan."""
        return [self._parameters[one.name] for one in self.plan.parameters if one.trainable]

    @property
    def weights(self) -> dict[str, NDArray]:
        """A copy of every parameter's value by name."""
        return {name: np.array(variable.get_value(borrow=True)) for name, variable in self._parameters.items()}

    def set_weights(self, changes: Mapping[str, ArrayLike | Mapping[tuple[Any, Any], float]]) -> None:
        """Replace parameters: a whole array, or by edge `{(source key, target key): number}`, which leaves the others.

        `layer.weights` will do for `layer.label.weights` while the layer has one clause. Nothing changes unless
        everything fits: KeyError for an unknown name, ValueError for a wrong shape or edge, TypeError for no number.
        """
        new: dict[str, NDArray] = {}
        for given, value in changes.items():
            name = self.parameter_name(given)
            if name in new:
                raise ValueError(f"parameter `{name}` is given twice")
            if isinstance(value, Mapping):
                new[name] = self.with_edges(name, self._parameters[name].get_value(borrow=True), value)
            else:
                new[name] = parameter_array(self.plan, self.plan.parameter[name], value)
        for name, array in new.items():
            self._parameters[name].set_value(array, borrow=True)

    def with_edges(self, name: str, numbers: NDArray, changes: Mapping[tuple[Any, Any], float]) -> NDArray:
        """`numbers`, of the shape of the weights `name`, with those of some edges replaced, by key as `set_weights`."""
        layer, clause = self._owner(name)
        return weights_by_pair(self.plan, layer, clause, numbers, changes)

    def warm_start(self, other: Network | str | os.PathLike[str]) -> WarmStart:
        """Take over the parameters of another network, or of a saved model, that this one has too: by name, and in each
        by the keys of units and of edges. What has no counterpart stays, and is counted in the report.

        Nothing changes unless everything fits: ValueError where parameters of one name cannot match, GnnError for a
        file that cannot be loaded.
        """
        try:
            found = (other.plan, other.weights) if isinstance(other, Network) else load(other)
        except Problem as problem:
            raise GnnError([problem.about(str(other))]) from None
        changed, inputs, report = warm_started(self.plan, self.weights, *found)
        self.set_weights(changed)
        self.prepare_inputs(inputs)
        return report

    def prepare_inputs(self, inputs: tuple[Input, ...]) -> None:
        """Fill and scale inputs as these, the plan's own but for that, say. Compiled functions are made anew."""
        if inputs != self.plan.inputs:
            self.plan = replace(self.plan, inputs=inputs)
            self._symbolic = SymbolicNetwork(self.plan, self._parameters)
            self._functions.clear()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network, with the values that its parameters have now, to a `.gnnz` file for `load`.

        The file appears whole or not at all. GnnError where it cannot be written.
        """
        try:
            save(path, self.plan, self.weights)
        except Problem as problem:
            raise GnnError([problem.about(os.fspath(path))]) from None

    def write_program(
        self, folder: str | os.PathLike[str], *, target: TargetName = "pytensor", name: str = "network"
    ) -> Path:
        """Write the network as source that needs NumPy and its target only: `name`.py and `name`.npz in `folder`.

        The file of arrays holds edges, data and the values that the parameters have now. Returns the path of the text.
        GnnError where the target lacks something (E550, E551), ValueError for another name, OSError in writing.
        """
        return write_program(self.plan, self.weights, Path(folder), target, name, self._comments)

    def edges(self, layer: str, label: str | None = None) -> Edges:
        """The edges of the clause of a layer with a label, which may be left out while the layer has one clause.

        KeyError for an unknown layer or clause, ValueError for a dense clause, which has no edge list.
        """
        if layer not in self.plan.layer:
            raise KeyError(unknown("layer", layer, self.plan.layer))
        clause = clause_of(self.plan.layer[layer], label)
        if isinstance(clause, DenseClause):
            raise ValueError(f"clause `{clause.label}` of layer `{layer}` connects all pairs and has no edge list")
        current = {name: self._parameters[name].get_value for name in clause.weights.parameters}
        return Edges(self.plan, self.plan.layer[layer], clause, current)

    def parameter_name(self, name: str) -> str:
        """The full name of a parameter: `layer.weights` is short for its only clause's. KeyError for no name."""
        if name in self._parameters:
            return name
        place, _, kind = name.rpartition(".")
        layer = self.plan.layer.get(place) if kind in ("weights", "bases", "coefficients") else None
        clauses = layer.body.clauses if layer is not None and isinstance(layer.body, Combination) else ()
        if len(clauses) == 1:
            for parameter in clauses[0].weights.parameters:
                if parameter.endswith(f".{kind}"):
                    return parameter
        if len(clauses) > 1:
            labels = ", ".join(f"`{layer.name}.{clause.label}.{kind}`" for clause in clauses if layer is not None)
            raise KeyError(f"`{name}` could be any of {labels}")
        raise KeyError(unknown("parameter", name, self._parameters))

    def _owner(self, parameter: str) -> tuple[Layer, Clause]:
        """The layer and clause whose weights a parameter is; the one it is named after where several share it."""
        users = [
            (layer, clause)
            for layer in self.plan.layers
            if isinstance(layer.body, Combination)
            for clause in layer.body.clauses
            if clause.weights.parameter == parameter
        ]
        if not users:
            raise ValueError(f"parameter `{parameter}` is not the weights of edges: give the whole array")
        return next((user for user in users if f"{user[0].name}.{user[1].label}.weights" == parameter), users[0])

    # -------------------------------------------------------------- compiling

    @property
    def _samples(self) -> dict[str, tuple[int, ...]]:
        """The shape of one sample of every input and target."""
        shapes = {node.name: node.units.shape for node in self.plan.inputs}
        return shapes | {target.name: target.shape for target in self.plan.targets}

    def _check_batches(self, inputs: dict[str, NDArray], targets: dict[str, NDArray] | None = None) -> None:
        """ValueError unless all arguments and default data with a batch axis have equally many samples."""
        defaults = {**self._input_defaults, **(self._target_defaults if targets is not None else {})}
        arrays = {name: variable.get_value(borrow=True) for name, variable in defaults.items()}
        arrays |= {**inputs, **(targets or {})}
        samples = self._samples
        check_batches({name: len(array) for name, array in arrays.items() if array.ndim > len(samples[name])})

    def _input_arrays(self, inputs: Any) -> dict[str, NDArray]:
        given = by_name(inputs, self.inputs, self._input_defaults, "input")
        return {
            node.name: value_array(f"input `{node.name}`", given[node.name], node.units.shape, self.plan.dtype)
            for node in self.plan.inputs
            if node.name in given
        }

    def _target_arrays(self, targets: Any) -> dict[str, NDArray]:
        names = [target.name for target in self.plan.targets]
        given = by_name(targets, names, self._target_defaults, "target")
        return {
            target.name: target_array(self.plan, target, given[target.name])
            for target in self.plan.targets
            if target.name in given
        }

    def _function(
        self, wanted: Literal["outputs"] | Parts, inputs: dict[str, NDArray], targets: dict[str, NDArray]
    ) -> Any:
        """The function for arguments of these names and numbers of dimensions, compiled when first asked for."""
        key = (wanted, *((name, array.ndim) for name, array in (*inputs.items(), *targets.items())))
        if key not in self._functions:
            x = {name: self._argument(name, array) for name, array in inputs.items()}
            y = {name: self._argument(name, array) for name, array in targets.items()}
            applied = self.applied(x, training=False)
            if wanted == "outputs":
                results = [applied.value(name) for name in self.outputs]
            else:
                compared = self._target_variables(y)
                results = [scalar(term, applied, self._parameters, compared) for term in wanted.means]
                results += [applied.value(name) for name in wanted.layers]
            arguments = [*x.values(), *y.values()]
            self._functions[key] = pytensor.function(arguments, results, mode=self._mode, on_unused_input="ignore")
        return self._functions[key]

    def _argument(self, name: str, array: NDArray) -> Variable:
        shape = self._samples[name]
        batched = array.ndim > len(shape)
        return pt.tensor(name, dtype=str(array.dtype), shape=(None, *shape) if batched else shape)


def _shared(name: str, array: NDArray, sample_ndim: int | None = None) -> Variable:
    """A shared variable whose sizes are known before compilation, that of a batch axis excepted."""
    batched = sample_ndim is not None and array.ndim > sample_ndim
    return pytensor.shared(array, name=name, shape=(None, *array.shape[1:]) if batched else array.shape)


def _target_dtype(plan: Plan, target: Target) -> str:
    return plan.dtype if target.n_classes is None else "int64"


def _value(plan: Plan, parameter: Parameter, given: Mapping[str, ArrayLike]) -> NDArray:
    if parameter.name not in given:
        raise ValueError(f"parameter `{parameter.name}` has no value")
    return parameter_array(plan, parameter, given[parameter.name])


def _variable(label: str, given: Any, shape: tuple[int, ...], dtype: str) -> Variable:
    variable = pt.as_tensor_variable(given)
    if np.dtype(variable.dtype).kind not in ("biu" if dtype == "int64" else "biuf"):
        raise TypeError(f"{label} takes {'class' if dtype == 'int64' else 'real'} numbers, not {variable.dtype}")
    check_shape(label, variable.type.shape, shape)
    return variable.astype(dtype)
