"""A pathologist opens specimens, reads the verdict, corrects a doubtful cell."""

import pytest

from napari_hep2.classify.widgets.widget import ClassifyWidget


@pytest.mark.window
def test_a_pathologist(window, person, specimens, model_file):
    classify = ClassifyWidget(window)
    window.window.add_dock_widget(classify, name="Classify", area="right")
    session, state = classify.session, classify.state
    session.classify.choose_model(model_file)
    session.classify.choose_device("cpu")

    person.drop(specimens, classify)
    person.sees(lambda: state.cells is not None and not state.opening)
    if state.prediction is None:
        person.click(classify.run)
    person.sees(lambda: state.prediction is not None and not state.busy)
    person.click(classify.doubt.next_cell)
    person.sees(lambda: state.current is not None)

    canvas = window.window._qt_viewer.canvas.native
    person.click(canvas)
    person.press("r")
    person.sees(lambda: len(state.decisions) == 1)
    session.review.decision_session.close()
