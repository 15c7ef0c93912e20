"""At which grey value a camera ended: where the values of nuclei end in a pile."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_HOT = 1e-4
"""Share of pixels above the pile that are hot and end nothing."""

_BELOW = 16
"""Grey values below the highest that tell how many pixels one has."""

_LEAST_VALUES = 4
_PILE = 4.0
"""Times as many pixels as a grey value below."""

_LEAST_PIXELS = 10
_ENDS = frozenset(2**bits - 1 for bits in range(8, 17))
"""Highest values of so many bits."""


def saturated_from(
    histogram: npt.NDArray[np.int64], bits: int | None = None
) -> int | None:
    """Return the grey value from which on pixels are saturated.

    Parameters
    ----------
    histogram : (V,) int64
        How many pixels of nuclei have each grey value.
    bits
        What the file declares that a value has, or None. Values beyond it disprove it.

    Returns
    -------
    end
        None where no pixel is. Whatever the number of bits, a camera that ends piles
        up what is brighter at its highest value: that has four times as many pixels as
        the values below it have in the mean. The highest value of a number of bits is
        saturated in any case, so that nuclei of one grey value are known, too: that of
        the declared bits, else of any number.
    """
    found = np.flatnonzero(histogram)
    if not len(found):
        return None
    often = histogram[found]
    above = np.cumsum(often[::-1])[::-1]
    pile = int(np.flatnonzero(above > _HOT * above[0])[-1])
    below, most = often[max(0, pile - _BELOW) : pile], often[pile]
    is_told = len(below) >= _LEAST_VALUES and most >= _LEAST_PIXELS
    if is_told and most >= _PILE * below.mean():
        return int(found[pile])
    highest = int(found[-1])
    declared = 2**bits - 1 if bits else 0
    ends = {declared} if highest <= declared else _ENDS
    return highest if highest in ends else None
