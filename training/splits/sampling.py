"""Training samples of a fold, cells in their orientations: the paper's sets.

A view is an index and no copy: set-2 has eight times the samples of set-1 and the same
images.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.config import TrainingSetSettings
from training.data.cells.cell_set import CellSet
from training.data.cells.orientations import VIEWS
from training.paper import TASK2_FACTORS
from training.patterns import I3A
from training.splits.samples import Rows, Samples

PAPER_VIEWS = dict(zip(I3A.names, TASK2_FACTORS.tolist(), strict=True))
"""Views of an extra cell by the paper's Table 1; see `TASK2_FACTORS_NOTE`."""

_OTHER_VIEWS = 2

FEWEST_SPECIMENS = 2
"""Of a pattern that are drawn, where there are as many: with one, nothing is learned of
how specimens differ, and no setting can be chosen across specimens."""


def choose_samples(
    cells: CellSet, train: Rows, settings: TrainingSetSettings, seed: int
) -> Samples:
    """Return what a fold trains on.

    Parameters
    ----------
    cells
        The whole cell set.
    train
        Rows that the fold may train on.
    settings
        Which of them, and in which views.
    seed
        Of the draw from each specimen, which is the same in every fold.

    Returns
    -------
    samples
        All cells in view 0, then all that have a view 1 in it, and so on.
    """
    used = cells.own | (cells.simulated if settings.simulated else False)
    if not settings.use_extra:
        train = train[used[train]]
    if settings.specimen_share < 1:
        train = _draw_specimens(cells, train, settings.specimen_share, seed)
    if settings.cells_per_specimen or settings.cell_share < 1:
        train = _draw(cells, train, settings, seed)
    counts = _views_of(cells, train, settings)
    rows = [train[counts > view] for view in range(VIEWS)]
    views = np.repeat(np.arange(VIEWS), [len(some) for some in rows])
    chosen = np.concatenate(rows)
    if settings.balance == "cells":
        return Samples(chosen, views)
    return Samples(chosen, views, balanced_weights(cells, chosen))


def balanced_weights(cells: CellSet, rows: Rows) -> npt.NDArray[np.float64]:
    """Return how likely each sample is met if patterns and specimens are met alike.

    A pattern is drawn, then one of its specimens, then one of its samples: a specimen
    counts the same however many of its cells there are.

    Parameters
    ----------
    rows : (n,) int64
        Of `cells`; one stands several times if it has several views.

    Returns
    -------
    weights : (n,) float64
        Summing to 1.
    """
    patterns = cells.patterns[rows]
    _, position = np.unique(cells.specimens[rows], return_inverse=True)
    pairs = position * len(cells.vocabulary) + patterns
    _, pair, in_pair = np.unique(pairs, return_inverse=True, return_counts=True)
    of_pairs = np.zeros(len(in_pair), np.int64)
    of_pairs[pair] = patterns
    specimens = np.bincount(of_pairs, minlength=len(cells.vocabulary))
    weights = 1.0 / (specimens[patterns] * in_pair[pair])
    return np.asarray(weights / weights.sum())


def count_samples(
    cells: CellSet, held: Iterable[Rows], settings: TrainingSetSettings, seed: int
) -> int:
    """Return how many samples all folds train on together.

    Parameters
    ----------
    cells, settings, seed
        As in `choose_samples`, which this adds up in one pass over the cells.
    held : each (m,) int64
        The rows that a fold does not train on: whole specimens, or any rows where no
        number of cells is drawn from each specimen.
    """
    everything = np.arange(len(cells))
    if settings.specimen_share < 1:
        others = (np.delete(everything, rows) for rows in held)
        return sum(len(choose_samples(cells, some, settings, seed)) for some in others)
    whole = choose_samples(cells, everything, settings, seed)
    of_each = np.bincount(whole.rows, minlength=len(cells))
    return sum(len(whole) - int(of_each[rows].sum()) for rows in held)


@dataclass(frozen=True)
class Composition:
    """Composition of a training set.

    Attributes
    ----------
    patterns
        Names in the order of the vocabulary.
    specimens, cells, samples : (K,) int64
        Of each pattern; samples count each view of a cell.
    extra_cells, extra_samples : (K,) int64
        How many of them are extra.
    """

    patterns: tuple[str, ...]
    specimens: Rows
    cells: Rows
    samples: Rows
    extra_cells: Rows
    extra_samples: Rows


def composition(cells: CellSet, samples: Samples) -> Composition:
    """Count what a training set is made of, as the paper's Tables 1 and 2 do."""
    count = len(cells.vocabulary)
    rows = np.unique(samples.rows)
    extra_rows, extra = rows[~cells.own[rows]], ~cells.own[samples.rows]

    def tally(some: Rows) -> Rows:
        return np.bincount(cells.patterns[some], minlength=count).astype(np.int64)

    _, position = np.unique(cells.specimens[rows], return_inverse=True)
    pairs = np.unique(position * count + cells.patterns[rows])
    specimens = np.bincount(pairs % count, minlength=count)
    return Composition(
        cells.vocabulary.names,
        specimens.astype(np.int64),
        tally(rows),
        tally(samples.rows),
        tally(extra_rows),
        tally(samples.rows[extra]),
    )


def _draw_specimens(cells: CellSet, train: Rows, share: float, seed: int) -> Rows:
    """Draw a share of the specimens of each pattern: a larger one holds the smaller.

    A specimen counts for the pattern that most of its cells have. All specimens are
    put in one order, whatever a fold holds out.
    """
    names, position = np.unique(cells.specimens, return_inverse=True)
    count = len(cells.vocabulary)
    tally = np.bincount(
        position * count + cells.patterns, minlength=len(names) * count
    ).reshape(-1, count)
    patterns = tally.argmax(axis=1)
    place = np.random.default_rng([seed, len(names)]).permutation(len(names))
    present = np.unique(position[train])
    drawn = np.zeros(len(names), bool)
    for pattern in np.unique(patterns[present]):
        its = present[patterns[present] == pattern]
        taken = max(FEWEST_SPECIMENS, round(share * len(its)))
        drawn[its[np.argsort(place[its])][:taken]] = True
    return train[drawn[position[train]]]


def _draw(
    cells: CellSet, train: Rows, settings: TrainingSetSettings, seed: int
) -> Rows:
    """Draw some cells of each specimen, whatever else is in `train`."""
    _, position = np.unique(cells.specimens, return_inverse=True)
    together = train[np.argsort(position[train], kind="stable")]
    present, starts = np.unique(position[together], return_index=True)
    bounds = np.append(starts, len(together))
    drawn = [train[:0]]
    for k, start, end in zip(present.tolist(), bounds[:-1], bounds[1:], strict=True):
        rng = np.random.default_rng([seed, k])
        count = max(1, round(settings.cell_share * (end - start)))
        if settings.cells_per_specimen:
            count = min(count, settings.cells_per_specimen)
        drawn.append(rng.permutation(together[start:end])[:count])
    return np.sort(np.concatenate(drawn))


def _views_of(
    cells: CellSet, train: Rows, settings: TrainingSetSettings
) -> npt.NDArray[np.int64]:
    counts = np.full(len(train), settings.views, np.int64)
    if settings.extra_views == "paper":
        names = cells.vocabulary.names
        by_pattern = np.array([PAPER_VIEWS.get(name, _OTHER_VIEWS) for name in names])
        extra = ~cells.own[train]
        counts[extra] = by_pattern[cells.patterns[train[extra]]]
    return counts
