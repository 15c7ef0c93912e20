"""Fields of discs, with the labels that they are drawn from."""

import numpy as np
import pytest
from PIL import Image


def draw_discs(*centres, radius=10, shape=(64, 80)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for label, (cy, cx) in enumerate(centres, start=1):
        labels[np.hypot(y - cy, x - cx) < radius] = label
    return labels


@pytest.fixture(scope="session")
def discs():
    """Return a function that draws a label image of discs."""
    return draw_discs


@pytest.fixture(scope="session")
def write_fields():
    """Return a function that writes fields of two discs each into a folder."""

    def write(folder, count, shape=(64, 80)):
        rng = np.random.default_rng(shape[0])
        labels = draw_discs((30, 20), (30, 50), shape=shape)
        for k in range(count):
            image = (20 + 60 * (labels > 0) + rng.integers(0, 9, shape)).astype(
                np.uint8
            )
            Image.fromarray(image).save(folder / f"{shape[0]}_{k}.png")
            named = Image.fromarray(labels.astype(np.uint16))
            named.save(folder / f"{shape[0]}_{k}_labels.png")

    return write
