"""Index and grade by the controls of a series, with numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.config import IntensitySettings
from training.data.signal import Estimate, SpecimenSignal
from training.evaluation.intensity import (
    Control,
    SeriesScale,
    grade_of,
    judge_intensity,
    scale_of,
    with_intensity,
)
from training.evaluation.verdict import specimen_verdict
from training.patterns import I3A

SETTINGS = IntensitySettings()


def signal(nuclei, cytoplasm=2.0, width=0.1):
    both = [Estimate(one, one - width, one + width) for one in (nuclei, cytoplasm)]
    return SpecimenSignal(*both, cells=30)


def control(name, role, nuclei, **changes):
    return Control(name, role, signal(nuclei, **changes))


NEGATIVE = control("N", "negative control", 3)
CUT_OFF = control("C", "cut-off control", 9)
POSITIVE = control("P", "positive control", 43)


def scale(*controls) -> SeriesScale:
    found = scale_of("1", controls, SETTINGS)
    assert isinstance(found, SeriesScale)
    return found


def judged(nuclei, *controls, **changes):
    where = scale_of("1", controls or (NEGATIVE, POSITIVE, CUT_OFF), SETTINGS)
    return judge_intensity(signal(nuclei, **changes), where, SETTINGS)


@pytest.mark.parametrize(
    ("controls", "unit"),
    [
        ((NEGATIVE, POSITIVE, CUT_OFF), 6),
        ((NEGATIVE, CUT_OFF), 6),
        ((NEGATIVE, POSITIVE), 4),
        ((NEGATIVE,), 5),
    ],
)
def test_the_cut_off_by_the_controls_there_are(controls, unit):
    found = scale(*controls)
    assert found.zero == (3, 2)
    assert found.unit == pytest.approx(unit)


def test_two_negative_controls_count_by_their_mean():
    found = scale(NEGATIVE, control("M", "negative control", 4), CUT_OFF)
    assert found.zero[0] == 3.5
    assert found.unit == pytest.approx(5.5)
    assert found.spread[0] == pytest.approx(0.1 / np.sqrt(2))


@pytest.mark.parametrize(
    ("nuclei", "index", "grade"),
    [
        (3, 0, "negative"),
        (6, 0.5, "negative"),
        (7.6, 0.767, "borderline"),
        (10.4, 1.233, "borderline"),
        (11, 1.333, "+"),
        (17, 2.333, "+"),
        (19, 2.667, "++"),
        (34, 5.167, "+++"),
        (64, 10.167, "++++"),
        (500, 82.8, "++++"),
    ],
)
def test_index_and_grade_by_hand(nuclei, index, grade):
    found = judged(nuclei)
    assert found.grade == grade
    assert found.index is not None
    assert found.index.median == pytest.approx(index, abs=0.06)
    assert found.result == (grade if "+" not in grade else "positive")


def test_an_interval_that_holds_the_cut_off_is_borderline():
    assert judged(13, width=0.1).grade == "+"
    assert judged(13, width=5).grade == "borderline"


def test_the_interval_counts_both_specimen_and_control():
    found = judged(9).index
    assert found is not None
    assert found.high - found.median == pytest.approx(np.hypot(0.1, 0.1) / 6)


def test_cytoplasm_alone_makes_a_specimen_positive():
    found = judged(3, cytoplasm=20)
    assert (found.result, found.compartment) == ("positive", "cytoplasm")
    assert found.index is not None
    assert found.index.median == pytest.approx(3)


def test_a_laboratory_can_leave_the_cytoplasm_out():
    settings = IntensitySettings(outside_nucleus="negative")
    scale = scale_of("1", [NEGATIVE, CUT_OFF], settings)
    found = judge_intensity(signal(3, cytoplasm=20), scale, settings)
    assert (found.result, found.compartment) == ("negative", "nuclei")


def test_without_controls_the_contrast_is_given_alone():
    found = judge_intensity(signal(40.04), scale_of("1", [], SETTINGS), SETTINGS)
    assert found.result == "not judged"
    assert found.index is None
    assert found.reason == (
        "The series 1 has no controls: intensity not judged; contrast 40.0 in nuclei, "
        "2.0 around."
    )


def test_a_specimen_without_a_signal_says_why():
    blind = SpecimenSignal(None, None, 0, "it is all saturated")
    found = judge_intensity(blind, scale(NEGATIVE), SETTINGS)
    assert found.reason == "Intensity not judged: it is all saturated."


SATURATED = SpecimenSignal(None, None, 0, "it is all saturated")


@pytest.mark.parametrize(
    ("controls", "part"),
    [
        ([POSITIVE], "it has no negative control"),
        (
            [NEGATIVE, control("M", "negative control", 8), CUT_OFF],
            "its negative controls N and M differ by 1.4 times the way to the cut-off",
        ),
        (
            [NEGATIVE, control("P", "positive control", 2, cytoplasm=1)],
            "its negative control N is as bright as its positive control P",
        ),
        (
            [NEGATIVE, control("C", "cut-off control", 60), POSITIVE],
            "its cut-off control C is brighter than its positive control P",
        ),
        (
            [NEGATIVE, Control("P", "positive control", SATURATED)],
            "its positive control P has no signal (it is all saturated)",
        ),
    ],
)
def test_a_bad_series_is_one_sentence(controls, part):
    found = scale_of("", controls, SETTINGS)
    assert isinstance(found, str)
    assert found.startswith("The series is not judged: ")
    assert part in found


def test_grades_rise_with_the_index():
    grades = [grade_of(Estimate(x, x, x), SETTINGS) for x in (0, 1, 1.3, 3, 6, 11)]
    assert grades == ["negative", "borderline", "+", "++", "+++", "++++"]


def test_a_negative_has_no_pattern_and_keeps_its_scores():
    scores = np.tile(np.float32([0.9, 0.02, 0.02, 0.02, 0.02, 0.02]), (20, 1))
    verdict = specimen_verdict(scores, I3A)
    found = with_intensity(verdict, judged(3))
    assert found.pattern is None
    assert found.withheld == "negative"
    assert found.scores is verdict.scores
    assert with_intensity(verdict, judged(9)) is verdict
