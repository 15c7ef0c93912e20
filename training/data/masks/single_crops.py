"""The nucleus in a single crop, where the data bring no mask of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy
import skimage

SMOOTHING = 1 / 20
"""Standard deviation of the smoothing as a share of the side: joins dots."""


def crop_mask(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return the nucleus that a crop is centred on.

    The image is smoothed and cut at Otsu's threshold, holes are filled, and the
    component that is nearest to the centre is kept.

    Parameters
    ----------
    image : (S, S) uint8

    Returns
    -------
    mask : (S, S) bool
        All True where the image has one grey value.
    """
    if image.min() == image.max():
        return np.ones(image.shape, bool)
    side = image.shape[0]
    sigma = side * SMOOTHING
    smooth = skimage.filters.gaussian(image.astype(np.float64), sigma, mode="nearest")
    threshold = skimage.filters.threshold_otsu(smooth)
    bright = scipy.ndimage.binary_fill_holes(smooth > threshold)
    labels, _ = scipy.ndimage.label(bright)
    distance = scipy.ndimage.distance_transform_edt(labels == 0, return_indices=True)
    y, x = distance[1][:, side // 2, side // 2]
    return labels == labels[y, x]
