"""First-order histograms of grey values by donut."""

from __future__ import annotations

import torch
from torch import Tensor

from training.models.augmentation import normalise
from training.models.features.shape_index.features import donut_weights

BINS, RINGS, WIDTH = 12, 5, 0.2
"""Grey values, donuts, and the donuts' width."""
LENGTH = BINS * RINGS


def intensities(images: Tensor, masks: Tensor) -> Tensor:
    """Return first-order histograms by donut, (n, LENGTH) float32.

    Parameters
    ----------
    images : (n, S, S) uint8
        Each is stretched between its 1st and 99th percentile first.
    masks : (n, S, S) bool

    Returns
    -------
    features
        Roots of shares of the whole, hence of length 1; donut by donut from the centre,
        dark to bright. A pixel counts in the two bins next to its grey value.
    """
    grey = normalise(images, "cell")
    windows = donut_weights(masks, RINGS, WIDTH).flatten(2)
    return (_histograms(grey.flatten(1), windows) / RINGS).sqrt().flatten(1)


def _histograms(grey: Tensor, windows: Tensor) -> Tensor:
    """Return histograms, (n, R, BINS), of values, (n, P), in windows, (n, R, P)."""
    place = grey * (BINS - 1)
    centres = torch.arange(BINS, dtype=grey.dtype)
    near = (1 - (place[:, :, None] - centres).abs()).clamp_(min=0)
    return windows @ near
