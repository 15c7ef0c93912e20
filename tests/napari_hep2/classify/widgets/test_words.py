"""A verdict in plain sentences, each by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from napari_hep2.classify.widgets.words import (
    UNFITTED,
    percent,
    risk_text,
    tell_verdict,
)
from napari_hep2.samples import sample_model
from training.evaluation.verdict import SpecimenVerdict, specimen_verdict
from training.evaluation.verdict_figures import VerdictCalibration, VerdictFigures
from training.inference.cards import read_card
from training.patterns import I3A


def scores_of(counts):
    rows = [np.eye(6)[k] * 0.9 + 0.1 / 6 for k, n in counts.items() for _ in range(n)]
    return np.asarray(rows, np.float32).reshape(-1, 6)


def fitted(**changes):
    profile = (4.0, -0.8, -0.8, -0.8, -0.8, -0.8)
    values = {
        "patterns": I3A.names,
        "specimens": 54,
        "temperature": 1.0,
        "correlation": 0.5,
        "risk": 0.1,
        "threshold": 0.8,
        "turned_away": 0.05,
        "distance": None,
        "profiles": {"Homogeneous": (profile,)},
        "mixed_share": 0.3,
    }
    return VerdictCalibration(**{**values, **changes})


def figures(**changes):
    values = {
        "specimens": 54,
        "right": 50,
        "brier": 0.1,
        "uncalibrated_brier": 0.2,
        "log_loss": 0.3,
        "expected_error": 0.05,
        "answered": 48,
        "answered_wrong": 3,
        "risk_bound": 0.15,
        "too_few_cells": 0,
        "no_clear_pattern": 4,
        "not_one_of_these": 2,
        "mixed": 1,
    }
    return VerdictFigures(**{**values, **changes})


def told(counts, calibration=None):
    return tell_verdict(
        specimen_verdict(scores_of(counts), I3A, fitted=calibration), I3A
    )


def card_with(calibration):
    model = sample_model()
    card = read_card(Path(model).with_suffix(".json"))
    return card.model_copy(update={"verdict": calibration})


def test_a_second_pattern_without_a_cell_is_not_named():
    verdict = SpecimenVerdict(
        pattern=I3A[0],
        second=I3A[1],
        mixed=False,
        withheld="",
        reason="",
        n_cells=46,
        shares=np.array([1.0, 0, 0, 0, 0, 0]),
        scores=np.array([0.9, 0.1, 0, 0, 0, 0]),
    )
    assert tell_verdict(verdict, I3A).second == ""


def test_a_clear_verdict_without_a_probability():
    words = told({4: 80, 0: 10})
    assert words.pattern.name == "NuMem"
    assert words.title == "Nuclear membrane"
    assert words.group == "ICAP group AC-11/12"
    assert words.probability == UNFITTED
    assert words.second == "Second: Homogeneous, 10 of 90 cells."
    assert words.cells == "90 cells counted."


def test_a_fitted_one_has_probabilities_of_both():
    words = told({0: 80, 4: 10}, fitted())
    assert words.probability.startswith("Probability ")
    assert words.second.startswith("Second: Nuclear membrane, 10 of 90 cells, prob")


def test_a_mixed_verdict_names_both_and_their_groups():
    words = told({2: 60, 3: 40})
    assert words.title == "Nucleolar with centromere"
    assert words.group == "ICAP group AC-8/9/10 with AC-3"
    assert words.second == "Mixed: second is Centromere, 40 of 100 cells."


@pytest.mark.parametrize(
    ("counts", "calibration", "title"),
    [
        ({0: 3}, None, "No verdict: too few cells"),
        (dict.fromkeys(range(6), 10), None, "No verdict: no clear pattern"),
        ({0: 10, 1: 9}, fitted(threshold=0.999), "No verdict: no clear pattern"),
        (
            {5: 40},
            fitted(distance=1.0),
            "No verdict: perhaps not one of these patterns",
        ),
    ],
)
def test_what_is_withheld_says_why(counts, calibration, title):
    words = told(counts, calibration)
    assert words.title == title
    assert words.pattern is None
    assert words.group == ""
    if calibration is not None:
        assert words.probability.startswith("Most likely ")


def test_no_cell_at_all():
    words = told({})
    assert words.title == "No verdict: too few cells"
    assert words.probability == words.second == ""
    assert words.cells == "0 cells counted."


def test_the_risk_is_of_specimens_and_of_no_cell():
    sure = {"confidence": 0.9, "answered": 50, "answered_wrong": 1}
    assert risk_text(card_with(fitted(figures=figures(), **sure))) == (
        "Risk: at most 10% wrong verdicts were asked for and are guaranteed with 90% "
        "confidence, by 50 answered of 54 held-out specimens, 1 wrong. Judged without "
        "itself, 48 of 54 received a verdict, 3 of these were wrong (with 95 % "
        "confidence at most 15 %). Track: specimen."
    )
    unsure = fitted(figures=figures(), confidence=0.9, threshold=None, least_risk=0.17)
    assert "which 54 held-out specimens do not guarantee" in risk_text(
        card_with(unsure)
    )
    assert "try a risk of 17%" in risk_text(card_with(unsure))
    assert "kept on average over fits" in risk_text(
        card_with(fitted(figures=figures()))
    )
    one = figures(answered_wrong=1, risk_bound=None)
    assert "1 of these was wrong." in risk_text(card_with(fitted(figures=one)))
    none = figures(answered=0, answered_wrong=0)
    assert "None of 54 held-out specimens received a verdict" in risk_text(
        card_with(fitted(figures=none))
    )
    assert "not measured" in risk_text(card_with(None))
    assert "not measured" in risk_text(card_with(fitted()))
    assert risk_text(None) == ""


def test_the_transductive_track_is_nowhere():
    calibration = fitted(
        figures=figures(),
        transductive={
            "power": 1,
            "cells": 9,
            "strict_mean_class_accuracy": 0.123,
            "transductive_mean_class_accuracy": 0.456,
        },
    )
    words = told({0: 80, 4: 10}, calibration)
    text = json.dumps([risk_text(card_with(calibration)), str(words)])
    assert "12.3" not in text
    assert "45.6" not in text
    assert "transductive" not in text.lower()


def test_shares_are_never_rounded_to_certainty():
    assert percent(0.9999) == "over 99 %"
    assert percent(0.0001) == "under 1 %"
    assert percent(1.0) == "100 %"
    assert percent(0.934) == "93 %"
