"""The verdict follows decisions: by hand, and as a property."""

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.decisions.model import Decision
from training.evaluation.decided_verdict import scores_as_decided, verdict_as_decided
from training.evaluation.verdict import specimen_verdict
from training.patterns import I3A

TIME = datetime(2026, 1, 2, tzinfo=UTC)


def said(cell, verdict, pattern=None):
    return Decision(cell, "anna", verdict, pattern, None, TIME)


def cells_of(*patterns):
    """Return scores, 0.9 for the pattern of each cell, and ids a, b, c, ..."""
    scores = np.full((len(patterns), 6), 0.02, np.float32)
    scores[np.arange(len(patterns)), patterns] = 0.9
    return scores, [chr(ord("a") + k) for k in range(len(patterns))]


def test_what_each_decision_does_by_hand():
    scores, ids = cells_of(0, 1, 2, 3)
    decisions = {
        "a": said("a", "accepted"),
        "b": said("b", "rejected"),
        "c": said("c", "relabelled", "Golgi"),
        "elsewhere": said("elsewhere", "rejected"),
    }
    before = scores.copy()
    left = scores_as_decided(scores, ids, decisions, I3A)
    golgi = [0.002, 0.002, 0.002, 0.002, 0.002, 0.99]
    np.testing.assert_allclose(left, [scores[0], golgi, scores[3]], rtol=1e-6)
    np.testing.assert_array_equal(scores, before)


def test_a_pattern_that_the_model_does_not_know_is_left_out():
    scores, ids = cells_of(0, 0)
    decisions = {"b": said("b", "relabelled", "a pattern of another table")}
    found = verdict_as_decided(scores, ids, decisions, I3A)
    assert (found.verdict.n_cells, found.relabelled, found.unknown) == (1, 1, 1)


def test_enough_corrections_turn_the_verdict():
    scores, ids = cells_of(*[0] * 7, *[1] * 5)
    assert specimen_verdict(scores, I3A).pattern.name == "Homogeneous"
    decisions = {c: said(c, "relabelled", "Speckled") for c in ids[:4]}
    found = verdict_as_decided(scores, ids, decisions, I3A)
    assert found.verdict.pattern.name == "Speckled"
    assert found.decisions == 4
    rejected = {c: said(c, "rejected") for c in ids[:4]}
    found = verdict_as_decided(scores, ids, rejected, I3A)
    assert found.verdict.withheld == "too-few-cells"
    assert found.rejected == 4


def test_a_third_of_the_cells_does_not_outvote_the_rest():
    scores, ids = cells_of(*[4] * 18)
    decisions = {c: said(c, "relabelled", "Golgi") for c in ids[:6]}
    found = verdict_as_decided(scores, ids, decisions, I3A).verdict
    assert (found.pattern.name, found.second.name) == ("NuMem", "Golgi")
    assert found.mixed


def test_all_cells_rejected_is_no_verdict():
    scores, ids = cells_of(0, 0)
    decisions = {c: said(c, "rejected") for c in ids}
    found = verdict_as_decided(scores, ids, decisions, I3A)
    assert found.verdict.n_cells == 0
    assert found.verdict.pattern is None


def test_without_a_decision_on_these_cells_there_is_none():
    scores, ids = cells_of(0, 1)
    assert verdict_as_decided(scores, ids, {}, I3A) is None
    others = {"x": said("x", "rejected"), "a": said("a", "cleared")}
    assert verdict_as_decided(scores, ids, others, I3A) is None


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.data())
def test_accepting_changes_nothing_but_the_count(patterns, data):
    scores, ids = cells_of(*patterns)
    ids = [str(k) for k in range(len(ids))]
    chosen = data.draw(st.sets(st.sampled_from(ids), min_size=1))
    found = verdict_as_decided(
        scores, ids, {c: said(c, "accepted") for c in chosen}, I3A
    )
    plain = specimen_verdict(scores, I3A)
    assert found.accepted == len(chosen)
    assert found.verdict.pattern == plain.pattern
    np.testing.assert_array_equal(found.verdict.scores, plain.scores)
