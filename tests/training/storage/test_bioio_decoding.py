"""CZI, ND2 and LIF by bioio's interface, and a CZI that Zeiss's library wrote."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from training.errors import BadImageError
from training.storage.decoding import decode
from training.storage.images import read_frame
from training.storage.picture import MAX_PIXELS

TWO = np.random.default_rng(0).integers(0, 65536, (2, 48, 40), np.uint16)
STARTS = {
    "czi": b"ZISRAWFILE\0\0",
    "nd2": b"\xda\xce\xbe\x0a",
    "lif": b"\x70\0\0\0",
}


class Pretended:
    """An image as bioio documents it: five axes, of which some have length 1."""

    scenes = ("Image:0",)
    channel_names = ("DAPI", "FITC")
    sizes = SimpleNamespace(Z=1.0, Y=0.325, X=0.325)
    units = (None, None)
    data = TWO[None, :, None]
    order = "TCZYX"

    def __init__(self, path, reader=None):
        assert reader == "the reader of its kind"
        self.asked = []

    @property
    def dims(self):
        return SimpleNamespace(order=self.order, shape=self.data.shape)

    @property
    def physical_pixel_sizes(self):
        return self.sizes

    @property
    def dimension_properties(self):
        y, x = (SimpleNamespace(unit=unit) for unit in self.units)
        return SimpleNamespace(Y=y, X=x)

    def get_image_data(self, axes):
        left_out = [axis for axis in self.order if axis not in axes]
        at = [self.order.index(axis) for axis in (*left_out, *axes)]
        return self.data.transpose(at)[(0,) * len(left_out)]


@pytest.fixture
def pretend(monkeypatch):
    """Install a bioio whose images have the attributes that are given."""

    def install(**changes):
        bioio = ModuleType("bioio")
        bioio.BioImage = type("BioImage", (Pretended,), changes)
        monkeypatch.setitem(sys.modules, "bioio", bioio)
        for kind in STARTS:
            reader = ModuleType(f"bioio_{kind}")
            reader.Reader = "the reader of its kind"
            monkeypatch.setitem(sys.modules, f"bioio_{kind}", reader)

    return install


@pytest.fixture(params=STARTS)
def file(request, tmp_path):
    path = tmp_path / f"a.{request.param}"
    path.write_bytes(STARTS[request.param] + bytes(100))
    return path


def test_the_channel_of_fluorescein_and_the_size_of_a_pixel(file, pretend):
    pretend()
    grey = read_frame(file)
    np.testing.assert_array_equal(grey.pixels, TWO[1])
    assert grey.note == "2 channels, FITC was taken"
    np.testing.assert_array_equal(read_frame(file, channel="1").pixels, TWO[0])


def test_a_file_is_told_by_its_bytes_and_not_by_its_name(file, pretend):
    pretend()
    named = file.rename(file.with_suffix(".tif"))
    np.testing.assert_array_equal(read_frame(named).pixels, TWO[1])


def test_a_stack_asks_for_its_plane(file, pretend):
    pretend(data=TWO[None, None], order="TCZYX")
    with pytest.raises(BadImageError, match=r"stack of 2 planes .axes ZYX"):
        read_frame(file)
    np.testing.assert_array_equal(read_frame(file, plane="2").pixels, TWO[1])


def test_colours_are_colours(file, pretend):
    colours = np.random.default_rng(0).integers(0, 99, (48, 40, 3), np.uint8)
    pretend(data=colours[None, None, None], order="TCZYXS", channel_names=("RGB",))
    np.testing.assert_array_equal(read_frame(file).pixels, colours[:, :, 1])


@pytest.mark.parametrize(
    ("sizes", "units", "expected"),
    [
        ((0.5, 0.25), (None, None), None),
        ((500.0, 500.0), ("nanometer", "nanometer"), 0.5),
        ((5e-7, 5e-7), ("meter", "meter"), 0.5),
        ((5e-7, 5e-7), (None, None), None),
        ((0.5, 0.5), ("pixel", "pixel"), None),
        ((None, 0.5), (None, None), None),
        ((0.0, 0.0), (None, None), None),
    ],
)
def test_sizes_are_micrometres_or_none(file, pretend, sizes, units, expected):
    y, x = sizes
    pretend(sizes=SimpleNamespace(Z=None, Y=y, X=x), units=units)
    found = decode(file).pixel_size
    assert found == (expected and pytest.approx(expected))


@pytest.mark.parametrize(("said", "expected"), [(12, 12), (None, None), (40, None)])
def test_the_bits_of_a_camera(file, pretend, said, expected):
    pixels = SimpleNamespace(significant_bits=said)
    pretend(ome_metadata=SimpleNamespace(images=[SimpleNamespace(pixels=pixels)]))
    assert decode(file).bits == expected


def test_a_header_that_cannot_be_made_says_nothing(file, pretend):
    pretend(ome_metadata=property(lambda self: 1 // 0))
    assert decode(file).bits is None


def test_several_images_in_a_file_are_refused_with_their_names(file, pretend):
    pretend(scenes=("A1", "A2"))
    with pytest.raises(BadImageError, match=r"holds 2 images \(A1, A2\)"):
        read_frame(file)


def test_a_size_is_checked_before_a_pixel_is_read(file, pretend):
    def read(self, axes):
        pytest.fail("read")

    class Huge:
        shape = (1, 1, 1, MAX_PIXELS, 2)

    pretend(data=Huge, get_image_data=read)
    with pytest.raises(BadImageError, match="it declares"):
        read_frame(file)


def test_what_the_package_cannot_read_has_one_sentence(file, pretend):
    def stumble(self, axes):
        raise RuntimeError("bad subblock\nat 0x7f")

    pretend(get_image_data=stumble)
    with pytest.raises(BadImageError, match=r"cannot read it \(bad subblock\); export"):
        read_frame(file)


@pytest.mark.parametrize("missing", ["bioio", "its reader"])
def test_what_is_not_installed_is_named_with_its_extra(
    file, pretend, monkeypatch, missing
):
    pretend()
    kind = file.suffix[1:]
    name = missing if missing == "bioio" else f"bioio_{kind}"
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadImageError) as fault:
        read_frame(file)
    extra = "czi" if kind == "czi" else "bioio"
    assert str(fault.value) == (
        f"{file}: the packages that read {kind.upper()} are not installed; "
        f'pip install "napari-hep2[{extra}]", or export it as OME-TIFF.'
    )


def test_a_czi_that_the_library_of_zeiss_wrote(tmp_path):
    czi = pytest.importorskip("pylibCZIrw.czi")
    pytest.importorskip("bioio_czi")
    path = tmp_path / "a.czi"
    with czi.create_czi(str(path)) as document:
        for channel, pixels in enumerate(TWO):
            document.write(pixels[..., None], plane={"C": channel})
        names = {0: "DAPI", 1: "FITC"}
        size = {"scale_x": 0.325e-6, "scale_y": 0.325e-6}
        document.write_metadata("a", channel_names=names, **size)
    grey = read_frame(path)
    np.testing.assert_array_equal(grey.pixels, TWO[1])
    assert grey.note == "2 channels, FITC was taken"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BadImageError, match="bioio_czi cannot read it"):
        read_frame(path)
