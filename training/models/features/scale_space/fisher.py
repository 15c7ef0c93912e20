"""Improved Fisher vectors: how the points of a cell would change a mixture.

Perronnin et al. 2010 (ECCV, doi 10.1007/978-3-642-15561-1_11), with the formulas of
Sanchez et al. 2013 (IJCV 105, 222-245, doi 10.1007/s11263-013-0636-x).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

Floats = npt.NDArray[np.float32]

_SEEDING_POINTS = 20_000
_SEEDING_ROUNDS = 10
_EM_ROUNDS = 30
_LEAST_VARIANCE = 0.01
"""Added to every variance; the descriptors' values are -1, 0 and 1."""


@dataclass(frozen=True)
class Encoder:
    """Principal components and a mixture of Gaussians with diagonal covariances.

    Attributes
    ----------
    centre : (D,) float32
        Mean of the descriptors.
    basis : (D, d) float32
        Principal components, as columns.
    weights : (G,) float32
        Sum to 1.
    means, variances : (G, d) float32
    """

    centre: Tensor
    basis: Tensor
    weights: Tensor
    means: Tensor
    variances: Tensor

    @property
    def length(self) -> int:
        """Return the length of a Fisher vector: two numbers for each mean."""
        return 2 * self.means.numel()

    def encode(self, descriptors: Tensor, counts: npt.NDArray[np.int64]) -> Tensor:
        """Return the improved Fisher vector of each cell.

        Parameters
        ----------
        descriptors : (P, D) float32
            Ordered by cell.
        counts : (n,) int64
            Descriptors of each cell.

        Returns
        -------
        vectors : (n, 2 G d) float32
            Gradients by the means, then by the standard deviations; signed square
            root, then length 1.
        """
        reduced = (descriptors - self.centre) @ self.basis
        raw = self._gradients(reduced, self.posteriors(reduced), counts.tolist())
        return unit_length(raw.sign() * raw.abs().sqrt())

    def posteriors(self, reduced: Tensor) -> Tensor:
        """Return how likely each Gaussian made each point, (P, G) float32."""
        inverse = 1 / self.variances
        constant = self.weights.log() - 0.5 * (
            self.variances.log() + self.means.square() * inverse
        ).sum(dim=1)
        logits = torch.addmm(constant, reduced.square(), -0.5 * inverse.T)
        logits.addmm_(reduced, (self.means * inverse).T)
        return torch.softmax(logits, dim=1)

    def _gradients(
        self, reduced: Tensor, posteriors: Tensor, counts: list[int]
    ) -> Tensor:
        """Return the gradients of the mean log-likelihood, scaled by Fisher's matrix.

        From the sums of order 0, 1 and 2 of each cell's points under each Gaussian.
        """
        powers = torch.cat([reduced, reduced.square()], dim=1)
        groups = zip(
            torch.split(posteriors, counts), torch.split(powers, counts), strict=True
        )
        mass, sums = [], []
        for of_cell, values in groups:
            mass.append(of_cell.mean(dim=0))
            sums.append(of_cell.T @ values / len(values))
        weight = torch.stack(mass)[:, :, None]
        first, second = torch.stack(sums).chunk(2, dim=2)
        root, deviations = self.weights.sqrt()[:, None], self.variances.sqrt()
        by_mean = (first - weight * self.means) / (deviations * root)
        spread = second - 2 * self.means * first + weight * self.means.square()
        by_deviation = (spread / self.variances - weight) / (root * math.sqrt(2))
        return torch.cat([by_mean.flatten(1), by_deviation.flatten(1)], dim=1)


def unit_length(vectors: Tensor) -> Tensor:
    """Scale each row to length 1; a row of zeros stays."""
    return vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-12)


def fit_encoder(
    descriptors: Floats, components: int, gaussians: int, seed: int
) -> Encoder:
    """Fit principal components, and a mixture on what they leave.

    Parameters
    ----------
    descriptors : (P, D) float32
        Points of training cells; no label is needed.
    components, gaussians
        At most D and P.
    seed
        Of the mixture's start.
    """
    count, width = descriptors.shape
    pca = PCA(min(components, width, count), svd_solver="covariance_eigh")
    reduced = pca.fit_transform(descriptors)
    mixture = _fit_mixture(reduced, min(gaussians, count), seed)
    arrays = (
        pca.mean_,
        pca.components_.T,
        mixture.weights_,
        mixture.means_,
        mixture.covariances_,
    )
    return Encoder(*(torch.from_numpy(np.float32(array)) for array in arrays))


def _fit_mixture(points: Floats, gaussians: int, seed: int) -> GaussianMixture:
    """Run a set number of rounds of k-means on a part, then of EM on all."""
    rng = np.random.default_rng(seed)
    most = max(_SEEDING_POINTS, gaussians)
    part = points
    if len(points) > most:
        part = points[rng.choice(len(points), most, replace=False)]
    mixture = GaussianMixture(
        gaussians,
        covariance_type="diag",
        reg_covar=_LEAST_VARIANCE,
        max_iter=_EM_ROUNDS,
        init_params="random_from_data",
        random_state=seed,
    )
    with warnings.catch_warnings():
        # Both stop after a set number of rounds, on purpose.
        warnings.simplefilter("ignore", ConvergenceWarning)
        seeding = KMeans(
            gaussians, n_init=1, max_iter=_SEEDING_ROUNDS, random_state=seed
        ).fit(part)
        shares = np.bincount(seeding.labels_, minlength=gaussians) + 1.0
        spread = part.var(axis=0) + _LEAST_VARIANCE
        mixture.set_params(
            weights_init=(shares / shares.sum()).astype(points.dtype),
            means_init=seeding.cluster_centers_,
            precisions_init=np.tile(1 / spread, (gaussians, 1)),
        )
        return mixture.fit(points)
