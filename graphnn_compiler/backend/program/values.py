"""Values of a printed program: which axes they have, and how one is given those of another.

Arrays are batch-first, as the program's users have them: (U,) or (U, C), with a batch axis in front where a batched
input reaches them. Not for: what is computed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from graphnn_compiler.backend.program.code import Code, tuple_of
from graphnn_compiler.backend.program.printer import Printer
from graphnn_compiler.topology.plan import Units


@dataclass(frozen=True)
class Value:
    """An expression of an array.

    `channel_axis` is whether it has one (else `channels` is 1). Where `n_units` is 1 and it is to be added to values of
    more units, its axis of units is one that broadcasts.
    """

    code: Code
    batched: bool
    channel_axis: bool
    n_units: int
    channels: int

    @property
    def units_axis(self) -> int:
        return int(self.batched)

    @property
    def rank(self) -> int:
        return int(self.batched) + 1 + int(self.channel_axis)

    def of(self, code: Code) -> Value:
        """Another expression of the same axes."""
        return replace(self, code=code)


def with_channels(printer: Printer, x: Value) -> Value:
    """x with a channel axis, which broadcasts where it is new."""
    return x if x.channel_axis else replace(x, code=printer.op("shape_padright", x.code), channel_axis=True)


def without_channels(x: Value) -> Value:
    """x of one channel without the axis."""
    if not x.channel_axis:
        return x
    return replace(x, code=x.code.item(":, :, 0" if x.batched else ":, 0"), channel_axis=False)


def as_in(printer: Printer, x: Value, channel_axis: bool) -> Value:
    return with_channels(printer, x) if channel_axis else without_channels(x)


def flat(x: Value) -> Code:
    """A variable as (B, U * C) or (U * C,): the channels of a unit one after another."""
    if not x.channel_axis:
        return x.code
    return x.code.method("reshape", tuple_of([*_batch(x), x.n_units * x.channels]))


def unflat(code: Code, like: Value, units: Units) -> Code:
    """(B, U * C) or (U * C,) in the axes of `units`, for the batch of a variable."""
    return code.method("reshape", tuple_of([*_batch(like), *units.shape])) if units.channel_axis else code


def _batch(x: Value) -> list[str]:
    return [f"{x.code}.shape[0]"] if x.batched else []


def shape_text(sample: tuple[int, ...], batched: bool) -> str:
    """`(batch, 64)`."""
    return tuple_of([*(["batch"] * batched), *sample])
