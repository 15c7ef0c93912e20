"""The usual diameter of bright blobs, and where they are."""

import numpy as np
import pytest

from training.data.masks.blobs import measure_diameter, peaks_of


@pytest.mark.parametrize("diameter", [20, 48, 90])
def test_diameter_is_measured(draw_field, diameter):
    image, _ = draw_field(diameter)
    measured = measure_diameter(np.sqrt(image.astype(np.float32)))
    assert 0.8 * diameter < measured < 1.6 * diameter


def test_a_ridge_or_a_plateau_is_one_peak():
    blobs = np.zeros((40, 60), np.float32)
    blobs[:, 10], blobs[20, 40], blobs[5:9, 22:26] = 2, 4, 1
    assert peaks_of(blobs, 5, 0).tolist() == [[20, 40], [0, 10], [5, 22]]
    assert peaks_of(blobs, 5, 2).tolist() == [[20, 40]]
    assert len(peaks_of(np.zeros((40, 60), np.float32), 5, 0)) == 0
