"""Measures of crops that only order and display them: no label rests on one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_hep2.jobs import Progress, Work
from napari_hep2.review_set import ReviewSet
from training.data.quality import laplacian, sharpness

_CHUNK = 500
_RINGS = 10
_LEVELS = 16
_SAMPLED = 32
"""Crops of a specimen that its contrast is taken from."""
LOW, HIGH = 1, 99.7
"""Percentiles that a crop is stretched between for the eye."""

Measures = Mapping[str, npt.NDArray[Any]]


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


def measure_looks(review: ReviewSet) -> Work[Measures]:
    """Measure focus and brightness of all crops, a few hundred at a time."""
    parts = []
    for progress, part in _parts(review, "measuring focus and brightness", looks):
        parts.append(part)
        yield progress
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def measure_descriptors(review: ReviewSet) -> Work[npt.NDArray[np.float32]]:
    """Describe all crops; each column is then brought to a spread of 1."""
    parts = []
    for progress, part in _parts(review, "describing the cells", descriptors):
        parts.append(part)
        yield progress
    found = np.concatenate(parts)
    return found / np.maximum(found.std(axis=0), 1e-6)


def _parts(
    review: ReviewSet, text: str, measure: Callable[[npt.NDArray[Any]], Any]
) -> Iterator[tuple[Progress, Any]]:
    for start in range(0, len(review), _CHUNK):
        stop = min(start + _CHUNK, len(review))
        yield Progress(text, stop / len(review)), measure(review.crops[start:stop])


def distances(described: npt.NDArray[np.float32], row: int) -> npt.NDArray[np.float32]:
    """Return (N,) float32, how far each described crop is from that of a row."""
    apart = described - described[row]
    return np.asarray(np.einsum("nd,nd->n", apart, apart))


def measure_limits(review: ReviewSet) -> Work[npt.NDArray[np.float64]]:
    """Measure, for each specimen, the grey values that its crops are shown between.

    Returns
    -------
    limits : (specimens, 2) float64
        Percentiles 1 and 99.7 of some of its crops, in the order of `specimen_names`.
    """
    order = np.argsort(review.specimen_index, kind="stable")
    names = np.arange(len(review.specimen_names) + 1)
    bounds = np.searchsorted(review.specimen_index[order], names)
    out = np.empty((len(review.specimen_names), 2))
    for k in range(len(out)):
        rows = order[bounds[k] : bounds[k + 1]]
        some = np.sort(rows[:: max(1, len(rows) // _SAMPLED)][:_SAMPLED])
        out[k] = np.percentile(review.crops[some][:, ::2, ::2], (LOW, HIGH))
        yield Progress("measuring the contrast", (k + 1) / len(out))
    return out
