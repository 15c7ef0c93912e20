"""Shapes that tell patterns apart without colours."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hep2.jobs import run_here
from napari_hep2.viewer.boxes import rgba
from napari_hep2.viewer.layers import LayerLink
from training.patterns import VOCABULARIES


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def link(viewer, state, classified):
    """The first frame drawn, its six kept cells scored."""
    made = LayerLink(viewer, state, lambda _: None)
    state.events.cells.emit(state.cells, None)
    yield made
    made.close()


def marks_of(link):
    layer = link.marks.layer
    return [str(one) for one in layer.symbol[layer.shown]]


@pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES)
def test_no_two_patterns_of_a_vocabulary_have_one_shape(vocabulary):
    assert len({pattern.symbol for pattern in vocabulary}) == len(vocabulary)


def test_each_predicted_box_has_its_patterns_shape_at_its_corner(link, state):
    layer, boxes = link.marks.layer, link.boxes
    scores, vocabulary = state.prediction.scores, state.prediction.vocabulary
    called = [vocabulary[k] for k in scores.argmax(axis=1)]
    assert marks_of(link) == [pattern.symbol for pattern in called]
    assert layer.shown.tolist() == [False] + [True] * 6
    np.testing.assert_allclose(layer.data - boxes.data, [[-38.5, 38.5]] * 7)
    assert layer.face_color[1] == pytest.approx(rgba(called[0].colour))


def test_another_prediction_has_other_shapes(link, state):
    import dataclasses

    scores = np.roll(np.eye(6, dtype=np.float32), 1, axis=1)
    state.prediction = dataclasses.replace(state.prediction, scores=scores)
    vocabulary = state.prediction.vocabulary
    order = [vocabulary[k].symbol for k in (1, 2, 3, 4, 5, 0)]
    assert marks_of(link) == order


def test_the_shapes_lie_below_the_boxes_which_stay_active(link, viewer):
    layers = [layer.name for layer in viewer.layers]
    assert layers[-2:] == ["00001_p0 patterns", "00001_p0 cells"]
    assert viewer.layers.selection.active is link.boxes
    assert not link.marks.layer.editable


def test_the_shapes_go_with_the_boxes_and_with_the_prediction(link, state):
    state.prediction = None
    assert marks_of(link) == []
    state.opening = "the next"
    assert not link.marks.layer.visible
    state.opening = ""
    assert link.marks.layer.visible


def test_a_frame_without_a_prediction_has_no_layer_of_shapes(viewer, state, review):
    link = LayerLink(viewer, state, lambda _: None)
    state.events.cells.emit(state.cells, None)
    assert link.marks.layer is None
    link.close()


def test_shapes_that_the_user_removed_come_back(link, viewer, state, classified):
    viewer.layers.remove(link.marks.layer)
    run_here(classified.classify())
    assert len(marks_of(link)) == 6
