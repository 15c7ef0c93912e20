"""Agreement, consensus and history, without a window."""

import pytest

from napari_hep2.jobs import run_here
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore

CELLS = [f"00001_p0_000{k}" for k in range(1, 8)]


def test_a_blind_reader_sees_no_other(state, review, bob):
    bob.decide([CELLS[1]], "rejected")
    review.decision_session.set_blind(True)
    review.decision_session.refresh()
    assert (state.blind, review.state.others) == (True, {})
    review.decisions.accept()
    assert review.state.others == {}
    assert not any("bob" in line for line in review.others.history_of_current())
    review.decision_session.set_blind(False)
    assert set(review.state.others) == {CELLS[1]}


def test_reviewers_are_compared_by_a_job(state, review):
    shown = []
    assert review.others.compare(shown.append) is None
    assert shown == [[]]
    for reviewer, reject in (("first", (3,)), ("second", (3, 4))):
        review.decision_session.set_reviewer(reviewer)
        for row in (1, 2, 3, 4):
            review.navigation.select(row)
            if row in reject:
                review.decisions.reject()
            else:
                review.decisions.accept()
    run_here(review.others.compare(shown.append))
    start = "second and first: 3 of 4 cells alike (75%), Cohen's kappa 0.50"
    assert shown[-1][0].startswith(start)
    assert any(line.startswith("Homogeneous against the rest") for line in shown[-1])


def test_the_history_of_the_current_cell(state, review, bob):
    bob.decide([CELLS[1]], "rejected", reason="focus")
    review.navigation.select(1)
    lines = [line.split(" ", 4)[-1] for line in review.others.history_of_current()]
    assert lines == ["reviewer: accepted", "bob: rejected: out of focus"]
    review.navigation.select(None)
    assert review.others.history_of_current() == []


@pytest.fixture
def eva(review, specimens, bob):
    """Eva, with the cells 1 to 3 accepted here; Bob rejected 1 and 2."""
    review.navigation.select(1, [1, 2, 3])
    review.decisions.accept()
    bob.decide([CELLS[1], CELLS[2]], "rejected")
    with DecisionStore(specimens / STORE, "eva") as store:
        yield store


def test_a_third_reader_settles_a_disagreement(state, review, eva):
    review.decision_session.refresh()
    review.order.set_filter("disagreed")
    assert review.state.shown.tolist() == [1, 2]
    assert review.others.consensus_of_current() == "Open: 2 reviewers disagree."
    eva.decide([CELLS[1]], "rejected")
    eva.decide([CELLS[2]], "relabelled", "Golgi")
    review.decision_session.refresh()
    assert review.state.shown.tolist() == [2], "open still: all three differ"
    review.order.set_filter("settled")
    assert review.state.shown.tolist() == [1]
    review.navigation.select(1)
    found = review.others.consensus_of_current()
    assert found == "Consensus of 2 of 3 reviewers: rejected."
    told = []
    run_here(review.others.compare(told.extend))
    assert told[-1] == "2 cells are disagreed on: 1 with a consensus, 1 open."


def test_a_blind_third_reader_is_not_told_what_settled(state, review, eva):
    review.decision_session.set_reviewer("eva")
    review.decision_session.set_blind(True)
    review.order.set_filter("disagreed")
    assert review.state.shown.tolist() == [1, 2], "what ann and bob disagree on"
    review.navigation.select(1)
    review.decisions.reject()
    assert review.state.shown.tolist() == [1, 2], (
        "the queue does not tell that it is settled"
    )
    review.navigation.select(1)
    assert review.others.consensus_of_current() == ""
    review.order.set_filter("settled")
    assert review.state.shown.tolist() == [], "nor does this filter"
    review.decision_session.set_blind(False)
    assert review.state.shown.tolist() == [1]
