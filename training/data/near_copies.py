"""Cells that show nearly the same picture, in any of the eight views.

`training.data.copies` finds copies that are equal pixel for pixel. Here a copy may be
turned or mirrored, moved by a few pixels, brighter or dimmer, and have other noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import fft

from training.config import NearCopySettings

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

_GRID = 16
_COARSE = (1 / 24, 1 / 12)
_FINE = (1 / 51, 1 / 24)
_ROWS, _OTHERS = 512, 2048
_PAIRS = 128
_CROPS = 512
_CLOSE_VIEW = 0.1


def near_copies(
    images: npt.NDArray[Any],
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
    images: npt.NDArray[Any],
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
    *Descriptor.* Each image is filtered by the difference of Gaussians of 1/24 and 1/8
    of its side, which leaves out noise, background and brightness, sampled on 16 x 16
    points and normalised. It is split into what is even and odd in y and in x. Of the
    inner products ee, oo, eo, oe of these parts with those of another image, the
    correlations with the other in the four views that keep its sides are ee + oo ± (eo
    + oe) and ee - oo ± (eo - oe). The other four are those of its transpose.

    *Close look.* The best ``candidates`` later cells of each, if their descriptors
    correlate by ``coarse``, are filtered between 1/77 and 1/12 of the side. The middle
    of the first is correlated (Pearson) with the second in every shift, in the views
    whose descriptors are within 0.1 of the best.

    Time grows with the square of N; memory holds the descriptors, 2 kB a cell, and one
    block.
    """
    limits = settings or NearCopySettings()
    n = len(images)
    codes = np.arange(n) if specimens is None else pd.factorize(specimens)[0]
    own, turned = _descriptors(images)
    for start in range(0, n, _ROWS):
        stop = min(start + _ROWS, n)
        pairs = _candidates(own, turned, codes, slice(start, stop), limits)
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


def _band(
    images: npt.NDArray[Any], points: int, sigmas: tuple[float, float]
) -> Singles:
    """Return images between two scales, (n, points, points), of mean 0 and norm 1.

    An image with nothing in that band is all 0.
    """
    side = images.shape[1]
    grey = images.astype(np.float32)
    fine, coarse = (_gaussians(side, points, sigma * side) for sigma in sigmas)
    band = fine @ grey @ fine.T - coarse @ grey @ coarse.T
    band -= band.mean(axis=(1, 2), keepdims=True)
    norm = np.sqrt((band**2).sum(axis=(1, 2), keepdims=True))
    level = np.abs(grey).mean(axis=(1, 2), keepdims=True)
    scaled = band / np.where(norm > 1e-4 * (level + 1), norm, np.inf)
    return scaled.astype(np.float32, copy=False)


def _gaussians(side: int, points: int, sigma: float) -> Singles:
    """Return (points, side): weights of a Gaussian at evenly spaced points."""
    at = (np.arange(points) + 0.5) * side / points - 0.5
    distance = at[:, None] - np.arange(side)
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _descriptors(images: npt.NDArray[Any]) -> tuple[Singles, Singles]:
    """Return what is even and odd in each image, and in its transpose.

    Returns
    -------
    own, turned : (4, N, 64) float32
        Parts ee, oo, eo, oe, in y and x; the squares of all four sum to 1.
    """
    half = _GRID // 2
    own = np.empty((4, len(images), half, half), np.float32)
    for start in range(0, len(images), _CROPS):
        some = slice(start, start + _CROPS)
        whole = _band(images[some], _GRID, _COARSE)
        up, left = whole[:, ::-1], whole[:, :, ::-1]
        both = up[:, :, ::-1]
        signs = ((1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1))
        for part, (of_up, of_left, of_both) in zip(own, signs, strict=True):
            folded = whole + of_up * up + of_left * left + of_both * both
            # The four quarters are alike but for signs: one stands for all.
            part[some] = folded[:, :half, :half] / 2
    turned = np.ascontiguousarray(own[[0, 1, 3, 2]].swapaxes(2, 3))
    n = len(images)
    return own.reshape(4, n, half * half), turned.reshape(4, n, half * half)


def _candidates(
    own: Singles, turned: Singles, codes: Ints, rows: slice, limits: NearCopySettings
) -> Ints:
    """Return the pairs of some rows with later ones to look at closely, (P, 2)."""
    n = own.shape[1]
    first = second = np.empty(0, np.int64)
    level = np.empty(0, np.float32)
    least = np.full(rows.stop - rows.start, limits.coarse, np.float32)
    for start in range(rows.start, n, _OTHERS):
        others = slice(start, min(start + _OTHERS, n))
        best = np.maximum(
            _best_view(own[:, rows], own[:, others]),
            _best_view(own[:, rows], turned[:, others]),
        )
        at, there = np.nonzero(best >= least[:, None])
        left, right = at + rows.start, there + start
        is_pair = (right > left) & (codes[left] != codes[right])
        first = np.concatenate([first, left[is_pair]])
        second = np.concatenate([second, right[is_pair]])
        level = np.concatenate([level, best[at[is_pair], there[is_pair]]])
        kept = _best_of_each(first, level, limits.candidates)
        first, second, level = first[kept], second[kept], level[kept]
        # A row that has its share of candidates takes none but better ones.
        full = np.bincount(first - rows.start, minlength=len(least))
        lowest = np.ones_like(least)
        np.minimum.at(lowest, first - rows.start, level)
        least = np.where(full >= limits.candidates, lowest, least)
    return np.column_stack([first, second])


def _best_view(own: Singles, others: Singles) -> Singles:
    """Return the highest correlation of four views, (rows, others) float32."""
    ee, oo, eo, oe = own @ others.swapaxes(1, 2)
    same, mirrored = np.abs(eo + oe), np.abs(eo - oe)
    same += ee
    same += oo
    mirrored += ee
    mirrored -= oo
    return np.maximum(same, mirrored, out=same)


def _best_of_each(first: Ints, level: Singles, count: int) -> Ints:
    """Return the places of the `count` highest of each value of `first`."""
    order = np.lexsort((-level, first))
    new = np.diff(first[order], prepend=-1) != 0
    starts = np.flatnonzero(new)
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    return order[rank < count]


def _look_closely(
    images: npt.NDArray[Any],
    own: Singles,
    turned: Singles,
    pairs: Ints,
    limits: NearCopySettings,
) -> npt.NDArray[np.float64]:
    """Return the pairs that are near copies, (P, 6) in the order of `COLUMNS`."""
    first, second = (_band(images[rows], images.shape[1], _FINE) for rows in pairs.T)
    views = _views_of_pairs(own, turned, pairs)
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


def _views_of_pairs(own: Singles, turned: Singles, pairs: Ints) -> Singles:
    """Return the correlation of the descriptors in each of `VIEWS`, (P, 8)."""
    found = []
    for others in (own, turned):
        ee, oo, eo, oe = (own[:, pairs[:, 0]] * others[:, pairs[:, 1]]).sum(axis=2)
        found += [ee + oo + eo + oe, ee + oo - eo - oe]
        found += [ee - oo + eo - oe, ee - oo - eo + oe]
    return np.stack(found, axis=1)


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
    total, squares = (_window_sums(power, side) for power in (second, second**2))
    spread = np.maximum(squares - total**2 / side**2, 0)
    scale = norm[:, None, None] * np.sqrt(spread[:, :width, :width])
    return np.where(scale > 1e-6, scale, np.inf)


def _window_sums(values: Singles, side: int) -> npt.NDArray[np.float64]:
    """Return the sum over each window of `side`, (n, S - side + 1, S - side + 1)."""
    sums = np.pad(values.cumsum(axis=1, dtype=np.float64), ((0, 0), (1, 0), (0, 0)))
    rows = (sums[:, side:] - sums[:, :-side]).cumsum(axis=2)
    columns = np.pad(rows, ((0, 0), (0, 0), (1, 0)))
    return columns[:, :, side:] - columns[:, :, :-side]
