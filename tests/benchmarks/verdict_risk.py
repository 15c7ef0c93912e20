"""How often verdicts are wrong on new specimens, against the risk that was asked for.

    OMP_NUM_THREADS=1 python tests/benchmarks/verdict_risk.py --specimens 56

Scores are drawn, so that specimens never run out: the logits of a specimen are a
strength times its pattern plus noise of its own, those of its cells have noise on top.
Constants are fitted on some specimens and judge many others; this is done again and
again. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import numpy.typing as npt

from training.config import VerdictSettings
from training.evaluation.verdict import softmax, specimen_verdict
from training.evaluation.verdict_constants import (
    JudgedSpecimens,
    fit_constants,
    judge_specimens,
)
from training.evaluation.verdict_figures import VerdictCalibration
from training.patterns import I3A

CELLS = 40
"""Of each specimen."""

FRESH = 400
"""Specimens judged by the constants of each fit."""

STRENGTH, SPREAD, OWN, CELL = 2.5, 1.0, 1.2, 1.0
"""Mean and deviation of a specimen's strength; deviation of its noise, of a cell's."""


def draw(
    n: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return the scores of n specimens' cells, (n, CELLS, K), and their patterns."""
    k = len(I3A)
    truth = rng.integers(k, size=n)
    logits = rng.normal(0, OWN, (n, 1, k)) + rng.normal(0, CELL, (n, CELLS, k))
    logits[np.arange(n), :, truth] += rng.normal(STRENGTH, SPREAD, n)[:, None]
    return softmax(logits).astype(np.float32), truth


def fit(
    specimens: int, settings: VerdictSettings, rng: np.random.Generator
) -> tuple[JudgedSpecimens, VerdictCalibration]:
    """Draw some specimens and fit on them."""
    scores, truth = draw(specimens, rng)
    judged = judge_specimens(
        scores.reshape(-1, len(I3A)),
        truth.repeat(CELLS),
        np.arange(specimens).astype(str).repeat(CELLS),
        I3A.names,
        rng,
    )
    return judged, fit_constants(judged, np.arange(specimens), settings)


def judge_fresh(
    fitted: VerdictCalibration, settings: VerdictSettings, rng: np.random.Generator
) -> tuple[int, int]:
    """Judge new specimens; return the verdicts given, and the wrong ones."""
    fresh, truth = draw(FRESH, rng)
    said = [specimen_verdict(one, I3A, settings, fitted).pattern for one in fresh]
    given = [
        one.name == I3A.names[k]
        for one, k in zip(said, truth, strict=True)
        if one is not None
    ]
    return len(given), given.count(False)


def kept_risk(
    specimens: int, settings: VerdictSettings, rng: np.random.Generator
) -> tuple[int, int]:
    """Fit on some specimens and judge others; return verdicts given, and wrong ones."""
    _, fitted = fit(specimens, settings, rng)
    return judge_fresh(fitted, settings, rng)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--specimens", type=int, default=56)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--risk", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng, settings = np.random.default_rng(given.seed), VerdictSettings(risk=given.risk)
    kept = np.asarray(
        [kept_risk(given.specimens, settings, rng) for _ in range(given.repeats)]
    )
    answered, wrong = kept.T
    shares = wrong[answered > 0] / answered[answered > 0]
    told = {
        **vars(given),
        "answered": round(float(answered.mean()) / FRESH, 3),
        "wrong_of_answered": round(float(wrong.sum() / answered.sum()), 4),
        "mean_of_fits": round(float(shares.mean()), 4),
        "fits_over_the_risk": round(float((shares > given.risk).mean()), 3),
        "fits_that_answer_none": int((answered == 0).sum()),
        "quantiles_5_50_95": np.quantile(shares, [0.05, 0.5, 0.95]).round(3).tolist(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
