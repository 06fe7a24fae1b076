"""What tests of the loops share."""

from __future__ import annotations

from collections.abc import Iterator

import numba
import pytest


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """The number of threads that the loops may use for as long as the test runs."""
    if request.param > numba.config.NUMBA_NUM_THREADS:
        pytest.skip("one thread only")
    before = numba.get_num_threads()
    numba.set_num_threads(request.param)
    yield request.param
    numba.set_num_threads(before)
