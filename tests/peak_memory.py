"""Peak memory of a command: run this file as a program with the command as its arguments.

Output: the largest resident set of that command, in bytes, on the last line of stdout; its exit status. A program of
its own, because Linux counts the memory of the process that starts a program towards that program's peak: this one
is small, a running pytest is not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def peak_bytes(command: list[str], folder: Path) -> tuple[int, str]:
    """Run a command, which must succeed; its largest resident set in bytes, and what it printed to both streams."""
    done = subprocess.run([sys.executable, __file__, *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    *printed, peak = done.stdout.splitlines()
    return int(peak), "\n".join([*printed, done.stderr])


def main() -> int:
    child = subprocess.Popen(sys.argv[1:])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    print(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))  # Linux counts in KiB, macOS in bytes
    return child.returncode


if __name__ == "__main__":
    sys.exit(main())
