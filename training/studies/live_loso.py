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
from training.evaluation.metrics import (
    Metrics,
    by_specimen,
    confusion_matrix,
    mean_class_accuracy,
    measure,
)
from training.models.base import Scores
from training.models.features.families import FamilyFeatures
from training.models.features.kernel_ridge import KernelRidge
from training.models.features.kernel_ridge.live import UNLABELLED, LiveFolds
from training.models.features.store import FeatureStore
from training.splits.samples import Rows

_FOURIER = 200
"""Fourier features of a family; a run has more."""
_SHARES = (0.25, 0.5, 0.75)
_DRAWS = 3
_CURVE_SEED = 0
_LEAST = 2
"""Specimens of a pattern that are drawn at least, so that one is left to train on."""
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
class CurvePoint:
    """Accuracy of held-out cells where folds train on some of the specimens.

    Attributes
    ----------
    specimens
        That a fold trains on, its own among them if it is.
    mean_class_accuracy
        In 0..1, mean over the draws.
    """

    specimens: int
    mean_class_accuracy: float


@dataclass(frozen=True)
class LiveCurve:
    """What more specimens are worth for cells with these labels.

    Attributes
    ----------
    labels : (N,) int64
        Index in the vocabulary, or `UNLABELLED`.
    points
        Fewer specimens first; the last trains on all.
    """

    labels: Rows
    points: tuple[CurvePoint, ...]


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
        tested = _tested(labels, scores)
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

    def curve(self, figures: LiveFigures) -> Generator[float, None, LiveCurve]:
        """Solve the folds with a quarter, half and three quarters of the specimens.

        Specimens are drawn within their patterns with a fixed seed, three times each;
        every cell is tested each time, by a fit without its specimen. Yields the share
        done.

        Parameters
        ----------
        figures
            As `measure` returns them: of all specimens.
        """
        labels, rng = figures.labels, np.random.default_rng(_CURVE_SEED)
        by_pattern = self._by_pattern(labels)
        found: dict[int, list[float]] = {}
        for draw in range(_DRAWS):
            order = [rng.permutation(numbers) for numbers in by_pattern]
            for at, share in enumerate(_SHARES):
                yield (draw * len(_SHARES) + at) / (_DRAWS * len(_SHARES))
                kept = [one[: max(_LEAST, round(share * len(one)))] for one in order]
                aside = np.setdiff1d(np.concatenate(order), np.concatenate(kept))
                if len(aside):
                    size = sum(map(len, kept))
                    found.setdefault(size, []).append(self._accuracy(labels, aside))
        points = [CurvePoint(size, float(np.mean(found[size]))) for size in found]
        whole = CurvePoint(figures.specimens, figures.metrics.mean_class_accuracy)
        return LiveCurve(labels, (*points, whole))

    def _by_pattern(self, labels: Rows) -> list[Rows]:
        """Return the places of the labelled specimens, by their most frequent label."""
        labelled, known = labels != UNLABELLED, np.maximum(labels, 0)
        counts = by_specimen(labelled, known, self._specimens, self._n_patterns)
        leading = np.where(counts.any(axis=1), counts.argmax(axis=1), UNLABELLED)
        present = np.unique(leading[leading != UNLABELLED])
        return [np.flatnonzero(leading == pattern) for pattern in present]

    def _accuracy(self, labels: Rows, aside: Rows) -> float:
        scores = self._folds.scores(labels, frozenset(aside.tolist()))
        tested = _tested(labels, scores)
        predicted = scores[tested].argmax(axis=1)
        counts = confusion_matrix(labels[tested], predicted, self._n_patterns)
        return mean_class_accuracy(counts)


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


def _tested(labels: Rows, scores: Scores) -> Rows:
    tested = np.flatnonzero((labels != UNLABELLED) & np.isfinite(scores[:, 0]))
    if not len(tested):
        raise _too_few()
    return tested


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
