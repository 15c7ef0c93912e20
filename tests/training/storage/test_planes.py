"""Which plane, channel and colour of a picture is the frame."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colormaps
from PIL import Image

from training.errors import BadImageError
from training.storage.images import frame_size, read_frame
from training.storage.picture import Channel
from training.storage.planes import fluorescein

RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 256, (3, 30, 40), np.uint8)
MORE = RNG.integers(0, 65536, (2, 3, 30, 40), np.uint16)


def ramp(colour):
    return (np.array(colour)[:, None] * np.arange(256) // 255).astype(np.uint8)


def write(path, pixels, axes, ome=False, **metadata):
    how = {"ome": True} if ome else {"imagej": True}
    how["photometric"] = "minisblack"
    tifffile.imwrite(path, pixels, metadata={"axes": axes, **metadata}, **how)
    return path


# -- planes


@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
@pytest.mark.parametrize("ome", [False, True])
def test_a_stack_is_no_frame_until_a_plane_is_chosen(tmp_path, axes, ome):
    path = write(tmp_path / "a.tif", STACK, axes, ome)
    with pytest.raises(
        BadImageError, match=rf"stack of 3 planes .axes {axes}.*plane=1"
    ):
        read_frame(path)
    for plane in range(3):
        chosen = read_frame(path, plane=str(plane + 1))
        np.testing.assert_array_equal(chosen.pixels, STACK[plane])
        assert chosen.note == f"plane {plane + 1} of 3 was taken"
    brightest = read_frame(path, plane="max")
    np.testing.assert_array_equal(brightest.pixels, STACK.max(axis=0))
    assert brightest.note == "the maximum of 3 planes was taken"
    with pytest.raises(BadImageError, match="no plane 4"):
        read_frame(path, plane="4")
    assert frame_size(path) == (30, 40)


@pytest.mark.parametrize("packing", [None, "zlib"])
def test_pages_of_which_nothing_is_said_are_a_stack(tmp_path, packing):
    how = {"photometric": "minisblack", "compression": packing, "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", STACK, **how)
    with pytest.raises(BadImageError, match="a stack of 3 planes"):
        read_frame(tmp_path / "a.tif")
    chosen = read_frame(tmp_path / "a.tif", plane="3")
    np.testing.assert_array_equal(chosen.pixels, STACK[2])


def test_planes_of_channels(tmp_path):
    names = {"Channel": {"Name": ["DAPI", "GFP", "mCherry"]}}
    path = write(tmp_path / "a.tif", MORE, "ZCYX", ome=True, **names)
    chosen = read_frame(path, plane="2")
    np.testing.assert_array_equal(chosen.pixels, MORE[1, 1])
    assert chosen.note == "3 channels, GFP was taken; plane 2 of 2 was taken"
    other = read_frame(path, plane="max", channel="dapi")
    np.testing.assert_array_equal(other.pixels, MORE[:, 0].max(axis=0))


def test_a_plane_says_nothing_of_a_frame_that_is_no_stack(tmp_path):
    Image.fromarray(STACK[0]).save(tmp_path / "a.png")
    read = read_frame(tmp_path / "a.png", plane="max")
    np.testing.assert_array_equal(read.pixels, STACK[0])


# -- channels


@pytest.mark.parametrize(
    "name",
    [
        *("FITC", "fitc-A", "GFP", "EGFP", "sfGFP-N1", "Alexa Fluor 488", "AF488"),
        *("488", "488nm", "Ch_488", "Green", "my_green", "Oregon Green"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_fluorescein_by_its_name(tmp_path, name, place):
    names = ["DAPI", "TRITC", "Cy5"]
    names[place] = name
    path = write(tmp_path / "a.tif", STACK, "CYX", ome=True, Channel={"Name": names})
    read = read_frame(path)
    np.testing.assert_array_equal(read.pixels, STACK[place])
    assert read.note == f"3 channels, {name} was taken"


def test_fluorescein_by_its_look_up_table(tmp_path):
    luts = [ramp((0, 0, 255)), ramp((255, 0, 0)), ramp((0, 255, 0))]
    path = write(tmp_path / "a.tif", STACK, "CYX", LUTs=luts, mode="composite")
    np.testing.assert_array_equal(read_frame(path).pixels, STACK[2])


def test_fluorescein_by_labels_of_imagej(tmp_path):
    path = write(tmp_path / "a.tif", STACK, "CYX", Labels=["DAPI", "FITC", "Cy5"])
    np.testing.assert_array_equal(read_frame(path).pixels, STACK[1])


@pytest.mark.parametrize(
    "said",
    [
        {"Color": [0x0000FFFF, 0x00FF00FF, -16776961]},
        {"EmissionWavelength": [461, 519, 668]},
    ],
)
def test_fluorescein_by_what_ome_says(tmp_path, said):
    path = write(tmp_path / "a.tif", STACK, "CYX", ome=True, Channel=said)
    np.testing.assert_array_equal(read_frame(path).pixels, STACK[1])


@pytest.mark.parametrize(
    "channels",
    [
        [Channel(), Channel()],
        [Channel("DAPI"), Channel("TRITC")],
        [Channel("FITC"), Channel("GFP")],
        [Channel("Red (not green)"), Channel("DAPI")],
        [Channel("no GFP"), Channel("other")],
        [Channel("non-FITC", (0, 255, 0)), Channel("other")],
        [Channel("GFP-"), Channel("Alexa 1488")],
        [Channel("without 488"), Channel("evergreen")],
        [Channel(colour=(0, 255, 0)), Channel(colour=(0, 200, 0))],
    ],
)
def test_what_is_not_known_is_not_guessed(channels):
    assert fluorescein(tuple(channels)) is None


def test_a_name_with_a_negation_is_no_rival():
    assert fluorescein((Channel("Red (not green)"), Channel("Green"))) == 1


def test_a_name_comes_before_a_colour():
    channels = Channel("DAPI", (0, 255, 0)), Channel("FITC", (255, 255, 255))
    assert fluorescein(channels) == 1


def test_an_open_choice_is_asked(tmp_path):
    path = write(tmp_path / "a.tif", STACK, "CYX")
    sentence = r"3 channels \(channel 1, channel 2, channel 3\).*channel=1 \(to 3\)"
    with pytest.raises(BadImageError, match=sentence):
        read_frame(path)
    read = read_frame(path, channel="2")
    np.testing.assert_array_equal(read.pixels, STACK[1])
    with pytest.raises(BadImageError, match="no channel FITC"):
        read_frame(path, channel="FITC")


@pytest.mark.parametrize(("asked", "place"), [("red", 0), ("Blue", 2), ("2", 1)])
def test_a_colour_is_chosen(tmp_path, asked, place):
    colour = np.moveaxis(STACK, 0, 2)
    Image.fromarray(colour).save(tmp_path / "a.png")
    read = read_frame(tmp_path / "a.png", channel=asked)
    np.testing.assert_array_equal(read.pixels, colour[:, :, place])


def test_two_samples_that_are_no_alpha_are_channels(tmp_path):
    pixels = np.moveaxis(STACK[:2], 0, 2)
    how = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "a.tif", pixels, **how)
    with pytest.raises(BadImageError, match="2 channels"):
        read_frame(tmp_path / "a.tif")
    read = read_frame(tmp_path / "a.tif", channel="2")
    np.testing.assert_array_equal(read.pixels, STACK[1])


# -- palettes


@pytest.mark.parametrize("packing", [None, "zlib"])
@pytest.mark.parametrize("colour", [(0, 255, 0), (255, 120, 10)])
def test_colours_for_display_are_left_aside(tmp_path, packing, colour):
    table = ramp(colour).astype(np.uint16) * 257
    how = {"photometric": "palette", "colormap": table, "compression": packing}
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], **how)
    read = read_frame(tmp_path / "a.tif")
    np.testing.assert_array_equal(read.pixels, STACK[0])
    assert read.note == "its colours are for display and were left aside"


INDICES = np.arange(256)
GREYS = np.stack([INDICES] * 3, axis=1)


def table(name, entries=256):
    places = np.linspace(0, 1, entries)
    return np.rint(colormaps[name](places)[:, :3] * 255).astype(np.uint8)


def with_ends(colours, low, high):
    marked = colours.copy()
    marked[0], marked[255] = low, high
    return marked


def in_a_corner(colours):
    """A table whose last colours are all alike, as where the display is clipped."""
    return colours[np.minimum(INDICES * 2, 255)]


TABLES = {
    "HiLo": with_ends(GREYS, (0, 0, 255), (255, 0, 0)),
    "glow over and under": with_ends(table("afmhot"), (0, 255, 0), (0, 0, 255)),
    "16 colours": np.repeat(table("nipy_spectral", 16), 16, axis=0),
    "five ramps": np.stack([INDICES % 51 * 5, INDICES % 51 * 5, 0 * INDICES], axis=1),
    "clipped": in_a_corner(table("hot")),
    "a clipped grey": in_a_corner(GREYS),
    **{name: table(name) for name in ("jet", "viridis", "hsv", "gist_ncar", "turbo")},
}


def scene(rng, noise):
    """A frame of bright discs, some of them at the highest value, uint8."""
    yy, xx = np.mgrid[:120, :160]
    image = rng.normal(14, noise, (120, 160))
    for k, (y, x) in enumerate([(30, 30), (30, 90), (85, 45), (85, 120)]):
        disc = (yy - y) ** 2 + (xx - x) ** 2 <= 24**2
        own = 110 + 50 * k + 50 * np.sin(yy / 3) * np.cos(xx / 4)
        image[disc] = (own + rng.normal(0, noise, own.shape))[disc]
    return np.clip(image, 0, 255).astype(np.uint8)


def write_indices(path, indices, colours):
    if path.suffix == ".tif":
        colormap = np.asarray(colours).T.astype(np.uint16) * 257
        tifffile.imwrite(path, indices, photometric="palette", colormap=colormap)
        return path
    image = Image.fromarray(indices).convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette(np.asarray(colours, np.uint8).ravel().tolist())
    image.save(path)
    return path


@pytest.mark.parametrize("suffix", ["tif", "png"])
@pytest.mark.parametrize("name", TABLES)
def test_of_a_table_for_display_the_indices_are_taken(tmp_path, suffix, name):
    indices = scene(np.random.default_rng(0), 3)
    path = write_indices(tmp_path / f"a.{suffix}", indices, TABLES[name])
    read = read_frame(path)
    np.testing.assert_array_equal(read.pixels, indices)
    assert read.note == "its colours are for display and were left aside"


def test_a_dim_frame_uses_few_of_a_table_for_display(tmp_path):
    indices = scene(np.random.default_rng(0), 3) // 16
    read = read_frame(write_indices(tmp_path / "a.png", indices, table("jet")))
    np.testing.assert_array_equal(read.pixels, indices)


@pytest.mark.parametrize("colours", [256, 64])
@pytest.mark.parametrize(
    "method", [Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE]
)
def test_a_photograph_of_few_colours_is_looked_up(tmp_path, colours, method):
    rng = np.random.default_rng(0)
    green, other = scene(rng, 3), scene(rng, 3)[::-1] // 3
    photo = np.stack([other, green, green // 9], axis=2)
    few = Image.fromarray(photo).quantize(colours, method)
    few.save(tmp_path / "a.png")
    read = read_frame(tmp_path / "a.png")
    np.testing.assert_array_equal(read.pixels, np.asarray(few.convert("RGB"))[:, :, 1])
    assert "colours were looked up; 3 channels, the green one was taken" in read.note


@pytest.mark.parametrize("name", ["prism", "flag", "shuffled"])
def test_a_table_in_no_order_on_grey_values_is_refused(tmp_path, name):
    rng = np.random.default_rng(0)
    is_table = name != "shuffled"
    colours = table(name) if is_table else rng.permutation(table("jet"))
    path = write_indices(tmp_path / "a.png", scene(rng, 3), colours)
    with pytest.raises(BadImageError, match="it is not known whether they only show"):
        read_frame(path)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(TABLES)),
    st.integers(0, 2**16),
    st.sampled_from([1, 3, 8]),
    st.booleans(),
)
def test_a_scale_is_never_read_by_its_colours(
    tmp_path_factory, name, seed, noise, is_reversed
):
    colours = TABLES[name][::-1] if is_reversed else TABLES[name]
    indices = scene(np.random.default_rng(seed), noise)
    path = tmp_path_factory.mktemp("tables") / "a.png"
    write_indices(path, indices, colours)
    if name == "a clipped grey" and is_reversed:
        with pytest.raises(BadImageError, match="save it as grey values"):
            read_frame(path)
    else:
        np.testing.assert_array_equal(read_frame(path).pixels, indices)


# -- grey values or none


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_a_bit_is_no_grey_value(tmp_path, suffix):
    Image.fromarray(STACK[0] > 99).save(tmp_path / f"a.{suffix}")
    with pytest.raises(BadImageError, match="one bit a pixel and no grey values"):
        read_frame(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("top", [1, 255, 65535])
def test_a_mask_as_a_frame_is_said(tmp_path, top):
    note = "the frame has two values only, as a mask has"
    mask = np.zeros((300, 40), np.uint16)
    mask[140:160, 9:20] = top
    tifffile.imwrite(tmp_path / "a.tif", mask)
    assert read_frame(tmp_path / "a.tif").note == note
    mask[145, 15] = top - 1 if top > 1 else 2
    tifffile.imwrite(tmp_path / "a.tif", mask)
    assert read_frame(tmp_path / "a.tif").note == ""
