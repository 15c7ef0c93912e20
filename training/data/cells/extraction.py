"""Cells from a frame and its mask: centroids, crops, and what is wrong with each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.crop_size import CropFit, crop_fit, odd_size_note
from training.data.cells.saturation import saturated_from
from training.data.layouts import (
    Frame,
    check_no_fault,
    check_one_mask,
    with_channel,
)
from training.data.masks.appearance import looks_like_mask
from training.data.masks.files import read_nuclei
from training.data.masks.matching import match_nuclei
from training.data.masks.nuclei import Floats, Nuclei, find_components, find_nuclei
from training.data.masks.scale_bars import (
    Box,
    display_limits,
    find_scale_bars,
    without,
)
from training.data.masks.segmentation import FoundNuclei, NucleusFinder
from training.errors import BadImageError, BadMaskError
from training.steps import Steps, drain
from training.storage.images import read_frame, read_labels
from training.storage.planes import GreyImage

DROP_REASONS: dict[str, str] = {
    "border": "The nucleus touches the edge of the frame, so a part of it is missing.",
    "mitotic": "The cell is in mitosis: its plate is no nucleus with a pattern.",
    "tiny": "It is much smaller than the frame's usual nucleus: debris, or a fragment.",
    "touching": "Nuclei are merged, or this one lies against another for a long way.",
    "pieces": "Its number is on pieces far from each other, which are no one nucleus.",
}
"""Why a cell is dropped; a curator may take it back."""

FLAGS: dict[str, str] = {
    "contact": "The nucleus touches another for a short way.",
    "overhang": "The crop reaches over the frame's edge; the missing part is mirrored.",
    "saturated": "Many of its pixels have the value at which the camera ended.",
    "out-of-focus": "It is much less sharp than the frame's usual nucleus.",
    "unsure-outline": "The network that found it is not sure of its outline.",
    "mitosis": "The network that found it takes it for a cell in mitosis.",
    "decide-anew": "It may be a nucleus decided on before the cells were cut again.",
}
"""What a reviewer should know of a cell that is kept all the same."""

TABLE_COLUMNS = ("label", "y", "x", "area", "flags", "dropped")

_MADE = "the mask was made from the image"
_STRIP = 128
_MOSTLY_NUCLEUS = 0.5
_SAME = 0.5


@dataclass(frozen=True)
class ExtractedCells:
    """All nuclei of one frame, dropped ones too.

    Attributes
    ----------
    crops : (N, S, S) uint8 or uint16
        Centred on the rounded centroid; of the frame's own dtype and values, but for
        those of a burnt-in scale bar.
    table
        One row a nucleus, in the order of the labels: ``label`` int, ``y`` and ``x``
        float (the centroid in pixels), ``area`` int in pixels, ``flags`` codes of
        `FLAGS` joined by ``;``, ``dropped`` a code of `DROP_REASONS` or '',
        ``confidence`` float, the expected overlap with the true outline where the
        network found the nucleus, else NaN.
    scale_bars
        Burnt-in scale bars, (y0, x0, y1, x1) in pixels, half-open: dark in the crops.
    """

    crops: npt.NDArray[Any]
    table: pd.DataFrame
    scale_bars: tuple[Box, ...] = ()

    @cached_property
    def fit(self) -> CropFit | None:
        """Fit of the usual nucleus in the crops; None where no cell is kept."""
        return crop_fit(self.table, self.crops.shape[1])

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the notes on the whole frame."""
        bars = "a burnt-in scale bar was left out" if self.scale_bars else ""
        fit = self.fit.note if self.fit is not None else ""
        notes = (bars, self.mitoses, fit, self.none_kept)
        return tuple(note for note in notes if note)

    @property
    def mitoses(self) -> str:
        """Return how many cells are in mitosis, such as ``12 mitoses``, or ''."""
        flags = self.table["flags"].str.split(";")
        count = sum("mitosis" in codes for codes in flags)
        return f"{count} mitos{'is' if count == 1 else 'es'}" if count else ""

    @property
    def none_kept(self) -> str:
        """Return why no nucleus of the frame is kept, with numbers, or ''."""
        dropped = self.table["dropped"]
        if not len(dropped) or (dropped == "").any():
            return ""
        noun = "nucleus" if len(dropped) == 1 else "nuclei"
        counted = ", ".join(f"{n} {code}" for code, n in dropped.value_counts().items())
        return f"{len(dropped)} {noun}, none kept: {counted}"


@dataclass(frozen=True)
class FrameCells:
    """A frame with its nuclei and cells.

    Attributes
    ----------
    image : (H, W) uint8 or uint16
    labels : (H, W) int32
        0 is background; the other values are the ``label`` of the table.
    mask_made
        Whether the labels come from segmentation, as the frame has no mask.
    meaning
        What the values of the mask were taken for, such as ``label image``; empty where
        it was not read from the data.
    pixel_size
        Side of a pixel in micrometres, or None where it is not known.
    """

    frame: Frame
    image: npt.NDArray[Any]
    labels: npt.NDArray[np.int32]
    cells: ExtractedCells
    notes: tuple[str, ...]
    mask_made: bool
    meaning: str = ""
    pixel_size: float | None = None

    @cached_property
    def limits(self) -> tuple[float, float]:
        """Grey values that the frame is shown black and white from."""
        return display_limits(self.image)

    @property
    def seen(self) -> npt.NDArray[Any]:
        """The image with burnt-in scale bars as dark as their surroundings, (H, W)."""
        return without(self.image, list(self.cells.scale_bars))

    @property
    def odd_size(self) -> str:
        """What is wrong where its nuclei cannot be of HEp-2 by their size, or ''."""
        return odd_size_note(self.cells.fit, self.pixel_size)

    @property
    def understood(self) -> str:
        """What they were taken for, such as ``label image, 255 nuclei``."""
        return in_one_line(self.read_as or ("mask",), len(self.cells.table))

    @property
    def read_as(self) -> tuple[str, ...]:
        """What the mask and the frame were taken for, in words."""
        others = (*self.cells.notes, self.odd_size, self.frame.note)
        told = [note for note in self.notes if note not in others]
        return tuple(words for words in (self.meaning, *told) if words)


def in_one_line(read_as: Sequence[str], nuclei: int, frames: int = 1) -> str:
    """Return what frames were taken for in a line, such as ``label image, 1 nucleus``.

    Parameters
    ----------
    read_as
        As in `FrameCells`, with at least one word.
    nuclei
        In all of the frames.
    """
    noun = "nucleus" if nuclei == 1 else "nuclei"
    where = f" in {frames:,} frames" if frames > 1 else ""
    return "; ".join((f"{read_as[0]}, {nuclei:,} {noun}{where}", *read_as[1:]))


def cell_id(frame_name: str, label: int) -> str:
    """Return the id of a cell, e.g. ``00001_p0_0007``."""
    return f"{frame_name}_{label:04d}"


@dataclass(frozen=True)
class CutStep:
    """One step of the cutting of a frame; between two of them lies bounded work.

    Attributes
    ----------
    image : (H, W) uint8 or uint16
        The frame as it was read.
    text
        What is done next.
    share
        Of the frame in which nuclei were looked for, 0 to 1; None before and after.
    """

    image: npt.NDArray[Any]
    text: str
    share: float | None = None


def extract_frame(
    frame: Frame, extraction: ExtractionSettings, segmentation: SegmentationSettings
) -> FrameCells:
    """Read a frame and cut its cells, as `extracting` does, in one call."""
    return drain(extracting(frame, extraction, segmentation))


def extracting(
    frame: Frame, extraction: ExtractionSettings, segmentation: SegmentationSettings
) -> Steps[CutStep, FrameCells]:
    """Read a frame and cut its cells; a mask is made where it has none.

    A mended mask takes the place of the one that came with the data; its labels are
    kept, also where a nucleus is in several pieces.

    Raises
    ------
    BadImageError, BadMaskError
        If a file cannot be read, or no nucleus is found.
    """
    # Of channels as files the setting names the file, and not a channel in it.
    channel = "" if frame.channels else extraction.channel
    check_no_fault(frame)
    frame = with_channel(frame, extraction.channel)
    grey = read_frame(frame.image, extraction.plane, channel)
    _check_is_picture(frame, grey.pixels)
    yield CutStep(grey.pixels, "reading the mask")
    mask = yield from _mask_of(frame, grey, segmentation)
    yield CutStep(grey.pixels, "cutting cells")
    nuclei, as_given = mask.nuclei, frame.mended is not None
    cells = _cells(
        grey.pixels, nuclei, extraction, mask.found, as_given=as_given, bits=grey.bits
    )
    odd = odd_size_note(cells.fit, grey.pixel_size)
    notes = [note for note in (grey.note, frame.note, *mask.notes) if note]
    return FrameCells(
        frame,
        grey.pixels,
        nuclei.paint(),
        cells,
        (*notes, *cells.notes, *([odd] if odd else [])),
        mask.is_made,
        mask.meaning,
        grey.pixel_size,
    )


@dataclass(frozen=True)
class _Mask:
    """The nuclei of a frame, and where they are from."""

    nuclei: Nuclei
    found: FoundNuclei | None = None
    notes: Sequence[str] = ()
    is_made: bool = False
    meaning: str = ""


def _mask_of(
    frame: Frame, grey: GreyImage, segmentation: SegmentationSettings
) -> Steps[CutStep, _Mask]:
    shape = grey.pixels.shape
    if frame.mended is not None:
        labels = read_labels(frame.mended, shape)
        found = None
        if frame.mask is None:
            found = yield from _found_again(grey.pixels, labels, segmentation)
        nuclei = _find(grey.pixels, labels, as_given=True)
        return _Mask(nuclei, found, ["the edited mask was used"])
    if frame.mask is None:
        try:
            found = yield from finding(grey.pixels, segmentation)
        except BadImageError as fault:
            raise BadImageError(frame.image, fault.fault, fault.remedy) from fault
        notes = [made_note(segmentation), *found.notes]
        return _Mask(_find(grey.pixels, found.labels), found, notes, is_made=True)
    check_one_mask(frame)
    reading = read_nuclei(frame.mask, shape, grey.pixel_size)
    return _Mask(reading.nuclei, None, reading.notes, meaning=reading.meaning)


def made_note(segmentation: SegmentationSettings) -> str:
    """Return that a mask was made, and with which settings if not the defaults."""
    changed = (f"{name}={value}" for name, value in segmentation.differing().items())
    return " with ".join(filter(None, (_MADE, ", ".join(changed))))


def finding(
    image: npt.NDArray[Any], segmentation: SegmentationSettings
) -> Steps[CutStep, FoundNuclei]:
    """Find the nuclei of an image, as `NucleusFinder.find_all` does."""
    steps = NucleusFinder(image).find_all(segmentation)
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            found: FoundNuclei = end.value
            return found
        yield CutStep(image, "finding nuclei", share)


def _found_again(
    image: npt.NDArray[Any],
    labels: npt.NDArray[np.int32],
    segmentation: SegmentationSettings,
) -> Steps[CutStep, FoundNuclei | None]:
    """Return what the image says of the nuclei of an edited mask; None where nothing.

    A nucleus keeps what was found of the one that it overlaps by more than half; of
    one that was drawn nothing is known.
    """
    try:
        found = yield from finding(image, segmentation)
    except BadImageError:
        return None
    highest = int(labels.max(initial=0))
    confidence = np.full(highest, np.nan, np.float32)
    mitotic = np.zeros(highest, bool)
    matching = match_nuclei(found.labels, labels)
    same = matching.pairs[matching.overlaps > _SAME] - 1
    confidence[same[:, 1]] = found.confidence[same[:, 0]]
    mitotic[same[:, 1]] = found.mitotic[same[:, 0]]
    return FoundNuclei(labels, confidence, mitotic)


def _check_is_picture(frame: Frame, pixels: npt.NDArray[Any]) -> None:
    if looks_like_mask(pixels):
        raise BadImageError(
            frame.image,
            "it is a mask by its values, and no picture",
            "name it after its frame, as in NAME_mask.tif, or move it away",
        )


def label_nuclei(mask: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Return the nuclei of a mask as labels.

    Parameters
    ----------
    mask : (H, W) int or bool
        Binary (0 and 1): each 8-connected component is a nucleus. With other values it
        is a label image already and each label is a nucleus, in one piece or more.

    Returns
    -------
    labels : (H, W) int32
    """
    if mask.size and mask.max() > 1:
        return mask.astype(np.int32, copy=False)
    return find_components(mask).paint()


def extract_cells(
    image: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    settings: ExtractionSettings,
    found: FoundNuclei | None = None,
) -> ExtractedCells:
    """Cut every nucleus out of a frame.

    Parameters
    ----------
    image : (H, W) uint8 or uint16
    labels : (H, W) int
        A mask or a label image, as `label_nuclei` takes it.
    settings
        Size of the crops, and where a nucleus counts as tiny, touching, saturated or
        out of focus.
    found
        What was found of the nuclei where `labels` are its own.

    Returns
    -------
    cells
        All nuclei, dropped ones too, so that a curator may take them back.

    Raises
    ------
    BadMaskError
        If the mask is of another size than the image, has negative labels or no
        nucleus.

    Notes
    -----
    The centroid is the mean of the pixel coordinates of the nucleus; the crop is
    centred on it, rounded half to even.

    *Border.* A nucleus that has a pixel in the frame's first or last row or column is
    dropped as ``border``. A whole nucleus whose crop overhangs the frame is kept and
    flagged ``overhang``; the missing part is filled by reflection.

    *Tiny.* The usual area of a frame is the median area of its nuclei, those far below
    the nucleus of the median foreground pixel left out, so that debris does not count.
    A nucleus under ``tiny_share`` of it, or under ``min_area``, is dropped.

    *Touching.* A nucleus over ``merged_share`` times the usual area whose area over
    convex area is under ``merged_solidity`` is dropped: nuclei merged in the mask. In
    a label image, nuclei against each other are told apart, so that contact alone is a
    flag; from ``contact_share`` of the outline on it is a drop.

    *Pieces.* A nucleus whose number is also on another piece, of a tenth of the largest
    or more and further off than 0.6 times the diameter of a disc of its area, from
    centroid to centroid, is dropped.

    *Mitotic.* A nucleus that the network takes for a mitotic plate is dropped, unless
    the settings keep it; it is flagged ``mitosis`` in any case.

    In an edited mask contact drops none, as a person drew the line between the two.

    The first reason in the order border, mitotic, tiny, touching, pieces is the one
    given.

    *Scale bar.* One burnt into the frame is dark in the crops, as its surroundings are,
    so that no measure and no network sees it; see `training.data.masks.scale_bars`.

    *Saturated* is a pixel at the value where the grey values of the frame's nuclei end
    in a pile; see `training.data.cells.saturation`.
    """
    return _cells(image, _find(image, labels), settings, found)


def _find(
    image: npt.NDArray[Any], labels: npt.NDArray[Any], *, as_given: bool = False
) -> Nuclei:
    if _check(image, labels) > 1 or as_given:
        return find_nuclei(labels.astype(np.int32, copy=False))
    return find_components(labels)


def _cells(
    image: npt.NDArray[Any],
    nuclei: Nuclei,
    settings: ExtractionSettings,
    found: FoundNuclei | None = None,
    *,
    as_given: bool = False,
    bits: int | None = None,
) -> ExtractedCells:
    bars = _bars_beside(image, nuclei)
    image = without(image, bars)
    y, x = nuclei.centroids
    boxes = crop_boxes(y, x, settings.size)
    contact = nuclei.contact_share()
    mitotic, confidence = _known_of(nuclei, found)
    flags = _flags(image, nuclei, boxes, contact, settings, bits)
    unsure = np.asarray(confidence < settings.least_confidence)
    _add_flag(flags, "unsure-outline", unsure)
    _add_flag(flags, "mitosis", mitotic)
    if settings.keep_mitotic:
        mitotic = np.zeros_like(mitotic)
    table = pd.DataFrame(
        {
            "label": nuclei.labels,
            "y": y,
            "x": x,
            "area": nuclei.areas,
            "flags": flags,
            "dropped": _dropped(nuclei, contact, mitotic, settings, as_given),
            "confidence": confidence,
        }
    )
    return ExtractedCells(cut(image, boxes), table, tuple(bars))


def _known_of(
    nuclei: Nuclei, found: FoundNuclei | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Return which nuclei are mitotic, and how sure their outlines are."""
    if found is None:
        return np.zeros(len(nuclei), bool), np.full(len(nuclei), np.nan, np.float32)
    return found.mitotic[nuclei.labels - 1], found.confidence[nuclei.labels - 1]


def _bars_beside(image: npt.NDArray[Any], nuclei: Nuclei) -> list[Box]:
    """Return the scale bars of a frame; what is mostly a nucleus of its is none.

    A long nucleus at the value where the camera ended looks like one.
    """
    bars = find_scale_bars(image)
    if not bars:
        return []
    inside = np.zeros(image.shape, bool)
    _, pixels, _ = nuclei.within(slice(0, len(image)))
    inside.flat[pixels] = True
    return [
        (y0, x0, y1, x1)
        for y0, x0, y1, x1 in bars
        if inside[y0:y1, x0:x1].mean() < _MOSTLY_NUCLEUS
    ]


def crop_boxes(y: npt.ArrayLike, x: npt.ArrayLike, size: int) -> npt.NDArray[np.int64]:
    """Return the boxes of crops centred on the rounded centroids.

    Parameters
    ----------
    y, x : (N,) float
        Centroids in pixels.
    size
        Side of the crop in pixels, odd.

    Returns
    -------
    boxes : (N, 4) int64, (y0, x0, y1, x1) in pixels, half-open
        They may overhang the frame.
    """
    start = np.rint(np.stack([np.asarray(y), np.asarray(x)], axis=-1)) - size // 2
    start = start.astype(np.int64).reshape(-1, 2)
    return np.concatenate([start, start + size], axis=1)


def cut(image: npt.NDArray[Any], boxes: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return the crops of square boxes of one size; what overhangs is reflected.

    Parameters
    ----------
    image : (H, W)
    boxes : (N, 4) int, (y0, x0, y1, x1) in pixels, half-open
        Centred inside the image.

    Returns
    -------
    crops : (N, S, S) of the image's dtype
    """
    if not len(boxes):
        return np.empty((0, 0, 0), image.dtype)
    size = int(boxes[0, 2] - boxes[0, 0])
    padded = np.pad(image, size // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
    crops: npt.NDArray[Any] = windows[boxes[:, 0] + size // 2, boxes[:, 1] + size // 2]
    return crops


def _check(image: npt.NDArray[Any], labels: npt.NDArray[Any]) -> int:
    """Return the highest label."""
    if labels.shape != image.shape:
        raise BadMaskError(
            "mask",
            f"its shape is {labels.shape} but its frame's is {image.shape}",
            "give the mask that was made for this frame",
        )
    if labels.min() < 0:
        raise BadMaskError("mask", "it holds negative labels", "number nuclei from 1")
    highest = int(labels.max())
    if highest == 0:
        raise BadMaskError("mask", "it holds no nucleus", "mark the nuclei in it")
    return highest


def usual_area(areas: npt.NDArray[np.int64], tiny_share: float) -> float:
    """Return the median area of a frame's nuclei, debris left out, in pixels."""
    ordered = np.sort(areas)
    cumulative = np.cumsum(ordered)
    of_median_pixel = ordered[np.searchsorted(cumulative, cumulative[-1] / 2)]
    return float(np.median(areas[areas >= tiny_share * of_median_pixel]))


def _dropped(
    nuclei: Nuclei,
    contact: Floats,
    mitotic: npt.NDArray[np.bool_],
    settings: ExtractionSettings,
    as_given: bool,
) -> npt.NDArray[np.object_]:
    areas = nuclei.areas if mitotic.all() else nuclei.areas[~mitotic]
    usual = usual_area(areas, settings.tiny_share)
    tiny = nuclei.areas < max(settings.min_area, settings.tiny_share * usual)
    merged = nuclei.areas > settings.merged_share * usual
    for row in np.flatnonzero(merged).tolist():
        merged[row] = nuclei.solidity(row) < settings.merged_solidity
    touching, scattered = merged, np.zeros(len(nuclei), bool)
    if not as_given:
        touching = merged | ((contact > 0) & (contact >= settings.contact_share))
        scattered = nuclei.scattered()
    reasons = [nuclei.on_border(), mitotic, tiny, touching, scattered]
    codes = np.select(reasons, list(DROP_REASONS), "")
    return codes.astype(object)


def _flags(
    image: npt.NDArray[Any],
    nuclei: Nuclei,
    boxes: npt.NDArray[np.int64],
    contact: Floats,
    settings: ExtractionSettings,
    bits: int | None,
) -> list[str]:
    height, width = image.shape
    overhang = (boxes[:, :2] < 0).any(1) | (boxes[:, 2:] > (height, width)).any(1)
    sharp, histogram = sharpness(image, nuclei)
    end = saturated_from(histogram, bits)
    at_end = np.zeros(len(nuclei)) if end is None else nuclei.means(image >= end)
    saturated = at_end > settings.saturated_share
    blurred = sharp < settings.focus_share * np.median(sharp)
    found = {
        "contact": contact > 0,
        "overhang": overhang,
        "saturated": saturated,
        "out-of-focus": blurred,
    }
    flags = [""] * len(nuclei)
    for code, is_set in found.items():
        _add_flag(flags, code, np.asarray(is_set))
    return flags


def _add_flag(flags: list[str], code: str, is_set: npt.NDArray[np.bool_]) -> None:
    for row in np.flatnonzero(is_set).tolist():
        flags[row] += f";{code}" if flags[row] else code


def sharpness(
    image: npt.NDArray[Any], nuclei: Nuclei
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return Brenner's measure of each nucleus over its mean intensity squared.

    The frame is first averaged over 3 x 3 pixels, so that the noise counts less.

    Returns
    -------
    sharpness : (N,) float64, no unit, 0 or more
    histogram : (256,) or (65536,) int64
        How many pixels of nuclei have each grey value.

    References
    ----------
    Brenner et al. 1976, doi:10.1177/24.1.1254907
    """
    energy = np.zeros(len(nuclei.starts))
    level = np.zeros(len(nuclei.starts))
    histogram = np.zeros(np.iinfo(image.dtype).max + 1, np.int64)
    height = len(image)
    for top in range(0, height, _STRIP):
        rows = slice(top, min(top + _STRIP, height))
        runs, pixels, first = nuclei.within(rows)
        if len(pixels):
            steps = _steps(image, rows).ravel()[pixels]
            grey = image[rows].reshape(-1)[pixels]
            squares = np.multiply(steps, steps, dtype=np.float64)
            energy[runs] = np.add.reduceat(squares, first)
            level[runs] = np.add.reduceat(grey, first, dtype=np.float64)
            histogram += np.bincount(grey, minlength=len(histogram))
    sharp = nuclei.mean(energy) / (81 * np.maximum(nuclei.mean(level), 1.0) ** 2)
    return sharp, histogram


def _steps(image: npt.NDArray[Any], rows: slice) -> npt.NDArray[Any]:
    """Return the rise of the sum over 3 x 3 pixels from a column to the next but one.

    Whole numbers, hence exact; of a strip of rows, which stays in the processor's
    cache.

    Returns
    -------
    steps : (n, W) int16 or int32
        For the column between; 0 in the first and last column.
    """
    kind: type[np.int16] | type[np.int32]
    kind = np.int16 if image.dtype == np.uint8 else np.int32
    height, width = image.shape
    around = np.arange(rows.start - 1, rows.stop + 1).clip(0, height - 1)
    near: npt.NDArray[Any] = image[around].astype(kind)
    columns: npt.NDArray[Any] = near[:-2] + near[1:-1]
    columns += near[2:]
    # The column in the middle is in both sums and cancels. Rows are taken as one line;
    # where it passes from one to the next, the steps are then set right.
    flat = columns.ravel()
    pairs: npt.NDArray[Any] = flat[1:] + flat[:-1]
    steps: npt.NDArray[Any] = np.zeros_like(columns)
    np.subtract(pairs[3:], pairs[:-3], out=steps.ravel()[2:-2])
    for x in {1, width - 2} & set(range(1, width - 1)):
        right = columns[:, x + 1] + columns[:, min(x + 2, width - 1)]
        steps[:, x] = right - columns[:, x - 1] - columns[:, max(x - 2, 0)]
    steps[:, [0, -1]] = 0
    return steps
