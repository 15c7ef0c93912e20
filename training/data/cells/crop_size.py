"""Size of the nuclei of a frame relative to their crops.

A crop of a fixed size suits one magnification. A frame of another one is cut through
its nuclei, or shows them small, and a network sees what it was never fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from training.config.data import CROP_SIZES

if TYPE_CHECKING:
    import pandas as pd

SHARES = (0.2, 1.5)
"""Of the side of a crop that nuclei may take for a model; others say nothing."""

NUCLEI = (8.0, 30.0)
"""Micrometres across that the usual nucleus of HEp-2 cells may have.

Half of 15 to nearly twice 17, which those of I3A have if its camera behind a 20x lens
has pixels of 6.45 micrometres, as MIVIA's has: chosen, not fitted.
"""

_SHARE = 0.65
_LEAST, _MOST = 0.45, 0.8
_ALIKE = 0.05


@dataclass(frozen=True)
class CropFit:
    """The usual nucleus of a frame beside the crop it is cut with.

    Attributes
    ----------
    diameter
        Of a circle as large as the median kept nucleus, in pixels.
    size
        Side of the crop, in pixels.
    """

    diameter: float
    size: int

    @property
    def fits(self) -> bool:
        """Return whether the diameter is 0.45 to 0.8 of the crop's side.

        In the crops of I3A Task-1 it is 0.66 to 0.75 (1st to 99th percentile of 950);
        in 77 x 77 crops of whole frames of the same cells 0.59 to 0.69.
        """
        return _LEAST * self.size <= self.diameter <= _MOST * self.size

    @property
    def better_size(self) -> int | None:
        """The odd side of which the diameter is 0.65; None where none is allowed."""
        size = self.size_for(_SHARE)
        return size if CROP_SIZES[0] <= size <= CROP_SIZES[1] else None

    def size_for(self, share: float) -> int:
        """Return the odd side of which the diameter is this share."""
        return 2 * round((self.diameter / share - 1) / 2) + 1

    def matched_size(self, share: float) -> int:
        """Return the side that shows nuclei as large as in a model's training.

        The size is kept where that is within 5 % of it: nuclei vary by as much from
        frame to frame, and the boxes on the screen are then what the model sees.

        Parameters
        ----------
        share
            Of the side of a training image that the usual nucleus takes.
        """
        size = self.size_for(share)
        return self.size if abs(size - self.size) <= _ALIKE * self.size else size

    @property
    def note(self) -> str:
        """Return what does not fit and what to do about it, or ''."""
        if self.fits:
            return ""
        how = "small" if self.diameter < self.size * _LEAST else "large"
        size = self.better_size
        share = _SHARE * self.size / self.diameter
        remedy = f"set size to {size}" if size else f"scale the image to {share:.0%}"
        return (
            f"nuclei are {self.diameter:.0f} pixels across, too {how} for crops of "
            f"{self.size}: {remedy}"
        )


def odd_size_note(fit: CropFit | None, pixel_size: float | None) -> str:
    """Return what is wrong where the usual nucleus cannot be one of HEp-2, or ''.

    Parameters
    ----------
    fit
        Of a frame, or None.
    pixel_size
        Side of a pixel in micrometres, or None where it is not known.
    """
    if fit is None or pixel_size is None:
        return ""
    across = fit.diameter * pixel_size
    if NUCLEI[0] <= across <= NUCLEI[1]:
        return ""
    return (
        f"nuclei are {across:.3g} µm across at {pixel_size:.3g} µm per pixel, where "
        f"those of HEp-2 cells have {NUCLEI[0]:g} to {NUCLEI[1]:g}: check the size of "
        "a pixel and the mask"
    )


def crop_fit(table: pd.DataFrame, size: int) -> CropFit | None:
    """Compare the usual kept nucleus of a frame with its crops.

    Parameters
    ----------
    table
        Of the cells, as `training.data.cells.extraction.ExtractedCells` holds it.
    size
        Side of the crops in pixels.

    Returns
    -------
    fit
        None where no cell is kept.
    """
    kept = table["area"].to_numpy()[table["dropped"].to_numpy() == ""]
    if not len(kept):
        return None
    return CropFit(float(diameters(np.median(kept))), size)


def diameters(areas: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the diameters of circles as large as these areas, in pixels."""
    found: npt.NDArray[np.float64] = 2 * np.sqrt(np.asarray(areas, float) / np.pi)
    return found
