"""Workers from the outside: one process a peer, stopped by the system except while it answers a request."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from peers.registry import BENCHMARKS, Peer, interpreter, variables

MOST_SECONDS = 900.0
SHARE_OF_MEMORY = 0.8
"""What one worker may allocate, of the machine's memory: beyond it allocations fail, instead of the machine."""


class Failure(Exception):
    """What a peer could not do, in its own words."""


class Worker:
    """A peer's process. `ask` wakes it, waits for the answer and stops it again (SIGSTOP): nobody else runs."""

    def __init__(
        self, peer: Peer, environments: Path, log: IO[str] | int = subprocess.DEVNULL, adapter: str | None = None
    ) -> None:
        """`adapter` instead of the peer's own; `log` gets what the worker and its libraries print."""
        self.peer = peer
        self._process = subprocess.Popen(
            [str(interpreter(peer, environments)), "-m", "peers.worker", adapter or peer.adapter],
            cwd=BENCHMARKS,
            env=variables(peer, environments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            bufsize=1,
            preexec_fn=_limit_memory,
            start_new_session=True,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def ask(self, do: str, *, within: float = MOST_SECONDS, **given: Any) -> dict[str, Any]:
        """The answer; Failure where there is none in `within` seconds, the process has ended, or it says `error`."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            self._signal(signal.SIGCONT)
            process.stdin.write(json.dumps({"do": do, **given}) + "\n")
            ready, _, _ = select.select([process.stdout], [], [], within)
            line = process.stdout.readline() if ready else ""
        except BrokenPipeError:
            ready, line = [process.stdout], ""
        if not line and not ready:
            self.end()
            raise Failure(f"no answer in {within:.0f} s")
        if not line:
            raise Failure(f"ended with status {process.wait()}")
        self._signal(signal.SIGSTOP)
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise Failure(found["error"])
        return found

    def end(self) -> None:
        if self._process.poll() is None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        """To the process and its children, such as compilers."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)


def _limit_memory() -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    resource.setrlimit(resource.RLIMIT_DATA, (int(SHARE_OF_MEMORY * total),) * 2)
