"""Nuclei without a network: blobs of the usual size share the image out.

Each nucleus is what is brighter, in its own share, than a part of the way from the
background to its own level: so bright mitotic cells do not hide dim neighbours. Last,
halves of one nucleus are joined and nuclei that touch are parted, both by their shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
import skimage

from training.config import SegmentationSettings
from training.data.masks.blobs import (
    PEAK_TO_SIGMA,
    binned,
    blobs_of,
    noise_floor,
    peaks_of,
)
from training.data.masks.shapes import boxes_of, join_halves, part_touching, tidy
from training.data.masks.tiles import Box, Finding, Labels, Mask, pieces_of, tiles
from training.steps import Steps, drain

Grey = npt.NDArray[np.float32]

_STEPS_A_DIAMETER = 24
"""Pixels of a nucleus that are looked at; a larger one is binned."""

_TILE = 1536
"""Side of a tile, in such pixels."""

_MARGIN = 3.0
"""What is seen around a tile, in diameters."""

_APART = 0.3
"""Diameters that two nuclei are apart at least, from centre to centre."""

_LEAST_CONTRAST = 0.2
"""Share of the strength of a usual nucleus that a dim one needs."""

_EDGE_LEVEL = 0.75
"""Share of the way from the background to its level where a nucleus ends."""

_NOTHING = 0.01
"""Share of the strongest blob under which a ground without noise has its own."""


class ClassicalFrame:
    """A frame as blobs of the usual size.

    Parameters
    ----------
    image : (H, W) uint8 or uint16
        Signal bright, without scale bars and black borders.
    """

    def __init__(self, image: npt.NDArray[Any]) -> None:
        self._image = image

    def tiles(self, diameter: float) -> list[tuple[Box, Box]]:
        """Return the tiles of the frame, without and with their margins."""
        side = _TILE * _step(diameter)
        return list(tiles(self._image.shape, side, self.margin(diameter)))

    def margin(self, diameter: float) -> float:
        """Return how many pixels around a part are looked at with it."""
        return _MARGIN * diameter

    def usual_diameter(
        self, measured: float, _settings: SegmentationSettings
    ) -> Steps[None, float]:
        """Return the diameter that was measured."""
        yield
        return measured

    def find(
        self, window: Box, diameter: float, settings: SegmentationSettings
    ) -> Finding:
        """Find the nuclei in a part of the frame.

        Parameters
        ----------
        window
            Rows and columns.
        diameter
            Usual diameter of a nucleus, in pixels.
        settings
            How dim a nucleus may be, and whether those that touch are parted.
        """
        signal = np.sqrt(self._image[window].astype(np.float32))
        step = _step(diameter)
        labels = yield from _segment(binned(signal, step), diameter / step, settings)
        return list(pieces_of(_enlarged(labels, signal.shape, step), window))


def _step(diameter: float) -> int:
    return max(1, round(diameter / _STEPS_A_DIAMETER))


def _segment(
    signal: Grey, diameter: float, settings: SegmentationSettings
) -> Steps[None, Labels]:
    smooth = scipy.ndimage.gaussian_filter(signal, settings.smoothing * diameter)
    above = smooth - _background(smooth, diameter)
    yield
    blobs = blobs_of(signal, diameter)
    floor = noise_floor(signal, diameter)
    yield
    seeds = _seeds(blobs, diameter, floor, settings.sensitivity)
    n = int(seeds.max())
    if n == 0:
        return seeds
    yield
    relief = scipy.ndimage.gaussian_filter(signal, diameter / PEAK_TO_SIGMA / 2)
    shares = skimage.segmentation.watershed(-relief, seeds)
    yield
    core = np.where(blobs > 0, shares, 0)
    level = np.append(0, scipy.ndimage.mean(above, core, np.arange(1, n + 1)))[shares]
    inside = (above > _EDGE_LEVEL * level) & (blobs > -_EDGE_LEVEL / 2 * level)
    labels = yield from tidy(np.where(inside, shares, 0), diameter, 0.05)
    labels = yield from join_halves(labels, smooth, diameter)
    if settings.split:
        labels = yield from part_touching(labels, diameter)
    return (yield from tidy(labels, diameter, settings.smallest))


def _seeds(blobs: Grey, diameter: float, floor: float, sensitivity: float) -> Labels:
    # Where there is no noise, a level ground has as many peaks as pixels, all of them
    # next to nothing.
    least = max(floor / sensitivity, _NOTHING * float(blobs.max()))
    peaks = peaks_of(blobs, _APART * diameter, least)
    strength = blobs[tuple(peaks.T)]
    seeds = np.zeros(blobs.shape, np.int32)
    if not len(peaks):
        return seeds
    clear = strength[strength > floor]
    usual = np.percentile(clear, 75) if len(clear) else 0.0
    least = max(_LEAST_CONTRAST * float(usual), floor) / sensitivity
    chosen = peaks[strength > least]
    seeds[tuple(chosen.T)] = np.arange(1, len(chosen) + 1)
    return seeds


def _background(smooth: Grey, diameter: float) -> Grey:
    """Low percentile around each pixel, over some nuclei's width, smoothed."""
    step = max(1, int(diameter / 4))
    low = scipy.ndimage.percentile_filter(binned(smooth, step), 10, size=17)
    low = scipy.ndimage.gaussian_filter(low, 2)
    factors = (smooth.shape[0] / low.shape[0], smooth.shape[1] / low.shape[1])
    raised: Grey = scipy.ndimage.zoom(
        low, factors, order=1, mode="nearest", grid_mode=True
    )
    return raised


def _enlarged(labels: Labels, shape: tuple[int, ...], step: int) -> Labels:
    """Undo the binning of `binned`; the corners of the steps are rounded off."""
    large = np.repeat(np.repeat(labels, step, 0), step, 1)[: shape[0], : shape[1]]
    if step == 1:
        return large
    smooth = np.zeros_like(large)
    for label, box in boxes_of(large):
        own = large[box] == label
        share = scipy.ndimage.uniform_filter(own.astype(np.float32), step)
        smooth[box][(share > 0.5) & own] = label
    return smooth


def segment_around(
    image: npt.NDArray[Any], taken: Mask, place: tuple[int, int], diameter: float
) -> Mask | None:
    """Find the nucleus at a place, as `ClassicalFrame` finds all of them.

    Parameters
    ----------
    image : (h, w) uint8 or uint16
        Some one and a half diameters around the place, without scale bars.
    taken : (h, w) bool
        Pixels of other nuclei; they are left as they are.
    place
        Row y and column x of a pixel of the nucleus.
    diameter
        Usual diameter of a nucleus of the frame, in pixels.

    Returns
    -------
    nucleus : (h, w) bool or None
        One piece. None where nothing of a nucleus's size stands out at the place.
    """
    signal = np.sqrt(image.astype(np.float32))
    smooth = scipy.ndimage.gaussian_filter(signal, 0.1 * diameter)
    above = smooth - np.percentile(smooth[~taken], 10)
    blobs = blobs_of(signal, diameter)
    own = _share_of(place, signal, blobs, taken, diameter)
    core = own & (blobs > 0)
    if not core.any() or blobs[core].max() <= noise_floor(signal, diameter):
        return None
    level = above[core].mean()
    inside = (above > _EDGE_LEVEL * level) & (blobs > -_EDGE_LEVEL / 2 * level)
    inside &= own & ~taken
    found = drain(tidy(inside.astype(np.int32), diameter, 0.2)) > 0
    found &= ~taken
    return found if found.any() else None


def _share_of(
    at: tuple[int, int],
    signal: Grey,
    blobs: Grey,
    taken: Mask,
    diameter: float,
) -> Mask:
    """Return the pixels that belong to the blob at a place rather than to others."""
    peaks = peaks_of(blobs, _APART * diameter)
    away = np.hypot(*(peaks - at).T)
    others = peaks[away > diameter / 2]
    markers = np.where(taken, 2, 0).astype(np.int32)
    markers[tuple(others.T)] = 2
    markers[at] = 1
    relief = scipy.ndimage.gaussian_filter(signal, diameter / PEAK_TO_SIGMA / 2)
    own = skimage.segmentation.watershed(-relief, markers) == 1
    y, x = np.ogrid[: own.shape[0], : own.shape[1]]
    own &= np.hypot(y - at[0], x - at[1]) <= diameter
    return own
