from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.curation.filtering import (
    Choice,
    Said,
    choose,
    heading_count,
    heading_name,
)
from training.curation.ordering import Heading, PatternChoice
from training.curation.review_set import ReviewSet, verdict_codes
from training.decisions.store import Decision, Mark
from training.patterns import I3A

GOLGI, SPECKLED = I3A.index("Golgi"), I3A.index("Speckled")


def decision(cell, verdict, pattern=None, reason=None):
    time = datetime(2024, 1, 1, tzinfo=UTC)
    return Decision(cell, "r", verdict, pattern, reason, time)


@pytest.fixture
def said():
    """Four cells a to d; d was dropped by the extraction, c is flagged."""
    table = pd.DataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "specimen": ["2", "1", "2", "1"],
            "pattern": ["Golgi", "Golgi", "Speckled", "Golgi"],
            "area": [30, 10, 20, 40],
            "dropped": ["", "", "", "border"],
        }
    )
    review = ReviewSet(np.zeros((4, 9, 9), np.uint8), table, I3A, "test", Path())
    made = {
        "a": decision("a", "rejected", reason="focus"),
        "b": decision("b", "rejected", reason="debris"),
        "c": decision("c", "accepted"),
        "d": decision("d", "relabelled", "Speckled"),
    }
    marks = {"c": Mark(flagged=True), "a": Mark(note="blurred")}
    return Said(review, verdict_codes(review, made), made, marks)


@pytest.mark.parametrize(
    ("choice", "rows"),
    [
        (Choice(), [0, 1, 2, 3]),
        (Choice("rejected"), [0, 1]),
        (Choice("rejected", sort="size"), [1, 0]),
        (Choice("rejected", sort="size", descending=True), [0, 1]),
        (Choice(reason="focus"), [0]),
        (Choice("flagged"), [2]),
        (Choice("disagreed"), []),
        (Choice(pattern=PatternChoice("own", SPECKLED)), [2, 3]),
        (Choice(pattern=PatternChoice("own", GOLGI)), [0, 1]),
        (Choice(specimen="1"), [1, 3]),
        (Choice("rejected", specimen="1"), [1]),
        (Choice(group="specimen", sort="size"), [2, 0, 1, 3]),
    ],
)
def test_what_is_chosen_combines(said, choice, rows):
    assert choose(said, choice, {})[0].tolist() == rows


def test_cells_called_a_pattern_are_chosen_by_scores(said):
    scores = np.full((4, len(I3A)), np.nan, np.float32)
    scores[1] = 0
    scores[1, GOLGI] = 1
    choice = Choice(pattern=PatternChoice("predicted", GOLGI))
    assert choose(said, choice, {}, scores)[0].tolist() == [1]


def test_a_group_has_a_heading(said):
    rows, headings = choose(said, Choice(group="pattern"), {})
    assert rows.tolist() == [2, 3, 0, 1]
    assert headings == (Heading(SPECKLED, 0, 2, 2), Heading(GOLGI, 2, 2, 2))
    assert heading_name(said.review, "pattern", GOLGI) == "Golgi"
    assert heading_name(said.review, "pattern", -1) == "Pattern not known"
    assert heading_name(said.review, "specimen", 0) == "Specimen 2"
    assert heading_name(said.review, "decision", 0) == "Undecided"
    assert heading_count("pattern", headings[0]) == "2 cells, 2 decided"
    assert heading_count("decision", Heading(1, 0, 1, 1)) == "1 cell"


def test_the_choice_is_told_in_words(said):
    choice = Choice(
        "rejected",
        PatternChoice("own", GOLGI),
        "2",
        "focus",
        sort="similarity",
        descending=True,
        group="decision",
        like="a",
    )
    assert choice.filter_words(said.review) == (
        "rejected, rejected for: out of focus, pattern Golgi, specimen 2"
    )
    assert choice.order_words() == "least like a first, by decision"
    assert Choice().order_words() == "as in the cell folder, no groups"
