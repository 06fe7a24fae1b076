"""Rules of the language about a program as a whole: one function each, listed in `CHECKS`.

Input: a model without errors so far (`circles`: the syntax). Output: diagnostics. Not for: rules about one statement,
which are refused where the statement is elaborated; rules that need data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from graphnn_compiler.diagnostics import Diagnostic, Related
from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model.comparisons import FROM_LOGITS, OF_PROBABILITIES, works_from
from graphnn_compiler.model.tensors import Activation, Apply, Dropout, Ref
from graphnn_compiler.model.types import ComparedModel, EdgeExpr, LayerModel, Model, RandomDegree, RandomPairs, Shuffled
from graphnn_compiler.model.walking import edge_expressions

Check = Callable[[Model], Iterator[Diagnostic]]


def run(model: Model) -> list[Diagnostic]:
    """Everything that the checks find."""
    return [diagnostic for check in CHECKS for diagnostic in check(model)]


def has_an_output(model: Model) -> Iterator[Diagnostic]:
    """A network computes something."""
    if not any(layer.output for layer in model.layers):
        help = "declare the last layer with `output` in place of `layer`"
        yield Diagnostic("E400", "the program has no output", model.source.whole(), help)


_PROBABILITIES = ("softmax", "sigmoid", "linear")


def losses_see_logits(model: Model) -> Iterator[Diagnostic]:
    """Cross entropies are computed from logits, so the layer's activation must be the matching one, or none."""
    layers = {layer.name: layer for layer in model.layers}
    for objective in model.objectives:
        for _, term in objective.terms:
            if isinstance(term, ComparedModel) and term.name in FROM_LOGITS:
                yield from _sees_logits(term, layers[term.layer])
                yield from _sees_logits_of_another(term, layers)


def _sees_logits(term: ComparedModel, layer: LayerModel) -> Iterator[Diagnostic]:
    matching, logits = FROM_LOGITS[term.name], f"`{term.name}` works from {works_from(term.name)}"
    place = layer.activation_span or layer.span
    found, dropped = _last_activation(layer)
    if found.name == "linear":
        return
    if found.name != matching:
        message = f"{logits}, and `{layer.name}` has the activation {found.name}"
        help = f"write `activation = {matching}`, or none"
        yield Diagnostic("E414", message, term.span, help, related=(Related(place, "its activation"),))
    elif dropped:
        message = f"{logits}, and `{layer.name}` drops values after its activation"
        yield Diagnostic("E414", message, term.span, related=(Related(layer.span, "this layer"),))
    elif found.name == "softmax" and found.axis != ("channels" if layer.channel_axis else "units"):
        message = f"`{term.name}` takes the channels of `{layer.name}` for the classes, and its softmax runs over units"
        yield Diagnostic("E414", message, term.span, related=(Related(place, "its softmax"),))


def _sees_logits_of_another(term: ComparedModel, layers: Mapping[str, LayerModel]) -> Iterator[Diagnostic]:
    """A layer that is only another name of one, as after the call of a block, must not hide its activation."""
    named = layer = layers[term.layer]
    while isinstance(layer.value, Ref) and layer.value.layer in layers and _is_plain(layer):
        layer = layers[layer.value.layer]
    if layer is named or _last_activation(layer)[0].name == "linear":
        return
    found, logits = _last_activation(layer)[0].name, f"`{term.name}` works from {works_from(term.name)}"
    message = f"{logits}, and `{named.name}` is `{layer.name}`, which has the activation {found}"
    help = f"leave the activation out there, and write `{named.name} = .. {{ activation = {FROM_LOGITS[term.name]} }}`"
    related = (Related(layer.activation_span or layer.span, "its activation"),)
    yield Diagnostic("E414", message, term.span, help, related=related)


def rankings_see_probabilities(model: Model) -> Iterator[Diagnostic]:
    """AUC and average precision compare shares of classes: those of a softmax, or what it is made of."""
    layers = {layer.name: layer for layer in model.layers}
    for objective in model.objectives:
        for _, term in objective.terms:
            if not isinstance(term, ComparedModel) or term.name not in OF_PROBABILITIES:
                continue
            layer = layers[term.layer]
            found, _ = _last_activation(layer)
            over_units = found.name == "softmax" and found.axis != ("channels" if layer.channel_axis else "units")
            if found.name not in _PROBABILITIES or over_units:
                ends = "softmax runs over units" if over_units else f"activation is {found.name}"
                message = f"`{term.name}` takes probabilities, and `{layer.name}` has none: its {ends}"
                help = "write `activation = softmax` (classes), `activation = sigmoid` (values 0 and 1), or none"
                related = (Related(layer.activation_span or layer.span, "its activation"),)
                yield Diagnostic("E414", message, term.span, help, related=related)


def _is_plain(layer: LayerModel) -> bool:
    return layer.activation.name == "linear" and not layer.normed and not layer.dropout


def _last_activation(layer: LayerModel) -> tuple[Activation, bool]:
    """The function that a layer's value comes out of, and whether dropout follows it."""
    if layer.activation.name != "linear" or layer.normed:
        return layer.activation, layer.dropout > 0
    match layer.value:
        case Apply(function=function):
            return function, layer.dropout > 0
        case Dropout(operand=Apply(function=function)):
            return function, True
        case _:
            return layer.activation, False


def random_seeds_differ(model: Model) -> Iterator[Diagnostic]:
    """Two random rules with one name and one seed would draw the same edges; with one seed they look related."""
    first: dict[int, EdgeExpr] = {}
    for edges in edge_expressions(model):
        if not isinstance(edges, RandomDegree | RandomPairs | Shuffled) or edges.seed is None:
            continue
        other = first.setdefault(edges.seed, edges)
        # the same text several times is that of a block or a repeat, which gives each its own name
        if other.span != edges.span:
            message = f"two random rules have the seed {edges.seed}"
            note = "their draws still differ, since they depend on the name of the edge set too"
            related = (Related(other.span, "the first"),)
            yield Diagnostic("W312", message, edges.span, "give each a seed of its own, or none", (note,), related)


CHECKS: tuple[Check, ...] = (
    has_an_output,
    losses_see_logits,
    rankings_see_probabilities,
    random_seeds_differ,
)


# ------------------------------------------------------------------ before elaboration


def circles(program: syntax.Program, problems: list[Diagnostic]) -> set[str]:
    """Report layers that need each other in a circle; their names, which are then left unchecked."""
    layers = {s.name: s for s in program.statements if isinstance(s, syntax.LayerDecl | syntax.LayerExprDecl)}
    needs = {name: [n for n in _layer_names(layer) if n.id in layers] for name, layer in layers.items()}
    found: set[str] = set()
    for name in layers:
        circle = None if name in found else _circle(name, needs)
        if circle is None:
            continue
        found |= {link.id for link in circle}
        path = " -> ".join([name, *(link.id for link in circle)])
        message = f"the layers need each other in a circle: {path}" if len(circle) > 1 else f"`{name}` needs itself"
        related = tuple(Related(link.span, f"`{link.id}` is needed here") for link in circle[1:])
        help = "a layer is computed from earlier layers; feedback is written with `repeat`"
        problems.append(Diagnostic("E104", message, circle[0].span, help, related=related))
    return found


def _circle(start: str, needs: dict[str, list[syntax.Name]]) -> list[syntax.Name] | None:
    """A shortest way from a layer back to itself, as the names that stand in the text."""
    paths: list[list[syntax.Name]] = [[link] for link in needs[start]]
    seen: set[str] = set()
    while paths:
        path = paths.pop(0)
        last = path[-1].id
        if last == start:
            return path
        if last not in seen:
            seen.add(last)
            paths += [[*path, link] for link in needs[last]]
    return None


def _layer_names(layer: syntax.LayerDecl | syntax.LayerExprDecl) -> Iterator[syntax.Name]:
    if isinstance(layer, syntax.LayerExprDecl):
        yield from syntax.names(layer.value)
        return
    for clause in layer.clauses:
        yield from syntax.names(clause.source)
