"""Agreement on whole specimens, by hand and against another implementation."""

import numpy as np
import pytest

from training.decisions.agreement import kappa_of
from training.decisions.specimen_agreement import (
    LADDER,
    agreement_lines,
    compare_answers,
    confusion,
    confusion_lines,
)
from training.decisions.specimens import Answer

P, N, B = Answer("positive"), Answer("negative"), Answer("borderline")


def named(*answers):
    return {f"S{k}": one for k, one in enumerate(answers)}


def graded(*words):
    return named(
        *(
            Answer(word) if word in LADDER[:2] else Answer("positive", grade=word)
            for word in words
        )
    )


def patterns(*codes):
    return named(*(Answer("positive", tuple(one.split())) for one in codes))


def test_positive_or_negative_by_hand():
    # 6 of 8 alike; each says half positive: kappa (0.75 - 0.5) / 0.5.
    found = compare_answers(
        named(P, P, P, P, N, N, N, N, B), named(P, P, P, N, N, N, N, P, N)
    )
    assert (found.result.n, found.result.alike, found.borderline) == (8, 6, 1)
    assert found.result.kappa == pytest.approx(0.5)
    assert found.result.low < 0.5 < found.result.high


def test_a_grade_a_step_off_weighs_less_than_one_far_off():
    one = graded("negative", "+", "++", "+++", "++++", "borderline")
    near = graded("negative", "+", "+++", "+++", "++++", "borderline")
    far = graded("++++", "+", "++", "+++", "++++", "borderline")
    close, off = (compare_answers(one, other) for other in (near, far))
    assert close.grade.alike == off.grade.alike == 5
    assert close.grade.kappa > off.grade.kappa
    assert (close.within_one, off.within_one) == (6, 5)


def test_weighted_kappa_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    one, other = rng.integers(0, 4, (2, 60))
    other = np.where(rng.random(60) < 0.5, one, other)
    table = np.zeros((4, 4))
    np.add.at(table, (one, other), 1)
    apart = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
    wanted = metrics.cohen_kappa_score(one, other, weights="linear")
    assert kappa_of(table, apart) == pytest.approx(wanted)
    assert kappa_of(table) == pytest.approx(metrics.cohen_kappa_score(one, other))


def test_patterns_are_compared_as_finely_as_both_tell_them():
    one = patterns("AC-4", "AC-5", "AC-3", "AC-21 AC-1")
    alike = compare_answers(one, patterns("AC-4/5", "AC-5", "AC-3", "AC-1 AC-21"))
    assert alike.pattern.alike == alike.pattern.n == 4
    finer = compare_answers(one, patterns("AC-5", "AC-5", "AC-3", "AC-1"))
    assert finer.pattern.alike == 2
    chained = compare_answers(patterns("AC-2", "AC-1"), patterns("AC-2/4/5", "AC-3"))
    assert chained.pattern.alike == 1


def test_what_only_one_answered_does_not_count():
    found = compare_answers(named(P, N), {"S1": N, "other": P})
    assert found.result.n == 1
    assert np.isnan(found.result.kappa)
    old = compare_answers(named(Answer(None, ("AC-3",))), named(P))
    assert (old.result.n, old.grade.n, old.pattern.n) == (0, 0, 0)
    lines = agreement_lines("ann", "bob", old)
    assert lines[0].startswith("ann and bob, positive or negative: 0 of 0 specimens")
    assert "not defined" in lines[2]


def test_a_confusion_matrix_names_patterns_and_results():
    truth = named(Answer("positive", ("AC-3",)), N, N)
    said = named(Answer("positive", ("AC-1",)), N, B)
    assert confusion(truth, {**said, "S9": P}) == {
        ("AC-3", "AC-1"): 1,
        ("negative", "negative"): 1,
        ("negative", "borderline"): 1,
    }
    counts = confusion(truth, said)
    assert confusion_lines("ann", "bob", counts) == [
        "ann, first answers: 1 of 3 as bob.",
        "AC-3: AC-1 1",
        "negative: borderline 1, negative 1",
    ]
    assert confusion_lines("ann", "bob", {}) == [
        "ann has answered no specimen that bob has."
    ]
