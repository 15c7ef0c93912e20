"""What the values of a mask mean: nuclei by number, by colour, or in and out.

Values alone do not tell a label image from a mask with soft edges: both may have 256 of
them that end at 255. Pieces of one value do: those of nuclei are large, those of an
edge are a few pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.masks.nuclei import Nuclei, find_components, find_nuclei
from training.errors import BadMaskError
from training.storage.decoding import Picture
from training.storage.planes import is_grey, look_up

_NEAR = 0.04
"""Of the range of values: what lies so near to an end is at the end."""

_SOLID = 0.3
"""Least share of a soft mask's nuclei that is not edge."""

_EDGE_PIECE = 12
"""Pixels; most pieces of one value in a soft edge are smaller."""

_CRUMB = 5
"""Pixels; nuclei are not made of pieces that small."""

_MOST_CRUMBS = 0.2
"""Of the pixels; above it values are no labels."""

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
    labels : (H, W) int32
        0 is background. A mask of two values comes as 0 and 1, in which each component
        is a nucleus; else each value is a nucleus.
    meaning
        In words, such as ``label image``.
    nuclei
        Those of the labels, where they were sorted already.
    notes
        What was assumed of the file.
    """

    labels: Labels
    meaning: str
    nuclei: Nuclei | None = None
    notes: tuple[str, ...] = ()


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
    """Return where a picture is opaque; None where it is everywhere, or nowhere."""
    if alpha is None:
        return None
    opaque = alpha > np.iinfo(alpha.dtype).max // 2
    return None if opaque.all() or not opaque.any() else opaque


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
    values, counts = _counted(nuclei)
    if values[0] < 0:
        raise _no_labels(path, pixels)
    if len(values) <= 2:
        return _binary(pixels > (values[0] if len(values) == 2 else 0), "binary mask")
    if _is_soft(pixels, values, counts):
        middle = (int(values[0]) + int(values[-1])) // 2
        return _binary(pixels > middle, "binary mask with soft edges")
    background = 0 if values[0] == 0 else _usual_border(pixels)
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


def _counted(nuclei: Nuclei) -> tuple[Values, Values]:
    """Return the values that occur, in rising order, and how often each does."""
    values, counts = nuclei.labels, nuclei.areas
    background = nuclei.shape[0] * nuclei.shape[1] - int(counts.sum())
    if not background:
        return values, counts
    place = int(np.searchsorted(values, 0))
    return np.insert(values, place, 0), np.insert(counts, place, background)


def _is_soft(pixels: Values, values: Values, counts: Values) -> bool:
    """Whether values are two, with others only where one passes into the other."""
    low, top = int(values[0]), int(values[-1])
    near = _NEAR * (top - low)
    bright = counts[values >= top - near].sum()
    if bright < _SOLID * counts[values > low + near].sum():
        return False
    between = np.where((pixels > low) & (pixels < top), pixels, 0)
    pieces, _ = find_nuclei(between).pieces
    return bool((pieces.areas < _EDGE_PIECE).mean() > 0.5) if len(pieces) else False


def _binary(inside: Bools, meaning: str) -> MaskReading:
    if _is_dark_on_bright(inside):
        inside, meaning = ~inside, f"{meaning}, nuclei dark on bright"
    return MaskReading(inside.astype(np.int32), meaning)


def _is_dark_on_bright(bright: Bools) -> bool:
    """Whether a mask is inverted: dark pieces that lie in a bright frame."""
    if _border(bright).mean() < _FRAMED or bright.all():
        return False
    dark = find_components(~bright)
    inner = ~dark.on_border() & (dark.areas >= _LEAST_NUCLEUS)
    return int(inner.sum()) >= 2


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
    labels = _as_labels(numbers, background)
    if nuclei is None or background != 0:
        nuclei = find_nuclei(labels)
    pieces, of_piece = nuclei.pieces
    areas = pieces.areas
    if areas[areas < _CRUMB].sum() > _MOST_CRUMBS * areas.sum():
        raise _no_labels(path, numbers)
    large = areas >= max(_CRUMB, 0.1 * np.median(areas))
    count, distinct = int(large.sum()), len(np.unique(of_piece[large]))
    if 1 < distinct <= _MOST_CLASSES and count >= max(2 * distinct, distinct + 3):
        words = f"{distinct} classes on {count} pieces, each taken as a nucleus"
        return MaskReading(pieces.paint(), f"{meaning} of {words}")
    return MaskReading(labels, meaning, nuclei)


def _as_labels(numbers: Values, background: int) -> Labels:
    """Return numbers as labels from 1, as they are where that is possible."""
    top = int(numbers.max())
    if background == 0 and top <= np.iinfo(np.int32).max:
        return numbers.astype(np.int32)
    found, places = np.unique(numbers, return_inverse=True)
    new = np.arange(1, len(found) + 1, dtype=np.int32)
    if background > 0 and int(found[0]) > 0 and top <= np.iinfo(np.int32).max:
        new = found.astype(np.int32)
    elif background == 0 and int(found[0]) == 0:
        new -= 1
    new[found == background] = 0
    return new[places.reshape(numbers.shape)]


# -- indices and colours


def _indexed(
    path: Path, indices: Values, palette: npt.NDArray[np.uint8]
) -> MaskReading:
    used = np.unique(indices)
    colours = look_up(palette, used)
    if is_grey(colours):
        return _grey(path, look_up(palette, indices)[:, :, 0])
    if len(used) <= 2:
        return _coloured(path, look_up(palette, indices))
    background = _usual_border(indices)
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
