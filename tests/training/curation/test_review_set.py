from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.curation.review_set import (
    ReviewSet,
    current_labels,
    verdict_codes,
    with_decisions,
)
from training.decisions.store import Decision
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


def test_specimens_are_counted_in_the_order_of_their_first_cells(cells):
    cells.table["specimen"] = ["7", "2", "7", "10"]
    assert cells.specimen_names == ("7", "2", "10")
    assert cells.specimen_index.tolist() == [0, 1, 0, 2]


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


def test_labels_are_those_that_decisions_leave(cells):
    assert current_labels(cells, {}).tolist() == [5, 5, -1, -1]
    made = {
        "a": decision("a", "rejected"),
        "b": decision("b", "relabelled", "Speckled"),
        "c": decision("c", "relabelled", "Nucleolar"),
        "d": decision("d", "accepted"),
        "gone": decision("gone", "accepted"),
    }
    assert current_labels(cells, made).tolist() == [-1, 1, 2, 5]
    assert current_labels(cells, {"a": decision("a", "cleared")})[0] == 5


def test_a_cell_without_a_specimen_has_no_label_to_train_on(cells):
    cells.table["specimen"] = ["1", "", "1", "1"]
    assert current_labels(cells, {}).tolist() == [5, -1, -1, -1]
