"""What the network says of a part of a frame, pixel by pixel, and nuclei from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy
import torch
from torch import nn

from training.data.masks.nucleus_network import MULTIPLE, NOMINAL, normalised
from training.data.masks.readout import ReadOut, read_out

Grey = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

_SEEN_FAINTLY = 0.15
"""Probability down to which a pixel may be of a nucleus, for its confidence."""


@dataclass(frozen=True)
class Maps:
    """What the network says of a part of a frame, each (H, W) float32 from 0 to 1."""

    nucleus: Grey
    distance: Grey
    mitosis: Grey


def look(
    network: nn.Module, signal: Grey, diameter: float, levels: tuple[float, float]
) -> Maps:
    """Return what a network says of a part of a frame, at the network's scale.

    Parameters
    ----------
    signal : (H, W) float32
        Square root of the intensity.
    diameter
        Usual diameter of a nucleus in pixels.
    levels
        Of the frame, see `limits`.
    """
    scale = NOMINAL / diameter
    height, width = size = [max(MULTIPLE, round(n * scale)) for n in signal.shape]
    padding = ((0, -height % MULTIPLE), (0, -width % MULTIPLE))
    seen = normalised(np.pad(resized(signal, size), padding, mode="edge"), levels)
    with torch.inference_mode():
        batch = torch.from_numpy(seen)[None].contiguous(
            memory_format=torch.channels_last
        )
        said = network(batch).sigmoid()[0, :, :height, :width]
    return Maps(*(part.contiguous().numpy() for part in said))


def read_faintly(maps: Maps, how: ReadOut, *, split: bool = True) -> Labels:
    """Return nuclei with what may be of them beyond their outline, (h, w) int32."""
    if split:
        faint = replace(how, nucleus=min(_SEEN_FAINTLY, how.nucleus))
        return read_out(maps.nucleus, maps.distance, faint)
    labels, _ = scipy.ndimage.label(maps.nucleus >= how.nucleus)
    return np.asarray(labels, np.int32)


def shown_at(
    shape: tuple[int, ...], labels: Labels, maps: Maps, how: ReadOut
) -> Labels:
    """Return labels at the scale of a frame, (H, W) int32, their outlines not in steps.

    Parameters
    ----------
    shape
        (H, W) in pixels.
    labels : (h, w) int32
        As `read_faintly` gives them.
    """
    named = nn.functional.interpolate(
        torch.from_numpy(labels.astype(np.float32))[None, None],
        size=list(shape),
        mode="nearest-exact",
    )[0, 0]
    sure = resized(maps.nucleus, list(shape)) >= how.nucleus
    return np.where(sure, named, 0).astype(np.int32)


def resized(values: Grey, size: list[int]) -> Grey:
    """Return (H, W) values at another size, smoothed where it is smaller."""
    return np.asarray(
        nn.functional.interpolate(
            torch.from_numpy(values)[None, None],
            size=size,
            mode="bilinear",
            antialias=True,
        )[0, 0]
    )


def mean_mitosis(labels: Labels, maps: Maps, count: int) -> npt.NDArray[np.float64]:
    """Return the mean probability of mitosis of nuclei 1 to `count`, (count,)."""
    flat = labels.ravel()
    sums = np.bincount(flat, maps.mitosis.ravel(), count + 1)[1:]
    return sums / np.maximum(np.bincount(flat, minlength=count + 1)[1:], 1)
