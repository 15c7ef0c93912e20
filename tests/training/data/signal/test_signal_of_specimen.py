"""Medians over cells, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.signal import FrameSignal, pool_signals
from training.data.signal.specimen import median_estimate


def signal(nuclei, *, saturated=0.0, stretched=False) -> FrameSignal:
    values = np.asarray(nuclei, float)
    return FrameSignal(values, values / 10, 0.5, saturated, stretched)


def test_the_interval_of_ten_values_is_the_second_and_the_ninth():
    found = median_estimate(np.arange(1.0, 11.0))
    assert (found.median, found.low, found.high) == (5.5, 2, 9)


def test_of_few_values_the_interval_is_their_range():
    found = median_estimate(np.array([3.0, 1.0, 2.0, 9.0, 4.0]))
    assert (found.median, found.low, found.high) == (3, 1, 9)


def test_the_interval_holds_the_median_in_95_of_100_cases():
    rng = np.random.default_rng(0)
    drawn = [median_estimate(rng.exponential(size=30)) for _ in range(2000)]
    held = np.mean([one.low <= np.log(2) <= one.high for one in drawn])
    assert 0.945 <= held <= 0.99


def test_cells_of_all_frames_count_together():
    found = pool_signals([("a", signal([1, 2, 3])), ("b", signal([4, 5, 6, 7]))])
    assert found.cells == 7
    assert found.nuclei is not None
    assert found.nuclei.median == 4
    assert found.cytoplasm is not None
    assert found.cytoplasm.median == pytest.approx(0.4)


def test_a_stretched_frame_does_not_count():
    other = signal([90] * 9, stretched=True)
    found = pool_signals([("a", signal([1, 2, 3, 4, 5])), ("b", other)])
    assert found.cells == 5
    assert found.notes == (
        "Frame b: it was auto-contrasted, so that it carries no intensity.",
    )


def test_only_stretched_frames_give_no_signal_and_the_reason():
    found = pool_signals([("a", signal([1] * 9, stretched=True))])
    assert found.both is None
    assert "auto-contrasted" in found.fault


def test_few_cells_give_no_signal():
    found = pool_signals([("a", signal([1, 2, 3, 4]))])
    assert found.both is None
    assert found.fault == "only 4 of at least 5 nuclei were found"


def test_no_frame_gives_no_signal():
    assert pool_signals([]).fault == "only 0 of at least 5 nuclei were found"


def test_a_frame_that_cannot_be_read_is_the_reason():
    assert pool_signals([], ["a.png: it is torn; copy it again."]).fault == (
        "a.png: it is torn; copy it again"
    )
    assert not pool_signals([("a", signal([1] * 9))], ["b.png: it is torn."]).fault


def test_saturation_is_a_note():
    found = pool_signals([("a", signal([1] * 9, saturated=0.2))])
    assert found.notes == (
        "20% of the nuclei's pixels are saturated: the contrast is a lower limit.",
    )
