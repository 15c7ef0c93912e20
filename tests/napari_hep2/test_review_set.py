from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_hep2.review_set import (
    ReviewSet,
    measure_focus,
    passing,
    sharpness,
    shown_rows,
    sort_key,
    verdict_codes,
    with_decisions,
)
from training.data.curation import Decision
from training.patterns import I3A


def decision(cell, verdict, pattern=None):
    return Decision(
        cell=cell,
        reviewer="r",
        verdict=verdict,
        pattern=pattern,
        reason=None,
        time="2024-01-01T00:00:00+00:00",
    )


@pytest.fixture
def cells():
    """Four cells a to d; d was dropped by the extraction."""
    table = pd.DataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "specimen": "1",
            "pattern": ["Golgi", "Golgi", "", "Golgi"],
            "frame": "f",
            "label": [1, 2, 3, 4],
            "y": 0.0,
            "x": 0.0,
            "area": [30, 10, 20, 40],
            "flags": "",
            "dropped": ["", "", "", "border"],
        }
    )
    return ReviewSet(np.zeros((4, 9, 9), np.uint8), table, I3A, "test", Path())


def test_rows_and_patterns_are_found(cells):
    assert cells.row_of["c"] == 2
    assert cells.pattern_index.tolist() == [5, 5, -1, 5]
    assert cells.dropped.tolist() == [False, False, False, True]


def test_a_cleared_decision_counts_as_none(cells):
    made = {"a": decision("a", "accepted"), "b": decision("b", "cleared")}
    assert verdict_codes(cells, made).tolist() == [1, 0, 0, 0]


def test_decisions_on_other_cells_are_left_aside(cells):
    assert not verdict_codes(cells, {"z": decision("z", "accepted")}).any()


def test_codes_follow_single_decisions_as_they_would_all(cells):
    before = {"a": decision("a", "accepted"), "b": decision("b", "rejected")}
    after = {"a": decision("a", "relabelled", "Golgi")}
    codes = verdict_codes(cells, before)
    updated = with_decisions(codes, cells, after, ["a", "b", "z"])
    assert updated.tolist() == verdict_codes(cells, after).tolist() == [3, 0, 0, 0]
    assert codes.tolist() == [1, 2, 0, 0]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("all", [0, 1, 2, 3]),
        ("undecided", [2]),
        ("accepted", [0]),
        ("rejected", []),
        ("relabelled", [1]),
        ("dropped", [3]),
    ],
)
def test_filters(cells, which, expected):
    made = {"a": decision("a", "accepted"), "b": decision("b", "relabelled", "Golgi")}
    assert (
        np.flatnonzero(passing(cells, verdict_codes(cells, made), which)).tolist()
        == expected
    )


def test_a_dropped_cell_that_was_taken_back_counts_as_accepted(cells):
    made = {"d": decision("d", "accepted")}
    codes = verdict_codes(cells, made)
    assert passing(cells, codes, "accepted").tolist() == [False, False, False, True]


def test_sorting_keeps_the_order_of_equals():
    rows = shown_rows(np.array([True, True, False, True]), np.array([2, 1, 0, 1]))
    assert rows.tolist() == [1, 3, 0]


def test_the_smallest_comes_first(cells):
    assert sort_key(cells, "size", None, None).tolist() == [30, 10, 20, 40]


def test_without_scores_there_is_no_order_by_certainty(cells):
    assert sort_key(cells, "uncertainty", None, None) is None


def test_the_least_certain_and_the_most_suspicious_come_first(cells):
    scores = np.array(
        [
            [0.6, 0, 0, 0, 0, 0.4],
            [0.1, 0, 0, 0, 0, 0.9],
            [0.5, 0.5, 0, 0, 0, 0],
            [np.nan] * 6,
        ],
        np.float32,
    )
    everything = np.ones(4, bool)
    certain = shown_rows(everything, sort_key(cells, "uncertainty", scores, None))
    assert certain.tolist() == [2, 0, 1, 3]
    suspicious = shown_rows(everything, sort_key(cells, "suspicion", scores, None))
    assert suspicious.tolist() == [0, 1, 2, 3]


def test_a_flat_crop_is_the_least_sharp():
    ramp = np.tile(np.arange(9, dtype=np.uint8), (9, 1))
    chess = (np.indices((9, 9)).sum(axis=0) % 2 * 100).astype(np.uint8)
    focus = sharpness(np.stack([np.full((9, 9), 7, np.uint8), ramp, chess]))
    assert focus[0] == 0
    assert focus[1] == 0
    assert focus[2] > 1


def test_focus_is_measured_in_parts_and_whole(cells):
    parts = [part for _, part in measure_focus(cells)]
    assert np.concatenate(parts).shape == (4,)
