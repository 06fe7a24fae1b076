"""Freed arrays stay with the process, unless the environment says otherwise."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes
from graphnn_compiler.backend.memory import keep_freed_arrays

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

keep_freed_arrays()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
before = resident()
block = libc.malloc(SIZE)
ctypes.memset(block, 1, SIZE)
libc.free(block)
print(resident() - before)
"""
SIZE = 200 * 2**20


@pytest.mark.skipif(
    not (sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt")), reason="needs the GNU C library"
)
@pytest.mark.parametrize(("keep", "kept"), [(None, True), ("0", False)])
def test_a_freed_array_is_kept_unless_told_otherwise(keep: str | None, kept: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "GNN_KEEP_MEMORY"}
    environment |= {} if keep is None else {"GNN_KEEP_MEMORY": keep}
    program = PROGRAM.replace("SIZE", str(SIZE))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert (int(done.stdout) > SIZE / 2) is kept
