import numpy as np
import pytest

from training.config import VerdictSettings
from training.evaluation.verdict import specimen_verdict
from training.patterns import I3A


def scores_of(*patterns: int, certainty: float = 0.9) -> np.ndarray:
    scores = np.full((len(patterns), 6), (1 - certainty) / 5, np.float32)
    scores[np.arange(len(patterns)), patterns] = certainty
    return scores


def test_a_clear_specimen():
    verdict = specimen_verdict(scores_of(*[3] * 19, 1), I3A)
    assert verdict.pattern is not None
    assert verdict.pattern.name == "Centromere"
    assert not verdict.mixed
    assert verdict.n_cells == 20
    assert verdict.shares[3] == 0.95
    assert verdict.reason == "Centromere in 19 of 20 cells."


def test_the_score_is_the_softmax_of_the_mean_log_score():
    scores = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]], np.float32)
    verdict = specimen_verdict(
        np.pad(scores, ((0, 0), (0, 3)), constant_values=1e-6),
        I3A,
        VerdictSettings(minimum_cells=1),
    )
    geometric = np.sqrt([0.35, 0.08, 0.01, 1e-12, 1e-12, 1e-12])
    assert verdict.scores == pytest.approx(geometric / geometric.sum(), rel=1e-3)


def test_a_second_pattern_with_a_fifth_of_the_cells_is_mixed():
    verdict = specimen_verdict(scores_of(*[2] * 15, *[1] * 5), I3A)
    assert verdict.mixed
    assert verdict.second is not None
    assert verdict.second.name == "Speckled"
    assert verdict.reason == "Nucleolar in 15 of 20 cells, Speckled in 5."


def test_too_few_cells():
    verdict = specimen_verdict(scores_of(*[2] * 9), I3A)
    assert verdict.pattern is None
    assert verdict.reason == "Too few cells: 9 of at least 10."


def test_no_pattern_leads():
    verdict = specimen_verdict(scores_of(*([0, 1, 2, 3, 4, 5] * 4)), I3A)
    assert verdict.pattern is None
    assert "No pattern leads clearly" in verdict.reason


def test_no_cell_at_all():
    verdict = specimen_verdict(np.zeros((0, 6), np.float32), I3A)
    assert verdict.pattern is None
    assert verdict.n_cells == 0


def test_one_certain_cell_cannot_veto():
    """A zero score is floored: 30 cells against one cell that excludes the pattern."""
    scores = scores_of(*[0] * 30, certainty=0.5)
    contrary = np.zeros((1, 6), np.float32)
    contrary[0, 5] = 1
    verdict = specimen_verdict(np.concatenate([scores, contrary]), I3A)
    assert verdict.pattern is not None
    assert verdict.pattern.name == "Homogeneous"
