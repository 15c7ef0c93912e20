"""Signal of a specimen: medians over the cells of all its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from training.data.signal.contrast import FrameSignal

LEAST_CELLS = 5
"""Cells without which a median says nothing."""

_TAIL = 0.025

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A median over cells, in deviations of the noise.

    Attributes
    ----------
    median
        0 or about it where nothing stands out.
    low, high
        Ends of its 95 % interval; of few cells it is their range.
    """

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class SpecimenSignal:
    """Signal of a specimen.

    Attributes
    ----------
    nuclei, cytoplasm
        Contrast of the nuclei to their surroundings and of these to the background;
        None where it could not be measured.
    cells
        That were measured.
    fault
        Why there is no signal, as the end of a sentence, or ''.
    notes
        Sentences on frames that do not count and on saturation.
    """

    nuclei: Estimate | None
    cytoplasm: Estimate | None
    cells: int
    fault: str = ""
    notes: tuple[str, ...] = ()

    @property
    def both(self) -> tuple[Estimate, Estimate] | None:
        """Nuclei and cytoplasm, or None without a signal."""
        if self.nuclei is None or self.cytoplasm is None:
            return None
        return self.nuclei, self.cytoplasm


def median_estimate(values: Floats) -> Estimate:
    """Return a median with its 95 % interval, by the ranks of the values.

    Parameters
    ----------
    values : (n,) float64
        At least one.

    Notes
    -----
    Each value lies above the median with probability 1/2, so that the k-th and the
    (n + 1 - k)-th enclose it unless fewer than k lie on one side: k is the largest for
    which that has at most 2.5 % on either side.
    """
    ordered = np.sort(values)
    n = len(ordered)
    # As `scipy.stats.binom.ppf`, which takes a second to load.
    k = max(int(np.searchsorted(scipy.special.bdtr(np.arange(n), n, 0.5), _TAIL)), 1)
    return Estimate(
        float(np.median(ordered)), float(ordered[k - 1]), float(ordered[-k])
    )


def pool_signals(
    signals: Sequence[tuple[str, FrameSignal]], faults: Sequence[str] = ()
) -> SpecimenSignal:
    """Return the signal of a specimen from its frames.

    Parameters
    ----------
    signals
        Name and signal of each frame; those with a fault do not count.
    faults
        Sentences on the frames that could not be read.
    """
    if faults and not signals:
        return SpecimenSignal(None, None, 0, faults[0].rstrip("."))
    usable = [one for _, one in signals if not one.fault]
    notes = [f"Frame {name}: {one.fault}." for name, one in signals if one.fault]
    nuclei = np.concatenate([np.zeros(0), *(one.nuclei for one in usable)])
    cytoplasm = np.concatenate([np.zeros(0), *(one.cytoplasm for one in usable)])
    if len(nuclei) < LEAST_CELLS:
        fault = signals[0][1].fault if signals and not usable else ""
        few = f"only {len(nuclei)} of at least {LEAST_CELLS} nuclei were found"
        return SpecimenSignal(None, None, len(nuclei), fault or few, tuple(notes))
    share = max(one.saturated for one in usable)
    if share >= 0.01:
        notes.append(
            f"{share:.0%} of the nuclei's pixels are saturated: the contrast is a "
            "lower limit."
        )
    return SpecimenSignal(
        median_estimate(nuclei),
        median_estimate(cytoplasm),
        len(nuclei),
        notes=tuple(notes),
    )
