"""Cells scored with the unlabelled cells of their specimen: the transductive track.

It is another question than that of a cell by itself (the strict track), and its figures
are told apart. No label of the specimen is used, but that all its cells are of one
serum.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.evaluation.metrics import measure
from training.evaluation.verdict import mean_log_score, softmax
from training.evaluation.verdict_figures import TransductiveFigures

POWERS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
"""Powers of a specimen's scores that are tried."""

_FLOOR = 1e-6

Floats = npt.NDArray[np.float64]


def with_specimen(scores: npt.NDArray[np.float32], power: float) -> Floats:
    """Return the scores of one specimen's cells, each seen beside all the others.

    Parameters
    ----------
    scores : (n, K) float32
        All cells of one specimen; rows sum to 1.
    power
        Of the specimen's scores; 0 leaves the cells as they are.

    Returns
    -------
    adjusted : (n, K) float64
        Proportional to p_k(cell) * pooled_k ^ power, pooled being the softmax of the
        mean log score. Rows sum to 1.
    """
    pooled = np.log(np.maximum(softmax(mean_log_score(scores)), _FLOOR))
    logs = np.log(np.maximum(scores.astype(np.float64), _FLOOR))
    return softmax(logs + power * pooled)


def cross_fitted_powers(
    cells: tuple[npt.NDArray[np.float32], ...], truth: npt.NDArray[np.int64]
) -> tuple[Floats, float]:
    """Return the power for each specimen, chosen on the others, and that of all.

    Parameters
    ----------
    cells
        The scores of each specimen's cells.
    truth : (S,) int64

    Returns
    -------
    powers : (S,) float64
        Of the smallest mean log loss over the cells of the other specimens, each
        specimen counting the same.
    power
        The same over all specimens.
    """
    loss = np.asarray(
        [
            [_log_loss(one, int(k), power) for power in POWERS]
            for one, k in zip(cells, truth, strict=True)
        ]
    )
    tried = np.asarray(POWERS)
    others = loss.sum(axis=0) - loss
    return tried[others.argmin(axis=1)], float(tried[loss.sum(axis=0).argmin()])


def measure_transductive(
    cells: tuple[npt.NDArray[np.float32], ...],
    truth: npt.NDArray[np.int64],
    names: npt.NDArray[np.str_],
) -> TransductiveFigures:
    """Measure cells alone and beside their specimen, by powers fitted without it.

    Parameters
    ----------
    cells
        The scores of each specimen's cells.
    truth : (S,) int64
    names : (S,) str
    """
    powers, power = cross_fitted_powers(cells, truth)
    counts = [len(one) for one in cells]
    of_cell, specimen = np.repeat(truth, counts), np.repeat(names, counts)
    alone = np.concatenate([one.argmax(axis=1) for one in cells])
    beside = np.concatenate(
        [
            with_specimen(one, own).argmax(axis=1)
            for one, own in zip(cells, powers, strict=True)
        ]
    )
    n_patterns = cells[0].shape[1]
    strict = measure(of_cell, alone, specimen, n_patterns)
    adjusted = measure(of_cell, beside, specimen, n_patterns)
    return TransductiveFigures(
        power=power,
        cells=len(of_cell),
        strict_mean_class_accuracy=strict.mean_class_accuracy,
        strict_interval=strict.interval,
        transductive_mean_class_accuracy=adjusted.mean_class_accuracy,
        transductive_interval=adjusted.interval,
    )


def _log_loss(scores: npt.NDArray[np.float32], pattern: int, power: float) -> float:
    own = with_specimen(scores, power)[:, pattern]
    return float(-np.log(np.maximum(own, _FLOOR)).mean())
