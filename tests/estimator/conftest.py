"""Estimators here are compiled to functions that start at once: hundreds of them are fitted."""

from __future__ import annotations

import pytest
from pytensor.compile.mode import Mode

from graphnn_compiler import network

INTERPRETED = Mode(linker="py", optimizer=None)


@pytest.fixture(autouse=True)
def _interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "network_mode", lambda: INTERPRETED)
