"""The commands and options of `gnnc`, for argparse.

Input: nothing. Output: parsers. Not for: what the options do, files (they are looked at by the commands).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import NoReturn

from graphnn_compiler import __version__
from graphnn_compiler.cli.output import UsageError
from graphnn_compiler.cli.train_options import add_train_options
from graphnn_compiler.diagnostics import did_you_mean

LATER_COMMANDS = frozenset({"new", "graph", "diff", "lsp"})
"""Parts of the language's design that this version does not have."""

FORMS = ("ast", "model", "plan", "python", "npz")
TARGETS = ("pytensor", "theano")
POLICIES = ("mean", "zero", "drop")
METHODS = ("gradient", "integrated")
BASELINES = ("zero", "mean")


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` instead of printing and leaving."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message.removeprefix("argument "), help=f"`{self.prog} --help` shows the usage")


@dataclass(frozen=True)
class Parsers:
    """The parser of everything, and those of the commands by name."""

    top: Parser
    commands: dict[str, Parser]


def build_parsers() -> Parsers:
    """All parsers; made anew each time, which takes a few milliseconds."""
    top = Parser(
        prog="gnnc",
        description="Compiles .gnn files to networks with graph-wired sparse layers.",
        epilog="Exit status: 0 fine, 1 errors in the program or its data, 2 wrong usage, 101 a bug in gnnc.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"gnnc {__version__}")
    group = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    commands = {
        "check": "say what is wrong with programs and their data",
        "fmt": "write programs in their canonical form",
        "build": "compile a program to a saved model, or show a stage of it",
        "train": "fit the parameters of a model to data",
        "run": "compute the outputs of a model from arrays",
        "evaluate": "compute the losses and metrics of a model on data",
        "predict": "write what a model says of data, with keys and class names",
        "importance": "write how much units or edges contribute to an output of a model on data",
        "inspect": "show units, channels, edges, parameters and bytes of a model",
        "why": "say where each in-edge of a unit comes from",
        "explain": "explain the code of an error or a lint",
    }
    made = {name: group.add_parser(name, help=text, description=_sentence(text), allow_abbrev=False)
            for name, text in commands.items()}  # fmt: skip
    _add_check(made["check"])
    _add_fmt(made["fmt"])
    _add_build(made["build"])
    add_train_options(made["train"])
    _add_data(made["train"])
    _add_settings(made["train"])
    _add_run(made["run"])
    _add_evaluate(made["evaluate"])
    _add_predict(made["predict"])
    _add_importance(made["importance"])
    _add_inspect(made["inspect"])
    _add_why(made["why"])
    made["explain"].add_argument("code", metavar="CODE", nargs="?", help="a code such as E101; all codes if left out")
    return Parsers(top, made)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _add_check(parser: Parser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="a program, - for standard input")
    parser.add_argument("--no-data", action="store_true", help="check the text alone, open no data files")
    parser.add_argument("--json", action="store_true", help="print the diagnostics as JSON to standard output")
    _add_settings(parser)


def _add_fmt(parser: Parser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="a program to change in place, - prints that of stdin")
    parser.add_argument("--check", action="store_true", help="change nothing; exit status 1 if something would change")
    parser.add_argument("--diff", action="store_true", help="change nothing; print what would change")


def _add_build(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a program, - for standard input")
    parser.add_argument("-o", "--output", metavar="OUT", help="where to write; FILE's name with .gnnz if left out")
    parser.add_argument(
        "--emit",
        metavar="FORM",
        type=_form,
        help="write another form: ast, model or plan (text, to standard output without -o), npz (edges, parameters), "
        "python (a module and its arrays, in the folder that -o names)",
    )
    parser.add_argument(
        "--target", metavar="LIBRARY", type=_target, help="of --emit python: pytensor (the default) or theano"
    )
    _add_settings(parser)


def _add_run(parser: Parser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a saved model (.gnnz) or a program, - for standard input")
    parser.add_argument("--data", metavar="IN", help="an .npz file of arrays by input names, or an .npy file")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="the .npz file of outputs to write")
    _add_settings(parser)


def _add_evaluate(parser: Parser) -> None:
    _add_samples(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, with the confusion matrices of all classes")
    parser.add_argument("-o", "--output", metavar="OUT", help="write to a file instead of standard output")
    _add_settings(parser)


def _add_predict(parser: Parser) -> None:
    _add_samples(parser)
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="an .npz, .csv or .parquet file to write")
    _add_settings(parser)


def _add_importance(parser: Parser) -> None:
    _add_samples(parser)
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a .csv or .parquet file to write")
    parser.add_argument("--of", metavar="OUTPUT[:KEY]", help="the output, and its class, channel or unit")
    parser.add_argument(
        "--unit", metavar="UNIT", help="the unit of an output with channels; the sum of all if left out"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--layer", metavar="L", help="write that of the units of an input or layer (of the only input)")
    which.add_argument("--edges", metavar="L[.LABEL]", help="write that of the edges into a layer instead")
    parser.add_argument("--method", metavar="M", choices=METHODS, default="gradient",
                        help="gradient: value times slope; integrated: integrated gradients")  # fmt: skip
    parser.add_argument("--steps", metavar="N", type=_batch_size, help="of integrated gradients (50)")
    parser.add_argument(
        "--baseline", metavar="B", choices=BASELINES, help="where they begin: zero, or mean (of the data)"
    )
    _add_settings(parser)


def _add_samples(parser: Parser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a saved model (.gnnz) or a program, - for standard input")
    _add_data(parser)
    parser.add_argument("--batch-size", metavar="N", type=_batch_size, help="how many samples are computed at a time")


def _add_data(parser: Parser) -> None:
    parser.add_argument(
        "--data", metavar="IN", action="append", default=[],
        help="an .npz of arrays by name, an .npy, a SciPy sparse matrix, or a .csv, .tsv or .parquet table whose "
        "columns are called by the keys of units; NAME=IN for a single input or target; may be repeated",
    )  # fmt: skip
    parser.add_argument("--index", metavar="COLUMN", help="the column of a table that labels the samples")
    parser.add_argument(
        "--missing", metavar="POLICY", type=_missing,
        help="of missing cells of a table: mean (of the column; in training of the samples trained on, which the "
        "model keeps; else in this file), zero, or drop (the sample)",
    )  # fmt: skip


def _add_inspect(parser: Parser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a saved model (.gnnz) or a program, - for standard input")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _add_settings(parser)


def _add_why(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a program, - for standard input")
    parser.add_argument("layer", metavar="LAYER", help="a layer with clauses")
    parser.add_argument("--unit", metavar="KEY", required=True, help="the key of a unit of the layer")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _add_settings(parser)


def _add_settings(parser: Parser) -> None:
    group = parser.add_argument_group("how a program is built")
    group.add_argument(
        "-p", dest="params", metavar="NAME=VALUE", action="append", default=[], type=_param,
        help="the value of a param; may be repeated; paths are relative to the working folder",
    )  # fmt: skip
    group.add_argument("--seed", metavar="N", type=_integer, help="the seed of random rules and start values (0)")
    group.add_argument("--dtype", metavar="TYPE", type=_dtype, help="float32 (the default) or float64")
    group.add_argument("--max-edges", metavar="N", type=_size, help="refuse edge sets with more edges")
    group.add_argument("--max-bytes", metavar="N", type=_size, help="refuse networks with more bytes of arrays")


# ------------------------------------------------------------------ values; argparse puts the option's name in front


def _param(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"`{text}` does not have the form NAME=VALUE")
    return name, value


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"`{text}` is not an integer") from None


def _size(text: str) -> int:
    number = _integer(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"`{text}` is negative")
    return number


def _batch_size(text: str) -> int:
    number = _integer(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is below 1")
    return number


def _missing(text: str) -> str:
    if text not in POLICIES:
        raise argparse.ArgumentTypeError(f"`{text}` is none of {', '.join(POLICIES)}")
    return text


def _dtype(text: str) -> str:
    if text not in ("float32", "float64"):
        raise argparse.ArgumentTypeError(f"`{text}` is neither float32 nor float64")
    return text


def _form(text: str) -> str:
    if text not in FORMS:
        hint = did_you_mean(text, FORMS, f"there are {', '.join(FORMS)}")
        raise argparse.ArgumentTypeError(f"there is no form `{text}`; {hint}")
    return text


def _target(text: str) -> str:
    if text not in TARGETS:
        raise argparse.ArgumentTypeError(f"`{text}` is neither pytensor nor theano")
    return text
