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
from training.storage.decoding import Channel, Picture, Pixels

COLOURS = ("red", "green", "blue")
_GREEN = 1
_EMPTY_CHANNEL = 0.1
_ROWS = 256
_FLUORESCEIN = re.compile(
    r"fitc|fluorescein|e?gfp|alexa\W*(fluor)?\W*488|\baf\W*488|dylight\W*488|cf\W*488"
    r"|\b488\b|\bcy\W*2\b|\bgreen\b|oregon",
    re.IGNORECASE,
)
_EMISSION = (500.0, 550.0)
"""Nanometres; fluorescein shines at 520."""

_RAMP = 200
"""Grey values of a table of 256 colours by which it is one for display."""


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
    """

    pixels: npt.NDArray[Any]
    note: str = ""
    pixel_size: float | None = None


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
        If a choice is open, or asks for what there is not.
    """
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
        pixels, note = _through(picture.palette, pixels)
        notes += [note] if note else []
    if pixels.ndim == 3:
        pixels, note = _colour(path, pixels, channel)
        notes.append(note)
    grey = np.ascontiguousarray(pixels)
    return GreyImage(grey, "; ".join(notes), picture.pixel_size)


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

    By its name, else by the green that it is shown in, else by its wavelength.
    """
    if len(channels) == 1:
        return 0
    kinds = (
        [bool(_FLUORESCEIN.search(one.name)) for one in channels],
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


def _through(palette: npt.NDArray[np.uint8], pixels: Pixels) -> tuple[Pixels, str]:
    """Return the colours of indices, (H, W, 3), or the indices where these are grey.

    A table of rising brightness is one for display, such as *green* or *fire*: what was
    measured are the indices.
    """
    if is_grey(palette):
        return look_up(palette, pixels)[:, :, 0], ""
    bright = palette.astype(np.int64).sum(axis=1)
    if len(np.unique(bright)) >= _RAMP and (np.diff(bright) >= 0).all():
        return pixels, "its colours are for display and were left aside"
    return look_up(palette, pixels), ""


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
        at = _signal_channel(pixels)
    return pixels[:, :, at], f"3 channels, the {COLOURS[at]} one was taken"


def _signal_channel(pixels: Pixels) -> int:
    spread = [_spread(pixels[:, :, channel]) for channel in range(3)]
    strongest = int(np.argmax(spread))
    return _GREEN if spread[_GREEN] >= _EMPTY_CHANNEL * spread[strongest] else strongest


def _spread(channel: Pixels) -> float:
    """Return the standard deviation; as floats there are only some rows at a time."""
    total = squares = 0.0
    for start in range(0, len(channel), _ROWS):
        rows = channel[start : start + _ROWS].astype(np.float64)
        total, squares = total + rows.sum(), squares + np.square(rows).sum()
    mean = total / channel.size
    return math.sqrt(max(squares / channel.size - mean**2, 0.0))
