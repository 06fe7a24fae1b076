"""The whole module: its text and its arrays.

Input: a plan, parameter values, a target and what the program's author says of it. Output: the text of a module that
imports NumPy and its target only, and the arrays of the npz file beside it. Not for: writing them.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.backend.program.block import Arrays, Block
from graphnn_compiler.backend.program.clauses import Clauses
from graphnn_compiler.backend.program.code import (
    WIDTH,
    Code,
    Names,
    atom,
    call,
    infix,
    key,
    sequence,
    tuple_of,
)
from graphnn_compiler.backend.program.layers import Layers
from graphnn_compiler.backend.program.objectives import Objectives, result_name
from graphnn_compiler.backend.program.preparation import print_preparation
from graphnn_compiler.backend.program.printer import RESERVED, Printer
from graphnn_compiler.backend.program.reached import reached
from graphnn_compiler.backend.program.scaffold import PARAMETERS, SAVE, dictionary, docstring_line, documented
from graphnn_compiler.backend.program.targets import TARGETS, TargetName
from graphnn_compiler.backend.program.values import Value, shape_text
from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.comparisons import compared, has_scores
from graphnn_compiler.topology.plan import Input, Objective, Plan, Target
from graphnn_compiler.topology.plan_text import scalar_text


@dataclass(frozen=True)
class Comments:
    """What the author of a program says: of the whole, and of single layers by name."""

    program: str | None = None
    layers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Module:
    """A printed program."""

    text: str
    arrays: Mapping[str, NDArray]


class Unprintable(Exception):
    """What the target lacks, each by the name of the layer, loss or metric that needs it."""

    def __init__(self, problems: Sequence[tuple[str, Problem]]) -> None:
        super().__init__("; ".join(f"{name}: {problem}" for name, problem in problems))
        self.problems = tuple(problems)


def print_module(
    plan: Plan, values: Mapping[str, NDArray], target: TargetName, name: str, comments: Comments | None = None
) -> Module:
    """The plan as a module of that name, to stand beside the file `name`.npz. Raises Unprintable."""
    return _Printing(plan, target, comments or Comments()).module(values, name)


class _Printing:
    def __init__(self, plan: Plan, target: TargetName, comments: Comments) -> None:
        self._plan = plan
        self._comments = comments
        self._printer = Printer(plan, TARGETS[target])
        self._arrays = Arrays()
        self._problems: list[tuple[str, Problem]] = []
        self._batched = {
            node.name: node.default is None or node.default.ndim > len(node.units.shape) for node in plan.inputs
        }

    def module(self, values: Mapping[str, NDArray], name: str) -> Module:
        for parameter in self._plan.parameters:
            self._arrays.keep(parameter.name, np.asarray(values[parameter.name], dtype=self._plan.dtype))
        forward = self._forward()
        goals = [self._goals("loss"), self._goals("metric")]
        if self._problems:
            raise Unprintable(self._problems)
        parts = [self._parameters(), SAVE.splitlines(), *map(str.splitlines, self._printer.definitions()), forward]
        parts += [part for part in (*goals, self._updates()) if part]
        body = "\n\n\n".join("\n".join(part) for part in ([*self._constants()], *parts))
        return Module("\n".join([*self._head(name, body), "", body, ""]), self._arrays.by_name)

    # -------------------------------------------------------------- the top

    def _head(self, name: str, body: str) -> list[str]:
        """The module's docstring, and the imports that its body uses."""
        target, file = self._printer.target, Path(self._plan.provenance.source_name).name
        printed = f"Printed for {target.title} from {file}" if file else f"Printed for {target.title}"
        about = f"{printed}; edges and weights are in {name}.npz beside this file."
        said = (self._comments.program or f"The network of {file or 'a program without a name'}.").splitlines()
        lines = [*said, "", *textwrap.wrap(about, WIDTH), "", *(f"    {line}" for line in self._usage())]
        docstring = [docstring_line(line) for line in lines]
        needed = [line for line in target.imports if re.search(rf"\b{line.split()[-1]}\.", body)]
        masks = target.for_masks if self._printer.drops else ()
        return [f'"""{docstring[0]}', *docstring[1:], '"""', "", "from pathlib import Path", "",
                "import numpy as np", *needed, *masks]  # fmt: skip

    def _usage(self) -> list[str]:
        """How the module's functions go together."""
        inputs, targets = self._required(self._plan.inputs), self._required(self._plan.targets)
        collects = self._printer.collects
        lines = ["p = parameters()"] + ["masks = []"] * collects
        lines.append(f"layers = forward({', '.join(['p', *inputs, *(['masks=masks'] * collects)])})")
        if self._losses:
            step = self._printer.op("function", f"[{', '.join([*inputs, *targets])}]", "cost", "updates=steps")
            lines += [f"cost = loss({', '.join(['p', 'layers', *targets])})",
                      f"steps = updates(p, cost, 0.1{', masks' * collects})", f"step = {step}"]  # fmt: skip
        return lines

    def _constants(self) -> list[str]:
        parameters = self._plan.parameters
        lines = ['FILE = Path(__file__).with_suffix(".npz")']
        shapes = [f"{key(one.name)}: {tuple_of(one.shape)}" for one in parameters]
        lines += sequence("SHAPES = {", shapes, "}") if shapes else ["SHAPES = {}"]
        if self._losses and all(one.trainable for one in parameters):
            lines.append("TRAINABLE = list(SHAPES)")
        elif self._losses:
            trainable = [key(one.name) for one in parameters if one.trainable]
            lines += sequence("TRAINABLE = [", trainable, "]") if trainable else ["TRAINABLE = []"]
        return lines + [f"SEED = {self._plan.provenance.seed % 2**32}"] * self._printer.drops

    def _parameters(self) -> list[str]:
        shared = self._printer.op("shared", "arrays[name]", "name=name")
        return PARAMETERS.replace("SHARED", shared.text).splitlines()

    # -------------------------------------------------------------- forward

    def _forward(self) -> list[str]:
        inputs = self._names(self._plan.inputs)
        block = Block(Names((*RESERVED, *inputs.values())))
        clauses = Clauses(self._printer, self._arrays, block)
        layers = Layers(self._printer, clauses, block, self._needed)
        for node in self._plan.inputs:
            units, batched = node.units, self._batched[node.name]
            shape = shape_text(units.shape, batched)
            code = self._given(block, node, inputs[node.name], self._plan.dtype, shape)
            code = print_preparation(self._printer, self._arrays, block, node, code)
            layers.values[node.name] = Value(code, batched, units.channel_axis, len(units), units.channels)
        for layer in self._plan.layers:
            if layer.name in self._comments.layers:
                block.say(self._comments.layers[layer.name])
            self._batched[layer.name] = any(self._batched[source] for source in layer.sources)
            try:
                layers.layer(layer)
            except Problem as problem:
                self._problems.append((layer.name, problem))
                layers.skip(layer, self._batched[layer.name])
        results = {
            layer.name: layers.values[layer.name].code for layer in self._plan.layers if layer.name in self._results
        }
        results |= {f"{name}.logits": code for name, code in layers.logits.items()}
        block.lines += dictionary(results)
        arguments = self._arguments(["p"], self._plan.inputs, inputs) + ["masks=None"] * self._printer.collects
        said = "The outputs, and what losses and metrics work from, by name."
        if self._printer.collects:
            said = "The outputs and what losses need, by name; with masks, those of training."
        return [f"def forward({', '.join(arguments)}):", f'    """{said}"""', *block.lines]

    def _given(self, block: Block, node: Input | Target, variable: str, dtype: str, shape: str) -> Code:
        """An argument in the dtype that the network computes with; its own data where it is left out."""
        value = variable
        if node.default is not None:
            data = self._arrays.add(f"{node.name}.data", np.asarray(node.default, dtype=dtype))
            value = f"{self._printer.array(data)} if {variable} is None else {variable}"
        return block.set(variable, self._printer.op("cast", value, f'"{dtype}"'), shape)

    # -------------------------------------------------------------- losses and metrics

    def _goals(self, kind: Literal["loss", "metric"]) -> list[str]:
        """The function of all losses or of all metrics, after a comment that names the metrics it lacks."""
        goals = [goal for goal in self._printed if goal.kind == kind]
        left_out = self._left_out if kind == "metric" else []
        if not goals:
            return left_out
        used = {one.target for goal in goals for one in compared(goal.value)}
        targets = [target for target in self._plan.targets if target.name in used]
        variables = self._names(targets)
        block = Block(Names((*RESERVED, *variables.values())))
        for target in targets:
            dtype = self._plan.dtype if target.n_classes is None else "int64"
            batched = self._target_batched(target)
            self._batched[target.name] = batched
            self._given(block, target, variables[target.name], dtype, tuple_of(["batch"] * batched + [*target.shape]))
        objectives = Objectives(self._printer, self._arrays, self._batched, variables)
        found: dict[str, Code] = {}
        for goal in goals:
            try:
                name = block.new(goal.name)
                value = objectives.value(block, goal, name)
                alone = kind == "loss" and len(goals) == 1
                found[goal.name] = value if alone else block.set(name, value)
            except Problem as problem:
                self._problems.append((goal.name, problem))
        formulas = "\n".join(f"{goal.name} = {scalar_text(goal.value, self._plan)}" for goal in goals)
        arguments = ", ".join(self._arguments(["p", "layers"], targets, variables))
        if kind == "metric":
            block.lines += dictionary(found)
            return [*left_out, f"def metrics({arguments}):", *documented(formulas), *block.lines]
        block.give(
            reduce(
                lambda total, one: infix(total, "+", one),
                found.values(),
            )
            if found
            else atom("0")
        )
        return [f"def loss({arguments}):", *documented(formulas), *block.lines]

    def _target_batched(self, target: Target) -> bool:
        if target.default is not None:
            return target.default.ndim > len(target.shape)
        users = [one.layer for goal in self._printed for one in compared(goal.value) if one.target == target.name]
        return any(self._batched[layer] for layer in users)

    def _updates(self) -> list[str]:
        if not self._losses:
            return []
        given = ["cost", "weights"]
        unreached = not {one.name for one in self._plan.parameters if one.trainable} <= reached(self._plan)
        given += ['disconnected_inputs="ignore"'] * unreached
        block = Block(Names(RESERVED))
        block.set("weights", atom("[p[name] for name in TRAINABLE]"))
        block.set("slopes", self._printer.op("grad", *given))
        block.set("rate", call(f"np.{self._plan.dtype}", "rate"))
        steps = "[(w, w - rate * slopes[i]) for i, w in enumerate(weights)]"
        block.lines.append(f"    return {steps}{' + list(masks)' * self._printer.collects}")
        arguments = f"p, cost, rate{', masks=()' * self._printer.collects}"
        return [
            f"def updates({arguments}):",
            '    """A step of gradient descent, as pairs for a compiled function."""',
            *block.lines,
        ]

    # -------------------------------------------------------------- names

    @cached_property
    def _printed(self) -> list[Objective]:
        """Losses and metrics; those made of scores are numbers of all samples together, which no graph computes."""
        return [goal for goal in self._plan.objectives if not has_scores(goal.value)]

    @cached_property
    def _left_out(self) -> list[str]:
        """A comment that names what is not printed."""
        missing = [goal for goal in self._plan.objectives if goal not in self._printed]
        lines = [f"{goal.name} = {scalar_text(goal.value, self._plan)}" for goal in missing]
        said = textwrap.wrap(
            "Left out, since they are computed from all samples together, outside of graphs:", WIDTH - 2
        )
        return [f"# {line}" for line in [*said, *lines]] if missing else []

    @cached_property
    def _losses(self) -> list[Objective]:
        return [goal for goal in self._plan.objectives if goal.kind == "loss"]

    @cached_property
    def _needed(self) -> frozenset[str]:
        """The layers of which losses or metrics read the logits."""
        names = [result_name(self._plan, one) for goal in self._printed for one in compared(goal.value)]
        return frozenset(name.removesuffix(".logits") for name in names if name.endswith(".logits"))

    @cached_property
    def _results(self) -> set[str]:
        """The layers that `forward` gives."""
        read = {result_name(self._plan, one) for goal in self._printed for one in compared(goal.value)}
        return read | {layer.name for layer in self._plan.outputs}

    def _names(self, nodes: Sequence[Input | Target]) -> dict[str, str]:
        """The variables of inputs or targets."""
        names = Names(RESERVED)
        return {node.name: names.new(node.name) for node in nodes}

    def _required(self, nodes: Sequence[Input | Target]) -> list[str]:
        return [self._names(nodes)[node.name] for node in nodes if node.default is None]

    def _arguments(self, first: list[str], nodes: Sequence[Input | Target], variables: Mapping[str, str]) -> list[str]:
        """Parameters of a function: those without data of their own first."""
        needed = [variables[node.name] for node in nodes if node.default is None]
        return [*first, *needed, *(f"{variables[node.name]}=None" for node in nodes if node.default is not None)]
