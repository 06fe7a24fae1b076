"""The parts of a module that are the same whatever the network: how it is read and written, docstrings, results.

Input: texts and results. Output: lines. Not for: layers.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from graphnn_compiler.backend.program.code import WIDTH, Code, key, printable, sequence

PARAMETERS = '''
def parameters(file=FILE):
    """All that the file holds, as shared variables by name: weights, edges and data."""
    with np.load(file, allow_pickle=False) as arrays:
        p = {name: SHARED for name in arrays.files}
    for name, shape in SHAPES.items():
        if p[name].get_value(borrow=True).shape != shape:
            raise ValueError(f"{name} in {file} is not of shape {shape}")
    return p
'''.strip()

SAVE = '''
def save(p, file):
    """Write what `parameters` reads, with the values that the weights have now."""
    np.savez(file, **{name: variable.get_value() for name, variable in p.items()})
'''.strip()


def dictionary(results: Mapping[str, Code]) -> list[str]:
    """`return {..}`."""
    items = [f"{key(name)}: {code}" for name, code in results.items()]
    line = f"    return {{{', '.join(items)}}}"
    return [line] if len(line) <= WIDTH else sequence("return {", items, "}", depth=1)


def docstring_line(text: str) -> str:
    """Any text as a line inside a docstring, which it can neither end nor hide."""
    line = printable(text).rstrip()
    if '"""' in line or line.startswith('"') or line.endswith('"'):
        line = line.replace('"', "'")
    return line.replace("\\", "\\\\")


def documented(text: str) -> list[str]:
    lines = [docstring_line(row) for line in text.splitlines() for row in textwrap.wrap(line, WIDTH - 10)]
    first, *others = lines
    if not others:
        return [f'    """{first}"""']
    return [f'    """{first}', *(f"    {line}" for line in others), '    """']
