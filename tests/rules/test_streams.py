"""The random streams against a second implementation in plain integers, and the values that edition 1 froze."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from graphnn_compiler.topology.graph import string_array
from graphnn_compiler.topology.streams import Stream, uniform

WORD = 2**64 - 1
int64s = st.integers(-(2**63), 2**63 - 1)


def slow_mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def slow_uniform(start, counter):
    return (slow_mix((start + (counter + 1) * 0x9E3779B97F4A7C15) & WORD) >> 11) * 2.0**-53


def slow_hash(data, person, base=b"", size=8):
    return blake2b(data, digest_size=size, key=base, person=person).digest()


def slow_start(seed, purpose, name, key):
    fields = [str(seed).encode(), purpose.encode(), name.encode()]
    packed = b"".join(len(field).to_bytes(8, "little") + field for field in fields)
    base = slow_hash(packed, b"gnn-1-stream", size=16)
    if isinstance(key, str):
        return int.from_bytes(slow_hash(key.encode(), b"gnn-1-string", base), "little")
    return slow_mix(slow_mix(key & WORD) ^ int.from_bytes(slow_hash(b"", b"gnn-1-int", base), "little"))


def test_splitmix64_published_outputs():
    """The first outputs of splitmix64 from seed 1234567, as in the test vectors of its C reference."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert uniform(np.uint64(1234567), np.arange(4)).tolist() == [(v >> 11) * 2.0**-53 for v in published]


def test_golden_values_of_edition_1():
    stream = Stream(7, "weights", "h.x")
    assert stream.starts(np.array([0, 5, -1])).tolist() == [
        0x6ABDAB7007CB478D,
        0xBEBCEEA51D8BB88F,
        0x9362EEFD514C829A,
    ]
    assert stream.starts(string_array(["5", "é", ""])).tolist() == [
        0xBBE35BE56C834702,
        0xFFF7732541C5CBD5,
        0x546B415A445F9483,
    ]
    assert int(stream.start_of()) == 0x78D0881D30712533
    assert int(stream.start_of(0.5)) == 0x422C924C6BD924D4


@given(int64s, st.text(), st.text(), st.lists(int64s | st.text(), min_size=1), st.integers(0, 2**62))
@settings(max_examples=60, deadline=None)
def test_the_documented_algorithm(seed, purpose, name, keys, counter):
    stream = Stream(seed, purpose, name)
    for kind, make in ((int, lambda k: np.array(k, dtype=np.int64)), (str, string_array)):
        chosen = [key for key in keys if isinstance(key, kind)]
        if not chosen:
            continue
        starts = stream.starts(make(chosen))
        assert starts.tolist() == [slow_start(seed, purpose, name, key) for key in chosen]
        assert uniform(starts, counter).tolist() == [slow_uniform(int(s), counter) for s in starts]
        assert int(stream.start_of(chosen[0])) == int(starts[0])


def test_streams_differ_by_every_part_of_their_name():
    streams = [Stream(0, "a", "b"), Stream(1, "a", "b"), Stream(0, "ab", ""), Stream(0, "", "ab"), Stream(0, "a", "c")]
    starts = {int(stream.start_of(value)) for stream in streams for value in (5, "5", 5.0, None, "", 0, 0.0)}
    assert len(starts) == len(streams) * 7


def test_equal_values_have_one_stream():
    stream = Stream(0, "groups", "w")
    assert stream.start_of(-0.0) == stream.start_of(0.0)
    assert stream.start_of(True) == stream.start_of(1)


@pytest.mark.parametrize("axis", ["keys", "counters"])
def test_draws_are_uniform(axis):
    starts = Stream(3, "test", "x").starts(np.arange(100_000))
    draws = uniform(starts, 0) if axis == "keys" else uniform(starts[0], np.arange(100_000))
    assert draws.min() >= 0
    assert draws.max() < 1
    assert stats.kstest(draws, "uniform").pvalue > 0.01


def test_neighbouring_keys_and_draws_are_uncorrelated():
    starts = Stream(3, "test", "x").starts(np.arange(300))
    draws = uniform(starts[:, None], np.arange(400))
    cells = np.histogram2d(draws[:-1].ravel(), draws[1:].ravel(), bins=16)[0]
    assert stats.chisquare(cells.ravel()).pvalue > 0.01
    cells = np.histogram2d(draws[:, :-1].ravel(), draws[:, 1:].ravel(), bins=16)[0]
    assert stats.chisquare(cells.ravel()).pvalue > 0.01
