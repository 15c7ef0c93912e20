"""Takes one plane of grey values out of a picture: of its stack, channels, colours."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import BadImageError
from training.storage.picture import Channel, Picture, Pixels

COLOURS = ("red", "green", "blue")
_GREEN = 1
_EMPTY_CHANNEL, _WEAK_CHANNEL = 0.1, 0.03
"""Spread of a colour, as a share of that of the strongest: below the second there is
no more than a JPEG or a filter lets through."""
_ROWS = 64
_FLUORESCEIN = re.compile(
    r"(?<![a-z])(?:"
    r"fitc|fluorescein|(?:e|m|sf|tag|turbo)?gfp|oregon|green(?![a-z])"
    r"|alexa\W*(fluor)?\W*488|af\W*488|dylight\W*488|cf\W*488|cy\W*2(?!\d)"
    r")|(?<!\d)488(?!\d)",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"(?<![a-z])(?:no|not|non|without|w/o|minus|anti|un|neg|negative|except|far)(?![a-z])"
    r"|(?:fitc|gfp|488|green)\s*(?:-|neg|\(-\)|free)\W*$",
    re.IGNORECASE,
)
_EMISSION = (500.0, 550.0)
"""Nanometres; fluorescein shines at 520."""

_TOPS = 1, 2**8 - 1, 2**16 - 1
_SPARSE = 128
_EVERY = 4
"""Rows, or columns, of which one tells whether colours or indices are calmer."""

_FOR_DISPLAY = "its colours are for display and were left aside"

_STEP = 24
"""Values of red, green or blue from one colour to the next in a table for display."""

_LEAST_COLOURS = 32
"""Of a table that can be told to be one for display."""

_MARKED = 0.1
"""Share of steps that may be larger: ends that are marked, or few flat colours."""

_CALMER = 0.8
"""Times as unlike as their indices, neighbours are less unlike in colour where the
colours are what was photographed."""


@dataclass(frozen=True)
class GreyImage:
    """One 2-D fluorescence image.

    Attributes
    ----------
    pixels : (H, W) uint8 or uint16
    note
        What was done to the file's pixels to get there, or an empty string.
    pixel_size
        Side of a pixel in micrometres, or None where it is not known.
    bits
        Bits that a value has by the file, or None where it does not say.
    """

    pixels: npt.NDArray[Any]
    note: str = ""
    pixel_size: float | None = None
    bits: int | None = None


def grey_plane(
    path: Path, picture: Picture, plane: str = "", channel: str = ""
) -> GreyImage:
    """Return the fluorescence image that a picture holds.

    Parameters
    ----------
    path
        Its file, for faults.
    plane
        Number of the plane of a stack, from 1; ``max`` for the highest value over all.
        Empty for a picture that is no stack.
    channel
        Number, from 1, or name of the channel or colour. Empty for the one of
        fluorescein.

    Raises
    ------
    BadImageError
        If a choice is open, or asks for what there is not; or where the file has no
        grey values: a bit a pixel, or colours of which none is one.
    """
    if picture.bits == 1:
        raise _of_two_values(path)
    pixels, axes, notes = picture.shown(), picture.axes, []
    if picture.white_is_zero:
        notes.append("white is zero in the file, so that values were inverted")
    if "C" in axes:
        at, note = _channel(path, picture.channels, channel)
        pixels, axes = pixels.take(at, axes.index("C")), axes.replace("C", "")
        notes.append(note)
    if axes.rstrip("S") != "YX":
        pixels, note = _plane(path, axes, pixels, plane)
        notes.append(note)
    if picture.palette is not None:
        pixels, note = _through(path, picture.palette, pixels)
        notes += [note] if note else []
    if pixels.ndim == 3:
        pixels, note = _colour(path, pixels, channel)
        notes.append(note)
    grey = np.ascontiguousarray(pixels)
    if grey.dtype.kind in "ui" and _is_mask(grey):
        notes.append("the frame has two values only, as a mask has")
    return GreyImage(grey, "; ".join(notes), picture.pixel_size, picture.bits)


def _of_two_values(path: Path) -> BadImageError:
    return BadImageError(
        path,
        "it has one bit a pixel and no grey values",
        "give the picture that the camera took; this may be its mask",
    )


def _is_mask(grey: Pixels) -> bool:
    """Whether a frame has only 0 and 1, or 0 and the highest value of 8 or 16 bits.

    One pixel, or some, tell of most that it has others.
    """
    if grey[grey.shape[0] // 2, grey.shape[1] // 2] not in (0, *_TOPS):
        return False
    for part in (grey[::_SPARSE, ::_SPARSE], grey):
        high = int(part.max(initial=0))
        if high not in (0, *_TOPS) or not ((part == 0) | (part == high)).all():
            return False
    return high > 0 and int(grey.min()) == 0


def _channel(path: Path, channels: tuple[Channel, ...], asked: str) -> tuple[int, str]:
    """Return the place of a channel and what to say of it."""
    count = len(channels)
    names = [one.name or f"channel {k}" for k, one in enumerate(channels, 1)]
    at = _asked(path, "channel", asked, names) if asked else fluorescein(channels)
    if at is None:
        raise BadImageError(
            path,
            f"it has {count} channels ({', '.join(names)})"
            ", and which one shows fluorescein is not known",
            f"choose it with --set channel=1 (to {count}) or its name, in the window "
            "with Channel",
        )
    return at, f"{count} channels, {names[at]} was taken"


def fluorescein(channels: tuple[Channel, ...]) -> int | None:
    """Return the one channel that shows fluorescein, or None where that is not known.

    By its name, else by the green that it is shown in, else by its wavelength. Where a
    name speaks of fluorescein with a negation, such as ``not green``, and no other name
    of fluorescein, it is not known.
    """
    if len(channels) == 1:
        return 0
    named = [bool(_FLUORESCEIN.search(one.name)) for one in channels]
    negated = [bool(_NEGATED.search(one.name)) for one in channels]
    sure = [is_named and not no for is_named, no in zip(named, negated, strict=True)]
    if any(named) and not any(sure):
        return None
    kinds = (
        sure,
        [_is_green(one.colour) for one in channels],
        [one.emission is not None and _is_emitted(one.emission) for one in channels],
    )
    for found in kinds:
        if any(found):
            return found.index(True) if sum(found) == 1 else None
    return None


def _is_green(colour: tuple[int, int, int] | None) -> bool:
    return colour is not None and colour[1] > 2 * max(colour[0], colour[2])


def _is_emitted(wavelength: float) -> bool:
    return _EMISSION[0] <= wavelength <= _EMISSION[1]


def _asked(path: Path, what: str, asked: str, names: list[str]) -> int:
    """Return the place of what was asked for by a number from 1 or by a name."""
    if asked.isdecimal() and 1 <= int(asked) <= len(names):
        return int(asked) - 1
    found = [k for k, name in enumerate(names) if name.lower() == asked.lower()]
    if len(found) != 1:
        raise BadImageError(
            path,
            f"it has no {what} {asked}, but {', '.join(names)}",
            f"choose with --set {what}=1 (to {len(names)})",
        )
    return found[0]


def _plane(path: Path, axes: str, pixels: Pixels, asked: str) -> tuple[Pixels, str]:
    y = axes.index("Y")
    count = math.prod(pixels.shape[:y])
    planes = pixels.reshape(count, *pixels.shape[y:])
    if not asked:
        lengths = " x ".join(str(n) for n in pixels.shape[:y])
        raise BadImageError(
            path,
            f"it is a stack of {lengths} planes (axes {axes})",
            f"choose one with --set plane=1 (to {count}) or all with plane=max, in the "
            "window with Plane",
        )
    if asked == "max":
        return planes.max(axis=0), f"the maximum of {count} planes was taken"
    at = _asked(path, "plane", asked, [str(k) for k in range(1, count + 1)])
    return planes[at], f"plane {at + 1} of {count} was taken"


def _through(
    path: Path, palette: npt.NDArray[np.uint8], indices: Pixels
) -> tuple[Pixels, str]:
    """Return the grey values or colours, (H, W, 3), of indices, or the indices.

    What was measured are the indices where the table is one for display, such as *fire*
    or *HiLo*, whichever colours its ends are marked with. A photograph of few colours
    has a table of none twice, in no order, and neighbours are more alike in colour. Few
    shades of one colour are themselves a scale.
    """
    used = np.unique(indices)
    if len(used) == 2:
        raise _of_two_values(path)
    colours = look_up(palette, used)
    are_apart = len(np.unique(colours, axis=0)) == len(used)
    is_scale = is_rising(colours) or is_rising(colours[::-1])
    if is_grey(colours) and (are_apart or not is_scale):
        return look_up(palette, indices)[:, :, 0], ""
    if are_apart and _are_calmer(palette, indices):
        return look_up(palette, indices), f"its {len(used)} colours were looked up"
    is_falling = is_grey(colours) and not is_rising(colours)
    if not is_falling and (is_grey(colours) or is_for_display(palette, used)):
        return indices, _FOR_DISPLAY
    if are_apart and (colours != colours[0]).any(axis=0).sum() == 1:
        return look_up(palette, indices), ""
    raise BadImageError(
        path,
        f"it has a table of {len(used)} colours of which it is not known whether they "
        "only show grey values",
        "save it as grey values",
    )


def is_rising(colours: npt.NDArray[np.uint8]) -> bool:
    """Whether no colour of a table, (N, 3), is darker than the one before."""
    return bool((np.diff(colours.astype(np.int64).sum(axis=1)) >= 0).all())


def is_for_display(palette: npt.NDArray[np.uint8], used: Pixels) -> bool:
    """Whether a table of colours shows a scale: neighbours in it are alike.

    Parameters
    ----------
    palette : (N, 3)
        What repeats its last colour is padding, unless it is used.
    used : (M,)
        The indices that occur, in rising order. A table for display has more colours
        than a picture needs; one of a picture has no others.
    """
    differs = np.flatnonzero((palette != palette[-1]).any(axis=1))
    last = max(int(differs[-1]) + 1 if len(differs) else 0, int(used[-1]))
    table = palette[: last + 1].astype(np.int64)
    shown = max(len(used), len(np.unique(table, axis=0)) // 2)
    if shown < _LEAST_COLOURS:
        return False
    steps = np.abs(np.diff(table, axis=0)).max(axis=1)
    return bool((steps > _STEP).mean() <= _MARKED)


def _are_calmer(palette: npt.NDArray[np.uint8], indices: Pixels) -> bool:
    """Whether neighbours are less unlike in their colours than in their indices."""
    some = indices[::_EVERY]
    colours = look_up(palette, some).astype(np.int32)
    of_indices = _unlikeness(some.astype(np.int32)[:, :, None])
    return _unlikeness(colours) < _CALMER * of_indices


def _unlikeness(values: npt.NDArray[np.int32]) -> float:
    """Return how far neighbours differ, by how far pixels far apart do."""
    near = np.abs(np.diff(values, axis=1)).mean() if values.shape[1] > 1 else 0.0
    far = np.abs(values - np.roll(values, [n // 2 for n in values.shape[:2]], (0, 1)))
    return float(near / max(far.mean(), 1e-9))


def is_grey(palette: npt.NDArray[np.uint8]) -> bool:
    """Whether a table of colours, (N, 3), holds grey values only."""
    return bool((palette == palette[:, :1]).all())


def look_up(palette: npt.NDArray[np.uint8], pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Return the colours of indices, (H, W, 3); one beyond the table is black."""
    full = np.zeros((max(256, int(pixels.max(initial=0)) + 1), 3), np.uint8)
    full[: len(palette)] = palette[: len(full)]
    return full[pixels]


def _colour(path: Path, pixels: Pixels, asked: str) -> tuple[Pixels, str]:
    """Return the colour where fluorescein shines: green, unless it is nearly empty."""
    if asked:
        at = _asked(path, "channel", asked, list(COLOURS))
    else:
        at = _signal_channel(path, pixels)
    return pixels[:, :, at], f"3 channels, the {COLOURS[at]} one was taken"


def _signal_channel(path: Path, pixels: Pixels) -> int:
    spread = [_spread(pixels[:, :, channel]) for channel in range(3)]
    strongest = int(np.argmax(spread))
    share = spread[_GREEN] / max(spread[strongest], 1e-9)
    if share >= _EMPTY_CHANNEL:
        return _GREEN
    if share >= _WEAK_CHANNEL and spread[_GREEN] > 1:
        raise BadImageError(
            path,
            f"its green is weak beside its {COLOURS[strongest]}, and which of them "
            "shows fluorescein is not known",
            f"choose it with --set channel=green or channel={COLOURS[strongest]}, in "
            "the window with Channel",
        )
    return strongest


def _spread(channel: Pixels) -> float:
    """Return the standard deviation; as floats there are only some rows at a time."""
    total = squares = 0.0
    for start in range(0, len(channel), _ROWS):
        rows = channel[start : start + _ROWS].astype(np.float64).ravel()
        total, squares = total + rows.sum(), squares + float(rows @ rows)
    mean = total / channel.size
    return math.sqrt(max(squares / channel.size - mean**2, 0.0))
