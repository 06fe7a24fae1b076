"""Counter-based random streams: the i-th draw for a unit is a pure function of its name and of i.

Input: the seed, the purpose of the draws, the name of the edge set or parameter, a key, and counters. Output:
uniform float64 draws. Not for: distributions (see `weights`), choosing sources (see `rules.random`).

The algorithm is frozen by edition 1 of the language; byte strings stand as in Python, all integers are taken
modulo 2**64, and `blake2b(data, size, key, person)` is RFC 7693 with the personalisation string of that name:

1. `base = blake2b(fields, 16, "", "gnn-1-stream")`, where `fields` is the UTF-8 of the decimal seed, of the purpose
   and of the name, each preceded by its length in bytes as eight little-endian bytes.
2. A key gives the stream's start, a number in 0 .. 2**64 - 1 (digests are read as little-endian):
   string `k`: `blake2b(utf8(k), 8, base, "gnn-1-string")`;
   int `k`: `mix(mix(k) XOR blake2b("", 8, base, "gnn-1-int"))`, k in two's complement; a bool is its int;
   float `k`: `blake2b(little-endian IEEE 754 bytes of k + 0.0, 8, base, "gnn-1-float")`;
   nothing (a draw for a whole parameter, the group *missing*): `blake2b("", 8, base, "gnn-1-none")`.
3. Draw i = 0, 1, 2 .. is `mix(start + (i + 1) * 0x9E3779B97F4A7C15)`: splitmix64 of Steele, Lea and Flood, "Fast
   splittable pseudorandom number generators", OOPSLA 2014, where `mix` is its finaliser (Stafford's variant 13).
4. The uniform draw is the upper 53 bits of that times 2**-53, a multiple of 2**-53 in [0, 1).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnn_compiler.topology.graph import is_string

Starts = NDArray[np.uint64]
GroupValue = str | int | float | None
"""What a group of shared weights is told by: a value of a column, or None for the group *missing*."""

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)


def mix(z: Starts) -> Starts:
    """The finaliser of splitmix64, a bijection of uint64, elementwise."""
    z = (z ^ (z >> np.uint64(30))) * _FIRST_FACTOR
    z = (z ^ (z >> np.uint64(27))) * _SECOND_FACTOR
    return z ^ (z >> np.uint64(31))


def uniform(starts: Starts, counter: ArrayLike) -> NDArray[np.float64]:
    """Draw number `counter` (integers >= 0) of the streams that begin at `starts`: float64 in [0, 1).

    The two broadcast against each other.
    """
    with np.errstate(over="ignore"):  # the arithmetic is modulo 2**64; NumPy would warn where it makes scalars
        steps = np.asarray(counter).astype(np.uint64) + np.uint64(1)
        bits = mix(np.asarray(starts, dtype=np.uint64) + steps * _GAMMA)
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


@dataclass(frozen=True)
class Stream:
    """A family of streams, one for each key: draws for one `purpose` on behalf of the thing called `name`."""

    seed: int
    purpose: str
    name: str

    @cached_property
    def _base(self) -> bytes:
        fields = (str(self.seed).encode(), self.purpose.encode(), self.name.encode())
        packed = b"".join(struct.pack("<Q", len(field)) + field for field in fields)
        return blake2b(packed, digest_size=16, person=b"gnn-1-stream").digest()

    def _hash(self, data: bytes, person: bytes) -> int:
        return int.from_bytes(blake2b(data, digest_size=8, key=self._base, person=person).digest(), "little")

    def starts(self, keys: NDArray) -> Starts:
        """The start of each key's stream, uint64 of shape (n,); keys are int64 or strings.

        The int 5 and the string "5" have different streams.
        """
        if is_string(keys):
            hashes = (self._hash(key.encode(), b"gnn-1-string") for key in keys.tolist())
            return np.fromiter(hashes, dtype=np.uint64, count=len(keys))
        return mix(mix(keys.astype(np.int64).view(np.uint64)) ^ np.uint64(self._hash(b"", b"gnn-1-int")))

    def start_of(self, value: GroupValue = None) -> Starts:
        """The start, shape (), of the stream of one value: a group's, or without a value a whole parameter's."""
        if value is None:
            return np.asarray(self._hash(b"", b"gnn-1-none"), dtype=np.uint64)
        if isinstance(value, str):
            return np.asarray(self._hash(value.encode(), b"gnn-1-string"), dtype=np.uint64)
        if isinstance(value, float):
            return np.asarray(self._hash(struct.pack("<d", value + 0.0), b"gnn-1-float"), dtype=np.uint64)
        return self.starts(np.array([int(value)], dtype=np.int64))[0, ...]
