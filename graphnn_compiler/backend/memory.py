"""Memory that the process keeps when arrays are freed, so that the next call finds it warm.

Not for: limits on what a network may take.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of the GNU C library
_KEPT_BYTES = 2**30


@cache
def keep_freed_arrays() -> None:
    """Have `malloc` keep up to 1 GiB of freed arrays instead of handing them back to the system.

    Otherwise every array above 32 MiB is fresh memory in each call, and filling it costs as many page faults as it has
    pages, often more time than the computation. It holds for the whole process, from the first network that is compiled
    on; the environment variable GNN_KEEP_MEMORY=0 turns it off. Without the GNU C library it does nothing.
    """
    if os.environ.get("GNN_KEEP_MEMORY") == "0":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
