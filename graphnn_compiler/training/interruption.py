"""Ctrl-C between two steps instead of within one.

Input: a block of code. Output: whether an interrupt has come. Not for: what is then to be done.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_noticed() -> Iterator[Callable[[], bool]]:
    """Within the block the first SIGINT is noted, and the second raises KeyboardInterrupt at once, as usual.

    Other threads than the main one take no signals, and nothing changes there.
    """
    noticed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noticed.is_set
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        if noticed.is_set():
            signal.default_int_handler(number, frame)
        noticed.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield noticed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
