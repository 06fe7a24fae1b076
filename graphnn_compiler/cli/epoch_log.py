"""A log of epochs: one line of JSON each, written as they end, so that it can be followed.

Input: epochs. Output: a text file. Unlike results it is no file that appears whole: what is there of it is right.
Not for: progress on a terminal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from graphnn_compiler.cli.output import cannot_write
from graphnn_compiler.training import Epoch


class EpochLog:
    """Writes to a stream, or nowhere."""

    def __init__(self, name: str, stream: TextIO | None) -> None:
        self._name = name
        self._stream = stream

    def write(self, epoch: Epoch) -> None:
        """Add a line. A score that is not finite, which JSON lacks, is null. GnnError (E542) where it cannot."""
        if self._stream is None:
            return
        scores = {name: value if math.isfinite(value) else None for name, value in epoch.scores.items()}
        line = {"epoch": epoch.number, "steps": epoch.steps, "rate": epoch.rate, "scores": scores}
        try:
            self._stream.write(json.dumps(line, allow_nan=False) + "\n")
            self._stream.flush()
        except OSError as error:
            raise cannot_write(self._name, error) from error


@contextmanager
def epoch_log(name: str | None, done: Iterable[Epoch]) -> Iterator[EpochLog]:
    """A log that begins with the epochs done already; None for no log."""
    if name is None:
        yield EpochLog("", None)
        return
    with ExitStack() as opened:
        try:
            stream = opened.enter_context(open(name, "w", encoding="utf-8"))
        except OSError as error:
            raise cannot_write(name, error) from error
        log = EpochLog(name, stream)
        for epoch in done:
            log.write(epoch)
        yield log
