"""The usual diameter of bright blobs."""

import numpy as np
import pytest

from training.data.masks.blobs import measure_diameter


@pytest.mark.parametrize("diameter", [20, 48, 90])
def test_diameter_is_measured(draw_field, diameter):
    image, _ = draw_field(diameter)
    measured = measure_diameter(np.sqrt(image.astype(np.float32)))
    assert 0.8 * diameter < measured < 1.6 * diameter
