"""Fits the verdict of a finished run and measures it on specimens.

Track: specimen. Each specimen's cells were scored by a model that never saw it, and it
is judged by constants fitted without it. The models that scored the *other* specimens
may have trained on it, as in all cross-validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from training.config import VerdictSettings
from training.errors import SpecimensError
from training.evaluation.calibration import measure_calibration
from training.evaluation.predictions import Predictions
from training.evaluation.transduction import measure_transductive
from training.evaluation.verdict import (
    NO_CLEAR,
    NOT_THESE,
    TOO_FEW,
    SpecimenVerdict,
    specimen_verdict,
)
from training.evaluation.verdict_constants import (
    JudgedSpecimens,
    fit_constants,
    judge_specimens,
)
from training.evaluation.verdict_figures import (
    LeftOutFigures,
    VerdictCalibration,
    VerdictFigures,
)
from training.patterns import Pattern, Vocabulary, vocabulary_for
from training.splits.protocols import natural_key
from training.storage.csv_tables import csv_text

_CONFIDENCE = 0.95
_LEAST_SPECIMENS = 4
_ALONE, _TENTHS = 200, 10
"""Specimens of which each is judged alone, and parts in which more are judged."""

Scores = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class JudgedSpecimen:
    """A held-out specimen and the verdict on it, by constants fitted without it.

    Attributes
    ----------
    name
        Of the specimen.
    truth
        Its pattern.
    verdict
        Also where it is withheld.
    """

    name: str
    truth: Pattern
    verdict: SpecimenVerdict

    @property
    def leading(self) -> int:
        """The pattern of the highest score, answered or not."""
        return int(self.verdict.scores.argmax())

    @property
    def probability(self) -> float:
        """Of the leading pattern."""
        assert self.verdict.probabilities is not None
        return float(self.verdict.probabilities.max())

    @property
    def wrong(self) -> bool:
        """Return whether a verdict was given and is wrong."""
        given = self.verdict.pattern
        return given is not None and given.name != self.truth.name


@dataclass(frozen=True)
class FittedVerdict:
    """The constants of a run's verdict, and the specimens they were measured on."""

    calibration: VerdictCalibration
    specimens: tuple[JudgedSpecimen, ...]


def fit_predictions(
    said: Predictions,
    settings: VerdictSettings | None = None,
    left_out: Mapping[int, Scores] | None = None,
    where: str = "the run",
) -> FittedVerdict:
    """Fit a verdict on what a run said of its held-out cells; see `fit_verdict`."""
    settings = settings or VerdictSettings()
    judged = _judged(said, said.scores, said.patterns)
    if len(judged) < _LEAST_SPECIMENS:
        raise SpecimensError(
            where,
            f"it held out {len(judged)} specimens",
            f"a verdict is fitted on {_LEAST_SPECIMENS} or more",
        )
    vocabulary = _vocabulary(said.patterns, where)
    specimens = cross_fit(judged, vocabulary, settings)
    away = {
        said.patterns[k]: figures
        for k in range(len(said.patterns))
        if (figures := _left_out(said, k, settings, left_out))
    }
    calibration = fit_constants(
        judged,
        np.arange(len(judged)),
        settings,
        figures=measure_verdicts(specimens, vocabulary),
        left_out=away,
        left_out_by="training" if left_out is not None else "scores",
        transductive=measure_transductive(judged.cells, judged.truth, judged.names),
    )
    return FittedVerdict(calibration, specimens)


def cross_fit(
    judged: JudgedSpecimens, vocabulary: Vocabulary, settings: VerdictSettings
) -> tuple[JudgedSpecimen, ...]:
    """Judge each specimen by constants fitted on others.

    Up to 200 specimens these are all the others; of more, a tenth is judged at a time,
    as the time of leaving each out alone grows with the third power of their number.
    """
    everyone, found = np.arange(len(judged)), []
    for part in _parts(len(judged)):
        constants = fit_constants(judged, np.setdiff1d(everyone, part), settings)
        for row in part:
            cells = judged.cells[row]
            found.append(
                JudgedSpecimen(
                    str(judged.names[row]),
                    vocabulary[int(judged.truth[row])],
                    specimen_verdict(cells, vocabulary, settings, constants),
                )
            )
    return tuple(sorted(found, key=lambda one: natural_key(one.name)))


def _parts(count: int) -> list[Rows]:
    """Return the specimens that are judged at a time."""
    order = np.arange(count)
    if count <= _ALONE:
        return np.array_split(order, count)
    return np.array_split(np.random.default_rng(0).permutation(order), _TENTHS)


def measure_verdicts(
    specimens: tuple[JudgedSpecimen, ...], vocabulary: Vocabulary
) -> VerdictFigures:
    """Return the figures of cross-fitted verdicts; track: specimen."""
    names, truth, probabilities = specimen_arrays(specimens, vocabulary)
    calibrated = measure_calibration(probabilities, truth, names)
    ranked = np.stack([one.verdict.scores for one in specimens]).astype(np.float32)
    answered = sum(one.verdict.pattern is not None for one in specimens)
    wrong = sum(one.wrong for one in specimens)
    codes = [one.verdict.withheld for one in specimens]
    leading = np.asarray([one.leading for one in specimens])
    return VerdictFigures(
        specimens=len(specimens),
        right=int(np.count_nonzero(leading == truth)),
        brier=calibrated.brier,
        uncalibrated_brier=measure_calibration(ranked, truth, names).brier,
        log_loss=calibrated.log_loss,
        expected_error=calibrated.expected_error,
        answered=answered,
        answered_wrong=wrong,
        risk_bound=risk_bound(wrong, answered),
        too_few_cells=codes.count(TOO_FEW),
        no_clear_pattern=codes.count(NO_CLEAR),
        not_one_of_these=codes.count(NOT_THESE),
        mixed=sum(one.verdict.mixed for one in specimens),
    )


def specimen_arrays(
    specimens: tuple[JudgedSpecimen, ...], vocabulary: Vocabulary
) -> tuple[npt.NDArray[np.str_], Rows, Scores]:
    """Return names (S,), truth (S,) and probabilities (S, K) of specimens."""
    index = {name: k for k, name in enumerate(vocabulary.names)}
    return (
        np.asarray([one.name for one in specimens]),
        np.asarray([index[one.truth.name] for one in specimens], np.int64),
        np.asarray([one.verdict.probabilities for one in specimens], np.float32),
    )


def risk_bound(wrong: int, answered: int) -> float | None:
    """Return the one-sided 95 % bound of the share wrong (Clopper, Pearson 1934)."""
    if not answered:
        return None
    if wrong == answered:
        return 1.0
    return float(scipy.stats.beta.ppf(_CONFIDENCE, wrong + 1, answered - wrong))


def specimen_rows(fitted: FittedVerdict) -> list[dict[str, object]]:
    """Return what was said of each specimen, for a table or JSON."""
    rows: list[dict[str, object]] = []
    for one in fitted.specimens:
        verdict = one.verdict
        assert verdict.probabilities is not None
        probabilities = dict(
            zip(fitted.calibration.patterns, verdict.probabilities, strict=True)
        )
        rows.append(
            {
                "specimen": one.name,
                "pattern": one.truth.name,
                "cells": verdict.n_cells,
                "verdict": verdict.pattern.name if verdict.pattern else "",
                "leading": fitted.calibration.patterns[one.leading],
                "probability": round(one.probability, 4),
                "second": verdict.second.name if verdict.second else "",
                "mixed": verdict.mixed,
                "withheld": verdict.withheld,
                "distance": None
                if verdict.distance is None or not np.isfinite(verdict.distance)
                else round(verdict.distance, 3),
                **{
                    f"probability_{name}": round(float(p), 4)
                    for name, p in probabilities.items()
                },
            }
        )
    return rows


def specimen_table(fitted: FittedVerdict) -> str:
    """Return `specimens.csv`: a row a held-out specimen, judged without itself."""
    rows = specimen_rows(fitted)
    return csv_text([rows[0], *(row.values() for row in rows)])


def _vocabulary(patterns: tuple[str, ...], where: object) -> Vocabulary:
    known = vocabulary_for(patterns, where)
    return Vocabulary(
        known.name, tuple(known[known.index(name, where)] for name in patterns)
    )


def _judged(
    said: Predictions, scores: Scores, patterns: tuple[str, ...]
) -> JudgedSpecimens:
    return judge_specimens(
        scores, said.truth, said.specimens, patterns, np.random.default_rng(0)
    )


def _left_out(
    said: Predictions,
    k: int,
    settings: VerdictSettings,
    left_out: Mapping[int, Scores] | None,
) -> LeftOutFigures | None:
    """Judge the specimens of pattern k by models and constants that know it not."""
    scores = said.scores if left_out is None else left_out.get(k)
    unknown = said.truth == k
    if scores is None or not unknown.any() or len(said.patterns) < 3:
        return None
    names = tuple(name for j, name in enumerate(said.patterns) if j != k)
    others = np.delete(scores, k, axis=1).astype(np.float64)
    others /= np.maximum(others.sum(axis=1, keepdims=True), 1e-12)
    table = others.astype(np.float32)
    known = said.take(~unknown)
    shifted = Predictions(**{**vars(known), "truth": known.truth - (known.truth > k)})
    judged = _judged(shifted, table[~unknown], names)
    if len(judged) < _LEAST_SPECIMENS:
        return None
    vocabulary = _vocabulary(names, "the run")
    inside = [one.verdict.distance for one in cross_fit(judged, vocabulary, settings)]
    fitted = fit_constants(judged, np.arange(len(judged)), settings)
    groups = [
        table[unknown][said.specimens[unknown] == name]
        for name in np.unique(said.specimens[unknown])
    ]
    verdicts = [specimen_verdict(one, vocabulary, settings, fitted) for one in groups]
    codes = [one.withheld for one in verdicts]
    area = _area(inside, [one.distance for one in verdicts])
    if np.isnan(area):
        return None
    return LeftOutFigures(
        specimens=len(groups),
        area=area,
        not_one_of_these=codes.count(NOT_THESE),
        withheld=len(codes) - codes.count(""),
    )


def _area(inside: list[float | None], outside: list[float | None]) -> float:
    """Return the chance that a left-out specimen is further away than a known one.

    NaN where a distance is unknown, as no specimen of a pattern was recognised.
    """
    values = np.asarray([*inside, *outside], np.float64)
    ranks = scipy.stats.rankdata(values)[len(inside) :]
    m = len(outside)
    return float((ranks.sum() - m * (m + 1) / 2) / (m * len(inside)))
