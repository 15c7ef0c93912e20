"""Outlines in micrometres and outlines of regions are no nuclei, and are said so."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roifile import ImagejRoi, roiwrite

from training.data.masks.files import read_nuclei
from training.errors import BadMaskError

SHAPE = (400, 520)
CENTRES = [(y, x) for y in range(40, 380, 80) for x in range(40, 500, 80)]
SIDE = 40


def squares(centres=CENTRES, side=SIDE, scale=1.0):
    """Return the corners (x, y) of squares."""
    step = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side / 2
    return [(np.array([x, y]) + step) * scale for y, x in centres]


def around(y0, x0, y1, x1):
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def write(folder, rings, kind="geojson"):
    path = folder / f"S1.{kind}"
    if kind == "zip":
        roiwrite(path, [ImagejRoi.frompoints(ring) for ring in rings])
        return path
    features = [
        {
            "type": "Feature",
            "properties": {},
            "geometry": {"type": "Polygon", "coordinates": [np.asarray(ring).tolist()]},
        }
        for ring in rings
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.mark.parametrize("kind", ["geojson", "zip"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_region_round_all_nuclei_is_left_out(tmp_path, kind, place):
    rings, field = squares(), around(2, 2, 398, 518)
    rings = [field, *rings] if place == "first" else [*rings, field]
    found = read_nuclei(write(tmp_path, rings, kind), SHAPE)
    assert len(found.nuclei) == len(CENTRES)
    assert set(found.nuclei.areas) == {SIDE**2}
    assert "left out, as they go round others: outline" in found.notes[0]


def test_regions_round_some_nuclei_are_left_out(tmp_path):
    rings = [*squares(), around(10, 10, 190, 190), around(250, 250, 390, 510)]
    found = read_nuclei(write(tmp_path, rings), SHAPE)
    assert set(found.nuclei.areas) == {SIDE**2}


@pytest.mark.parametrize("order", [1, -1])
def test_a_cell_round_its_nucleus_is_refused(tmp_path, order):
    rings = [*squares(side=20)[:1], *squares()[:1]][::order]
    with pytest.raises(BadMaskError, match=r"goes round|lies wholly under"):
        read_nuclei(write(tmp_path, rings), SHAPE)


@pytest.mark.parametrize("pixel_size", [0.2, 0.325, 0.55])
def test_micrometres_are_refused_where_the_size_of_a_pixel_is_known(
    tmp_path, pixel_size
):
    path = write(tmp_path, squares(scale=pixel_size))
    with pytest.raises(BadMaskError, match="as outlines in micrometres do"):
        read_nuclei(path, SHAPE, pixel_size)


def test_outlines_as_wide_as_nuclei_in_micrometres_are_refused(tmp_path):
    path = write(tmp_path, squares(scale=0.325))
    sentence = "13.0 across and all lie in the upper left 31% of the frame"
    with pytest.raises(BadMaskError, match=sentence):
        read_nuclei(path, SHAPE)


def test_outlines_in_a_corner_are_said(tmp_path):
    centres = [(y, x) for y, x in CENTRES if y < 220 and x < 290]
    (note,) = read_nuclei(write(tmp_path, squares(centres)), SHAPE).notes
    assert note.startswith("all outlines lie in the upper left 58% of the frame")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(CENTRES), min_size=4, unique=True),
    st.integers(9, 70),
    st.sampled_from([None, 0.3]),
)
def test_nuclei_over_the_field_are_taken_as_they_are(
    tmp_path_factory, centres, side, pixel_size
):
    centres = sorted({*centres, CENTRES[0], CENTRES[-1]})
    path = write(tmp_path_factory.mktemp("field"), squares(centres, side))
    found = read_nuclei(path, SHAPE, pixel_size)
    assert len(found.nuclei) == len(centres)
    assert found.notes == ()
