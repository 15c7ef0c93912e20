"""Two patterns in one specimen: cells that speak for one, and cells for the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Mixture:
    """The pair of patterns that the cells of a specimen divide over most clearly.

    Attributes
    ----------
    balance
        0 where all cells prefer one pattern or none clearly, at most 0.5.
    patterns
        Their places in the vocabulary, in its order.
    """

    balance: float
    patterns: tuple[int, int]

    def groups(
        self, scores: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return the cells, (n, K), that prefer the first pattern, and the second."""
        first, second = self.patterns
        ahead = scores[:, first] - scores[:, second]
        return scores[ahead > 0], scores[ahead < 0]


def find_mixture(scores: npt.NDArray[np.float32]) -> Mixture:
    """Return the most balanced pair of patterns of a specimen.

    Parameters
    ----------
    scores : (N, K) float32
        One row a cell, N and K 1 or more; rows sum to 1.

    Notes
    -----
    The balance of patterns a and b is the smaller one of the means over all cells of
    max(p_a - p_b, 0) and of max(p_b - p_a, 0). Cells that are torn between the two add
    to neither, so that a specimen that the model finds hard is no mixture.
    """
    values = scores.astype(np.float64)
    lead = np.maximum(values[:, :, None] - values[:, None, :], 0).mean(axis=0)
    both = np.triu(np.minimum(lead, lead.T), 1)
    first, second = np.unravel_index(int(both.argmax()), both.shape)
    return Mixture(float(both.max()), (int(first), int(second)))
