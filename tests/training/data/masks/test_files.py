"""Nuclei of other tools become the labels of the masks that they were made from."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from roifile import ROI_TYPE, ImagejRoi, roiwrite
from skimage.draw import disk
from skimage.measure import find_contours

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.extraction import extract_frame
from training.data.layouts import read_collection
from training.data.masks.files import read_nuclei
from training.data.masks.outlines import Outline, paint_outlines
from training.errors import BadMaskError

SHAPE = (60, 80)
SQUARE = [[10, 5], [20, 5], [20, 12], [10, 12], [10, 5]]
"""Corners (x, y) of the pixels of rows 5 to 11 and columns 10 to 19."""

FRAME_RING = np.array([[-1.0, -1.0], [-1.0, 99.0], [99.0, 99.0], [99.0, -1.0]])
SMALL = (12, 15)
_SIDE = st.integers(-20, 70).map(lambda tenth: tenth / 4 + 0.1)


def _labels():
    labels = np.zeros(SHAPE, np.int32)
    for number, centre in enumerate([(15, 20), (15, 55), (40, 30)], start=1):
        labels[disk(centre, 9)] = number
    return labels


def _corners(labels, number):
    """Return the outline of a label as (x, y) from the corner of the first pixel."""
    return find_contours(labels == number, 0.5)[0][:, ::-1] + 0.5


def _square(rows=slice(5, 12), columns=slice(10, 20)):
    found = np.zeros(SHAPE, np.int32)
    found[rows, columns] = 1
    return found


# --- ImageJ --------------------------------------------------------------------------


def test_a_set_of_regions_gives_back_the_labels(tmp_path):
    labels = _labels()
    regions = [ImagejRoi.frompoints(_corners(labels, k)) for k in (1, 2, 3)]
    roiwrite(tmp_path / "RoiSet.zip", regions)
    found = read_nuclei(tmp_path / "RoiSet.zip", SHAPE)
    np.testing.assert_array_equal(found.labels, labels)


def test_corners_at_whole_numbers_lie_between_pixels(tmp_path):
    region = ImagejRoi.frompoints(np.array(SQUARE[:4], np.int32))
    region.tofile(tmp_path / "a.roi")
    np.testing.assert_array_equal(
        read_nuclei(tmp_path / "a.roi", SHAPE).labels, _square()
    )


def test_a_rectangle_and_an_oval(tmp_path):
    box = {"top": 5, "left": 10, "bottom": 12, "right": 20}
    for kind, area in ((ROI_TYPE.RECT, 70), (ROI_TYPE.OVAL, 55)):
        ImagejRoi(roitype=kind, **box).tofile(tmp_path / "a.roi")
        labels = read_nuclei(tmp_path / "a.roi", SHAPE).labels
        assert abs(labels.sum() - area) <= 5
        assert not labels[_square() == 0].any()


def test_a_point_is_no_nucleus(tmp_path):
    region = ImagejRoi.frompoints(np.array([[5, 6]]))
    region.roitype = ROI_TYPE.POINT
    roiwrite(tmp_path / "RoiSet.zip", [region], name=["one"])
    with pytest.raises(BadMaskError, match=r"the region 1 .*is a point and has no"):
        read_nuclei(tmp_path / "RoiSet.zip", SHAPE)


def test_regions_of_several_planes_are_refused(tmp_path):
    regions = [ImagejRoi.frompoints(_corners(_labels(), k)) for k in (1, 2)]
    for number, region in enumerate(regions, start=1):
        region.position = number
    roiwrite(tmp_path / "RoiSet.zip", regions)
    with pytest.raises(BadMaskError, match="2 planes of a stack"):
        read_nuclei(tmp_path / "RoiSet.zip", SHAPE)


def _bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            archive.writestr(f"{number}.roi", bytes(40 * 2**20))


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda path: path.write_bytes(b"PK"), "no set of ImageJ's regions"),
        (_bomb, "larger than the outlines of any frame"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "holds no outline"),
        (lambda path: None, "is missing"),
    ],
)
def test_faults_of_a_set_of_regions(tmp_path, harm, sentence):
    path = tmp_path / "RoiSet.zip"
    harm(path)
    with pytest.raises(BadMaskError, match=sentence):
        read_nuclei(path, SHAPE)


# --- GeoJSON -------------------------------------------------------------------------


def _polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def _object(geometry, kind="detection", **more):
    told = {"objectType": kind} if kind else {}
    return {"type": "Feature", "geometry": geometry, "properties": told, **more}


def _geojson(folder, *features):
    path = folder / "a.geojson"
    content = {"type": "FeatureCollection", "features": list(features)}
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("kind", ["detection", "annotation", ""])
def test_objects_of_qupath_give_back_the_labels(tmp_path, kind):
    labels = _labels()
    outlines = (_corners(labels, k).tolist() for k in (1, 2, 3))
    path = _geojson(tmp_path, *(_object(_polygon(one), kind) for one in outlines))
    np.testing.assert_array_equal(read_nuclei(path, SHAPE).labels, labels)


@pytest.mark.parametrize("inside", [False, True])
def test_of_a_cell_the_nucleus_is_taken(tmp_path, inside):
    around = _polygon([[0, 0], [40, 0], [40, 40], [0, 40], [0, 0]])
    cell = _object(around, "cell")
    (cell["properties"] if inside else cell)["nucleusGeometry"] = _polygon(SQUARE)
    path = _geojson(tmp_path, cell)
    np.testing.assert_array_equal(read_nuclei(path, SHAPE).labels, _square())


def test_a_cell_without_its_nucleus_is_refused(tmp_path):
    path = _geojson(tmp_path, _object(_polygon(SQUARE), "cell"))
    with pytest.raises(BadMaskError, match="cell 1 has no outline of its nucleus"):
        read_nuclei(path, SHAPE)


def test_the_region_in_which_nuclei_were_sought_is_none(tmp_path):
    around = _object(_polygon([[0, 0], [80, 0], [80, 60], [0, 60]]), "annotation")
    found = read_nuclei(_geojson(tmp_path, around, _object(_polygon(SQUARE))), SHAPE)
    np.testing.assert_array_equal(found.labels, _square())
    assert found.notes == ("a.geojson: left out, as no nuclei: 1 annotation",)


def test_objects_of_an_old_qupath_and_a_bare_list(tmp_path):
    path = tmp_path / "a.geojson"
    one = _object(_polygon(SQUARE), "", id="PathDetectionObject")
    path.write_text(json.dumps([one]))
    np.testing.assert_array_equal(read_nuclei(path, SHAPE).labels, _square())


def test_a_ring_in_another_is_a_hole(tmp_path):
    hole = [[12, 7], [15, 7], [15, 9], [12, 9], [12, 7]]
    path = _geojson(tmp_path, _object(_polygon(SQUARE, hole)))
    expected = _square()
    expected[7:9, 12:15] = 0
    np.testing.assert_array_equal(read_nuclei(path, SHAPE).labels, expected)


def test_a_pixel_of_two_outlines_is_of_the_first(tmp_path):
    other = [[15, 5], [30, 5], [30, 12], [15, 12]]
    path = _geojson(tmp_path, _object(_polygon(SQUARE)), _object(_polygon(other)))
    expected = _square()
    expected[5:12, 20:30] = 2
    np.testing.assert_array_equal(read_nuclei(path, SHAPE).labels, expected)


def test_what_reaches_over_the_edge_is_cut_off(tmp_path):
    path = _geojson(tmp_path, _object(_polygon([[-5, -5], [4, -5], [4, 3], [-5, 3]])))
    expected = _square(slice(0, 3), slice(0, 4))
    np.testing.assert_array_equal(read_nuclei(path, SHAPE).labels, expected)


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ([], "holds no outline"),
        ([_object(_polygon([[90, 5], [99, 5], [99, 9]]))], "has no pixel in its frame"),
        ([_object(_polygon(SQUARE))] * 2, "outline 2 lies wholly under others"),
        ([_object(_polygon(SQUARE[:2]))], "fewer than 3 corners"),
        ([_object(_polygon([[0, 0], [9, 0], [float("nan"), 9]]))], "nowhere near"),
        ([_object(_polygon([[0, 0], [9, 0], [1e300, 9]]))], "nowhere near"),
        ([_object({"type": "Point", "coordinates": [1, 2]})], "is no polygon"),
        ([_object(None)], "is no polygon"),
        (["x"], "no GeoJSON with features"),
    ],
)
def test_faults_of_geojson(tmp_path, features, sentence):
    with pytest.raises(BadMaskError, match=sentence):
        read_nuclei(_geojson(tmp_path, *features), SHAPE)


def test_a_huge_geojson_is_not_read(tmp_path):
    path = tmp_path / "a.geojson"
    with path.open("wb") as stream:
        stream.truncate(2**30)
    with pytest.raises(BadMaskError, match="larger than the outlines of any frame"):
        read_nuclei(path, SHAPE)


def test_more_work_than_any_frame_takes_is_refused():
    zigzag = np.tile([[-99.0, 1.0], [99.0, 2.0]], (200_000, 1))
    with pytest.raises(BadMaskError, match="larger than the outlines"):
        paint_outlines(Path("a"), [Outline("1", (zigzag,))], SHAPE)


def test_outlines_that_cover_the_frame_over_and_over_are_refused(tmp_path):
    whole = _object(_polygon([[0, 0], [80, 0], [80, 60], [0, 60]]))
    with pytest.raises(BadMaskError, match="larger than the outlines"):
        read_nuclei(_geojson(tmp_path, *[whole] * 21), SHAPE)


@settings(deadline=None, max_examples=10)
@given(st.lists(st.tuples(_SIDE, _SIDE), min_size=3, max_size=8))
def test_any_outline_holds_the_pixels_whose_centres_are_inside(corners):
    ring = np.array(corners)
    labels = paint_outlines(Path("a"), [Outline("1", (ring, FRAME_RING))], SMALL)
    # Beyond the ring and inside the frame: the other one is the whole frame.
    expected = np.ones(SMALL, bool)
    for y, x in np.ndindex(SMALL):
        expected[y, x] ^= _winds_oddly(ring, y + 0.5, x + 0.5)
    np.testing.assert_array_equal(labels == 1, expected)


def _winds_oddly(ring, y, x):
    """Whether a ray to the right crosses a ring an odd number of times."""
    crossed = False
    for (y0, x0), (y1, x1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if (y0 <= y) != (y1 <= y):
            crossed ^= x0 + (y - y0) * (x1 - x0) / (y1 - y0) > x
    return crossed


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 50), st.integers(0, 70), st.integers(1, 10), st.integers(1, 10))
def test_any_box_of_pixels_comes_back(tmp_path_factory, y, x, height, width):
    folder = tmp_path_factory.mktemp("box")
    ring = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
    labels = read_nuclei(_geojson(folder, _object(_polygon(ring))), SHAPE).labels
    expected = _square(slice(y, y + height), slice(x, x + width))
    np.testing.assert_array_equal(labels, expected)


# --- ilastik's classes ---------------------------------------------------------------


@pytest.mark.parametrize(("nuclei", "rest"), [(1, 2), (2, 1)])
def test_the_class_along_the_edge_is_background(tmp_path, nuclei, rest):
    path = tmp_path / "a_Simple Segmentation.png"
    mask = _labels() > 0
    Image.fromarray(np.where(mask, nuclei, rest).astype(np.uint8)).save(path)
    found = read_nuclei(path, SHAPE)
    np.testing.assert_array_equal(found.labels, mask)
    assert found.notes == (f"class {rest} of {path.name} was taken as background",)


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (np.arange(4800).reshape(SHAPE) % 3 + 1, "3 classes"),
        (np.ones(SHAPE), "1 classes"),
        (np.arange(4800).reshape(SHAPE) % 2 + 1, "both of its classes lie along"),
    ],
)
def test_classes_that_do_not_tell_nuclei_are_refused(tmp_path, pixels, sentence):
    path = tmp_path / "a_Simple Segmentation.png"
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    with pytest.raises(BadMaskError, match=sentence):
        read_nuclei(path, SHAPE)


# --- beside a frame ------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["RoiSet.zip", "S1_RoiSet.zip", "S1.zip", "RoiSet_S1.zip", "S1_rois.zip", "S1.roi"],
)
def test_regions_beside_a_frame_are_its_mask(tmp_path, frame_with_nuclei, name):
    grey, mask = frame_with_nuclei()
    Image.fromarray(grey).save(tmp_path / "S1.png")
    region = ImagejRoi.frompoints(find_contours(mask > 0, 0.5)[0][:, ::-1] + 0.5)
    path = tmp_path / name
    region.tofile(path) if path.suffix == ".roi" else roiwrite(path, [region])
    (specimen,) = read_collection(tmp_path).specimens
    assert specimen.frames[0].mask == path
    how = ExtractionSettings(size=21), SegmentationSettings()
    cut = extract_frame(specimen.frames[0], *how)
    assert (len(cut.cells.table), cut.mask_made) == (1, False)


def test_a_set_that_names_no_frame_of_two_is_named(tmp_path, write_plain):
    write_plain(tmp_path, ["a", "b"], masks=False)
    (tmp_path / "RoiSet.zip").write_bytes(b"")
    found = read_collection(tmp_path)
    assert found.notes == (
        "RoiSet.zip: outlines of no frame by their name: name them after it.",
    )


@pytest.mark.parametrize("name", ["S1.geojson", "S1_cells.geojson", "S1.tif.geojson"])
def test_outlines_beside_a_frame_are_its_mask(tmp_path, frame_with_nuclei, name):
    Image.fromarray(frame_with_nuclei()[0]).save(tmp_path / "S1.tif")
    _geojson(tmp_path, _object(_polygon(SQUARE))).rename(tmp_path / name)
    (specimen,) = read_collection(tmp_path).specimens
    assert specimen.frames[0].mask == tmp_path / name
