"""One scene as many kinds of layers gives the same cells, or one sentence."""

import dask.array
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_hep2.jobs import drain
from napari_hep2.specimen.controllers.frames import arrays_of, extraction_of_arrays
from napari_hep2.viewer.layer_arrays import (
    as_grey,
    image_layer,
    labels_layer,
    resampled,
    view_of,
)
from napari_hep2.viewer.placement import matrix_of
from training.config import ExtractionSettings, SegmentationSettings
from training.data.layouts import Frame
from training.errors import BadImageError, BadMaskError

SHAPE = (90, 130)
EXTRACTION = ExtractionSettings(size=41)
FEWER = settings(max_examples=settings.default.max_examples // 4)
"""An example makes a viewer, a tenth of a second: 10 of them, 100 with `--long`."""


def draw():
    """Return a frame and its labels: a nucleus each of another size."""
    rng = np.random.default_rng(3)
    image = rng.integers(10, 20, SHAPE).astype(np.uint8)
    labels = np.zeros(SHAPE, np.int32)
    ys, xs = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for label, (y, x) in enumerate(((24, 25), (30, 90), (62, 55)), start=1):
        disc = (ys - y) ** 2 + (xs - x) ** 2 <= (10 + label) ** 2
        labels[disc] = label
        image[disc] = rng.integers(90, 250, disc.sum())
    return image, labels


FRAME, LABELS = draw()
EMPTY = np.zeros_like(FRAME)


class Lazy:
    """An array as zarr's: no numpy array, and read by its index only."""

    def __init__(self, data):
        self._data = data
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return self._data[index]


def pyramid(data):
    return [data, data[::2, ::2], data[::4, ::4]]


def stack(data):
    return np.stack([np.zeros_like(data), data, np.zeros_like(data)])


def film(data):
    return np.stack([stack(np.zeros_like(data)), stack(data)])


IMAGES = {
    "plain": FRAME,
    "pyramid": pyramid(FRAME),
    "dask": dask.array.from_array(FRAME, chunks=32),
    "dask pyramid": pyramid(dask.array.from_array(FRAME, chunks=32)),
    "lazy": Lazy(FRAME),
    "stack": stack(FRAME),
    "dask film": dask.array.from_array(film(FRAME), chunks=(1, 1, 64, 64)),
    "colours": np.stack([FRAME // 2, FRAME, EMPTY], axis=-1),
    "colours with alpha": np.stack([EMPTY, FRAME, EMPTY, EMPTY + 255], axis=-1),
    "colour pyramid": pyramid(np.stack([EMPTY, FRAME, EMPTY], axis=-1)),
    "colour stack": stack(np.stack([EMPTY, FRAME, EMPTY], axis=-1)),
    "whole floats": FRAME.astype(np.float32),
    "16 bits": FRAME.astype(np.uint16) * 257,
    "floats of 16 bits": FRAME.astype(np.float64) * 257,
    "floats from 0 to 1": (FRAME / 255).astype(np.float32),
    "signed": FRAME.astype(np.int16),
    "wide": FRAME.astype(np.uint32),
    "colours from 0 to 1": np.stack([EMPTY, FRAME, EMPTY], axis=-1) / 255,
}
MASKS = {
    "plain": LABELS,
    "bytes": LABELS.astype(np.uint8),
    "pyramid": pyramid(LABELS),
    "dask": dask.array.from_array(LABELS, chunks=32),
    "stack": stack(LABELS),
    "dask film": dask.array.from_array(film(LABELS), chunks=(1, 1, 64, 64)),
}


def options(data, is_colour=False, **more):
    """Return the options of a layer for this data."""
    first = data[0] if isinstance(data, list) else data
    before = first.ndim - 2 - is_colour
    scale = more.pop("scale", 1.0)
    made = {"multiscale": isinstance(data, list), "scale": [1] * before + [scale] * 2}
    if "rotate" in more and before:
        turned = np.eye(before + 2)
        angle = np.deg2rad(more.pop("rotate"))
        cos, sin = np.cos(angle), np.sin(angle)
        turned[-2:, -2:] = [[cos, -sin], [sin, cos]]
        made["rotate"] = turned
    if "translate" in more:
        made["translate"] = [0] * before + list(more.pop("translate"))
    if "units" in more:
        made["units"] = ["pixel"] * before + [more.pop("units")] * 2
    return made | more


def scene(image="plain", labels="plain", image_place=None, labels_place=None):
    """Return a viewer's view, an image layer and a labels layer."""
    viewer = ViewerModel()
    is_colour = image.startswith("colour")
    data, mask = IMAGES[image], MASKS[labels]
    given_options = options(data, is_colour, **(image_place or {}))
    picture = viewer.add_image(data, rgb=is_colour, name="well", **given_options)
    made = viewer.add_labels(
        mask, name="nuclei", **options(mask, **(labels_place or {}))
    )
    if viewer.dims.ndim > 2:
        point = [1] * (viewer.dims.ndim - 2)
        viewer.dims.set_point(range(len(point)), point)
    return view_of(viewer), picture, made


def cells_of(view, picture, mask=None):
    image = image_layer(picture, view)
    labels = None if mask is None else labels_layer(mask, view, image)
    arrays = arrays_of(image, labels)
    settings = EXTRACTION, SegmentationSettings(diameter=24)
    return drain(extraction_of_arrays(Frame("well", "well", None), arrays, *settings))


EXPECTED = cells_of(*scene())


def assert_same(found):
    """Hold cells against those of plain arrays; values may be spread over 16 bits."""
    pd.testing.assert_frame_equal(found.cells.table, EXPECTED.cells.table)
    times = 257 if found.image.max() > 255 else 1
    expected = EXPECTED.cells.crops.astype(np.uint16) * times
    np.testing.assert_array_equal(found.cells.crops, expected)


def test_the_scene_has_three_cells():
    assert EXPECTED.cells.table["area"].tolist() == [377, 441, 529]
    assert EXPECTED.notes == EXPECTED.cells.notes


PLACES = st.fixed_dictionaries(
    {},
    optional={
        "scale": st.floats(0.05, 20),
        "rotate": st.one_of(st.sampled_from((90, 180, 270)), st.floats(-30, 30)),
        "translate": st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
        "units": st.sampled_from(("um", "nm", "pixel")),
    },
)


@FEWER
@given(st.sampled_from(list(IMAGES)), st.sampled_from(list(MASKS)), PLACES)
def test_the_same_scene_gives_the_same_cells(image, labels, place):
    """Whatever holds the pixels, and wherever image and mask lie together."""
    view, picture, mask = scene(image, labels, place, place)
    assert_same(cells_of(view, picture, mask))


@pytest.mark.parametrize("image", list(IMAGES))
def test_each_kind_of_image_gives_the_same_cells(image):
    assert_same(cells_of(*scene(image)))


@pytest.mark.parametrize("image", ["plain", "pyramid", "stack", "floats from 0 to 1"])
def test_a_mask_made_from_it_is_the_same_too(image):
    expected = cells_of(*scene()[:2])
    found = cells_of(*scene(image)[:2])
    assert len(expected.cells.table) == 3
    pd.testing.assert_frame_equal(found.cells.table, expected.cells.table)


def placed(viewer, affine, labels):
    """Return a labels layer whose pixels lie as the matrix says."""
    return viewer.add_labels(labels, name="nuclei", affine=affine)


@FEWER
@given(
    PLACES,
    st.sampled_from((0, 1, 2, 3)),
    st.booleans(),
    st.integers(0, 9),
    st.floats(-0.45, 0.45),
    st.floats(-0.45, 0.45),
)
def test_a_mask_that_lies_otherwise_is_brought_to_the_image(
    place, turns, mirrored, border, dy, dx
):
    """Turned, mirrored, larger than the image and shifted by a part of a pixel."""
    viewer = ViewerModel()
    data = np.pad(LABELS, border)
    to_image = np.eye(3)
    to_image[:2, 2] = dy - border, dx - border
    for _ in range(turns):
        # Pixel (y, x) of the turned array is (x, width - 1 - y) of the one before.
        step = np.array([[0, 1, 0], [-1, 0, data.shape[1] - 1], [0, 0, 1.0]])
        data, to_image = np.rot90(data), to_image @ step
    if mirrored:
        flip = np.array([[-1, 0, data.shape[0] - 1], [0, 1, 0], [0, 0, 1.0]])
        data, to_image = data[::-1], to_image @ flip
    picture = viewer.add_image(FRAME, name="well", **options(FRAME, **place))
    mask = placed(viewer, matrix_of(picture) @ to_image, np.ascontiguousarray(data))
    mask.units = picture.units
    assert_same(cells_of(view_of(viewer), picture, mask))


def test_a_mask_of_finer_pixels_gives_nuclei_of_the_same_size():
    viewer = ViewerModel()
    picture = viewer.add_image(FRAME, name="well", scale=(0.4, 0.4), rotate=15)
    fine = np.kron(LABELS, np.ones((2, 2), np.int32))
    # The corners of two by two of its pixels are those of one of the image.
    halved = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]])
    mask = placed(viewer, matrix_of(picture) @ halved, fine)
    found = cells_of(view_of(viewer), picture, mask)
    assert_same(found)
    assert found.notes[0] == "the mask was brought to the pixels of the image"


def test_a_mask_that_is_turned_a_little_keeps_its_nuclei():
    viewer = ViewerModel()
    picture = viewer.add_image(FRAME, name="well")
    mask = viewer.add_labels(LABELS, name="nuclei", rotate=5, translate=(3, -4))
    table = cells_of(view_of(viewer), picture, mask).cells.table
    for label, (y, x) in enumerate(((24, 25), (30, 90), (62, 55))):
        seen = mask.data_to_world((y, x))
        assert table.loc[label, ["y", "x"]].tolist() == pytest.approx(seen, abs=0.2)
    before = EXPECTED.cells.table["area"].to_numpy()
    np.testing.assert_allclose(table["area"], before, rtol=0.03)


def test_the_plane_in_view_is_cut_and_named():
    view, picture, mask = scene("dask film", "stack")
    found = cells_of(view, picture, mask)
    said = "the plane in view was cut, axis 1: 2 of 2, axis 2: 2 of 3"
    assert found.notes[:2] == (said, "the plane in view was cut, axis 1: 2 of 3")
    picture.axis_labels = ("t", "z", "y", "x")
    assert image_layer(picture, view).read().note.endswith("t 2 of 2, z 2 of 3")


def test_planes_are_counted_where_the_slider_stands():
    viewer = ViewerModel()
    planes = np.arange(5, dtype=np.uint8)[:, None, None] + np.zeros((5, 6, 7), np.uint8)
    layer = viewer.add_image(planes, scale=(2.5, 1, 1), translate=(10, 0, 0))
    for plane in range(5):
        viewer.dims.set_point(0, 10 + 2.5 * plane)
        assert image_layer(layer, view_of(viewer)).read().pixels.max() == plane


def test_nothing_is_read_before_it_is_cut():
    viewer = ViewerModel()
    data = Lazy(FRAME)
    picture = viewer.add_image(data, contrast_limits=(0, 255))
    data.read.clear()
    image = image_layer(picture, view_of(viewer))
    assert not data.read
    image.read()
    assert len(data.read) == 1


def test_a_lazy_array_that_cannot_be_read_is_a_fault_in_a_sentence():
    def fail(block):
        raise OSError("the file is gone")

    viewer = ViewerModel()
    data = dask.array.from_array(FRAME).map_blocks(fail, dtype=np.uint8, meta=FRAME[:0])
    picture = viewer.add_image(FRAME, name="well")
    image = image_layer(picture, view_of(viewer))
    plane = image.plane
    broken = type(plane)(plane.name, data, (), plane.matrix, plane.units, "")
    with pytest.raises(
        BadImageError, match=r"well: it cannot be read \(the file is gone"
    ):
        broken.read(BadImageError)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"shear": (0.1,)}, "it is sheared"),
        ({"scale": (1, 2)}, "its pixels are no squares, but 1 pixel high and 2"),
        ({"scale": (1, 1), "units": ("um", "nm")}, "its pixels are no squares"),
        ({"units": ("s", "um")}, "its pixels are no squares"),
    ],
)
def test_an_image_that_is_seen_otherwise_than_cut_is_refused(more, fault):
    viewer = ViewerModel()
    layer = viewer.add_image(FRAME, name="well", **more)
    with pytest.raises(BadImageError, match=f"^well: {fault}"):
        image_layer(layer, view_of(viewer))


def test_a_stack_that_is_not_seen_in_its_planes_is_refused():
    viewer = ViewerModel()
    layer = viewer.add_image(stack(FRAME), name="well")
    viewer.dims.ndisplay = 3
    with pytest.raises(BadImageError, match="other axes"):
        image_layer(layer, view_of(viewer))
    viewer.dims.ndisplay = 2
    viewer.dims.order = (1, 0, 2)
    with pytest.raises(BadImageError, match="other axes"):
        image_layer(layer, view_of(viewer))
    viewer.dims.order = (0, 2, 1)
    image_layer(layer, view_of(viewer))
    layer.rotate = (0, 20, 0)
    with pytest.raises(BadImageError, match="tilted against the plane"):
        image_layer(layer, view_of(viewer))


def test_a_stack_without_a_plane_in_view_is_refused():
    viewer = ViewerModel()
    image = viewer.add_image(stack(FRAME), name="well")
    mask = viewer.add_labels(stack(LABELS), name="nuclei", translate=(20, 0, 0))
    viewer.dims.set_point(0, 1)
    view = view_of(viewer)
    with pytest.raises(BadMaskError, match="nuclei: no plane of it is in view"):
        labels_layer(mask, view, image_layer(image, view))


def test_a_mask_in_other_units_than_its_image_is_refused():
    viewer = ViewerModel()
    image = viewer.add_image(FRAME, scale=(0.3, 0.3), units=("um", "um"))
    mask = viewer.add_labels(LABELS, name="nuclei")
    view = view_of(viewer)
    with pytest.raises(BadMaskError, match="in pixel, but its image in micrometer"):
        labels_layer(mask, view, image_layer(image, view))
    mask.scale = (0.3, 0.3)
    assert labels_layer(mask, view, image_layer(image, view)).is_on_grid
    mask.units, mask.scale = ("nm", "nm"), (300, 300)
    assert labels_layer(mask, view_of(viewer), image_layer(image, view)).is_on_grid


def test_a_mask_that_lies_beside_the_image_is_refused_and_a_part_is_told():
    viewer = ViewerModel()
    picture = viewer.add_image(FRAME, name="well")
    mask = viewer.add_labels(LABELS, name="nuclei", translate=(500, 0))
    with pytest.raises(BadMaskError, match="none of its nuclei lies on the image"):
        cells_of(view_of(viewer), picture, mask)
    mask.translate = (50, 0)
    found = cells_of(view_of(viewer), picture, mask)
    lost = np.count_nonzero(LABELS[40:]) / np.count_nonzero(LABELS)
    assert found.notes[0].endswith(f"image; {lost:.0%} of it lies outside of the image")


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ([[-1.0, 3.0]], "its values go from -1 to 3"),
        ([[0.0, np.nan]], "its values go from nan to nan"),
        ([[0.0, np.inf]], "its values go from 0 to inf"),
        ([[0.0, 70_000.0]], "its values go from 0 to 70000"),
        ([[0.0, 3.5]], "its values are fractions up to 3.5"),
        ([[-1, 3]], "its values go from -1 to 3"),
        ([[True, False]], "its values are bool"),
        ([[1j, 0]], "its values are complex128"),
    ],
)
def test_values_that_are_no_grey_values_are_refused(values, fault):
    with pytest.raises(BadImageError, match=f"^well: {fault}"):
        as_grey("well", np.array(values))


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([0.0, 0.5, 1.0], np.uint16, [0, 32_768, 65_535]),
        ([0.0, 7.0, 255.0], np.uint8, [0, 7, 255]),
        ([0.0, 7.0, 256.0], np.uint16, [0, 7, 256]),
        ([0.0, 7.4, 4095.6], np.uint16, [0, 7, 4096]),
        (np.array([3, 4, 5], np.int64), np.uint16, [3, 4, 5]),
    ],
)
def test_numbers_become_grey_values(values, dtype, expected):
    found, note = as_grey("well", np.array([values]))
    assert (found.dtype, found.tolist()) == (dtype, [expected])
    assert note


def test_labels_are_those_of_the_nearest_pixel():
    labels = np.array([[1, 2], [3, 4]])
    doubled = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]])
    found = resampled(labels, doubled, (4, 5))
    assert found.tolist() == [
        [1, 1, 2, 2, 0],
        [1, 1, 2, 2, 0],
        [3, 3, 4, 4, 0],
        [3, 3, 4, 4, 0],
    ]


def test_the_size_of_a_pixel_comes_from_the_layer_else_from_its_file(tmp_path):
    import tifffile

    path = tmp_path / "well.ome.tif"
    metadata = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    tifffile.imwrite(path, FRAME, ome=True, metadata=metadata)
    viewer = ViewerModel()
    layer = viewer.add_image(FRAME, name="well")
    layer._source = layer.source.model_copy(update={"path": str(path)})
    view = view_of(viewer)
    assert image_layer(layer, view).read().pixel_size == 0.25
    layer.scale, layer.units = (0.4, 0.4), ("um", "um")
    assert image_layer(layer, view).read().pixel_size == pytest.approx(0.4)
    layer.scale, layer.units = (0.4, 0.4), ("pixel", "pixel")
    assert image_layer(layer, view).read().pixel_size is None
