"""Candidates for near copies: descriptors independent of orientation and place.

`training.curation.near_copies` looks closely at the pairs that are found here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from training.config import NearCopySettings

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Grey = npt.NDArray[Any]

_GRID = 16
_BAND = (1 / 24, 1 / 12)
_WINDOW, _FURTHEST = 0.22, 0.15
_STEPS = 8
_GROUND = 20
_RIDGE = 0.3
_PRIOR = 200
_OTHERS = 2048
_CROPS = 512
_SIGNS = ((1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1))


class ChosenImages:
    """Some rows of images, each read when it is asked for: all may fill a disk.

    Parameters
    ----------
    images : (M, S, S)
        May be memory-mapped.
    rows : (N,) int64
        Those that are wanted, in the order wanted.
    """

    def __init__(self, images: npt.NDArray[Any], rows: Ints) -> None:
        self._images, self._rows = images, rows
        self.shape = (len(rows), *images.shape[1:])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, wanted: slice | Ints) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = self._images[self._rows[wanted]]
        return found


Images = npt.NDArray[Any] | ChosenImages


def band(
    images: Grey,
    points: int,
    sigmas: tuple[float, float],
    middles: Singles | None = None,
) -> Singles:
    """Return images between two scales, (n, points, points), of mean 0 and norm 1.

    Parameters
    ----------
    images : (n, S, S)
    points
        Of the grid that is laid over the image, along each side.
    sigmas
        Of the finer and the coarser Gaussian, as shares of the side.
    middles : (n, 2) float32 or None
        Where the middle of the grid lies, dy and dx in pixels from that of the image.

    Notes
    -----
    An image with nothing in that band is all 0.
    """
    side = images.shape[1]
    grey = images.astype(np.float32)
    at = np.zeros((1, 2), np.float32) if middles is None else middles
    fine, coarse = (_between(grey, points, sigma * side, at) for sigma in sigmas)
    found = fine - coarse
    found -= found.mean(axis=(1, 2), keepdims=True)
    norm = np.sqrt((found**2).sum(axis=(1, 2), keepdims=True))
    level = np.abs(grey).mean(axis=(1, 2), keepdims=True)
    scaled = found / np.where(norm > 1e-4 * (level + 1), norm, np.inf)
    return scaled.astype(np.float32, copy=False)


def _between(grey: Singles, points: int, sigma: float, at: Singles) -> Singles:
    """Return images blurred and sampled on a grid, (n, points, points)."""
    down, across = (
        _gaussians(grey.shape[1], points, sigma, of_axis) for of_axis in at.T
    )
    blurred: Singles = np.matmul(np.matmul(down, grey), across.swapaxes(1, 2))
    return blurred


def _gaussians(side: int, points: int, sigma: float, middles: Singles) -> Singles:
    """Return (n, points, side): weights of a Gaussian at evenly spaced points."""
    at = (np.arange(points) + 0.5) * side / points - 0.5 + middles[:, None]
    distance = at[:, :, None] - np.arange(side)
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    return (weights / weights.sum(axis=2, keepdims=True)).astype(np.float32)


def middles_of(images: Grey) -> Singles:
    """Return where the bright part of each image has its middle.

    Returns
    -------
    middles : (n, 2) float32
        dy and dx in pixels from the middle of the image; 0 where nothing is bright.

    Notes
    -----
    The centroid of what is over the darkest fifth, under a Gaussian of 0.22 of the
    side that follows it for eight steps (mean shift, Comaniciu and Meer 2002,
    10.1109/34.1000236), so that a neighbour in the corner weighs little.
    """
    side = images.shape[1]
    ground = np.percentile(images.reshape(len(images), -1), _GROUND, axis=1)
    bright = np.maximum(images.astype(np.float32) - ground[:, None, None], 0)
    bright = bright.astype(np.float32, copy=False)
    at = np.arange(side, dtype=np.float32) - (side - 1) / 2
    found = np.zeros((len(images), 2), np.float32)
    for _ in range(_STEPS):
        away = (at - found[:, :, None]) / (_WINDOW * side)
        down, across = np.exp(-0.5 * away**2).astype(np.float32).swapaxes(0, 1)
        rows = (bright @ across[:, :, None])[:, :, 0] * down
        columns = (down[:, None, :] @ bright)[:, 0] * across
        total = np.maximum(rows.sum(axis=1), 1e-6)
        found = np.stack([rows @ at, columns @ at], axis=1) / total[:, None]
        found = np.clip(found, -_FURTHEST * side, _FURTHEST * side)
    return found


def describe(images: Images) -> tuple[Singles, Singles]:
    """Return the descriptors of images, and of their transposes.

    Parameters
    ----------
    images : (N, S, S) uint8 or uint16
        May be memory-mapped.

    Returns
    -------
    own, turned : (4, N, 64) float32
        Parts ee, oo, eo, oe: even or odd in y and in x. The squares of all four sum to
        1, or to 0 for an image without detail.
    """
    half = _GRID // 2
    own = np.empty((4, len(images), half, half), np.float32)
    for start in range(0, len(images), _CROPS):
        some = images[start : start + _CROPS]
        whole = band(some, _GRID, _BAND, middles_of(some))
        own[:, start : start + _CROPS] = parts(whole)
    turned = np.ascontiguousarray(own[[0, 1, 3, 2]].swapaxes(2, 3))
    n = len(images)
    return _whitened(own.reshape(4, n, half**2), turned.reshape(4, n, half**2))


def parts(whole: Singles) -> Singles:
    """Return what is even and odd in images (n, P, P), a quarter of each, (4, n, ...).

    The four quarters are alike but for signs: one stands for all.
    """
    half = whole.shape[1] // 2
    up, left = whole[:, ::-1], whole[:, :, ::-1]
    both = up[:, :, ::-1]
    folded = [whole + a * up + b * left + c * both for a, b, c in _SIGNS]
    return np.stack([one[:, :half, :half] / 2 for one in folded])


def _whitened(own: Singles, turned: Singles) -> tuple[Singles, Singles]:
    """Return descriptors in which what all images have in common weighs little.

    Each part is whitened by the second moments of all images and their transposes,
    so that a view of an image has the descriptor of the image in that view.
    """
    n, size = own.shape[1:]
    level = float((own**2).sum()) / max(4 * n * size, 1)
    if level == 0:
        return own, turned
    weights: list[Singles] = []
    for mine, other in zip(own, turned, strict=True):
        moments = (mine.T @ mine + other.T @ other).astype(np.float64) / 2
        # Few images tell little of what all have in common: then all weigh alike.
        moments = (moments + _PRIOR * level * np.eye(size)) / (n + _PRIOR)
        values, vectors = np.linalg.eigh(moments)
        scale = 1 / np.sqrt(values + _RIDGE * level)
        weights.append(((vectors * scale) @ vectors.T).astype(np.float32))
    scaled = np.stack(weights)
    return _normed(own @ scaled), _normed(turned @ scaled)


def _normed(own: Singles) -> Singles:
    norm = np.sqrt((own**2).sum(axis=(0, 2)))[None, :, None]
    found: Singles = np.divide(own, np.where(norm > 0, norm, np.inf), dtype=np.float32)
    return found


def candidates(
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
            best_view(own[:, rows], own[:, others]),
            best_view(own[:, rows], turned[:, others]),
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


def best_view(own: Singles, others: Singles) -> Singles:
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


def views_of_pairs(own: Singles, turned: Singles, pairs: Ints) -> Singles:
    """Return the correlation of the descriptors in each of `VIEWS`, (P, 8)."""
    found = []
    for others in (own, turned):
        ee, oo, eo, oe = (own[:, pairs[:, 0]] * others[:, pairs[:, 1]]).sum(axis=2)
        found += [ee + oo + eo + oe, ee + oo - eo - oe]
        found += [ee - oo + eo - oe, ee - oo - eo + oe]
    return np.stack(found, axis=1)
