"""The options of `gnnc train`, for argparse.

Input: a parser. Output: the parser with more arguments. Not for: what they do (`train`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from graphnn_compiler.diagnostics import did_you_mean

OPTIMISERS = ("adam", "adamw", "sgd", "rmsprop")
SCALINGS = ("standardize", "row_normalize")
SCHEDULES = ("constant", "step", "exponential", "cosine")


def add_train_options(parser: argparse.ArgumentParser) -> None:
    """Everything but how a program is built, and the data."""
    parser.add_argument("model", metavar="MODEL", help="a program (.gnn), or a saved model (.gnnz) to train on")
    parser.add_argument("-o", "--output", metavar="OUT", help="the trained model; MODEL's name with .trained.gnnz")
    parser.add_argument("--warm-start", metavar="OTHER.gnnz",
                        help="begin with the parameters of a saved model, matched by keys")  # fmt: skip
    _add_method(parser.add_argument_group("method"))
    _add_validation(parser.add_argument_group("validation"))
    _add_files(parser.add_argument_group("checkpoints and logs"))
    _add_null(parser.add_argument_group("null models"))


def _add_method(group: argparse._ArgumentGroup) -> None:
    positive = _number("a positive number", lambda value: value > 0)
    group.add_argument("--epochs", metavar="N", type=_count, default=20, help="how often all samples are seen (20)")
    group.add_argument("--batch", metavar="N", type=_count, default=32, help="samples in a step (32)")
    group.add_argument("--optimiser", metavar="NAME", type=_one_of(OPTIMISERS), default="adam",
                       help=f"{', '.join(OPTIMISERS)} (adam)")  # fmt: skip
    group.add_argument("--rate", metavar="R", type=positive, help="the learning rate (0.001; of sgd 0.01)")
    group.add_argument("--momentum", metavar="M", type=_number("from 0 to 1", lambda value: 0 <= value < 1),
                       help="of sgd and rmsprop (0)")  # fmt: skip
    group.add_argument("--decay", metavar="D", type=positive, help="weight decay of adamw (0.01)")
    group.add_argument("--schedule", metavar="S", type=_schedule, default=("constant", ()),
                       help="of the rate: cosine, exponential=0.95, step=0.5/10 (halved every 10 epochs)")  # fmt: skip
    group.add_argument("--warmup", metavar="N", type=_count, help="let the rate rise over the first N steps")
    group.add_argument("--clip-norm", metavar="C", type=positive, help="the largest norm of all slopes together")
    group.add_argument("--clip-value", metavar="C", type=positive, help="the largest slope")
    group.add_argument("--scale", metavar="INPUT=METHOD", type=_scaling, action="append", default=[],
                       help="standardize or row_normalize an input, by the samples that are trained on; the model "
                       "keeps it; may be repeated")  # fmt: skip
    names = {"metavar": "NAME", "action": "append", "default": []}
    group.add_argument("--freeze", **names, help="a parameter that stays as it is; may be repeated")  # type: ignore[arg-type]
    group.add_argument("--non-negative", **names, help="a parameter that stays at 0 or above")  # type: ignore[arg-type]
    group.add_argument("--keep-sign", **names, help="a parameter whose numbers keep their signs")  # type: ignore[arg-type]
    group.add_argument("--balance", **names, help="a class target whose classes are to count the same")  # type: ignore[arg-type]


def _add_validation(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--validation", metavar="V", type=_validation, help="a share of the samples (0.1), or a file as for --data"
    )
    group.add_argument("--stop-after", metavar="N", type=_count, dest="patience",
                       help="stop N epochs after the best one, and keep that")  # fmt: skip
    group.add_argument("--metric", metavar="NAME", help="what decides (val_loss, without validation loss)")
    group.add_argument("--mode", metavar="MODE", type=_one_of(("min", "max")), help="whether min or max is better")


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--checkpoint", metavar="C.gnnz", help="a file to go on from, written every so many epochs")
    group.add_argument("--every", metavar="N", type=_count, help="epochs from one checkpoint to the next (1)")
    group.add_argument("--resume", action="store_true", help="go on from the checkpoint, if there is one")
    group.add_argument("--log", metavar="L.jsonl", help="a line of JSON for each epoch")
    group.add_argument("--curves", metavar="C.svg", help="a picture of the scores (needs matplotlib)")


def _add_null(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--null", metavar="N", type=_count, help="train N networks with shuffled edges too, and compare")
    group.add_argument("--null-keep", metavar="KEEP", type=_one_of(("both_degrees", "in_degree")),
                       help="what shuffling keeps: both_degrees (the default) or in_degree")  # fmt: skip
    group.add_argument("--null-report", metavar="R.json", help="the comparison as a file of JSON")


# ------------------------------------------------------------------ values; argparse puts the option's name in front


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"`{text}` is not an integer") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is not positive")
    return value


def _number(described: str, fits: Callable[[float], bool]) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"`{text}` is not a number") from None
        if not fits(value) or value == float("inf"):
            raise argparse.ArgumentTypeError(f"`{text}` is not {described}")
        return value

    return number


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def word(text: str) -> str:
        if text not in known:
            hint = did_you_mean(text, known, f"there are {', '.join(known)}")
            raise argparse.ArgumentTypeError(f"there is no `{text}`; {hint}")
        return text

    return word


def _schedule(text: str) -> tuple[str, tuple[float, ...]]:
    """`cosine`, `exponential=0.95`, `step=0.5/10` as a name and its numbers."""
    name, _, rest = text.partition("=")
    _one_of(SCHEDULES)(name)
    positive = _number("a positive number", lambda value: value > 0)
    numbers = tuple(positive(part) for part in rest.split("/")) if rest else ()
    wanted = {"constant": 0, "cosine": 0, "exponential": 1, "step": 2}[name]
    if len(numbers) != wanted or (name == "step" and numbers[1] != int(numbers[1])):
        forms = {"exponential": "exponential=0.95", "step": "step=0.5/10"}
        raise argparse.ArgumentTypeError(f"`{text}` does not have the form {forms.get(name, name)}")
    return name, numbers


def _scaling(text: str) -> tuple[str, str]:
    """`INPUT=METHOD`; whether there is such an input is not known yet."""
    name, sign, method = text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"`{text}` does not have the form INPUT=METHOD")
    return name, _one_of(SCALINGS)(method)


def _validation(text: str) -> float | str:
    try:
        share = float(text)
    except ValueError:
        return text
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is not between 0 and 1")
    return share
