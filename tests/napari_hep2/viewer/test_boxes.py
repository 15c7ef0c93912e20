from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from napari_hep2.viewer.boxes import (
    CURRENT,
    DROPPED,
    KEPT,
    MAX_TEXTS,
    Look,
    box_style,
    box_text,
    look_at_zoom,
    rgba,
    text_options,
)
from training.patterns import I3A


def features(**columns):
    plain = {
        "label": [1, 2, 3],
        "roi_id": ["f_0001", "f_0002", "f_0003"],
        "dropped": ["", "", "border"],
        "flags": "",
        "decision": "",
        "pattern": "",
        "probability": np.nan,
    }
    return pd.DataFrame(plain | columns)


def cell(decision="", pattern="", probability=np.nan, dropped=""):
    return SimpleNamespace(
        decision=decision, pattern=pattern, probability=probability, dropped=dropped
    )


def test_a_colour_is_read_from_its_name():
    assert rgba("#ff8000", 0.5) == (1.0, 128 / 255, 0.0, 0.5)


def test_kept_and_dropped_look_different_without_a_prediction():
    style = box_style(features(), I3A)
    assert style.colours[0] == pytest.approx(KEPT)
    assert style.colours[2] == pytest.approx(DROPPED)
    assert style.texts.tolist() == ["", "", "border"]


def test_a_predicted_cell_has_the_patterns_colour_letter_and_probability():
    style = box_style(
        features(pattern=["Golgi", "NuMem", ""], probability=[0.914, 0.5, np.nan]), I3A
    )
    assert style.colours[0] == pytest.approx(rgba("#d55e00"))
    assert style.colours[1] == pytest.approx(rgba("#56b4e9"))
    assert style.texts.tolist() == ["G 0.91", "M 0.50", "border"]


def test_the_current_cell_has_the_thickest_line():
    style = box_style(features(), I3A, current=1)
    assert style.colours[1] == pytest.approx(CURRENT)
    assert np.argmax(style.widths) == 1


def test_a_current_cell_keeps_its_patterns_colour():
    style = box_style(features(pattern="Golgi"), I3A, current=0)
    assert style.colours[0] == pytest.approx(rgba("#d55e00"))


def test_dropped_cells_can_be_hidden():
    style = box_style(features(), I3A, show_dropped=False)
    assert style.shown.tolist() == [True, True, False]


def test_too_many_boxes_carry_no_text():
    many = pd.concat([features(pattern="Golgi", dropped="")] * MAX_TEXTS)
    assert set(box_style(many, I3A).texts) == {""}


def test_boxes_without_any_text_share_one():
    empty = text_options(box_style(features(dropped=""), I3A), 77)
    assert empty["string"] == {"constant": ""}
    written = text_options(box_style(features(), I3A), 77)
    assert written["string"]["array"].tolist() == ["", "", "border"]
    assert written["color"]["array"].shape == (3, 4)


def test_texts_that_are_not_wanted_are_not_made():
    style = box_style(features(), I3A, with_text=False)
    assert style.texts.tolist() == ["", "", ""]
    np.testing.assert_array_equal(style.colours, box_style(features(), I3A).colours)


@pytest.mark.parametrize(
    ("what", "near", "expected"),
    [
        (cell("accepted"), True, "+"),
        (cell("rejected", "Golgi", 0.5), True, "x G 0.50"),
        (cell("relabelled Golgi", "Speckled", 0.7), True, "=G S 0.70"),
        (cell("relabelled Golgi", "Speckled", 0.7), False, "=G"),
        (cell("", "Speckled", 0.7), False, "S"),
        (cell(dropped="touching"), True, "touching"),
        (cell(dropped="touching"), False, "t"),
        (cell("accepted", dropped="touching"), True, "+"),
        (cell(), True, ""),
    ],
)
def test_texts(what, near, expected):
    assert box_text(what, I3A, near) == expected


def test_lines_keep_their_width_on_the_screen():
    for zoom in (0.25, 0.5, 1, 2, 4):
        assert look_at_zoom(zoom, 77).line * zoom == pytest.approx(1.3)
    assert look_at_zoom(0.5, 77) == Look(2.6, near=False)
    assert look_at_zoom(1, 77).near
