"""A pathologist opens specimens, looks at the doubtful cells, corrects one, signs."""

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

    # The specimen is signed under a name.
    form = classify.saying
    person.click(form.pattern)
    person.sees(lambda: form.pattern.hasFocus() or form.pattern.view().isVisible())
    person.press("s")
    person.press("Return")
    person.sees(lambda: form.pattern.currentText() == "Speckled")
    person.click(form.reviewer)
    for letter in "ara":
        person.press(letter)
    person.click(form.save)
    person.sees(lambda: session.saying.own() == "Speckled")
    session.review.decision_session.close()
