"""The system: scale space, descriptors, Fisher vectors, linear SVMs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from training.config import ScaleSpaceSettings
from training.errors import InterruptedRunError
from training.models.base import Scores
from training.models.features.base import Bag, FeatureSystem
from training.models.features.scale_space.descriptor import (
    Points,
    blur,
    describe,
    grid_points,
    stretch,
)
from training.models.features.scale_space.fisher import (
    Encoder,
    fit_encoder,
    unit_length,
)
from training.models.features.scale_space.linear_svm import fit_linear_svms
from training.models.features.svm import (
    all_patterns,
    fit_sharpness,
    inner_folds,
    to_scores,
)
from training.splits.samples import Rows

Floats = npt.NDArray[np.float32]

_CELLS_AT_ONCE = 32


@dataclass(frozen=True)
class _Fitted:
    """Fitted parts of a fold: an encoder a sigma, and the SVMs."""

    encoders: list[Encoder]
    weights: Floats
    bias: Floats
    classes: Rows
    sharpness: float


class ScaleSpace(FeatureSystem):
    """Fisher vectors of local binary descriptors at several blurs, and linear SVMs.

    Nothing is computed once for all folds: the descriptors of all cells would fill
    gigabytes and cost less to compute than to keep.

    Parameters
    ----------
    settings
        Blurs, rings, sizes of components and mixtures, penalty.
    n_patterns
        Length of the vocabulary.
    """

    def __init__(self, settings: ScaleSpaceSettings, n_patterns: int) -> None:
        self.settings = settings
        self.n_patterns = n_patterns
        self._fitted: _Fitted | None = None

    def fit(self, train: Bag, seed: int, should_stop: Callable[[], bool]) -> None:
        """Fit the encoders from the images alone, then the SVMs and their sharpness.

        The inner folds that the sharpness is fitted on share the encoders, which have
        seen the images of all training cells and the pattern of none.

        Raises
        ------
        InterruptedRunError
            If `should_stop` said so.
        """
        encoders = self._fit_encoders(train, seed, should_stop)
        length = sum(encoder.length for encoder in encoders)
        vectors = np.empty((len(train), length), np.float32)
        for rows, part in self._vectors(train, encoders):
            _ask(should_stop)
            vectors[rows] = part
        sharpness = self._fit_sharpness(vectors, train, seed, should_stop)
        everyone = np.ones(len(train), np.bool_)
        weights, bias, classes = fit_linear_svms(
            vectors, train.patterns, everyone, self.settings.c
        )
        self._fitted = _Fitted(encoders, weights, bias, classes, sharpness)

    def members(self, cells: Bag) -> list[Scores]:
        """Return the scores, (n, K) float32, of the one member there is.

        Raises
        ------
        RuntimeError
            If nothing was fitted.
        """
        fitted = self._fitted
        if fitted is None:
            raise RuntimeError("fit comes before members")
        decisions = np.zeros((len(cells), len(fitted.classes)))
        for rows, part in self._vectors(cells, fitted.encoders):
            decisions[rows] = part @ fitted.weights + fitted.bias
        whole = all_patterns(decisions, fitted.classes, self.n_patterns)
        return [to_scores(whole, fitted.sharpness)]

    def _points(self, masks: npt.NDArray[np.bool_]) -> Points:
        return grid_points(masks, self.settings.step, self.settings.margin)

    def _fit_encoders(
        self, train: Bag, seed: int, should_stop: Callable[[], bool]
    ) -> list[Encoder]:
        """Fit an encoder a sigma, all on the same random points."""
        chosen = self._choose_points(train, seed)
        encoders = []
        for sigma in self.settings.sigmas:
            _ask(should_stop)
            described = self._describe_chosen(train, chosen, sigma)
            _ask(should_stop)
            encoders.append(
                fit_encoder(
                    described, self.settings.components, self.settings.gaussians, seed
                )
            )
        return encoders

    def _choose_points(self, train: Bag, seed: int) -> list[npt.NDArray[np.bool_]]:
        """Choose points evenly among those of all cells; (P,) bool for each chunk."""
        sizes = [len(self._points(train.masks[rows])) for rows in _chunks(len(train))]
        total = sum(sizes)
        count = min(self.settings.mixture_points, total)
        chosen = np.zeros(total, np.bool_)
        rng = np.random.default_rng(seed)
        chosen[rng.choice(total, count, replace=False)] = True
        return np.split(chosen, np.cumsum(sizes)[:-1])

    def _describe_chosen(
        self, train: Bag, chosen: list[npt.NDArray[np.bool_]], sigma: float
    ) -> Floats:
        parts = []
        for rows, kept in zip(_chunks(len(train)), chosen, strict=True):
            points = self._points(train.masks[rows]).only(kept)
            blurred = blur(stretch(train.images[rows]), sigma)
            parts.append(describe(blurred, points, self.settings.radii))
        return torch.cat(parts).numpy()

    def _vectors(
        self, cells: Bag, encoders: list[Encoder]
    ) -> Iterator[tuple[slice, Floats]]:
        """Yield the vectors of a few cells at a time, (n, D) float32 of length 1."""
        for rows in _chunks(len(cells)):
            points = self._points(cells.masks[rows])
            images = stretch(cells.images[rows])
            codes = []
            for sigma, encoder in zip(self.settings.sigmas, encoders, strict=True):
                described = describe(blur(images, sigma), points, self.settings.radii)
                codes.append(encoder.encode(described, points.counts))
            yield rows, unit_length(torch.cat(codes, dim=1)).numpy()

    def _fit_sharpness(
        self,
        vectors: Floats,
        train: Bag,
        seed: int,
        should_stop: Callable[[], bool],
    ) -> float:
        """Fit the sharpness on specimens that the SVMs of an inner fold did not see.

        Cells whose pattern an inner fold did not see are left out: no sharpness makes
        them right. It is 1 where no cell is left.
        """
        decisions, truths = [], []
        for fitted, held in inner_folds(
            train.patterns, train.specimens, self.settings.inner_folds, seed
        ):
            _ask(should_stop)
            used = np.zeros(len(train), np.bool_)
            used[fitted] = True
            weights, bias, classes = fit_linear_svms(
                vectors, train.patterns, used, self.settings.c
            )
            known = held[np.isin(train.patterns[held], classes)]
            if len(classes) < 2 or not len(known):
                continue
            found = (vectors[known] @ weights + bias).astype(np.float64)
            decisions.append(all_patterns(found, classes, self.n_patterns))
            truths.append(train.patterns[known])
        if not truths:
            return 1.0
        return fit_sharpness(np.concatenate(decisions), np.concatenate(truths))


def _chunks(count: int) -> list[slice]:
    return [slice(i, i + _CELLS_AT_ONCE) for i in range(0, count, _CELLS_AT_ONCE)]


def _ask(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise InterruptedRunError(
            "the run", "it was stopped", "continue with: hep2 resume RUN"
        )
