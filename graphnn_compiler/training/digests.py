"""What identifies an array when a training is resumed: its bytes, or its size where it is a file that is mapped.

Input: an array. Output: a short text. Not for: safety against forgery (archives have digests of their own).
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def digest(array: NDArray) -> str:
    """The SHA-256 of an array's dtype, shape and numbers; of dtype and shape alone where it is mapped from a file."""
    found = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    if array.dtype.kind in "biuf" and not isinstance(array, np.memmap):
        found.update(np.ascontiguousarray(array).data)
    elif not isinstance(array, np.memmap):
        found.update("\0".join(map(str, array.ravel().tolist())).encode())
    return found.hexdigest()[:16]
