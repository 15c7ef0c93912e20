import numpy as np
import pytest

from napari_hep2.review.controllers.selection import Selection

SHOWN = np.array([4, 2, 7, 0, 5])
"""Rows in the order of the gallery, which is not that of the review set."""


def seen(selection):
    return selection.current, selection.selected


@pytest.fixture
def at_7():
    return Selection(SHOWN).at(7)


def test_nothing_is_current_at_first():
    assert seen(Selection(SHOWN)) == (None, ())
    assert Selection(SHOWN).place is None


def test_the_current_row_is_selected_with_the_others():
    chosen = Selection(SHOWN).at(7, [2, np.int64(0)])
    assert seen(chosen) == (7, (0, 2, 7))
    assert all(type(row) is int for row in chosen.selected)
    assert seen(chosen.at(None)) == (None, ())


@pytest.mark.parametrize(
    ("step", "current"), [(1, 0), (-1, 2), (2, 5), (9, 5), (-9, 4), (0, 7)]
)
def test_steps_follow_the_order_shown_and_stop_at_the_ends(at_7, step, current):
    assert seen(at_7.step(step)) == (current, (current,))


def test_a_step_from_nowhere_goes_to_the_first_row():
    assert Selection(SHOWN).step(-3).current == 4
    assert Selection(SHOWN).extend(2).current == 4
    assert Selection(SHOWN[:0]).step(1).current is None


def test_a_range_grows_shrinks_and_turns_where_it_was_begun(at_7):
    assert seen(at_7.extend(2)) == (5, (0, 5, 7))
    assert seen(at_7.extend(2).extend(-1)) == (0, (0, 7))
    assert seen(at_7.extend(2).extend(-4)) == (4, (2, 4, 7))
    assert seen(at_7.range_to(2)) == (2, (2, 7))


def test_a_range_begins_anew_once_one_row_was_chosen(at_7):
    again = at_7.extend(2).at(4)
    assert seen(again.extend(1)) == (2, (2, 4))
    assert seen(Selection(SHOWN).range_to(0)) == (0, (0,))


def test_all_keeps_the_current_row(at_7):
    assert seen(at_7.all()) == (7, (0, 2, 4, 5, 7))
    assert Selection(SHOWN).all().current == 4
    assert seen(Selection(SHOWN[:0]).all()) == (None, ())


def test_other_rows_shown_leave_what_is_still_among_them(at_7):
    chosen = at_7.at(7, [2, 5])
    assert seen(chosen.among(np.array([5, 7]))) == (7, (5, 7))
    assert seen(chosen.among(np.array([5, 2, 1]))) == (2, (2, 5))
    assert seen(chosen.among(np.array([1]))) == (None, ())


def test_after_the_selected_rows_come_the_next_then_those_before(at_7):
    assert at_7.following().tolist() == [0, 5, 7, 2, 4]
    assert at_7.at(2, [7]).following().tolist() == [0, 5, 7, 2, 4]
    assert Selection(SHOWN).following().tolist() == []
    assert at_7.among(np.array([4, 2])).first_of(at_7.following()) == 2
    assert at_7.first_of(np.array([1, 3])) is None


def test_the_next_wanted_row_is_looked_for_from_the_start_after_the_end(at_7):
    wanted = np.zeros(8, bool)
    assert at_7.next_of(wanted) is None
    wanted[[4, 7]] = True
    assert at_7.next_of(wanted) == 4
    wanted[5] = True
    assert at_7.next_of(wanted) == 5
