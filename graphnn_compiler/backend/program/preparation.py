"""Prints how an input is filled and scaled before layers read it.

Input: an input of a plan and its variable. Output: statements that set the variable anew; their numbers go to the file
of arrays. Not for: finding these numbers.
"""

from __future__ import annotations

import numpy as np

from graphnn_compiler.backend.program.block import Arrays, Block
from graphnn_compiler.backend.program.code import Code, infix
from graphnn_compiler.backend.program.printer import Printer
from graphnn_compiler.topology.plan import Input


def print_preparation(printer: Printer, arrays: Arrays, block: Block, node: Input, x: Code) -> Code:
    """The variable x, batch-first, after filling and scaling."""

    def stored(name: str, array: np.ndarray | None) -> Code:
        assert array is not None
        return printer.array(arrays.add(f"{node.name}.{name}", array.astype(printer.plan.dtype)))

    if node.fill is not None:
        filled = printer.op("switch", printer.op("isnan", x), stored("fill", node.fill), x)
        x = block.set(x.text, filled, "missing: means of the training data")
    if node.scaling is None:
        return x
    if node.scaling.method == "row_normalize":
        return block.set(x.text, printer.function("row_normalize", x))
    centred = infix(x, "-", stored("mean", node.scaling.mean))
    return block.set(x.text, infix(centred, "/", stored("deviation", node.scaling.deviation)), "standardized")
