"""What reviewers say together: the rule by hand, and the same rule over many cells."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.curation.ordering import OPEN, SETTLED, apart, own_patterns, votes_of
from training.curation.review_set import ReviewSet, verdict_codes
from training.decisions.consensus import apart_text, settle, settled_text
from training.decisions.model import Decision
from training.patterns import I3A

TIME = datetime(2024, 1, 1, tzinfo=UTC)
WORDS = ("accepted", "rejected", "cleared", "Golgi", "Speckled")


def said(word, reviewer="r", cell="a"):
    pattern = word if word in I3A.names else None
    verdict = "relabelled" if pattern else word
    return Decision(cell, reviewer, verdict, pattern, None, TIME)


@pytest.mark.parametrize(
    ("words", "together", "word", "votes"),
    [
        ([], "undecided", "", 0),
        (["cleared"], "undecided", "", 0),
        (["rejected"], "alike", "rejected", 1),
        # Accepted is the specimen's pattern, Golgi.
        (["accepted", "Golgi"], "alike", "Golgi", 2),
        (["accepted", "rejected"], "open", "", 1),
        (["accepted", "rejected", "Golgi"], "settled", "Golgi", 2),
        (["accepted", "rejected", "Speckled"], "open", "", 1),
        (["accepted", "rejected", "cleared"], "open", "", 1),
        (["accepted", "accepted", "rejected", "rejected"], "open", "", 2),
        (["rejected", "accepted", "rejected", "rejected"], "settled", "rejected", 3),
    ],
)
def test_more_than_half_settle(words, together, word, votes):
    found = settle([said(one) for one in words], "Golgi")
    assert (found.together, found.word, found.votes) == (together, word, votes)
    assert found.readers == len([one for one in words if one != "cleared"])


def test_an_acceptance_stands_for_its_word():
    found = settle([said("Golgi"), said("accepted"), said("rejected")], "Golgi")
    assert found.decision == said("accepted")
    assert settle([said("accepted"), said("rejected")], "Golgi").decision is None


def test_it_is_told():
    third = settle([said("accepted"), said("rejected"), said("rejected")], "Golgi")
    assert settled_text(third) == "Consensus of 2 of 3 reviewers: rejected."
    apart_now = settle([said("accepted"), said("rejected")], "Golgi")
    assert settled_text(apart_now) == "Open: 2 reviewers disagree."
    assert settled_text(settle([said("accepted")])) == ""
    assert apart_text(1, 2) == ("3 cells are disagreed on: 1 with a consensus, 2 open.")
    assert apart_text(0, 0) == "0 cells are disagreed on."


@given(
    said_of=st.lists(
        st.lists(st.sampled_from(("none", *WORDS)), min_size=4, max_size=4),
        min_size=1,
        max_size=8,
    ),
    patterns=st.lists(st.sampled_from(("", "Golgi", "NuMem")), min_size=8, max_size=8),
)
def test_many_cells_at_once_follow_the_same_rule(said_of, patterns):
    """One reviewer at the screen and three others; the rule cell by cell is truth."""
    ids = [f"c{k}" for k in range(len(said_of))]
    table = pd.DataFrame({"id": ids, "pattern": patterns[: len(ids)]})
    table = table.assign(specimen="1", dropped="")
    review = ReviewSet(np.zeros((len(ids), 9, 9), np.uint8), table, I3A, "t", Path())
    readers = [
        {
            cell: said(words[k], str(k), cell)
            for cell, words in zip(ids, said_of, strict=True)
            if words[k] != "none"
        }
        for k in range(4)
    ]
    mine, *others = readers
    codes = verdict_codes(review, mine)
    own = own_patterns(review, codes, mine)
    found = apart(review, codes, own, votes_of(review, others))
    code = {"open": OPEN, "settled": SETTLED}
    assert found.tolist() == [
        code.get(settle([one[c] for one in readers if c in one], p).together, 0)
        for c, p in zip(ids, table["pattern"], strict=True)
    ]
