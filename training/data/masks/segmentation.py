"""Nuclei in an image that has no mask.

The size of a nucleus is measured first, as the scale at which the image is most
blob-like; all lengths follow from it, so that the magnification does not matter. At
that scale nuclei are found by the network that comes with the program, or in the
classical way; see ``network_segmentation`` and ``classical_segmentation``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import scipy

from training.config import SegmentationSettings
from training.data.masks.black_borders import without_black_borders
from training.data.masks.blobs import DIAMETERS, measure_diameter
from training.data.masks.classical_segmentation import ClassicalFrame, segment_around
from training.data.masks.nuclei import find_nuclei
from training.data.masks.scale_bars import find_scale_bars, without
from training.data.masks.tiles import (
    Box,
    Finding,
    Labels,
    Mask,
    Piece,
    assemble,
    centre_in,
    grown,
)
from training.errors import BadImageError
from training.steps import Steps, drain

T = TypeVar("T")

_MIDDLE = 2048
"""Side of the part of a large frame in which the diameter is measured."""

_FEWEST_SIZES = 8
"""Nuclei from which their sizes are judged."""

_SCATTER = 1.8
"""Upper over lower quartile of the diameters above which a user is told."""

_NO_TORCH = "torch cannot be loaded, so the nuclei were found in the classical way"

_BOLDER = (1.0, 2.0, 4.0, 8.0)
"""Times the sensitivity, with which the nucleus at a place is looked for."""

_REACH, _CLOSE = 3.5, 1.5
"""Diameters around a place that the network, and the classical way, look at."""

_WIDEST = 25
"""Diameters of the part that is looked at while settings are tried."""

_LEAST_SHARE, _MOST_SHARE = 0.2, 2.0
"""Of a usual nucleus's area, that a nucleus at a place has."""


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


@dataclass(frozen=True)
class PartNuclei:
    """The nuclei that were found in a part of a frame.

    Attributes
    ----------
    part
        Rows and columns that were looked at.
    diameter
        That they were looked for with, in pixels.
    pieces
        Those whose middle lies in the part.
    """

    part: Box
    diameter: float
    pieces: list[Piece]


class Way(Protocol):
    """How the nuclei of a frame are found: by the network, or as blobs."""

    def tiles(self, diameter: float) -> list[tuple[Box, Box]]:
        """Return the tiles of the frame, without and with their margins."""

    def margin(self, diameter: float) -> float:
        """Return how many pixels around a part are looked at with it."""

    def usual_diameter(
        self, measured: float, settings: SegmentationSettings
    ) -> Steps[None, float]:
        """Return the usual diameter of a nucleus where one was measured."""

    def find(
        self, window: Box, diameter: float, settings: SegmentationSettings
    ) -> Finding:
        """Find the nuclei in a part of the frame."""


class NucleusFinder:
    """Finds the nuclei of one frame: all, those of a part, or the one at a place.

    What does not depend on the settings is computed once.

    Parameters
    ----------
    image : (H, W) uint8 or uint16
        One channel, signal bright.
    kept_maps
        Parts of which the network's maps are kept, so that another sensitivity costs
        only a read-out.

    Notes
    -----
    A nucleus on a burnt-in scale bar is left out, as a part of it cannot be seen. The
    square root of the intensity is worked on, which makes shot noise alike everywhere.
    Where torch cannot be loaded, the classical way is taken, with a note.

    References
    ----------
    Lindeberg 1998, doi:10.1023/A:1008045108935 (the scale of a blob).
    """

    def __init__(self, image: npt.NDArray[Any], kept_maps: int = 0) -> None:
        self._image, self._kept_maps = image, kept_maps

    @cached_property
    def _bars(self) -> list[tuple[int, int, int, int]]:
        return find_scale_bars(self._image)

    @cached_property
    def _seen(self) -> npt.NDArray[Any]:
        return without_black_borders(without(self._image, self._bars))

    @cached_property
    def _measured(self) -> float:
        middle = tuple(
            slice(max(0, (n - _MIDDLE) // 2), (n + _MIDDLE) // 2)
            for n in self._seen.shape
        )
        return measure_diameter(np.sqrt(self._seen[middle].astype(np.float32)))

    @cached_property
    def _classical(self) -> ClassicalFrame:
        return ClassicalFrame(self._seen)

    @cached_property
    def _network(self) -> Any:
        """The frame as the network sees it, or None where torch cannot be loaded."""
        try:
            from training.data.masks.network_segmentation import NetworkFrame
        except ImportError:
            return None
        return NetworkFrame(self._seen, self._kept_maps)

    def _way(self, settings: SegmentationSettings) -> Way:
        way: Way | None = self._network if settings.method == "network" else None
        return way or self._classical

    def find_all(self, settings: SegmentationSettings) -> Steps[float, FoundNuclei]:
        """Find the nuclei of the whole frame.

        Yields
        ------
        share
            Of the frame that is done, 0 to 1; between two of them lies bounded work.

        Raises
        ------
        BadImageError
            If no nucleus is found.
        """
        way, diameter = yield from _at_none(self._prepare(settings))
        labels, pieces = yield from assemble(
            self._seen.shape,
            way.tiles(diameter),
            lambda window: way.find(window, diameter, settings),
        )
        self._uncover(labels)
        yield 1.0
        if not labels.any():
            raise BadImageError(
                "image",
                "no nucleus was found in it",
                "raise sensitivity, set the diameter, or give a mask",
            )
        found = FoundNuclei(
            labels,
            np.array([piece.confidence for piece in pieces], np.float32),
            np.array([piece.is_mitotic for piece in pieces], bool),
            self._notes(settings),
        )
        found = _numbered(found)
        yield 1.0
        return _noted(found, settings)

    def _prepare(
        self, settings: SegmentationSettings
    ) -> Steps[None, tuple[Way, float]]:
        """Return how nuclei are found, and their usual diameter in pixels."""
        for _ in (self._bars, self._seen):
            yield
        way = self._way(settings)
        yield
        if settings.diameter:
            return way, settings.diameter
        return way, (yield from way.usual_diameter(self._measured, settings))

    def _uncover(self, labels: Labels) -> None:
        """Leave out the nuclei on scale bars."""
        for y0, x0, y1, x1 in self._bars:
            hidden = np.unique(labels[y0:y1, x0:x1])
            labels[np.isin(labels, hidden)] = 0

    def _notes(self, settings: SegmentationSettings) -> tuple[str, ...]:
        is_missing = settings.method == "network" and self._network is None
        return (_NO_TORCH,) if is_missing else ()

    def find_in(
        self, part: Box, settings: SegmentationSettings
    ) -> Steps[None, PartNuclei]:
        """Find the nuclei of a part, as the whole frame would show them there.

        Parameters
        ----------
        part
            Rows and columns; of a part more than 25 diameters wide or high its middle
            is taken.
        """
        way, diameter = yield from self._prepare(settings)
        part = _middle_of(part, round(_WIDEST * diameter))
        window = grown(part, way.margin(diameter), self._seen.shape)
        pieces = yield from way.find(window, diameter, settings)
        inside = [piece for piece in pieces if centre_in(piece, part)]
        return PartNuclei(part, diameter, inside)

    def find_at(
        self,
        place: tuple[int, int],
        taken: Mask,
        diameter: float,
        settings: SegmentationSettings,
    ) -> Piece | None:
        """Find the nucleus at a place.

        Parameters
        ----------
        place
            Row y and column x of a pixel of it.
        taken : (H, W) bool
            Pixels of other nuclei; none of them is given.
        diameter
            Usual diameter of a nucleus of the frame, in pixels.

        Returns
        -------
        nucleus
            None where nothing of a nucleus's size is seen at the place.

        Notes
        -----
        The network's read-out is tried with ever more sensitivity, then the classical
        way.
        """
        at = (slice(place[0], place[0] + 1), slice(place[1], place[1] + 1))
        if settings.method == "network" and self._network is not None:
            around = grown(at, _REACH * diameter, self._seen.shape)
            for boldness in _BOLDER:
                finding = self._network.find(around, diameter, settings, boldness)
                for piece in drain(finding):
                    own = _own_part(piece, place, taken)
                    if own is not None and _is_usual(own, diameter):
                        return own
        around = grown(at, _CLOSE * diameter, self._seen.shape)
        inside = (place[0] - around[0].start, place[1] - around[1].start)
        mask = segment_around(self._seen[around], taken[around], inside, diameter)
        found = None if mask is None else Piece(around, mask)
        return found if found is not None and _is_usual(found, diameter) else None


def segment_frame(
    image: npt.NDArray[Any], settings: SegmentationSettings
) -> FoundNuclei:
    """Find the nuclei of a frame, as `NucleusFinder.find_all` does, in one call."""
    return drain(NucleusFinder(image).find_all(settings))


def _at_none(steps: Steps[None, T]) -> Steps[float, T]:
    """Go through steps before the first tile is done."""
    while True:
        yield 0.0
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def _middle_of(part: Box, side: int) -> Box:
    """Return the middle of a part, as wide and high as `side` pixels or less."""
    starts = (one.start + max(0, one.stop - one.start - side) // 2 for one in part)
    rows, columns = (
        slice(start, min(one.stop, start + side))
        for start, one in zip(starts, part, strict=True)
    )
    return rows, columns


def _own_part(piece: Piece, place: tuple[int, int], taken: Mask) -> Piece | None:
    """Return what of a nucleus holds a place and is free, in one piece, or None."""
    inside = tuple(at - side.start for at, side in zip(place, piece.box, strict=True))
    if not all(0 <= at < n for at, n in zip(inside, piece.mask.shape, strict=True)):
        return None
    parts, _ = scipy.ndimage.label(piece.mask & ~taken[piece.box])
    label = parts[inside]
    return Piece(piece.box, parts == label) if label else None


def _is_usual(piece: Piece, diameter: float) -> bool:
    share = piece.area / (np.pi / 4 * diameter**2)
    return bool(_LEAST_SHARE <= share <= _MOST_SHARE)


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
