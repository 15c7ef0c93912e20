"""Nuclei in an image that has no mask.

The size of a nucleus is measured first, as the scale at which the image is most
blob-like; all lengths follow from it, so that the magnification does not matter. At
that scale nuclei are found by the network that comes with the program, or in the
classical way; see ``network_segmentation`` and ``classical_segmentation``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from training.config import SegmentationSettings
from training.data.masks.black_borders import without_black_borders
from training.data.masks.blobs import DIAMETERS, measure_diameter
from training.data.masks.classical_segmentation import find_classically
from training.data.masks.nuclei import find_nuclei
from training.data.masks.scale_bars import find_scale_bars, without
from training.errors import BadImageError

Labels = npt.NDArray[np.int32]

_MIDDLE = 2048
"""Side of the part of a large frame in which the diameter is measured."""

_FEWEST_SIZES = 8
"""Nuclei from which their sizes are judged."""

_SCATTER = 1.8
"""Upper over lower quartile of the diameters above which a user is told."""

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
    labels = find_classically(seen, diameter, settings)
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
    if not settings.diameter and not DIAMETERS[1] < middle < DIAMETERS[-2]:
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
