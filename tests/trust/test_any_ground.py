"""Looking for nuclei takes bounded time on any ground, and can be ended soon."""

import time

import numpy as np
import pytest

from training.config import SegmentationSettings
from training.data.masks.segmentation import NucleusFinder
from training.errors import BadImageError


def grounds(side):
    """Yield fields (side, side) uint8 that were not made by a microscope.

    The first eight are what people have; the others have as many blobs as fit.
    """
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    yield np.full((side, side), 90)
    yield np.full((side, side), 255)
    yield _discs(rng, side, 48, 12, ground=0)
    yield _discs(rng, side, 40, side**2 // 2_500, ground=20)
    yield x * 255 / side
    for wide in (2, 10, 20):
        yield x // wide % 2 * 120 + 40
    yield from (rng.poisson(mean, (side, side)) for mean in (1, 50))
    yield from ((rng.random((side, side)) < share) * 255 for share in (0.02, 0.5))
    yield _discs(rng, side, 10, side**2 // 250, ground=20)
    for wide in (1, 2, 4, 8, 10, 16, 32):
        yield (y // wide + x // wide) % 2 * 200
    yield ((y % 10 < 5) & (x % 10 < 5)) * 200


def _discs(rng, side, across, number, ground):
    field = np.full((side, side), ground)
    y, x = np.mgrid[-across : across + 1, -across : across + 1]
    inside = np.hypot(y, x) < across / 2
    for row, column in rng.integers(across, side - across, (number, 2)):
        around = (
            slice(row - across, row + across + 1),
            slice(column - across, column + across + 1),
        )
        field[around][inside] = 255 - ground
    return field


def seconds_of(image, method):
    """Return the processor's seconds of each step of looking for nuclei."""
    steps = NucleusFinder(image).find_all(SegmentationSettings(method=method))
    times = [time.process_time()]
    try:
        for _ in steps:
            times.append(time.process_time())
    except BadImageError:
        pass
    return np.diff([*times, time.process_time()])


@pytest.mark.promise("any-ground")
def test_no_ground_takes_long_or_cannot_be_left(promise, times):
    side, number = times(200, 1_000), times(6, 21)
    seconds_of(np.zeros((200, 200), np.uint8), "network")  # reads torch and weights
    slowest = longest = 0.0
    for _, image in zip(range(number), grounds(side), strict=False):
        for method in ("network", "classical"):
            steps = seconds_of(image.astype(np.uint8), method)
            slowest = max(slowest, steps.sum())
            longest = max(longest, steps.max())
    promise.reached(
        f"{number} fields of {side} x {side} pixels, by the network and classically: "
        f"the slowest {slowest:.1f} s, the longest step {longest:.2f} s",
        met=slowest <= 1 + 10 * side**2 / 1e6 and longest <= 2,
    )
