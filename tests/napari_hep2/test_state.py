from unittest.mock import Mock

import numpy as np

from napari_hep2.state import SessionState
from training.patterns import I3A


def test_a_change_is_told_once_and_no_change_is_not():
    state, told = SessionState(), Mock()
    state.events.reviewer.connect(told)
    state.reviewer = "ann"
    state.reviewer = "ann"
    told.assert_called_once_with("ann", "reviewer")


def test_tables_change_when_the_object_changes():
    state, told = SessionState(), Mock()
    state.events.decisions.connect(told)
    state.decisions = before = {"a": np.arange(3)}
    state.decisions = before
    assert told.call_count == 1
    state.decisions = {"a": np.arange(3)}
    assert told.call_count == 2


def test_two_states_do_not_share_anything():
    one, other = SessionState(), SessionState()
    one.decisions = {"a": object()}
    assert other.decisions == {}


def test_good_news_takes_bad_news_away_and_the_other_way_round():
    state = SessionState()
    state.complain(ValueError("bad"))
    assert (state.fault, state.message) == ("bad", "")
    state.tell("good")
    assert (state.fault, state.message) == ("", "good")


def test_nothing_is_open_at_first():
    state = SessionState()
    assert state.open_specimen is None
    assert state.open_frame is None
    assert state.vocabulary is I3A
