"""OME-Zarr is read as it says, and refused where it says what it must not."""

import json
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from zarr_files import change, write_group, write_labels, write_zarr

from training.data.masks.files import read_nuclei
from training.errors import BadImageError, BadMaskError
from training.storage.decoding import decode
from training.storage.images import frame_size, read_frame
from training.storage.zarr_metadata import label_folders

zarr = pytest.importorskip("zarr")

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 65536, (48, 40), np.uint16)
TWO = RNG.integers(0, 65536, (2, 48, 40), np.uint16)
NAMES = ({"label": "DAPI", "color": "0000FF"}, {"label": "FITC", "color": "00FF00"})


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("chunk", [7, 32, 100])
def test_grey_values_and_the_size_of_a_pixel(tmp_path, version, packed, chunk):
    path = tmp_path / "a.ome.zarr"
    write_zarr(path, GREY, "yx", version, chunk=chunk, packed=packed)
    found = read_frame(path)
    np.testing.assert_array_equal(found.pixels, GREY)
    assert found.pixel_size == decode(path).pixel_size == 0.325
    assert frame_size(path) == (48, 40)


@pytest.mark.parametrize("version", [2, 3])
def test_channels_are_chosen_as_those_of_a_tiff(tmp_path, version):
    path = write_zarr(tmp_path / "a.zarr", TWO, "cyx", version, channels=NAMES)
    grey = read_frame(path)
    np.testing.assert_array_equal(grey.pixels, TWO[1])
    assert grey.note.startswith("2 channels, FITC was taken")
    np.testing.assert_array_equal(read_frame(path, channel="dapi").pixels, TWO[0])
    colours = [one.colour for one in decode(path).channels]
    assert colours == [(0, 0, 255), (0, 255, 0)]


def test_a_stack_asks_for_its_plane(tmp_path):
    path = write_zarr(tmp_path / "a.zarr", TWO[None, None], "tczyx")
    with pytest.raises(BadImageError, match=r"stack of 2 planes .axes ZYX"):
        read_frame(path)
    np.testing.assert_array_equal(read_frame(path, plane="2").pixels, TWO[1])


def test_axes_in_another_order_are_put_in_ours(tmp_path):
    path = write_zarr(tmp_path / "a.zarr", TWO.transpose(2, 0, 1), "xcy")
    np.testing.assert_array_equal(read_frame(path, channel="1").pixels, TWO[0])


@pytest.mark.parametrize(
    ("unit", "size"),
    [("nanometer", 0.000325), ("millimeter", 325), ("", None)],
)
def test_the_unit_of_an_axis_counts(tmp_path, unit, size):
    path = write_zarr(tmp_path / "a.zarr", GREY, unit=unit)
    found = decode(path).pixel_size
    assert found == (size and pytest.approx(size))


def test_scales_of_a_level_and_of_all_are_multiplied(tmp_path):
    path = write_zarr(tmp_path / "a.zarr", GREY)
    said = json.loads((path / ".zattrs").read_text())["multiscales"][0]
    said["coordinateTransformations"] = [{"type": "scale", "scale": [2, 2]}]
    change(path / ".zattrs", multiscales=[said])
    assert decode(path).pixel_size == 0.65


CODECS = [
    zarr.codecs.BloscCodec(cname="lz4"),
    zarr.codecs.BloscCodec(cname="zstd"),
    zarr.codecs.ZstdCodec(),
    zarr.codecs.GzipCodec(),
]


@pytest.mark.parametrize("codec", CODECS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("shards", [None, (64, 64)])
@pytest.mark.parametrize("summed", [False, True])
def test_what_the_package_writes_is_read(tmp_path, codec, shards, summed):
    path = write_zarr(tmp_path / "a.zarr", GREY, version=3)
    sums = [zarr.codecs.Crc32cCodec()] if summed else []
    array = zarr.create_array(
        path / "0",
        shape=(48, 40),
        dtype="uint16",
        chunks=(16, 16),
        shards=shards,
        compressors=[codec, *sums],
        overwrite=True,
    )
    array[:] = GREY
    np.testing.assert_array_equal(read_frame(path).pixels, GREY)


@pytest.mark.parametrize("name", ["Blosc", "GZip", "LZ4", "Zlib", "Zstd"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_the_package_writes_as_version_2_is_read(tmp_path, name, order):
    numcodecs = pytest.importorskip("numcodecs")
    path = write_zarr(tmp_path / "a.zarr", GREY)
    array = zarr.create_array(
        path / "0",
        shape=(48, 40),
        dtype=">u2",
        chunks=(16, 30),
        compressors=getattr(numcodecs, name)(),
        order=order,
        zarr_format=2,
        overwrite=True,
    )
    array[:] = GREY
    np.testing.assert_array_equal(read_frame(path).pixels, GREY)


@pytest.mark.parametrize("version", [2, 3])
def test_a_label_image_is_a_mask(tmp_path, version):
    path = write_zarr(tmp_path / "a.zarr", GREY, version=version)
    labels = np.zeros((48, 40), np.int32)
    labels[4:20, 4:20], labels[24:40, 20:36] = 1, 5
    folder = write_labels(path, "nuclei", labels, version)
    assert label_folders(path) == [folder]
    np.testing.assert_array_equal(read_nuclei(folder, (48, 40)).labels > 0, labels > 0)
    with pytest.raises(BadMaskError, match="the mask is 40 x 48 but its frame"):
        read_nuclei(folder, (40, 48))


def test_labels_of_which_the_list_is_damaged_are_told(tmp_path):
    path = write_zarr(tmp_path / "a.zarr", GREY)
    folder = write_labels(path, "nuclei", GREY).parent
    long = {"attributes": {"ome": {"labels": ["9" * 300]}}}
    for said in ({"attributes": ["ome"]}, {"attributes": {"ome": 3}}, [], long):
        (folder / "zarr.json").write_text(json.dumps(said))
        assert label_folders(path) == [folder]


def test_what_bioformats2raw_writes_is_its_one_image(tmp_path):
    path = tmp_path / "a.zarr"
    write_group(path, {"bioformats2raw.layout": 3}, 2)
    image = write_zarr(path / "0", GREY)
    folder = write_labels(image, "nuclei", GREY // 60000)
    np.testing.assert_array_equal(read_frame(path).pixels, GREY)
    assert label_folders(path) == [folder]
    write_zarr(path / "1", GREY)
    with pytest.raises(BadImageError, match="it holds several images"):
        read_frame(path)


# -- refused


def array(path):
    return path / "0" / ".zarray"


REFUSED = {
    "objects": (lambda p: change(array(p), dtype="|O"), "no numbers of ours"),
    "pickles": (
        lambda p: change(array(p), filters=[{"id": "pickle"}]),
        "packed with pickle",
    ),
    "a pickle as its packing": (
        lambda p: change(array(p), compressor={"id": "pickle"}),
        "packed with pickle",
    ),
    "too large": (
        lambda p: change(array(p), shape=[100_000, 100_000], chunks=[9_000, 9_000]),
        "declare",
    ),
    "a chunk too large": (
        lambda p: change(array(p), chunks=[100_000, 100_000]),
        "declare",
    ),
    "crumbs": (
        lambda p: change(array(p), shape=[9_000, 9_000], chunks=[1, 1]),
        "81,000,000 chunks",
    ),
    "no side": (lambda p: change(array(p), shape=[0, 40]), "damaged"),
    "a negative side": (lambda p: change(array(p), shape=[-48, 40]), "damaged"),
    "a side that is a word": (lambda p: change(array(p), shape=["48", 40]), "damaged"),
    "more axes": (lambda p: change(array(p), shape=[1, 48, 40]), "damaged"),
    "a level outside": (
        lambda p: change(
            p / ".zattrs", multiscales=[{"datasets": [{"path": "../b.zarr/0"}]}]
        ),
        "no folder in it",
    ),
    "a level on the net": (
        lambda p: change(
            p / ".zattrs", multiscales=[{"datasets": [{"path": "https://a.example"}]}]
        ),
        "no folder in it",
    ),
    "no level": (lambda p: change(p / ".zattrs", multiscales=[]), "damaged"),
    "a plate": (lambda p: change(p / ".zattrs", plate={}), "a plate"),
    "no JSON": (lambda p: (p / ".zattrs").write_text("{"), "damaged"),
    "deep JSON": (lambda p: (p / ".zattrs").write_text("[" * 100_000), "damaged"),
    "long JSON": (
        lambda p: (p / ".zattrs").write_text(" " * 4_000_001 + "{}"),
        "4,000,000 bytes",
    ),
    "no metadata": (lambda p: (p / ".zattrs").unlink(), "no OME-Zarr"),
    "no array": (lambda p: array(p).unlink(), "damaged"),
    "a short chunk": (lambda p: (p / "0/0/0").write_bytes(b"x"), "the chunk 0/0"),
    "no chunk": (
        lambda p: [one.unlink() for one in (p / "0").glob("*/*")],
        "none of its pixels",
    ),
}


@pytest.mark.parametrize(("harm", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(tmp_path, harm, sentence):
    path = write_zarr(tmp_path / "a.zarr", GREY)
    write_zarr(tmp_path / "b.zarr", GREY)
    harm(path)
    with pytest.raises(BadImageError, match=sentence) as fault:
        read_frame(path)
    assert "a.zarr" in fault.value.what


def test_a_codec_that_could_run_code_is_refused_before_the_package_sees_it(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(zarr, "open_array", lambda *a, **k: pytest.fail("opened"))
    path = write_zarr(tmp_path / "a.zarr", GREY, version=3)
    codecs = [{"name": "numcodecs.pickle", "configuration": {}}]
    change(path / "0" / "zarr.json", codecs=codecs)
    with pytest.raises(BadImageError, match=r"packed with numcodecs\.pickle"):
        read_frame(path)


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
@pytest.mark.parametrize("name", ["0/0/0", "0/0", "0", ".zattrs", "0/.zarray"])
def test_a_link_that_leads_out_is_refused(tmp_path, name):
    other = write_zarr(tmp_path / "b.zarr", GREY)
    path = write_zarr(tmp_path / "a.zarr", GREY)
    (path / name).rename(tmp_path / "away")
    (path / name).symlink_to(other / name)
    with pytest.raises(BadImageError, match="a link that leads out of it"):
        read_frame(path)


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
@pytest.mark.parametrize("name", ["0/0/0", ".zattrs", "0/.zarray"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, name):
    path = write_zarr(tmp_path / "a.zarr", GREY)
    (path / name).unlink()
    os.mkfifo(path / name)
    with pytest.raises(BadImageError, match="not a regular file"):
        read_frame(path)


def blosc(size):
    return struct.pack("<4B3I", 2, 1, 0, 2, size, size, 16)


def zstd(size):
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", size) + b"\x01\0\0"


def frame(size):
    """Return a frame of Zstandard with one run of zeros."""
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack(
        "<I3sB", size, (size << 3 | 3).to_bytes(3, "little"), 0
    )


ZEROS = bytes(50_000_000)
BOMBS = {
    "zlib": zlib.compress(ZEROS, 1),
    "gzip": (lambda packer: packer.compress(ZEROS) + packer.flush())(
        zlib.compressobj(1, wbits=31)
    ),
    "blosc": blosc(2**31 - 1),
    "zstd": zstd(2**32 - 1),
    "lz4": struct.pack("<i", 2**31 - 1) + b"\0" * 20,
    "zstd without its size": b"\x28\xb5\x2f\xfd\0\x58" + b"\x03\0\0",
    "blosc of other bytes": blosc(2048)[:12] + struct.pack("<I", 900),
    "zstd with a second frame": frame(2048) + zstd(2**32 - 1),
    "zstd cut short": frame(2048)[:-1],
    "lz4 of less than nothing": struct.pack("<i", -5),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_chunk_that_claims_more_is_refused_before_it_is_unpacked(
    tmp_path, monkeypatch, name
):
    monkeypatch.setattr(zarr, "open_array", lambda *a, **k: pytest.fail("opened"))
    path = write_zarr(tmp_path / "a.zarr", GREY, packed=True)
    change(array(path), compressor={"id": name.split()[0]})
    for one in (path / "0").glob("*/*"):
        one.write_bytes(BOMBS[name])
    with pytest.raises(BadImageError, match=r"damaged.*the chunk 0/0"):
        read_frame(path)


def test_metadata_are_read_without_the_package_and_pixels_name_the_extra(tmp_path):
    path = write_zarr(tmp_path / "a.zarr", GREY)
    write_labels(path, "nuclei", GREY)
    code = (
        "import sys; sys.modules['zarr'] = None\n"
        "from pathlib import Path\n"
        "from training.errors import BadImageError\n"
        "from training.storage.images import read_frame\n"
        "from training.storage.zarr_metadata import label_folders\n"
        "path = Path(sys.argv[1])\n"
        "print([one.name for one in label_folders(path)])\n"
        "try: read_frame(path)\n"
        "except BadImageError as fault: print(fault)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True
    )
    names, sentence = done.stdout.splitlines()
    assert names == "['nuclei']"
    assert sentence == (
        f"{path}: the package that reads OME-Zarr is not installed; "
        'pip install "napari-hep2[zarr]".'
    )
