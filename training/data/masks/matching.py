"""Nuclei found beside the true ones, one to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[Any]


@dataclass(frozen=True)
class Matching:
    """Overlaps of matched nuclei.

    Attributes
    ----------
    overlaps : (M,) float64
        Intersection over union of each pair, above 0.5.
    pairs : (M, 2) int64
        Label found and true label.
    found, true
        Nuclei in all.
    """

    overlaps: npt.NDArray[np.float64]
    pairs: npt.NDArray[np.int64]
    found: int
    true: int

    def hits(self, least: float) -> int:
        """Return how many pairs overlap by `least`, 0.5 to 1, or more."""
        return int((self.overlaps >= least).sum())

    def f1(self, least: float) -> float:
        """Return the harmonic mean of precision and recall; 1 where nothing is."""
        both = self.found + self.true
        return 2 * self.hits(least) / both if both else 1.0


def match_nuclei(found: Labels, true: Labels) -> Matching:
    """Match the nuclei that overlap by more than half: each has one partner at most.

    Parameters
    ----------
    found, true : (H, W) int
        Label images, 0 is background.

    References
    ----------
    Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7 (F1 by overlap).
    """
    areas, others = (np.bincount(labels.ravel()) for labels in (found, true))
    both = (found > 0) & (true > 0)
    codes = found[both].astype(np.int64) * len(others) + true[both]
    pairs, shared = np.unique(codes, return_counts=True)
    first, second = np.divmod(pairs, len(others))
    overlaps = shared / (areas[first] + others[second] - shared)
    half = overlaps > 0.5
    return Matching(
        overlaps[half],
        np.stack([first, second], axis=1)[half],
        int((areas[1:] > 0).sum()),
        int((others[1:] > 0).sum()),
    )


def joined(matchings: list[Matching]) -> Matching:
    """Return the matching of several frames together."""
    return Matching(
        np.concatenate([m.overlaps for m in matchings]),
        np.concatenate([m.pairs for m in matchings]),
        sum(m.found for m in matchings),
        sum(m.true for m in matchings),
    )
