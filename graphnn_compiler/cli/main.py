"""`gnnc`: arguments in, exit status out.

Exit status: 0 fine, 1 errors in a program or its data, 2 wrong usage or a file that cannot be read, 101 a bug of ours,
130 interrupted, 141 the reader of the output went away. Not for: what the commands do (one module each, imported when
it is asked for, so that `--help` and `--version` answer at once).
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
from collections.abc import Sequence

from graphnn_compiler import __version__
from graphnn_compiler.cli import output
from graphnn_compiler.cli.options import LATER_COMMANDS, Parsers, build_parsers
from graphnn_compiler.diagnostics import GnnError, did_you_mean

FINE, ERRORS, USAGE, INTERNAL, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 101, 130, 141
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` is what follows the program's name. Returns the exit status, whatever happens."""
    output.prepare()
    # read when NumPy is imported, which no command has done yet: threads of OpenBLAS that have nothing to do would keep
    # the loops of sparse layers off their cores for 2^26 cycles after every dense product
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "14")
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except output.UsageError as error:
        output.complain(error.message, error.help)
        return USAGE
    except GnnError as error:
        output.report(error.diagnostics)
        return ERRORS
    except KeyboardInterrupt:
        output.say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        output.abandon_results()
        return BROKEN_PIPE
    except MemoryError:
        output.complain("there is not enough memory", "`--max-bytes` refuses such builds early")
        return ERRORS
    except Exception as error:
        _confess(error)
        return INTERNAL


def _run(argv: list[str]) -> int:
    parsers = build_parsers()
    if not argv:
        output.say(parsers.top.format_help().rstrip())
        return USAGE
    command = next((word for word in argv if not word.startswith("-")), None)
    if command is not None and command not in parsers.commands:
        raise _unknown_command(command, parsers)
    if command is None and argv[0] not in ("-h", "--help", "--version"):
        raise _unknown_argument(argv[0], parsers.top)
    try:
        arguments, rest = parsers.top.parse_known_args(argv)
    except SystemExit:  # how argparse leaves after `--help` and `--version`
        return FINE
    if rest:
        raise _unknown_argument(rest[0], parsers.commands[arguments.command])
    arguments.words = argv
    return _dispatch(arguments)


def _dispatch(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "check":
            from graphnn_compiler.cli.check import check as command
        case "fmt":
            from graphnn_compiler.cli.fmt import fmt as command
        case "build":
            from graphnn_compiler.cli.build import build as command
        case "run":
            from graphnn_compiler.cli.run import run as command
        case "evaluate":
            from graphnn_compiler.cli.evaluate import evaluate as command
        case "predict":
            from graphnn_compiler.cli.predict import predict as command
        case "importance":
            from graphnn_compiler.cli.importance import importance as command
        case "train":
            from graphnn_compiler.cli.train import train as command
        case "why":
            from graphnn_compiler.cli.why import why as command
        case "inspect":
            from graphnn_compiler.cli.inspect import inspect as command
        case "explain":
            from graphnn_compiler.cli.explain import explain as command
        case other:
            raise AssertionError(other)
    return command(arguments)


def _unknown_command(word: str, parsers: Parsers) -> output.UsageError:
    if word in LATER_COMMANDS:
        return output.UsageError(f"`gnnc {word}` is not available yet in this version")
    commands = ", ".join(parsers.commands)
    return output.UsageError(
        f"there is no command `{word}`", help=did_you_mean(word, parsers.commands, f"the commands are {commands}")
    )


def _unknown_argument(word: str, parser: argparse.ArgumentParser) -> output.UsageError:
    if not word.startswith("-"):
        return output.UsageError(f"`{word}` is one argument too many", help=f"`{parser.prog} --help` shows the usage")
    option = word.split("=")[0]
    known = sorted(set(_OPTION.findall(parser.format_help())))
    otherwise = f"`{parser.prog} --help` lists its options"
    return output.UsageError(f"`{parser.prog}` has no option `{option}`", help=did_you_mean(option, known, otherwise))


def _confess(error: Exception) -> None:
    """Say that the error is ours, with everything that a report of it needs."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    output.complain(
        f"internal error: {type(error).__name__}",
        help="this is a bug in gnnc, not in your program; please report it with the text below",
        note=f"gnnc {__version__}, Python {version} on {sys.platform}",
    )
    output.say("".join(traceback.format_exception(error)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
