"""Cells that show nearly the same picture, in any of the eight views.

`training.splits.duplicates` finds copies that are equal pixel for pixel. Here a copy
may be turned or mirrored, moved by a few pixels, brighter or dimmer, and have other
noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import fft

from training.config import NearCopySettings
from training.curation.copy_search import (
    Images,
    band,
    candidates,
    describe,
    views_of_pairs,
)

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

COLUMNS = ("first", "second", "correlation", "view", "dy", "dx")
VIEWS = (
    "as it is",
    "turned by half",
    "upside down",
    "mirrored left to right",
    "mirrored at the diagonal",
    "mirrored at the other diagonal",
    "turned to the left",
    "turned to the right",
)
"""The eight views of an image, by number; see `view_of`."""

_FINE = (1 / 51, 1 / 24)
_ROWS = 512
_PAIRS = 128
_CLOSE_VIEW = 0.1


def near_copies(
    images: Images,
    specimens: npt.NDArray[Any] | None = None,
    settings: NearCopySettings | None = None,
) -> pd.DataFrame:
    """Return all pairs of near copies, best first; see `near_copies_parts`."""
    parts = [part for _, part in near_copies_parts(images, specimens, settings)]
    return in_order(parts)


def in_order(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the pairs of all parts as one table, the highest correlation first."""
    found = pd.concat([_table([]), *parts])
    order = ["correlation", "first", "second"]
    return found.sort_values(
        order, ascending=[False, True, True], ignore_index=True, kind="stable"
    )


def near_copies_parts(
    images: Images,
    specimens: npt.NDArray[Any] | None = None,
    settings: NearCopySettings | None = None,
) -> Iterator[tuple[float, pd.DataFrame]]:
    """Find the pairs of near copies, block by block.

    Parameters
    ----------
    images : (N, S, S) uint8 or uint16
        May be memory-mapped.
    specimens : (N,) str or None
        Of each cell: only pairs of two specimens are looked for. None looks at all.
    settings
        The limits; the defaults where None.

    Yields
    ------
    share
        Of the pairs that are looked at, 0 to 1.
    part
        The pairs found in the next block: ``first`` and ``second`` int, rows with first
        < second; ``correlation`` float, of the best view and shift; ``view`` int, of
        `VIEWS`, in which the second is as the first; ``dy`` and ``dx`` int, the place
        in that view of what is in the middle of the first, in pixels from its middle.

    Notes
    -----
    *Descriptor.* Each image is filtered by the difference of Gaussians of 1/24 and 1/12
    of its side, which leaves out noise, background and brightness, sampled on 16 x 16
    points around the middle of what is bright in it, and split into what is even and
    odd in y and in x. Each part is whitened by the second moments over all images, so
    that what nuclei have in common does not make two alike. Of the inner products ee,
    oo, eo, oe with the parts of another image, the correlations with the other in the
    four views that keep its sides are ee + oo ± (eo + oe) and ee - oo ± (eo - oe). The
    other four are those of its transpose.

    *Close look.* The best ``candidates`` later cells of each, if their descriptors
    correlate by ``coarse``, are filtered between 1/51 and 1/24 of the side. The middle
    of the first is correlated (Pearson) with the second in every shift, in the views
    whose descriptors are within 0.1 of the best.

    The search grows with the square of N, but is the smaller part up to tens of
    thousands; memory holds the descriptors, 2 kB a cell, and one block.
    """
    limits = settings or NearCopySettings()
    n = len(images)
    codes = np.arange(n) if specimens is None else pd.factorize(specimens)[0]
    own, turned = describe(images)
    for start in range(0, n, _ROWS):
        stop = min(start + _ROWS, n)
        pairs = candidates(own, turned, codes, slice(start, stop), limits)
        batches = [pairs[at : at + _PAIRS] for at in range(0, len(pairs), _PAIRS)]
        found = [_look_closely(images, own, turned, some, limits) for some in batches]
        yield 1 - ((n - stop) / n) ** 2, _table(found)


def view_of(images: npt.NDArray[Any], view: int) -> npt.NDArray[Any]:
    """Return images (..., S, S) in one of `VIEWS`."""
    if view >= 4:
        images = images.swapaxes(-1, -2)
    if view % 4 in (1, 2):
        images = images[..., ::-1, :]
    return images[..., ::-1] if view % 4 in (1, 3) else images


def _table(found: list[npt.NDArray[np.float64]]) -> pd.DataFrame:
    rows = np.concatenate([np.empty((0, len(COLUMNS))), *found])
    whole = dict.fromkeys((name for name in COLUMNS if name != "correlation"), np.int64)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(whole)


def _fine(images: Images, rows: Ints) -> Singles:
    """Return the images of some rows between the finer scales; each is read once."""
    found, place = np.unique(rows, return_inverse=True)
    return band(images[found], images.shape[1], _FINE)[place]


def _look_closely(
    images: Images,
    own: Singles,
    turned: Singles,
    pairs: Ints,
    limits: NearCopySettings,
) -> npt.NDArray[np.float64]:
    """Return the pairs that are near copies, (P, 6) in the order of `COLUMNS`."""
    first, second = (_fine(images, rows) for rows in pairs.T)
    views = views_of_pairs(own, turned, pairs)
    best = np.zeros((len(pairs), 4))
    best[:, 0] = -1
    likely = views >= views.max(axis=1, keepdims=True) - _CLOSE_VIEW
    for view in range(len(VIEWS)):
        at = np.flatnonzero(likely[:, view])
        found = _best_shift(first[at], view_of(second[at], view), limits.shift)
        better = found[:, 0] > best[at, 0]
        best[at[better], 0] = found[better, 0]
        best[at[better], 1] = view
        best[at[better], 2:] = found[better, 1:]
    found = np.column_stack([pairs, best])
    return found[best[:, 0] >= limits.correlation]


def _best_shift(first: Singles, second: Singles, reach: int) -> npt.NDArray[np.float64]:
    """Return the highest correlation, dy and dx of each pair, (n, 3)."""
    width = 2 * reach + 1
    side = first.shape[1] - 2 * reach
    middle = first[:, reach : reach + side, reach : reach + side]
    middle = middle - middle.mean(axis=(1, 2), keepdims=True)
    norm = np.sqrt((middle**2).sum(axis=(1, 2)))
    # The window never leaves the second image, so that nothing wraps around.
    size = [fft.next_fast_len(first.shape[1], real=True)] * 2
    product = fft.rfft2(middle, size).conj() * fft.rfft2(second, size)
    both = fft.irfft2(product, size)[:, :width, :width]
    level = both / _scale(second, side, width, norm)
    flat = level.reshape(len(level), width * width)
    at = flat.argmax(axis=1)
    dy, dx = np.divmod(at, width)
    highest = np.minimum(flat[np.arange(len(flat)), at], 1.0)
    return np.column_stack([highest, dy - reach, dx - reach])


def _scale(second: Singles, side: int, width: int, norm: Singles) -> Singles:
    """Return what the products in every shift are divided by, (n, width, width)."""
    at = np.arange(width)[:, None]
    pixels = np.arange(second.shape[1])
    window = ((pixels >= at) & (pixels < at + side)).astype(np.float32)
    total, squares = (window @ power @ window.T for power in (second, second**2))
    spread = np.maximum(squares - total**2 / side**2, 0)
    scale = norm[:, None, None] * np.sqrt(spread)
    return np.where(scale > 1e-6, scale, np.inf).astype(np.float32, copy=False)
