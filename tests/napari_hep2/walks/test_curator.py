"""A curator opens a cell folder, looks at the doubtful cells first, and decides."""

import pytest

from napari_hep2.review.widgets.widget import ReviewWidget


@pytest.mark.window
def test_a_curator(window, person, chosen, cell_folder, model_file):
    review = ReviewWidget(window)
    window.window.add_dock_widget(review, name="Review cells", area="right")
    state, own = review.state, review.session.review.state
    review.session.classify.choose_model(model_file)
    review.session.classify.choose_device("cpu")

    chosen["folder"] = cell_folder
    person.click(review.open_cells)
    person.sees(lambda: len(own.shown) == 28)
    person.click(review.view.viewport())
    person.press("g")
    person.sees(lambda: review.width() > 900)

    # The doubtful cells first: there are no scores yet, and the button is there.
    person.press("Shift_L", "o")
    person.sees(review.choosers.sort.view().isVisible)
    person.press("u")
    person.press("Return")
    person.sees(review.choosers.score.isVisible)
    person.click(review.choosers.score)
    person.sees(lambda: own.sort == "uncertainty" and not state.busy)
    top = state.current
    assert top == next(k for k in own.shown if not state.review.dropped[k])

    person.click(review.view.viewport())
    for key in ("a", "a", "r", "6"):
        person.press(key)
    person.sees(lambda: len(state.decisions) == 4)
    person.press("z")
    person.sees(lambda: len(state.decisions) == 3)

    # What would be rejected, under its reasons.
    person.press("Shift_L", "f")
    person.sees(review.choosers.filter.view().isVisible)
    person.press("p")
    person.press("Return")
    person.sees(lambda: own.filter == "proposed" and own.group == "reason")
    person.press("g")
    person.sees(lambda: review.width() < 700)
    review.session.review.decision_session.close()
