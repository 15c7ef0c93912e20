"""One-vs-rest linear SVMs on long dense vectors, all patterns at once.

The objective is that of scikit-learn's `LinearSVC`: squared hinge, l2 penalty, the bias
penalised like a weight. Its solver copies the vectors to float64 and then to a list of
16 bytes a number, six times what they fill; here they stay as they are, float32, and
one product serves all patterns.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from training.splits.samples import Rows

Floats = npt.NDArray[np.float32]

_MOST_ROUNDS = 500
_SMALLEST_STEP = 1e-5
"""Relative decrease of the objective at which the descent ends."""


def fit_linear_svms(
    vectors: Floats, targets: Rows, used: npt.NDArray[np.bool_], c: float
) -> tuple[Floats, Floats, Rows]:
    """Fit a linear SVM for each pattern against the rest.

    Parameters
    ----------
    vectors : (n, D) float32
    targets : (n,) int64
        Patterns.
    used : (n,) bool
        Which to fit; those left out cost nothing and are not copied.
    c
        Penalty of a cell's loss, as `LinearSVC`'s C.

    Returns
    -------
    weights : (D, C) float32
    bias : (C,) float32
    classes : (C,) int64
        Patterns among the used cells, ascending.
    """
    classes = np.unique(targets[used])
    signs = np.where(targets[:, None] == classes, 1, -1).astype(np.float32)
    costs = np.where(used, c, 0).astype(np.float32)[:, None]
    shape = (vectors.shape[1] + 1, len(classes))

    def objective(
        flat: npt.NDArray[np.float64],
    ) -> tuple[float, npt.NDArray[np.float64]]:
        solution = flat.reshape(shape)
        of_cells = solution.astype(np.float32)
        slack = np.maximum(0, 1 - signs * (vectors @ of_cells[:-1] + of_cells[-1]))
        pull = costs * slack
        value = 0.5 * flat @ flat + np.sum(pull * slack, dtype=np.float64)
        pull *= -2 * signs
        slope = solution.copy()
        slope[:-1] += vectors.T @ pull
        slope[-1] += pull.sum(axis=0)
        return float(value), slope.ravel()

    found = minimize(
        objective,
        np.zeros(shape).ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MOST_ROUNDS, "ftol": _SMALLEST_STEP, "gtol": 1e-6},
    )
    solution = found.x.reshape(shape).astype(np.float32)
    return solution[:-1], solution[-1], classes
