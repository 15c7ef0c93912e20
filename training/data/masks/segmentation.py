"""Nuclei in an image that has no mask.

The size of a nucleus is measured first, as the scale at which the image is most
blob-like; all lengths follow from it, so that the magnification does not matter. The
network that comes with the program then looks at that scale; see
`training.data.masks.network_segmentation`.

In the classical way blobs of that size are found, the image is shared out among them,
and each nucleus is what is brighter, in its own share, than a part of the way from the
background to its own level: so bright mitotic cells do not hide dim neighbours. Last,
halves of one nucleus are joined and nuclei that touch are parted, both by their shape.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
import skimage

from training.config import SegmentationSettings
from training.data.masks.black_borders import without_black_borders
from training.data.masks.nuclei import find_nuclei
from training.data.masks.scale_bars import find_scale_bars, without
from training.data.masks.shapes import boxes_of, join_halves, part_touching, tidy
from training.errors import BadImageError

Grey = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

_DIAMETERS = np.geomspace(14.0, 220.0, 24)
_PEAK_TO_SIGMA = 2 * np.sqrt(2)
_LEAST_PEAK = 0.33
_STEPS_A_DIAMETER = 24
_LEAST_CONTRAST = 0.2
_EDGE_LEVEL = 0.75
_NOISE_SIGMAS = 10.0
_NOTHING = 0.01
_MIDDLE = 2048
"""Side of the part of a large frame in which the diameter is measured."""

_COARSE = 17
"""Pixels of a blob's diameter from which an image is halved to measure it."""

_FEWEST_SIZES = 8
_SCATTER = 1.8
_NO_TORCH = "torch cannot be loaded, so the nuclei were found in the classical way"


@dataclass(frozen=True)
class FoundNuclei:
    """The nuclei that were found in a frame.

    Attributes
    ----------
    labels : (H, W) int32
        0 is background; nuclei are numbered from 1 in the order of their first pixel.
    confidence : (N,) float32
        Expected overlap (intersection over union) of each with its true outline, 0 to
        1; NaN where the classical way found it.
    mitotic : (N,) bool
        What is in mitosis; none where the classical way found them.
    notes
        What a user should know of the whole, a clause each.
    """

    labels: Labels
    confidence: npt.NDArray[np.float32]
    mitotic: npt.NDArray[np.bool_]
    notes: tuple[str, ...] = ()


def segment_nuclei(image: npt.NDArray[Any], settings: SegmentationSettings) -> Labels:
    """Return the labels of the nuclei of a frame alone; see `segment_frame`."""
    return segment_frame(image, settings).labels


def segment_frame(
    image: npt.NDArray[Any], settings: SegmentationSettings
) -> FoundNuclei:
    """Find the nuclei of a frame.

    Parameters
    ----------
    image : (H, W) uint8 or uint16
        One channel, signal bright.
    settings
        The method, the diameter, if known, and how dim a nucleus may be.

    Raises
    ------
    BadImageError
        If no nucleus is found.

    Notes
    -----
    A nucleus on a burnt-in scale bar is left out, as a part of it cannot be seen. The
    square root of the intensity is worked on, which makes shot noise alike everywhere.
    Where torch cannot be loaded, the classical way is taken, with a note.

    References
    ----------
    Lindeberg 1998, doi:10.1023/A:1008045108935 (the scale of a blob).
    """
    bars = find_scale_bars(image)
    seen = without_black_borders(without(image, bars))
    middle = tuple(
        slice(max(0, (n - _MIDDLE) // 2), (n + _MIDDLE) // 2) for n in seen.shape
    )
    diameter = settings.diameter or measure_diameter(
        np.sqrt(seen[middle].astype(np.float32))
    )
    found = _by_network(seen, diameter, settings) or _classical(
        seen, diameter, settings
    )
    for y0, x0, y1, x1 in bars:
        hidden = np.unique(found.labels[y0:y1, x0:x1])
        found.labels[np.isin(found.labels, hidden)] = 0
    if not found.labels.any():
        raise BadImageError(
            "image", "no nucleus was found in it", "give a mask, or raise sensitivity"
        )
    return _noted(_numbered(found), settings)


def _by_network(
    seen: npt.NDArray[Any], diameter: float, settings: SegmentationSettings
) -> FoundNuclei | None:
    """Return what the network finds; None where it is not asked for or not there."""
    if settings.method != "network":
        return None
    try:
        from training.data.masks.network_segmentation import find_with_network
    except ImportError:
        return None
    return FoundNuclei(*find_with_network(seen, diameter, settings))


def _classical(
    seen: npt.NDArray[Any], diameter: float, settings: SegmentationSettings
) -> FoundNuclei:
    signal = np.sqrt(seen.astype(np.float32))
    step = max(1, round(diameter / _STEPS_A_DIAMETER))
    labels = _segment(_binned(signal, step), diameter / step, settings)
    labels = _enlarged(labels, signal.shape, step)
    count = int(labels.max())
    notes = (_NO_TORCH,) if settings.method == "network" else ()
    return FoundNuclei(
        labels, np.full(count, np.nan, np.float32), np.zeros(count, bool), notes
    )


def _numbered(found: FoundNuclei) -> FoundNuclei:
    """Return the nuclei that are left, in the order of their first pixel."""
    nuclei = find_nuclei(found.labels)
    first = np.full(len(nuclei), found.labels.size)
    np.minimum.at(first, nuclei.owner, nuclei.starts)
    old = nuclei.labels[np.argsort(first)]
    number = np.zeros(int(found.labels.max()) + 1, np.int32)
    number[old] = np.arange(1, len(nuclei) + 1)
    return replace(
        found,
        labels=number[found.labels],
        confidence=found.confidence[old - 1],
        mitotic=found.mitotic[old - 1],
    )


def _noted(found: FoundNuclei, settings: SegmentationSettings) -> FoundNuclei:
    """Add a note where the sizes of the nuclei are not those of nuclei of one kind."""
    areas = find_nuclei(found.labels).areas[~found.mitotic]
    diameters = np.sqrt(4 / np.pi * areas)
    if len(diameters) < _FEWEST_SIZES:
        return found
    low, middle, high = np.percentile(diameters, (25, 50, 75))
    note = ""
    if not settings.diameter and not _DIAMETERS[1] < middle < _DIAMETERS[-2]:
        note = (
            f"the nuclei found are {middle:.0f} pixels wide, at the end of what is "
            "looked for: check them, or set the diameter"
        )
    elif high > _SCATTER * low:
        note = (
            f"the nuclei found differ in size, half of them are outside {low:.0f} to "
            f"{high:.0f} pixels: check them, or set the diameter"
        )
    return replace(found, notes=(*found.notes, note)) if note else found


def segment_around(
    image: npt.NDArray[Any],
    taken: npt.NDArray[np.bool_],
    place: tuple[int, int],
    diameter: float,
) -> npt.NDArray[np.bool_] | None:
    """Find the nucleus at a place of a frame, as `segment_nuclei` finds all of them.

    Parameters
    ----------
    image : (H, W) uint8 or uint16
    taken : (H, W) bool
        Pixels of other nuclei; they are left as they are.
    place
        Row y and column x of a pixel of the nucleus.
    diameter
        Usual diameter of a nucleus of the frame, in pixels.

    Returns
    -------
    nucleus : (H, W) bool or None
        One piece. None where nothing of a nucleus's size stands out at the place.
    """
    box = _box_around(image.shape, place, 1.5 * diameter)
    seen = without(image, find_scale_bars(image))
    signal = np.sqrt(seen[box].astype(np.float32))
    smooth = scipy.ndimage.gaussian_filter(signal, 0.1 * diameter)
    free = ~taken[box]
    above = smooth - np.percentile(smooth[free], 10)
    blobs = _blobs(signal, diameter)
    at = (place[0] - box[0].start, place[1] - box[1].start)
    own = _share_of(at, signal, blobs, taken[box], diameter)
    core = own & (blobs > 0)
    scale = diameter / _PEAK_TO_SIGMA
    floor = _NOISE_SIGMAS * _noise(signal) / (np.sqrt(2 * np.pi) * scale)
    if not core.any() or blobs[core].max() <= floor:
        return None
    level = above[core].mean()
    inside = (above > _EDGE_LEVEL * level) & (blobs > -_EDGE_LEVEL / 2 * level)
    inside &= own & free
    found = tidy(inside.astype(np.int32), diameter, 0.2) > 0
    found &= free
    if not found.any() or found.sum() > 2 * np.pi / 4 * diameter**2:
        return None
    nucleus = np.zeros(image.shape, bool)
    nucleus[box] = found
    return nucleus


def _box_around(
    shape: tuple[int, ...], place: tuple[int, int], reach: float
) -> tuple[slice, slice]:
    y, x = (
        slice(max(0, int(at - reach)), min(size, int(at + reach) + 1))
        for at, size in zip(place, shape, strict=True)
    )
    return y, x


def _share_of(
    at: tuple[int, int],
    signal: Grey,
    blobs: Grey,
    taken: npt.NDArray[np.bool_],
    diameter: float,
) -> npt.NDArray[np.bool_]:
    """Return the pixels that belong to the blob at a place rather than to others."""
    peaks = skimage.feature.peak_local_max(
        blobs, min_distance=max(1, int(0.3 * diameter)), exclude_border=False
    )
    away = np.hypot(*(peaks - at).T)
    others = peaks[away > diameter / 2]
    markers = np.where(taken, 2, 0).astype(np.int32)
    markers[tuple(others.T)] = 2
    markers[at] = 1
    relief = scipy.ndimage.gaussian_filter(signal, diameter / _PEAK_TO_SIGMA / 2)
    own = skimage.segmentation.watershed(-relief, markers) == 1
    y, x = np.ogrid[: own.shape[0], : own.shape[1]]
    own &= np.hypot(y - at[0], x - at[1]) <= diameter
    return own


def measure_diameter(signal: Grey) -> float:
    """Return the usual diameter of the bright blobs of an image, in pixels.

    It is the scale, between 14 and 220 pixels, at which the negative part of the
    scale-normalised Laplacian of Gaussian has the most energy, over the root of the
    scale: large blobs fill more of the image, and without this the diameter comes out
    15 % too large. Rims and dots have a peak of their own: of peaks of nearly the same
    height the largest scale counts.

    Parameters
    ----------
    signal : (H, W) float32
        Square root of the intensity, without scale bars and black borders.
    """
    sizes = _DIAMETERS[min(signal.shape) / 2 > _DIAMETERS]
    if not len(sizes):
        return float(min(signal.shape) / 2)
    energies = []
    binned, step = _binned(signal, 2), 2
    for size in sizes:
        if size > _COARSE * step:
            binned, step = _binned(binned, 2), 2 * step
        blobs = _blobs(binned, size / step)
        energies.append(np.mean(np.maximum(blobs, 0) ** 2) / np.sqrt(size))
    return float(sizes[_last_peak(np.asarray(energies))])


def _last_peak(values: npt.NDArray[np.float64]) -> int:
    padded = np.pad(values, 1, constant_values=-np.inf)
    peak = (values >= padded[:-2]) & (values >= padded[2:])
    # The ends of the range are no peaks, unless nothing is higher.
    peak[[0, -1]] = values[[0, -1]] >= values.max()
    return int(np.flatnonzero(peak & (values >= _LEAST_PEAK * values.max()))[-1])


def _segment(signal: Grey, diameter: float, settings: SegmentationSettings) -> Labels:
    smooth = scipy.ndimage.gaussian_filter(signal, settings.smoothing * diameter)
    above = smooth - _background(smooth, diameter)
    blobs = _blobs(signal, diameter)
    seeds = _seeds(blobs, diameter, _noise(signal), settings.sensitivity)
    n = int(seeds.max())
    if n == 0:
        return seeds
    relief = scipy.ndimage.gaussian_filter(signal, diameter / _PEAK_TO_SIGMA / 2)
    shares = skimage.segmentation.watershed(-relief, seeds)
    core = np.where(blobs > 0, shares, 0)
    level = np.append(0, scipy.ndimage.mean(above, core, np.arange(1, n + 1)))[shares]
    inside = (above > _EDGE_LEVEL * level) & (blobs > -_EDGE_LEVEL / 2 * level)
    return _shaped(np.where(inside, shares, 0), smooth, diameter, settings)


def _shaped(
    labels: Labels, smooth: Grey, diameter: float, settings: SegmentationSettings
) -> Labels:
    labels = tidy(labels, diameter, 0.05)
    labels = join_halves(labels, smooth, diameter)
    if settings.split:
        labels = part_touching(labels, diameter)
    return tidy(labels, diameter, settings.smallest)


def _blobs(signal: Grey, diameter: float) -> Grey:
    """Scale-normalised Laplacian of Gaussian, positive on bright blobs."""
    sigma = diameter / _PEAK_TO_SIGMA
    blobs: Grey = -(sigma**2) * scipy.ndimage.gaussian_laplace(
        signal, sigma, mode="nearest"
    )
    return blobs


def _seeds(blobs: Grey, diameter: float, noise: float, sensitivity: float) -> Labels:
    # White noise of this sigma leaves 1 / (2 sqrt(pi) s) of it at the scale s, times
    # sqrt(2) for the normalised Laplacian. Where there is no noise, a level ground has
    # as many peaks as pixels, all of them next to nothing.
    scale = diameter / _PEAK_TO_SIGMA
    floor = _NOISE_SIGMAS * noise / (np.sqrt(2 * np.pi) * scale)
    peaks = skimage.feature.peak_local_max(
        blobs,
        min_distance=max(1, int(0.3 * diameter)),
        threshold_abs=max(floor / sensitivity, _NOTHING * float(blobs.max())),
        exclude_border=False,
    )
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


def _noise(signal: Grey) -> float:
    """Return the deviation of the pixel noise, from differences of neighbours.

    Their mean, as the median is zero in an image of few grey values.
    """
    return float(np.abs(np.diff(signal, axis=1)).mean() * np.sqrt(np.pi) / 2)


def _background(smooth: Grey, diameter: float) -> Grey:
    """Low percentile around each pixel, over some nuclei's width, smoothed."""
    step = max(1, int(diameter / 4))
    low = scipy.ndimage.percentile_filter(_binned(smooth, step), 10, size=17)
    low = scipy.ndimage.gaussian_filter(low, 2)
    factors = (smooth.shape[0] / low.shape[0], smooth.shape[1] / low.shape[1])
    raised: Grey = scipy.ndimage.zoom(
        low, factors, order=1, mode="nearest", grid_mode=True
    )
    return raised


def _binned(image: Grey, step: int) -> Grey:
    """Average squares of `step` pixels; an incomplete one is filled with its edge."""
    height, width = image.shape
    whole = np.pad(image, ((0, -height % step), (0, -width % step)), mode="edge")
    rows = whole[::step].copy()
    for k in range(1, step):
        rows += whole[k::step]
    binned: Grey = rows[:, ::step].copy()
    for k in range(1, step):
        binned += rows[:, k::step]
    binned /= step**2
    return binned


def _enlarged(labels: Labels, shape: tuple[int, ...], step: int) -> Labels:
    """Undo the binning of `_binned`; the corners of the steps are rounded off."""
    large = np.repeat(np.repeat(labels, step, 0), step, 1)[: shape[0], : shape[1]]
    if step == 1:
        return large
    smooth = np.zeros_like(large)
    for label, box in boxes_of(large):
        own = large[box] == label
        share = scipy.ndimage.uniform_filter(own.astype(np.float32), step)
        smooth[box][(share > 0.5) & own] = label
    return smooth
