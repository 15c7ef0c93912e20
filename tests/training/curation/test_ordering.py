from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.curation.ordering import (
    OPEN,
    Heading,
    apart,
    headings,
    own_patterns,
    passing,
    shown_rows,
    sort_key,
    votes_of,
)
from training.curation.review_set import ReviewSet, verdict_codes
from training.decisions.store import Decision
from training.patterns import I3A

GOLGI, SPECKLED = I3A.index("Golgi"), I3A.index("Speckled")


def decision(cell, verdict, pattern=None, reviewer="r"):
    time = datetime(2024, 1, 1, tzinfo=UTC)
    return Decision(cell, reviewer, verdict, pattern, None, time)


@pytest.fixture
def cells():
    """Four cells a to d; d was dropped by the extraction."""
    table = pd.DataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "specimen": ["2", "1", "2", "1"],
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


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("all", [0, 1, 2, 3]),
        ("undecided", [2]),
        ("mine", [0, 1]),
        ("accepted", [0]),
        ("rejected", []),
        ("relabelled", [1]),
        ("dropped", [3]),
    ],
)
def test_filters(cells, which, expected):
    made = {"a": decision("a", "accepted"), "b": decision("b", "relabelled", "Golgi")}
    codes = verdict_codes(cells, made)
    assert np.flatnonzero(passing(cells, codes, which)).tolist() == expected


def test_a_dropped_cell_that_was_taken_back_counts_as_accepted(cells):
    codes = verdict_codes(cells, {"d": decision("d", "accepted")})
    assert passing(cells, codes, "accepted").tolist() == [False, False, False, True]


def test_a_cell_counts_as_the_pattern_it_was_given(cells):
    made = {
        "a": decision("a", "relabelled", "Speckled"),
        "b": decision("b", "accepted"),
    }
    codes = verdict_codes(cells, made)
    assert own_patterns(cells, codes, made).tolist() == [SPECKLED, GOLGI, -1, GOLGI]


def test_reviewers_disagree_on_what_a_cell_counts_as(cells):
    mine = {
        "a": decision("a", "accepted"),
        "b": decision("b", "accepted"),
        "d": decision("d", "rejected"),
    }
    others = {
        # Given the specimen's own pattern: the same as accepted.
        "a": (decision("a", "relabelled", "Golgi", "s"),),
        "b": (decision("b", "relabelled", "Speckled", "s"),),
        "c": (
            decision("c", "accepted", None, "s"),
            decision("c", "rejected", None, "t"),
        ),
        "d": (decision("d", "rejected", None, "s"),),
        "unknown": (decision("unknown", "accepted", None, "s"),),
    }
    codes = verdict_codes(cells, mine)
    own = own_patterns(cells, codes, mine)
    found = apart(cells, codes, own, votes_of(cells, by_reader(others)))
    assert found.tolist() == [0, OPEN, OPEN, 0]


def test_what_i_did_not_decide_is_no_disagreement(cells):
    others = [{"a": decision("a", "rejected", None, "s")}]
    codes = verdict_codes(cells, {})
    own = own_patterns(cells, codes, {})
    assert not apart(cells, codes, own, votes_of(cells, others)).any()


def by_reader(others):
    """The decisions of each reader by cell, of tuples of decisions by cell."""
    found = {}
    for cell, said in others.items():
        for one in said:
            found.setdefault(one.reviewer, {})[cell] = one
    return found.values()


def test_sorting_keeps_the_order_of_equals():
    passes, key = np.array([True, True, False, True]), np.array([2, 1, 0, 1])
    assert shown_rows(passes, key).tolist() == [1, 3, 0]
    assert shown_rows(passes, key, descending=True).tolist() == [0, 1, 3]
    assert shown_rows(passes, None, descending=True).tolist() == [3, 1, 0]


def test_what_is_not_known_comes_last_from_either_end():
    key = np.array([np.nan, 2.0, 1.0])
    for descending, expected in ((False, [2, 1, 0]), (True, [1, 2, 0])):
        assert shown_rows(np.ones(3, bool), key, descending).tolist() == expected


def test_groups_come_first_and_the_order_within_them():
    groups, key = np.array([1, 0, -1, 1, 0]), np.array([5, 4, 3, 2, 1])
    rows = shown_rows(np.ones(5, bool), key, groups=groups)
    assert rows.tolist() == [4, 1, 3, 0, 2]
    codes = np.array([1, 0, 0, 0, 2], np.int8)
    assert headings(rows, groups, codes) == (
        Heading(0, 0, 2, 1),
        Heading(1, 2, 2, 1),
        Heading(-1, 4, 1, 0),
    )
    assert headings(rows[:0], groups, codes) == ()


def test_the_smallest_comes_first(cells):
    assert sort_key(cells, "size", None, {}).tolist() == [30, 10, 20, 40]


def test_without_scores_there_is_no_order_by_certainty(cells):
    assert sort_key(cells, "uncertainty", None, {}) is None


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
    certain = shown_rows(everything, sort_key(cells, "uncertainty", scores, {}))
    assert certain.tolist() == [2, 0, 1, 3]
    suspicious = shown_rows(everything, sort_key(cells, "suspicion", scores, {}))
    assert suspicious.tolist() == [0, 1, 2, 3]


def test_a_measured_suspicion_goes_before_that_of_the_scores(cells):
    measures = {"suspicion": np.array([0.1, np.nan, 0.9, 0.3])}
    key = sort_key(cells, "suspicion", np.zeros((4, 6), np.float32), measures)
    assert shown_rows(np.ones(4, bool), key).tolist() == [2, 3, 0, 1]
