"""`gnnc explain`: the page of an error or lint, or the list of all of them.

Input: parsed arguments. Output: text on standard output. The pages are the package's files `explain/CODE.md`, whose
first line is `# CODE: title`. Not for: diagnostics.
"""

from __future__ import annotations

import argparse
from importlib.resources import files

from graphnn_compiler.cli import output
from graphnn_compiler.diagnostics import did_you_mean

_LOOKALIKES = str.maketrans("OIL", "011")


def explain(arguments: argparse.Namespace) -> int:
    """0; UsageError for a code that there is not."""
    pages = {
        page.name.removesuffix(".md"): page
        for page in files("graphnn_compiler").joinpath("explain").iterdir()
        if page.name.endswith(".md")
    }
    if arguments.code is None:
        titles = [pages[code].read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for code in pages]
        output.write_result("".join(f"{title}\n" for title in sorted(titles)))
        return 0
    code = arguments.code.upper()
    if code not in pages:
        meant = code.translate(_LOOKALIKES)
        close = meant if meant in pages else code
        help = did_you_mean(close, pages, "`gnnc explain` lists all codes")
        raise output.UsageError(f"there is no code `{arguments.code}`", help=help)
    output.write_result(pages[code].read_text(encoding="utf-8"))
    return 0
