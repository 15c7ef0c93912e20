"""Balance of two patterns by hand, and the verdict on mixtures."""

from __future__ import annotations

import numpy as np
import pytest

from training.config import VerdictSettings
from training.evaluation.mixture import find_mixture
from training.evaluation.verdict import profile, specimen_verdict
from training.evaluation.verdict_constants import fit_constants, judge_specimens
from training.evaluation.verdict_figures import VerdictCalibration
from training.patterns import I3A


def cells_of(pattern: int, count: int, top: float = 0.9):
    rest = (1 - top) / 5
    scores = np.full((count, 6), rest, np.float32)
    scores[:, pattern] = top
    return scores


MIXED = np.concatenate([cells_of(1, 10), cells_of(3, 10)])


def calibration(**changes) -> VerdictCalibration:
    profiles = {
        name: (tuple(profile(cells_of(k, 20)).tolist()),)
        for k, name in enumerate(I3A.names)
    }
    values = {
        "patterns": I3A.names,
        "specimens": 50,
        "temperature": 1.0,
        "correlation": 0.5,
        "risk": 0.1,
        "threshold": 0.8,
        "turned_away": 0.05,
        "distance": 1.0,
        "profiles": profiles,
        "mixed_share": 0.2,
        "mixed_balance": 0.2,
        **changes,
    }
    return VerdictCalibration(**values)


def test_the_balance_by_hand():
    scores = np.float32([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.4, 0.4, 0.2]])
    found = find_mixture(scores)
    # The first cell leads by 0.5 for 0 over 1, the second by 0.5 for 1 over 0.
    assert found.patterns == (0, 1)
    assert found.balance == pytest.approx(0.5 / 3)
    first, second = found.groups(scores)
    np.testing.assert_array_equal(first, scores[:1])
    np.testing.assert_array_equal(second, scores[1:2])


def test_torn_cells_and_pure_specimens_have_no_balance():
    torn = np.tile(np.float32([0.48, 0.48, 0.01, 0.01, 0.01, 0.01]), (20, 1))
    assert find_mixture(torn).balance == 0
    assert find_mixture(cells_of(2, 20)).balance == 0


def test_a_mixture_is_named_with_both_patterns():
    verdict = specimen_verdict(MIXED, I3A, fitted=calibration())
    assert verdict.mixed
    assert not verdict.withheld
    assert verdict.pattern is not None
    assert verdict.second is not None
    assert {verdict.pattern.name, verdict.second.name} == {"Speckled", "Centromere"}
    assert verdict.reason == "Speckled in 10 of 20 cells, Centromere in 10."


def test_under_the_balance_a_pure_specimen_is_not_mixed():
    scores = np.concatenate([cells_of(1, 16), cells_of(3, 4)])
    verdict = specimen_verdict(scores, I3A, fitted=calibration(threshold=0.2))
    assert not verdict.mixed


def test_cells_unlike_their_pattern_are_no_mixture():
    unlike = np.concatenate([cells_of(1, 10), cells_of(3, 10, top=0.62)])
    assert specimen_verdict(unlike, I3A, fitted=calibration(distance=9.0)).mixed
    assert not specimen_verdict(unlike, I3A, fitted=calibration()).mixed


def test_few_cells_are_no_mixture():
    verdict = specimen_verdict(MIXED[6:14], I3A, fitted=calibration())
    assert verdict.withheld == "too-few-cells"


def test_a_card_without_a_balance_goes_by_the_share():
    fitted = calibration(mixed_balance=None, threshold=0.2, distance=99.0)
    assert specimen_verdict(MIXED, I3A, fitted=fitted).mixed


def test_the_limit_is_the_largest_but_a_twentieth_of_pure_specimens():
    rng = np.random.default_rng(0)
    minor = rng.permutation(40)
    scores, truth, names = [], [], []
    for number, k in enumerate(minor.tolist()):
        scores += [cells_of(1, 60 - k), cells_of(3, k)]
        truth += [1] * 60
        names += [f"{number:02d}"] * 60
    judged = judge_specimens(
        np.concatenate(scores),
        np.asarray(truth),
        np.asarray(names),
        I3A.names,
        rng,
    )
    fitted = fit_constants(judged, np.arange(40), VerdictSettings())
    # Rank 39 of 40: the second largest of the shares of the minor pattern, 29.
    assert fitted.mixed_balance == pytest.approx(np.sort(judged.balance)[-2])
