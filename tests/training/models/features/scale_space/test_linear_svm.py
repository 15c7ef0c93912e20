"""The SVMs, against those of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from training.models.features.scale_space import linear_svm
from training.models.features.scale_space.linear_svm import fit_linear_svms


@pytest.mark.parametrize(("step", "apart"), [(1e-10, 0.005), (None, 0.1)])
def test_the_svms_are_those_of_scikit_learn(monkeypatch, step, apart):
    if step:
        monkeypatch.setattr(linear_svm, "_SMALLEST_STEP", step)
    rng = np.random.default_rng(0)
    targets = rng.choice([0, 2, 5], 200)
    vectors = np.float32(rng.normal(size=(200, 30)) + 0.4 * targets[:, None])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    used = rng.random(200) < 0.7
    weights, bias, classes = fit_linear_svms(vectors, targets, used, c=2.0)
    theirs = LinearSVC(C=2.0, tol=1e-8, max_iter=100_000, random_state=0)
    theirs.fit(vectors[used], targets[used])
    assert classes.tolist() == [0, 2, 5]
    np.testing.assert_allclose(
        vectors @ weights + bias, theirs.decision_function(vectors), atol=apart
    )


def test_cells_left_out_have_no_part_in_an_svm():
    rng = np.random.default_rng(0)
    vectors = np.float32(rng.normal(size=(60, 10)))
    targets = np.arange(60) % 3
    used = np.arange(60) < 40
    first = fit_linear_svms(vectors, targets, used, 1.0)
    targets[40:] = 4
    vectors[40:] *= 9
    second = fit_linear_svms(vectors, targets, used, 1.0)
    np.testing.assert_allclose(first[0], second[0], atol=1e-4)
    assert second[2].tolist() == [0, 1, 2]
