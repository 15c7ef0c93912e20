"""The training cells of a fold, and the orientations it trains on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Samples:
    """Training samples of a fold: cells, each in one or several orientations.

    Attributes
    ----------
    rows : (n,) int64
        Rows of the cell set; one stands several times if it has several views.
    views : (n,) int64 in 0..7
        See `training.models.augmentation.turn`; 0 is the cell as it came.
    weights : (n,) float64 or None
        How likely an epoch meets each, summing to 1; None meets each once.
    """

    rows: Rows
    views: Rows
    weights: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def plain(cls, rows: Rows) -> Samples:
        """Return cells as they came, each once."""
        return cls(rows, np.zeros(len(rows), np.int64))
