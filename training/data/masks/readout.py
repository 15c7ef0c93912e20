"""Nuclei from the maps of the network: cores first, then what belongs to each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy
import skimage

Grey = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

_LEAST_CORE = 8


@dataclass(frozen=True)
class ReadOut:
    """Thresholds of the read-out, chosen on fields for validation.

    Attributes
    ----------
    nucleus
        Probability from which a pixel is of a nucleus.
    core
        Share of the greatest distance to the outline from which a pixel is of a core;
        each core is a nucleus.
    mitosis
        Mean probability of mitosis from which a nucleus is mitotic.
    """

    nucleus: float = 0.5
    core: float = 0.5
    mitosis: float = 0.5


def read_out(nucleus: Grey, distance: Grey, how: ReadOut) -> Labels:
    """Return the nuclei of the network's maps.

    Parameters
    ----------
    nucleus : (H, W) float32
        Probability, 0 to 1.
    distance : (H, W) float32
        To the outline, as a share of that of the centre.

    Returns
    -------
    labels : (H, W) int32
        0 is background; numbered from 1.
    """
    inside = nucleus >= how.nucleus
    cores, count = scipy.ndimage.label((distance >= how.core) & inside)
    sizes = np.bincount(cores.ravel(), minlength=count + 1)
    cores[sizes[cores] < _LEAST_CORE] = 0
    labels = skimage.segmentation.watershed(-distance, cores, mask=inside)
    return np.asarray(labels, np.int32)
