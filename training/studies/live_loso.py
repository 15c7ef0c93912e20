"""Leave-one-specimen-out of cells under review, solved anew for any labels.

`kernel-ridge` is fitted for each specimen on the cells of all others. What is chosen
(penalty, weights of the families) is chosen once, over all specimens, when the cells
are read, and not inside each fold as a run does: the figures follow the labels at once
and are for review. Those to report are a run's.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training.config import KernelRidgeSettings
from training.curation.review_set import ReviewSet
from training.data.cells.cell_set import CellSet, pack_images
from training.data.cells.loading import cache_folder
from training.data.masks.single_crops import crop_mask
from training.errors import SpecimensError
from training.evaluation.metrics import Metrics, measure
from training.models.features.families import FamilyFeatures
from training.models.features.kernel_ridge import KernelRidge
from training.models.features.kernel_ridge.live import UNLABELLED, LiveFolds
from training.models.features.store import FeatureStore
from training.splits.samples import Rows

_FOURIER = 200
"""Fourier features of a family; a run has more."""
_AT_ONCE = 200
_WORST = 5
_PACKING = 0.4
"""Share of the work that is done when cells are packed, and features are to come."""


@dataclass(frozen=True)
class HardSpecimen:
    """A specimen of which the models that never saw it recognise few cells.

    Attributes
    ----------
    name
    right, cells
        How many of its labelled cells are recognised.
    taken_for
        Index of the pattern that most of its cells are taken for.
    """

    name: str
    right: int
    cells: int
    taken_for: int


@dataclass(frozen=True)
class LiveFigures:
    """What leave-one-specimen-out says of cells with these labels.

    Attributes
    ----------
    labels : (N,) int64
        Index in the vocabulary, or `UNLABELLED`.
    metrics
        Of the labelled cells.
    specimens
        How many have labelled cells.
    doubt : (N,) float64
        1 less the score of the label; nan where there is none or nothing was fitted.
    hardest
        The specimens with the smallest share of recognised cells, the worst first.
    """

    labels: Rows
    metrics: Metrics
    specimens: int
    doubt: npt.NDArray[np.float64]
    hardest: tuple[HardSpecimen, ...]


class LiveStudy:
    """The folds over the cells under review, for any labels.

    Parameters
    ----------
    folds
        Of the cells.
    specimens : (N,) str
    n_patterns
        Length of the vocabulary.
    """

    def __init__(
        self, folds: LiveFolds, specimens: npt.NDArray[np.str_], n_patterns: int
    ) -> None:
        self._folds = folds
        self._specimens = specimens
        self._n_patterns = n_patterns

    def measure(self, labels: Rows) -> LiveFigures:
        """Solve all folds for these labels and measure them.

        Parameters
        ----------
        labels : (N,) int64
            Index in the vocabulary, or `UNLABELLED`.

        Raises
        ------
        SpecimensError
            If no labelled cell is left that could be tested.
        """
        _check(labels)
        scores = self._folds.scores(labels)
        tested = np.flatnonzero((labels != UNLABELLED) & np.isfinite(scores[:, 0]))
        if not len(tested):
            raise _too_few()
        truth, predicted = labels[tested], scores[tested].argmax(axis=1)
        names = self._specimens[tested]
        doubt = np.full(len(labels), np.nan)
        doubt[tested] = 1 - scores[tested, truth]
        return LiveFigures(
            labels,
            measure(truth, predicted, names, self._n_patterns),
            len(np.unique(names)),
            doubt,
            _hardest(names, truth, predicted),
        )


def live_steps(review: ReviewSet, labels: Rows) -> Generator[float, None, LiveStudy]:
    """Read the cells under review for a live study; yields the share done.

    Masks of nuclei are made from the crops, as a run on a cell folder makes them. The
    features are kept in the cache of this machine.

    Parameters
    ----------
    labels : (N,) int64
        That the choice is made with; see `LiveStudy.measure`.

    Raises
    ------
    SpecimensError
        If these labels have fewer than two patterns, or no specimen can be left out.
    """
    _check(labels)
    settings = KernelRidgeSettings(fourier=_FOURIER)
    cells = yield from _packed(review, settings.input_size)
    families = FamilyFeatures(settings)
    store = FeatureStore(families, families.recipe, cells, cache_folder())
    for share in store.steps(0):
        yield _PACKING + (1 - _PACKING) * share
    ridge = KernelRidge(settings, replace(cells, patterns=labels), store)
    choice = ridge.choose(np.flatnonzero(labels != UNLABELLED))
    n_patterns = len(review.vocabulary)
    folds = LiveFolds(
        ridge.fourier, store.view(0), labels, cells.specimens, choice, n_patterns
    )
    return LiveStudy(folds, cells.specimens, n_patterns)


def _packed(review: ReviewSet, size: int) -> Generator[float, None, CellSet]:
    """Return the cells, with the labels that they came with."""
    images = np.empty((len(review), size, size), np.uint8)
    masks = np.empty(images.shape, np.bool_)
    for start in range(0, len(review), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        images[some] = pack_images(list(review.crops[some]), size)
        masks[some] = [crop_mask(image) for image in images[some]]
        yield _PACKING * min(start + _AT_ONCE, len(review)) / len(review)
    names = np.array(review.specimen_names)
    return CellSet(
        images,
        review.pattern_index,
        names[review.specimen_index],
        review.ids.astype(np.str_),
        review.vocabulary,
        masks=masks,
    )


def _hardest(
    names: npt.NDArray[np.str_], truth: Rows, predicted: Rows
) -> tuple[HardSpecimen, ...]:
    found, position = np.unique(names, return_inverse=True)
    cells = np.bincount(position)
    right = np.bincount(position, truth == predicted).astype(np.int64)
    order = np.argsort(right / cells, kind="stable")[:_WORST]
    return tuple(
        HardSpecimen(
            str(found[k]),
            int(right[k]),
            int(cells[k]),
            int(np.bincount(predicted[position == k]).argmax()),
        )
        for k in order[right[order] < cells[order]]
    )


def _check(labels: Rows) -> None:
    if len(np.unique(labels[labels != UNLABELLED])) < 2:
        raise _too_few()


def _too_few() -> SpecimensError:
    return SpecimensError(
        "Live LOSO",
        "the labelled cells are of too few specimens to leave one out",
        "label cells of at least two patterns, one of them of two specimens",
    )
