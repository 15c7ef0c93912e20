"""The link between state and layers, on napari's model of a viewer: no window."""

import dataclasses

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hep2.jobs import run_here
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.state import FramePicture
from napari_hep2.viewer.boxes import rgba
from napari_hep2.viewer.layers import LayerLink
from training.config import ExtractionSettings
from training.patterns import I3A


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def clicked():
    return []


@pytest.fixture
def link(viewer, state, clicked):
    made = LayerLink(viewer, state, clicked.append)
    yield made
    made.close()


@pytest.fixture
def opened(link, state, specimen, specimens):
    """The first frame drawn and under review."""
    run_here(specimen.open_folder(specimens))
    review = ReviewController(state)
    review.review_frame()
    yield review
    review.decision_session.close()


def test_a_frame_is_drawn_as_image_mask_and_boxes(viewer, link, opened):
    names = [layer.name for layer in viewer.layers]
    assert names == ["00001_p0", "00001_p0 mask", "00001_p0 cells"]
    boxes = link.boxes
    assert boxes.data[1] == pytest.approx([60, 60])
    assert set(boxes.size) == {77}
    assert list(boxes.features["roi_id"])[:2] == ["00001_p0_0001", "00001_p0_0002"]
    assert list(boxes.features["label"]) == list(range(1, 8))
    assert viewer.layers[0].metadata["specimen"] == "1"
    assert not viewer.layers[1].visible


def test_the_next_frame_takes_the_place_of_this_one(viewer, link, opened, specimen):
    run_here(specimen.step_frame(1))
    names = [layer.name for layer in viewer.layers]
    assert names == ["00001_p1", "00001_p1 mask", "00001_p1 cells"]


def test_the_boxes_keep_their_layer_whatever_their_number(
    viewer, link, opened, specimen
):
    """Drawing after a layer was removed can end the program: see `LayerLink`."""
    boxes, before = link.boxes, len(link.boxes.data)
    removed = []
    viewer.layers.events.removed.connect(lambda event: removed.append(event.value))
    specimen.set_settings("extraction", ExtractionSettings(size=51))
    run_here(specimen.step_frame(1))
    cells = link._state.cells
    cells.cells.table.drop(index=cells.cells.table.index[3:], inplace=True)
    link._state.cells = dataclasses.replace(cells)
    assert link.boxes is boxes is viewer.layers[-1]
    assert len(boxes.data) == 3 < before
    assert set(boxes.size) == {51}
    assert list(boxes.features["label"]) == [1, 2, 3]
    assert removed == []


def test_the_picture_keeps_its_layer_and_its_colours(viewer, link, opened, specimen):
    picture = viewer.layers[0]
    picture.colormap = "green"
    run_here(specimen.step_frame(1))
    assert viewer.layers[0] is picture
    assert picture.colormap.name == "green"
    np.testing.assert_array_equal(picture.data, link._state.cells.image)
    np.testing.assert_array_equal(viewer.layers[1].data, link._state.cells.labels)
    assert picture.metadata["frame"] == "00001_p1"


def test_layers_of_the_user_stay(viewer, link, opened, specimen):
    viewer.add_points(np.zeros((1, 2)), name="mine")
    run_here(specimen.step_frame(1))
    assert "mine" in viewer.layers


def test_dropped_cells_are_hidden_and_shown(link, opened, state):
    assert link.boxes.shown.tolist() == [True] * 7
    state.show_dropped = False
    assert link.boxes.shown.tolist() == [False] + [True] * 6


@pytest.mark.parametrize(
    "harm",
    [
        lambda boxes: boxes.remove([1, 3]),
        lambda boxes: boxes.add([[5.0, 5.0]]),
        lambda boxes: setattr(boxes, "data", boxes.data + 1),
    ],
    ids=["removed", "added", "moved"],
)
def test_the_boxes_stay_those_of_the_cells(link, opened, state, model_file, harm):
    from napari_hep2.classify.controllers.model import ClassifyController

    controller = ClassifyController(state)
    controller.choose_model(model_file)
    run_here(controller.classify())
    boxes, before = link.boxes, link.boxes.features.copy()
    places, colours = boxes.data.copy(), boxes.border_color.copy()
    harm(boxes)
    np.testing.assert_array_equal(boxes.data, places)
    np.testing.assert_array_equal(boxes.border_color, colours)
    assert boxes.features["roi_id"].tolist() == before["roi_id"].tolist()


def test_the_boxes_are_locked_on_every_frame(link, opened, specimen):
    assert not link.boxes.editable
    run_here(specimen.step_frame(1))
    link.boxes.mode = "select"
    assert link.boxes.mode == "pan_zoom"


def test_a_decision_is_marked_on_the_box(link, opened, state):
    opened.navigation.select(1)
    opened.decisions.accept()
    assert link.boxes.features["decision"][1] == "accepted"
    assert link.boxes.text.values[1] == "+"
    opened.decisions.undo()
    assert link.boxes.features["decision"][1] == ""


def test_the_current_cell_stands_out(link, opened):
    opened.navigation.select(3)
    assert np.argmax(link.boxes.border_width) == 3
    opened.navigation.select(5)
    assert np.argmax(link.boxes.border_width) == 5


def test_too_many_boxes_have_no_text_laid_out(monkeypatch, link, opened):
    opened.navigation.select(1)
    opened.decisions.accept()
    assert link.boxes.text.values.tolist() == ["border", "+"] + [""] * 5
    monkeypatch.setattr("napari_hep2.viewer.boxes.MAX_TEXTS", 7)
    opened.decisions.undo()
    assert link.boxes.text.string.constant == ""
    monkeypatch.setattr("napari_hep2.viewer.boxes.MAX_TEXTS", 8)
    opened.decisions.redo()
    assert link.boxes.text.values.tolist() == ["border", "+"] + [""] * 5


def test_boxes_are_coloured_anew_only_where_a_colour_changed(link, opened, state):
    coloured = []
    opened.navigation.select(1)
    link.boxes.events.border_color.connect(coloured.append)
    opened.decisions.accept()
    assert len(coloured) == 1
    opened.navigation.select(state.current)
    opened.decisions.clear()
    state.show_dropped = False
    assert len(coloured) == 2


def test_a_click_gives_the_nearest_cell(link, opened):
    assert link.cell_at(np.array([62, 178])) == "00001_p0_0003"
    assert link.cell_at(np.array([180, 338])) == "00001_p0_0007"
    assert link.cell_at(np.array([120, 0])) is None


def test_a_hidden_cell_cannot_be_clicked(link, opened, state):
    above = np.array([2, 240])
    assert link.cell_at(above) == "00001_p0_0001"
    state.show_dropped = False
    assert link.cell_at(above) is None


def test_a_press_without_a_drag_chooses_a_cell(viewer, link, opened, clicked):
    class Press:
        position = (60.0, 60.0)
        type = "mouse_press"
        modifiers, button = (), 1

    for last in ("mouse_move", "mouse_release"):
        press = Press()
        generator = viewer.mouse_drag_callbacks[-1](viewer, press)
        next(generator)
        press.type = last
        with pytest.raises(StopIteration):
            next(generator)
    assert clicked == ["00001_p0_0002"]


def test_a_click_that_is_taken_chooses_no_cell(viewer, link, opened, clicked):
    class Press:
        position = (60.0, 60.0)
        type = "mouse_press"
        modifiers, button = ("Control",), 1

    taken = []
    link.on_click = lambda click: taken.append(click) or click.modifiers != ()
    for keys, button in ((("Control",), 1), ((), 1), (("Control",), 2)):
        press = Press()
        press.modifiers, press.button = keys, button
        generator = viewer.mouse_drag_callbacks[-1](viewer, press)
        next(generator)
        press.type = "mouse_release"
        with pytest.raises(StopIteration):
            next(generator)
    assert [click.place for click in taken] == [(60, 60)] * 2
    assert taken[0].cell == "00001_p0_0002"
    # The right button edits nothing.
    assert clicked == ["00001_p0_0002"] * 2


def test_a_picture_without_cells_stands_alone(viewer, link, opened, state):
    link.mask.layer.visible = True
    before = state.cells
    image = np.full((90, 120), 7, np.uint8)
    frame = dataclasses.replace(before.frame, name="other")
    state.opening = "specimen 1"
    assert viewer.layers[0].opacity == pytest.approx(0.3)
    state.cells = None
    state.picture = FramePicture(frame, image, (0, 9))
    assert viewer.layers[0].opacity == 1
    assert viewer.layers[0].name == "other"
    assert viewer.layers[0].contrast_limits == [0, 9]
    np.testing.assert_array_equal(viewer.layers[0].data, image)
    assert not link.boxes.visible
    assert not link.mask.layer.visible
    assert link.current_row() is None
    state.opening, state.picture, state.cells = "", None, before
    assert link.boxes.visible
    assert link.mask.layer.visible


def test_the_current_cell_is_brought_near(viewer, link, opened):
    opened.navigation.select(6)
    viewer.scene.camera.zoom = 0.5
    link.zoom_to_current()
    assert tuple(viewer.scene.camera.center[-2:]) == pytest.approx((180, 300))
    assert viewer.scene.camera.zoom * 77 == pytest.approx(260)


def test_a_scaled_image_carries_scaled_boxes(viewer, link, state, specimen, frame):
    image = viewer.add_image(frame[0], scale=(0.5, 0.5), name="well")
    link.adopt(image)
    run_here(specimen.use_arrays("well", *frame))
    assert [layer.name for layer in viewer.layers] == ["well", "well cells"]
    assert link.boxes.scale == pytest.approx([0.5, 0.5])
    assert link.cell_at(np.array([30, 30])) == "well_0002"


def test_a_stack_in_micrometres_carries_boxes_in_its_planes(
    viewer, link, state, specimen, frame
):
    """The units of the viewer stay those of the image, and so does what is clicked."""
    place = {"scale": (2, 0.5, 0.5), "translate": (0, 7, 9), "rotate": np.eye(3)}
    image = viewer.add_image(
        np.stack([frame[0]] * 3), name="well", units=("s", "um", "um"), **place
    )
    link.adopt(image)
    run_here(specimen.use_arrays("well", *frame))
    assert viewer.layers.units == image.units
    assert link.cell_at(np.array([7 + 30, 9 + 30])) == "well_0002"
    viewer.add_image(frame[0], scale=(500, 500), units=("nm", "nm"))
    assert link.cell_at(np.array([7030 + 30_000, 9030])) is None
    assert link.cell_at(np.array([37_000, 39_000])) == "well_0002"
    link.zoom_to_current()
    run_here(specimen.extract_again())
    assert len(viewer.layers) == 3
    np.testing.assert_allclose(link.boxes.scale, (0.5, 0.5))


def test_a_cell_in_view_of_a_pyramid_does_not_move_the_picture(
    viewer, link, state, specimen, frame
):
    levels = [frame[0], frame[0][::2, ::2]]
    image = viewer.add_image(levels, name="well", multiscale=True)
    link.adopt(image)
    run_here(specimen.use_arrays("well", *frame))
    review = ReviewController(state)
    review.review_frame()
    viewer.scene.camera.center = (1.0, 2.0)
    image.data_level, image.corner_pixels = 1, np.array([[0, 0], [119, 179]])
    review.navigation.select(6)
    assert tuple(viewer.scene.camera.center[-2:]) == (1, 2)
    image.corner_pixels = np.array([[0, 0], [60, 100]])
    review.navigation.select(5)
    assert tuple(viewer.scene.camera.center[-2:]) != (1, 2)
    review.decision_session.close()


def test_a_layer_whose_cells_were_not_cut_is_not_drawn_on(
    viewer, link, specimen, specimens, frame
):
    image = viewer.add_image(frame[0], scale=(3, 3), name="well")
    link.adopt(image)
    run_here(specimen.open_folder(specimens))
    assert link.boxes.scale == pytest.approx([1, 1])
    assert "00001_p0" in viewer.layers


def test_the_layer_that_the_reader_opened_is_used(viewer, link, specimens, specimen):
    from napari_hep2.reader import read

    for data, options, kind in read(str(specimens)):
        getattr(viewer, f"add_{kind}")(data, **options)
    run_here(specimen.open_folder(specimens))
    names = [layer.name for layer in viewer.layers]
    assert names == ["00001_p0", "00001_p0 mask", "00001_p0 cells"]
    run_here(specimen.step_frame(1))
    names = [layer.name for layer in viewer.layers]
    assert names == ["00001_p1", "00001_p1 mask", "00001_p1 cells"]


def test_a_prediction_colours_the_boxes(link, opened, state, model_file):
    from napari_hep2.classify.controllers.model import ClassifyController

    controller = ClassifyController(state)
    controller.choose_model(model_file)
    run_here(controller.classify())
    features = link.boxes.features
    for k, called in enumerate(state.prediction.predicted, start=1):
        assert features["pattern"][k] == I3A[called].name
        assert link.boxes.border_color[k] == pytest.approx(rgba(I3A[called].colour))
    assert features["pattern"][0] == ""


def test_a_layer_that_the_user_removed_is_let_go(viewer, link, opened, state, specimen):
    viewer.layers.remove(link.boxes)
    assert link.boxes is None
    opened.navigation.select(2)
    state.show_dropped = False
    viewer.layers.clear()
    run_here(specimen.step_frame(1))
    names = [layer.name for layer in viewer.layers]
    assert names == ["00001_p1", "00001_p1 mask", "00001_p1 cells"]


def test_after_the_end_the_link_hears_nothing(viewer, state, specimen, specimens):
    link = LayerLink(viewer, state, print)
    link.close()
    run_here(specimen.open_folder(specimens))
    assert len(viewer.layers) == 0
    assert link._clicked not in viewer.mouse_drag_callbacks


def test_keys_of_the_canvas_act_on_the_picture_and_on_the_boxes(
    viewer, state, specimen, specimens
):
    pressed = []
    link = LayerLink(viewer, state, print, {"A": lambda: pressed.append("A")})
    run_here(specimen.open_folder(specimens))
    picture = viewer.layers[0]
    for layer in (picture, link.boxes):
        (key,) = layer.keymap
        layer.keymap[key](layer)
    assert pressed == ["A", "A"]
    run_here(specimen.step_frame(1))
    assert len(picture.keymap) == 1
    link.close()


def test_texts_follow_each_prediction_and_keep_their_place(link, opened, state):
    """Only the strings are set anew where the rest stays."""
    from napari_hep2.viewer.boxes import box_text

    rows = np.flatnonzero((state.cells.cells.table["dropped"] == "").to_numpy())
    for k in (2, 5, 0):
        scores = np.eye(6, dtype=np.float32)[np.full(len(rows), k)]
        state.prediction = _prediction_of(state, rows, scores)
        cells = list(link.boxes.features.itertuples())
        expected = [box_text(cell, I3A, link._look.near) for cell in cells]
        assert list(link.boxes.text.values) == expected
        assert expected[1].startswith(I3A[k].letter)
    assert tuple(link.boxes.text.translation) == (-2 - 77 / 2, 1 - 77 / 2)


def _prediction_of(state, rows, scores):
    from types import SimpleNamespace

    return SimpleNamespace(cells=state.cells, rows=rows, scores=scores, vocabulary=I3A)
