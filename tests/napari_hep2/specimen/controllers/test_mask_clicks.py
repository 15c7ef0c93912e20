"""Clicks on the picture that add, delete and merge nuclei, without a tool."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hep2.jobs import run_here
from napari_hep2.session import session_of
from napari_hep2.viewer.layers import Click

CENTRE = (60, 60)
"""The middle of a nucleus of every frame."""
EMPTY = (120, 120)


@pytest.fixture
def session(qtbot, specimens):
    viewer = ViewerModel()
    made = session_of(viewer)
    made.kept_viewer = viewer
    run_here(made.specimen.open_folder(specimens))
    made.clicks.is_on = True
    yield made
    made.review.decision_session.close()


def take(qtbot, session, place, *modifiers, cell=None):
    taken = session.clicks.take(Click(place, modifiers, cell))
    qtbot.waitUntil(lambda: not session.strokes.is_running, timeout=20_000)
    return taken


def labels(session):
    return np.unique(session.mending.painted)


def test_a_click_where_nothing_is_adds_a_nucleus_there(qtbot, session):
    before = len(labels(session))
    assert take(qtbot, session, EMPTY)
    assert session.mending.painted[EMPTY] > 0
    assert len(labels(session)) == before + 1
    session.mending.undo()
    assert len(labels(session)) == before


def test_a_click_in_a_box_chooses_its_cell_as_ever(qtbot, session):
    before = labels(session).tolist()
    assert not take(qtbot, session, CENTRE, cell="00001_p0_0002")
    assert not take(qtbot, session, (80, 80), cell="00001_p0_0002")
    assert labels(session).tolist() == before
    assert take(qtbot, session, (85, 85), "Shift", cell="00001_p0_0002")
    assert len(labels(session)) == len(before) + 1


def test_control_deletes_the_nucleus_that_is_clicked(qtbot, session):
    assert session.mending.painted[CENTRE] > 0
    assert take(qtbot, session, CENTRE, "Control", cell="00001_p0_0002")
    assert session.mending.painted[CENTRE] == 0


def test_alt_merges_both_sides_of_a_seam(qtbot, session):
    whole = len(labels(session))
    session.mending.split([(30.0, 60.0), (90.0, 60.0)])
    qtbot.waitUntil(lambda: not session.strokes.is_running, timeout=20_000)
    assert len(labels(session)) == whole + 1
    assert take(qtbot, session, (60, 62), "Alt", cell="00001_p0_0002")
    assert len(labels(session)) == whole


@pytest.mark.parametrize("keys", [("Control", "Alt"), ("Meta",)])
def test_other_keys_edit_nothing(qtbot, session, keys):
    assert not take(qtbot, session, EMPTY, *keys)


def test_nothing_is_edited_where_the_widget_is_not_seen_or_a_tool_is_on(qtbot, session):
    session.clicks.is_on = False
    assert not take(qtbot, session, EMPTY)
    session.clicks.is_on = True
    layer = session.link.mask.layer
    layer.visible = True
    session.kept_viewer.layers.selection.active = layer
    layer.mode = "paint"
    assert not take(qtbot, session, EMPTY)
    layer.mode = "pan_zoom"
    assert not take(qtbot, session, (-5, 10))
    assert not take(qtbot, session, (10, 10_000))


def test_a_double_click_zooms_and_adds_nothing(qtbot, session):
    before = labels(session).tolist()
    take(qtbot, session, EMPTY)
    session.kept_viewer.mouse_double_click_callbacks[-1](session.kept_viewer, None)
    qtbot.waitUntil(lambda: labels(session).tolist() == before, timeout=20_000)
