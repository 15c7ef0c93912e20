from unittest.mock import Mock

import numpy as np

from napari_hep2.review.state import ReviewState


def test_arrays_change_when_the_object_changes():
    state, told = ReviewState(), Mock()
    state.events.shown.connect(told)
    rows = np.arange(3)
    state.shown = rows
    state.shown = rows
    assert told.call_count == 1
    state.shown = np.arange(3)
    assert told.call_count == 2


def test_two_states_do_not_share_anything():
    one, other = ReviewState(), ReviewState()
    one.measures = {"focus": np.zeros(2)}
    one.shown = np.arange(2)
    assert (other.measures, len(other.shown)) == ({}, 0)
