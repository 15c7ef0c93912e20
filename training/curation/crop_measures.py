"""Measures of crops that only order and display them: no label rests on one.

Long ones are generators of the share done, whose result is what they return.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from training.curation.quality import laplacian, sharpness

_CHUNK = 500
_RINGS = 10
_LEVELS = 16
_SAMPLED = 32
"""Crops of a specimen that its contrast is taken from."""
LOW, HIGH = 1, 99.7
"""Percentiles that a crop is stretched between for the eye."""

Looks = dict[str, npt.NDArray[np.float64]]


def stretched(
    crop: npt.NDArray[Any], limits: tuple[float, float] | None = None
) -> npt.NDArray[np.uint8]:
    """Return a crop stretched for the eye between its percentiles 1 and 99.7.

    Parameters
    ----------
    crop : (S, S) uint8 or uint16
    limits
        Grey values that are shown black and white, in place of the percentiles.

    Returns
    -------
    grey : (S, S) uint8
        For display only; nothing is ever computed from it.
    """
    low, high = np.percentile(crop, (LOW, HIGH)) if limits is None else limits
    span = max(float(high - low), 1.0)
    scaled = (crop.astype(np.float32) - low) * (255.0 / span)
    return np.clip(scaled, 0, 255).astype(np.uint8)


def brightness(crops: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return (N,) float64, the mean grey value of the middle half of each crop."""
    quarter = crops.shape[1] // 4
    middle = slice(quarter, crops.shape[1] - quarter)
    return np.asarray(crops[:, middle, middle].mean(axis=(1, 2), dtype=np.float64))


def looks(crops: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the ``focus`` and the ``brightness`` of crops."""
    return {"focus": sharpness(crops), "brightness": brightness(crops)}


def descriptors(crops: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Describe crops so that alike ones are near, in whatever position they lie.

    Each crop is standardised; then come, for ten rings about its centre, the mean, the
    spread and the strength of the Laplacian, and 16 of its grey values in order.
    Turning or mirroring a crop changes none of them.

    Parameters
    ----------
    crops : (N, S, S) uint8 or uint16

    Returns
    -------
    described : (N, 46) float32
    """
    grey = np.asarray(crops, dtype=np.float32)
    n, side = grey.shape[:2]
    grey = grey - grey.mean(axis=(1, 2), keepdims=True)
    grey /= np.maximum(grey.std(axis=(1, 2), keepdims=True), 1e-6)
    edges = np.zeros_like(grey)
    edges[:, 1:-1, 1:-1] = laplacian(grey)
    rings = _rings(side)
    flat = grey.reshape(n, -1)
    mean = flat @ rings
    spread = np.sqrt(np.maximum((flat * flat) @ rings - mean * mean, 0))
    strength = np.sqrt(edges.reshape(n, -1) ** 2 @ rings)
    # Every second pixel of an odd side is the same set in each of the eight views.
    step = 1 + side % 2
    ordered = np.sort(grey[:, ::step, ::step].reshape(n, -1), axis=1)
    places = np.linspace(0, ordered.shape[1] - 1, _LEVELS).round().astype(int)
    return np.concatenate((mean, spread, strength, ordered[:, places]), axis=1)


@lru_cache(4)
def _rings(side: int) -> npt.NDArray[np.float32]:
    """Return (side * side, rings) float32, weights that average over each ring."""
    axis = np.arange(side) - (side - 1) / 2
    radius = np.hypot(axis[:, None], axis[None, :]).ravel()
    ring = np.minimum(radius / (side / 2) * _RINGS, _RINGS - 1).astype(int)
    weights = (ring[:, None] == np.arange(_RINGS)).astype(np.float32)
    return weights / np.maximum(weights.sum(axis=0), 1)


def looks_steps(crops: npt.NDArray[Any]) -> Generator[float, None, Looks]:
    """Measure focus and brightness of all crops, a few hundred at a time."""
    parts = yield from _parts(crops, looks)
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def descriptor_steps(
    crops: npt.NDArray[Any],
) -> Generator[float, None, npt.NDArray[np.float32]]:
    """Describe all crops; each column is then brought to a spread of 1."""
    found = np.concatenate((yield from _parts(crops, descriptors)))
    return found / np.maximum(found.std(axis=0), 1e-6)


def _parts(
    crops: npt.NDArray[Any], measure: Callable[[npt.NDArray[Any]], Any]
) -> Generator[float, None, list[Any]]:
    parts = []
    for start in range(0, len(crops), _CHUNK):
        stop = min(start + _CHUNK, len(crops))
        parts.append(measure(crops[start:stop]))
        yield stop / len(crops)
    return parts


def distances(described: npt.NDArray[np.float32], row: int) -> npt.NDArray[np.float32]:
    """Return (N,) float32, how far each described crop is from that of a row."""
    apart = described - described[row]
    return np.asarray(np.einsum("nd,nd->n", apart, apart))


def limit_steps(
    crops: npt.NDArray[Any], specimens: npt.NDArray[np.int64]
) -> Generator[float, None, npt.NDArray[np.float64]]:
    """Measure, for each specimen, the grey values that its crops are shown between.

    Parameters
    ----------
    crops : (N, S, S) uint8 or uint16
    specimens : (N,) int64
        The specimen of each crop, from 0 on.

    Returns
    -------
    limits : (specimens, 2) float64
        Percentiles 1 and 99.7 of some of its crops.
    """
    order = np.argsort(specimens, kind="stable")
    bounds = np.searchsorted(specimens[order], np.arange(specimens.max(initial=-1) + 2))
    out = np.empty((len(bounds) - 1, 2))
    for k in range(len(out)):
        rows = order[bounds[k] : bounds[k + 1]]
        some = np.sort(rows[:: max(1, len(rows) // _SAMPLED)][:_SAMPLED])
        out[k] = np.percentile(crops[some][:, ::2, ::2], (LOW, HIGH))
        yield (k + 1) / len(out)
    return out
