"""Random Fourier features: inner products that approximate a Gaussian kernel.

Rahimi and Recht, NIPS 2007. Frequencies are orthogonal in blocks, which approximates
the kernel better (Yu et al., NIPS 2016, arXiv:1610.09072). Each family of features is
lifted by itself, so that its weight is a factor on its columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.config import KernelRidgeSettings
from training.models.features.base import Floats
from training.models.features.families import FAMILIES
from training.splits.samples import Rows

_SEED = 20_140_709
"""Of the frequencies: they are part of the features, and the same in every run."""

_AT_ONCE = 2048


@dataclass(frozen=True)
class FourierMap:
    """Map of the families' features to the features that least squares are fitted on.

    Attributes
    ----------
    frequencies : each (P, D / 2) float32
        Of each family, of P features.
    """

    frequencies: tuple[Floats, ...]

    @classmethod
    def draw(
        cls,
        lengths: tuple[int, ...],
        spreads: tuple[float, ...],
        width: float,
        size: int,
    ) -> FourierMap:
        """Draw the frequencies of the kernels ``exp(-|a - b|^2 / (2 width^2 spread))``.

        Parameters
        ----------
        lengths, spreads
            Features of each family, and the median squared distance of two cells.
        width
            Of the kernels, in roots of the spreads.
        size
            Fourier features of each family, even. The first of them are those of a
            smaller size.
        """
        drawn = []
        for number, (length, spread) in enumerate(zip(lengths, spreads, strict=True)):
            rng = np.random.default_rng([_SEED, number])
            blocks = [_orthogonal(length, rng) for _ in range(0, size // 2, length)]
            normal = np.hstack(blocks)[:, : size // 2]
            drawn.append((normal / (width * np.sqrt(spread))).astype(np.float32))
        return cls(tuple(drawn))

    @property
    def size(self) -> int:
        """Fourier features of each family."""
        return 2 * self.frequencies[0].shape[1]

    def lift(self, features: Floats) -> Floats:
        """Return Fourier features, (n, families * size + 1) float32.

        Parameters
        ----------
        features : (n, P) float32
            The families' beside each other.

        Returns
        -------
        lifted
            Cosine and sine of one frequency stand beside each other, family by family;
            those of a family have length 1. The last column is 1.
        """
        size, families = self.size, len(self.frequencies)
        lifted = np.ones((len(features), families * size + 1), np.float32)
        ends = np.cumsum([one.shape[0] for one in self.frequencies])
        factor = np.float32(np.sqrt(2 / size))
        for start in range(0, len(features), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            parts = np.split(features[rows], ends[:-1], axis=1)
            for k, (part, drawn) in enumerate(
                zip(parts, self.frequencies, strict=True)
            ):
                phases = part @ drawn
                block = lifted[rows, k * size : (k + 1) * size]
                block[:, 0::2] = np.cos(phases) * factor
                block[:, 1::2] = np.sin(phases) * factor
        return lifted

    def first(self, size: int) -> FourierMap:
        """Return the map to the first Fourier features of each family, at most all."""
        return FourierMap(tuple(one[:, : size // 2] for one in self.frequencies))

    def columns(
        self, weights: tuple[float, ...]
    ) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Return columns of the lifted features, and the share of a penalty on each.

        A weight on a kernel is a factor on its columns, hence its inverse a factor on
        the penalty of their squared coefficients.

        Parameters
        ----------
        weights
            Of the kernel of each family; one of weight 0 has no columns.
        """
        columns, shares = [], []
        for k, weight in enumerate(weights):
            if weight:
                columns.append(np.arange(k * self.size, (k + 1) * self.size))
                shares.append(np.full(self.size, 1 / weight))
        columns.append(np.array([len(weights) * self.size]))
        shares.append(np.ones(1))
        return np.concatenate(columns), np.concatenate(shares)


def _orthogonal(length: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return orthogonal vectors as long as normal ones, (length, length)."""
    turned, _ = np.linalg.qr(rng.standard_normal((length, length)))
    return np.asarray(turned * np.sqrt(rng.chisquare(length, length)))


def draw_fourier(settings: KernelRidgeSettings) -> FourierMap:
    """Return the map of the families' features to Fourier features."""
    families = [FAMILIES[name] for name in settings.families]
    return FourierMap.draw(
        tuple(family.length for family in families),
        tuple(family.spread for family in families),
        settings.width,
        settings.fourier,
    )
