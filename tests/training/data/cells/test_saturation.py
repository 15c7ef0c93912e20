"""The value at which a camera ended, by the grey values and by what a file says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.cells.saturation import saturated_from


def histogram(**counts):
    found = np.zeros(65536, np.int64)
    for value, count in counts.items():
        found[int(value[1:])] = count
    return found


@pytest.mark.parametrize(
    ("bits", "end"), [(None, None), (12, None), (11, 2047), (16, None)]
)
def test_the_declared_top_is_saturated_without_a_pile(bits, end):
    top = 2047 if bits == 11 else 3000
    counts = histogram(v500=40, v900=50, **{f"v{top}": 30})
    assert saturated_from(counts, bits) == end


def test_the_top_of_fewer_bits_than_declared_is_none():
    counts = histogram(v500=40, v900=50, v1023=30)
    assert saturated_from(counts) == 1023
    assert saturated_from(counts, 12) is None


def test_values_beyond_the_declared_bits_disprove_them():
    counts = histogram(v500=40, v900=50, v4095=30)
    assert saturated_from(counts, 8) == 4095


@given(st.integers(8, 16), st.integers(0, 2**16))
def test_a_pile_ends_a_camera_of_any_declared_depth(bits, seed):
    rng = np.random.default_rng(seed)
    top = int(rng.integers(100, 2**bits))
    values = rng.normal(0.7 * top, 0.2 * top, 20_000).clip(0, top).astype(int)
    assert saturated_from(np.bincount(values, minlength=65536), bits) == top
