"""Counts that grow fold by fold against the folds pooled; files: test_execution.py."""

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import BadRunError
from training.evaluation.metrics import measure
from training.runs.fold_result import FoldResult
from training.runs.results import pool_folds
from training.runs.running_metrics import HeldOutCounts
from training.splits.protocols import make_folds


def result(cells, rows, seed) -> FoldResult:
    scores = np.random.default_rng(seed).random((len(rows), 6), np.float32)
    return FoldResult(rows, scores, np.zeros(len(rows), np.float32), ())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_counted_folds_measure_as_pooled_ones(make_cells, data):
    """In any order, whichever are finished, with specimens over several folds."""
    cells = make_cells((3, 2, 2, 1, 0, 2), cells=3, side=8)
    part = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 5, 30)
    done = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True))
    counts, rows, predicted = HeldOutCounts(cells), [], []
    for k in done:
        one = result(cells, np.flatnonzero(part == k), k)
        counts.add(str(k), one)
        counts.add(str(k), one)
        rows.append(one.rows)
        predicted.append(one.scores.argmax(axis=1))
    held, said = np.concatenate(rows), np.concatenate(predicted)
    expected = measure(cells.patterns[held], said, cells.specimens[held], 6)
    found = counts.measure()
    assert (found.n, found.interval) == (expected.n, expected.interval)
    for name in ("confusion", "rates", "specimens"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert counts.folds == {str(k) for k in done}


def test_metrics_that_were_told_do_not_change_with_later_folds(make_cells):
    cells = make_cells(side=8)
    counts = HeldOutCounts(cells)
    counts.add("a", result(cells, np.arange(8), 0))
    early = counts.measure()
    counts.add("b", result(cells, np.arange(8, 16), 1))
    assert early.confusion.sum() == early.n == 8
    assert counts.measure().n == 16


def test_one_specimen_has_no_interval_yet(make_cells):
    cells = make_cells(side=8)
    counts = HeldOutCounts(cells)
    counts.add("00", result(cells, np.arange(4), 0))
    assert counts.measure().interval is None
    assert counts.measure().specimens.tolist() == [1, 0, 0, 0, 0, 0]
    with pytest.raises(IndexError):
        counts.add("01", result(cells, np.array([99]), 0))


def test_a_result_of_another_fold_is_not_pooled(run, cells):
    plan = make_folds(cells, run.config().protocol)
    first, second = (run.fold_folder(fold.name) for fold in plan.folds[:2])
    assert len(pool_folds(run, plan, 6).rows) == len(cells)
    for path in first.iterdir():
        shutil.copy(path, second)
    with pytest.raises(BadRunError, match="the result of this fold is damaged"):
        pool_folds(run, plan, 6)
