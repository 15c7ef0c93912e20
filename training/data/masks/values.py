"""What the values of a mask mean: nuclei by number, by colour, or in and out.

Values alone do not tell a label image from a mask with soft edges: both may have 256 of
them that end at 255. Pieces of one value do: those of nuclei are large, those of an
edge are a few pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.masks.drawn_outlines import fill_outlines
from training.data.masks.nesting import (
    boundary_row,
    is_crumbled,
    is_soft,
    lie_in_each_other,
)
from training.data.masks.nuclei import Nuclei, find_components, find_nuclei
from training.errors import BadMaskError
from training.storage.picture import Picture
from training.storage.planes import is_for_display, is_grey, look_up

_LEAST_PIECE = 0.1
"""Of the usual area of a piece; smaller ones do not count as nuclei."""

_LEAST_AREA = 5
"""Pixels of a piece that counts."""

_FULL = 0.9
"""Share of all numbers of 8 bits in use by which nuclei went beyond them."""

_MOST_CLASSES = 16
_GREY_NOISE = 8
"""Difference of colours that JPEG makes of grey."""

_FRAMED = 0.9
"""Share of a picture's edge that is bright where nuclei are dark."""

_LEAST_NUCLEUS = 30
"""Pixels of a dark piece that counts as a nucleus."""

Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]
Values = npt.NDArray[Any]


@dataclass(frozen=True)
class MaskReading:
    """A mask, and what its values were taken for.

    Attributes
    ----------
    nuclei
        Of a mask of two values each component is one; else each value is.
    meaning
        In words, such as ``label image``.
    notes
        What was assumed of the file.
    """

    nuclei: Nuclei
    meaning: str
    notes: tuple[str, ...] = ()

    @cached_property
    def labels(self) -> Labels:
        """The label image, (H, W) int32, 0 is background; components are all 1."""
        painted = self.nuclei.paint()
        return np.minimum(painted, 1) if self.nuclei.apart else painted


def understand(path: Path, picture: Picture) -> MaskReading:
    """Return the labels of a mask and what its values were taken for.

    Parameters
    ----------
    path
        Its file, for faults.
    picture
        As it was decoded.

    Raises
    ------
    BadMaskError
        If the values mean no nuclei, or it is a stack.
    """
    if picture.is_stack:
        raise BadMaskError(
            path,
            f"it is a stack of {picture.axes} {picture.pixels.shape}",
            "save the one plane with the nuclei",
        )
    opaque = _opaque(picture.alpha)
    pixels = _dark_is_zero(picture)
    if opaque is not None:
        inside = pixels[opaque]
        if (inside == inside[:1]).all():
            return _binary(opaque, "mask in the alpha channel")
        pixels = np.where(opaque if pixels.ndim == 2 else opaque[:, :, None], pixels, 0)
    if picture.palette is not None:
        return _indexed(path, pixels, picture.palette)
    if pixels.ndim == 3:
        return _coloured(path, pixels)
    return _grey(path, pixels)


def _opaque(alpha: Values | None) -> Bools | None:
    """Return where a picture is more opaque than clear; None where all is alike."""
    if alpha is None:
        return None
    low, high = int(alpha.min()), int(alpha.max())
    return alpha > (low + high) // 2 if low < high else None


def _dark_is_zero(picture: Picture) -> Values:
    """Return values with a dark edge: some tools only *show* a mask inverted."""
    if picture.white_is_zero and (_border(picture.pixels) == 0).mean() < 0.5:
        return picture.shown()
    return picture.pixels


def _border(pixels: Values) -> Values:
    """Return the pixels of the first and last row and column, one after the other."""
    rows, columns = pixels[[0, -1]], pixels[:, [0, -1]]
    return np.concatenate(
        [part.reshape(-1, *pixels.shape[2:]) for part in (rows, columns)]
    )


# -- grey values


def _grey(path: Path, pixels: Values) -> MaskReading:
    pixels = _whole(path, pixels)
    nuclei = find_nuclei(pixels)
    if len(nuclei) and nuclei.labels[0] < 0:
        raise _no_labels(path, pixels)
    has_zero = int(nuclei.areas.sum()) < pixels.size
    values = len(nuclei) + has_zero
    if values <= 2:
        low = int(nuclei.labels[0]) if values == 2 and not has_zero else 0
        components = None if low else nuclei.pieces[0]
        return _binary(pixels > low, "binary mask", components)
    if (values > 3 or boundary_row(nuclei) is None) and is_soft(pixels, nuclei):
        low = 0 if has_zero else int(nuclei.labels[0])
        middle = (low + int(nuclei.labels[-1])) // 2
        return _binary(pixels > middle, "binary mask with soft edges")
    background = 0 if has_zero else _usual_border(pixels)
    return _numbered(path, pixels, background, "label image", nuclei)


def _whole(path: Path, pixels: Values) -> Values:
    """Return whole numbers; probabilities, 0 to 1, become 0 to 255."""
    if pixels.dtype.kind in "iu":
        return pixels
    if pixels.dtype.kind != "f" or not np.isfinite(pixels).all():
        raise _no_labels(path, pixels)
    if (pixels == np.rint(pixels)).all() and np.abs(pixels).max() < 2.0**53:
        return pixels.astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 1:
        raise _no_labels(path, pixels)
    return np.rint(pixels * 255).astype(np.uint8)


def _no_labels(path: Path, pixels: Values) -> BadMaskError:
    low, high = pixels.min(), pixels.max()
    return BadMaskError(
        path,
        f"its values, {pixels.dtype} from {low} to {high}, are not labels",
        "save it as a binary mask or a label image, without loss",
    )


def _binary(
    inside: Bools, meaning: str, components: Nuclei | None = None
) -> MaskReading:
    """Return the components of a mask as nuclei; `components`, where known, are its."""
    dark = _dark_on_bright(inside)
    if dark is not None:
        components, meaning = dark, f"{meaning}, nuclei dark on bright"
    elif components is None:
        components = find_components(inside)
    return _unless_drawn(MaskReading(components, meaning))


def _unless_drawn(reading: MaskReading) -> MaskReading:
    """Return a mask of closed lines with what they go round; another as it is."""
    found = fill_outlines(reading.nuclei)
    if found is None:
        return reading
    nuclei, are_open = found
    note = "the mask holds outlines, which were filled"
    if are_open:
        note += f"; {are_open} lines that are not closed were left out"
    return MaskReading(nuclei, reading.meaning, (*reading.notes, note))


def _dark_on_bright(bright: Bools) -> Nuclei | None:
    """Return the dark components where a mask is inverted: they lie in a bright frame.

    None where it is not.
    """
    if _border(bright).mean() < _FRAMED or bright.all():
        return None
    dark = find_components(~bright)
    inner = ~dark.on_border() & (dark.areas >= _LEAST_NUCLEUS)
    return dark if int(inner.sum()) >= 2 else None


# -- numbers


def _usual_border(values: Values) -> int:
    """Return the value of most of a picture's edge, or -1 where none has half of it."""
    found, counts = np.unique(_border(values), return_counts=True)
    most = int(counts.argmax())
    return int(found[most]) if 2 * counts[most] >= counts.sum() else -1


def _numbered(
    path: Path,
    numbers: Values,
    background: int,
    meaning: str,
    nuclei: Nuclei | None = None,
) -> MaskReading:
    """Return nuclei by their numbers; where these are classes, by their pieces.

    `nuclei` are those of `numbers` where they were sorted already.
    """
    if nuclei is None or background != 0:
        nuclei = _sorted(numbers, background)
    if is_crumbled(nuclei):
        raise _no_labels(path, numbers)
    notes: tuple[str, ...] = ()
    row = boundary_row(nuclei)
    if row is not None:
        value = nuclei.labels[row]
        words = f"value {value} lies in thin lines round or between nuclei"
        notes = (f"{words} and was left out as their boundary",)
        nuclei = nuclei.keep(np.arange(len(nuclei)) != row)
    if lie_in_each_other(nuclei):
        raise BadMaskError(
            path,
            "its values lie inside each other, so that they do not number nuclei",
            "save the nuclei alone, as a binary mask or a label image",
        )
    if len(nuclei) == 1 and row is not None:
        return MaskReading(nuclei.pieces[0], f"{meaning} of one class", notes)
    return _unless_drawn(_parted(MaskReading(nuclei, meaning, notes)))


def _sorted(numbers: Values, background: int) -> Nuclei:
    """Return what is not background as nuclei; 0 becomes a number, too."""
    if background == 0:
        return find_nuclei(numbers)
    shift = 0 if numbers.min() > 0 else 1
    moved = np.where(numbers == background, 0, numbers.astype(np.int64) + shift)
    return find_nuclei(moved)


def _parted(reading: MaskReading) -> MaskReading:
    """Return a label image with numbers of 32 bits, and parted where it is none.

    Few numbers on many pieces are classes. Where all numbers of 8 bits are in use and
    some are on several pieces far apart, there were more nuclei than numbers.
    """
    nuclei, meaning = reading.nuclei, reading.meaning
    pieces, of = nuclei.pieces
    if len(pieces) > len(nuclei):
        areas = pieces.areas
        large = areas >= max(_LEAST_AREA, _LEAST_PIECE * np.median(areas))
        count, distinct = int(large.sum()), len(np.unique(of[large]))
        if 1 < distinct <= _MOST_CLASSES and count >= max(2 * distinct, distinct + 3):
            words = f"{distinct} classes on {count} pieces, each taken as a nucleus"
            return MaskReading(pieces, f"{meaning} of {words}", reading.notes)
        far = int(nuclei.scattered().sum())
        if far and _are_used_up(nuclei):
            note = (
                f"{far} of its {len(nuclei)} numbers are on pieces far apart, as where "
                "more than 255 nuclei are numbered in 8 bits: each piece was taken as "
                "a nucleus, and one that fell on 0 is missing"
            )
            return MaskReading(pieces, meaning, (*reading.notes, note))
    if len(nuclei) and nuclei.labels[-1] > np.iinfo(np.int32).max:
        nuclei = nuclei.numbered(np.arange(1, len(nuclei) + 1))
    return MaskReading(nuclei, meaning, reading.notes)


def _are_used_up(nuclei: Nuclei) -> bool:
    """Whether the numbers end with those of 8 bits, most of which are in use."""
    top = np.iinfo(np.uint8).max
    return int(nuclei.labels[-1]) == top and len(nuclei) >= _FULL * top


# -- indices and colours


def _indexed(
    path: Path, indices: Values, palette: npt.NDArray[np.uint8]
) -> MaskReading:
    used = np.unique(indices)
    colours = look_up(palette, used)
    if is_grey(colours):
        return _grey(path, look_up(palette, indices)[:, :, 0])
    background = _usual_border(indices)
    if background == 0 and is_for_display(palette, used):
        return _grey(path, indices)
    if len(used) <= 2:
        return _coloured(path, look_up(palette, indices))
    return _numbered(path, indices, max(background, 0), "indexed image")


def _coloured(path: Path, pixels: Values) -> MaskReading:
    varied = [k for k in range(3) if pixels[:, :, k].min() < pixels[:, :, k].max()]
    if _is_nearly_grey(pixels) or len(varied) == 1:
        return _grey(path, pixels[:, :, varied[0] if varied else 0])
    codes = _codes(pixels)
    found = np.unique(codes)
    background = 0 if found[0] == 0 else _usual_border(codes)
    if len(found) == 2:
        return _binary(codes != background, "binary mask in colours")
    is_packed = len(varied) == 2 and 1 in varied and background == 0
    meaning = "labels packed into colours" if is_packed else "one colour a nucleus"
    if not is_packed:
        places = np.searchsorted(found, codes)
        background = int(np.searchsorted(found, background)) if background >= 0 else -1
        codes = places + (0 if background == 0 else 1)
        background += 0 if background <= 0 else 1
    try:
        return _numbered(path, codes, background, meaning)
    except BadMaskError as fault:
        raise BadMaskError(
            path,
            f"its {len(found):,} colours pass into each other",
            "save it with one colour a nucleus, without soft edges and without loss",
        ) from fault


def _is_nearly_grey(pixels: Values) -> bool:
    """Whether colours are grey, or grey that went through JPEG."""
    top = int(pixels.max())
    noise = _GREY_NOISE * (np.iinfo(pixels.dtype).max // 255)
    allowed = noise if top > 8 * noise else 0
    wide = pixels.astype(np.int32)
    return bool((wide.max(axis=2) - wide.min(axis=2)).max() <= allowed)


def _codes(pixels: Values) -> npt.NDArray[np.int64]:
    """Return one number a colour; the last colour counts least, or the first.

    Of labels that are packed into three colours the highest are all 0.
    """
    order = (2, 1, 0) if pixels[:, :, 2].any() else (0, 1, 2)
    step = 8 * pixels.dtype.itemsize
    codes = np.zeros(pixels.shape[:2], np.int64)
    for place, colour in enumerate(order):
        codes |= pixels[:, :, colour].astype(np.int64) << (place * step)
    return codes
