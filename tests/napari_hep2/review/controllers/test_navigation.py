"""Going through cells, without a window; the keys are tested with the widget."""


def test_back_passes_over_cells_that_are_filtered_out(state, review):
    for row in (1, 2, 3):
        review.navigation.select(row)
    review.navigation.select(2)
    review.decisions.reject()
    review.order.set_filter("undecided")
    review.navigation.select(5)
    review.navigation.back()
    assert state.current == 3
    for _ in range(9):
        review.navigation.back()
    assert state.current == 1
    assert "no cell to go back" in state.message


def test_a_range_grows_and_shrinks_from_where_it_began(state, review):
    review.navigation.select(2)
    review.navigation.extend(2)
    assert (state.current, state.selected) == (4, (2, 3, 4))
    review.navigation.extend(-3)
    assert (state.current, state.selected) == (1, (1, 2))
    review.navigation.select_range(5)
    assert state.selected == (2, 3, 4, 5)
    review.navigation.select(3)
    review.navigation.extend(1)
    assert state.selected == (3, 4)


def test_steps_stop_at_the_ends(state, review):
    review.navigation.step(-100)
    assert state.current == 0
    review.navigation.step(3)
    assert state.current == 3
    review.navigation.step(100)
    assert state.current == 6


def test_next_undecided_goes_round(state, review):
    review.navigation.select(1)
    review.decisions.accept()
    review.navigation.select(6)
    review.navigation.next_undecided()
    assert state.current == 2
    review.navigation.select(2, [2, 3, 4, 5, 6])
    review.decisions.accept()
    review.navigation.next_undecided()
    assert state.message == "Every cell shown has a decision."
