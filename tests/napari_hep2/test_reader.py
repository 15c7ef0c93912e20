from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from roifile import ImagejRoi, roiwrite
from zarr_files import write_labels, write_zarr

import napari_hep2
from napari_hep2.reader import OWN_SUFFIXES, find_mask, get_reader, read
from training.errors import BadImageError, BadLayoutError, Hep2Error
from training.storage.images import IMAGE_SUFFIXES


def test_a_folder_of_specimens_opens_as_its_first_frame(specimens):
    reader = get_reader(str(specimens))
    (image, options, kind), (labels, mask_options, mask_kind) = reader(str(specimens))
    assert (kind, mask_kind) == ("image", "labels")
    assert image.shape == labels.shape == (240, 360)
    assert options["name"] == "00001_p0"
    assert options["metadata"] == {
        "specimen": "1",
        "frame": "00001_p0",
        "folder": str(specimens),
    }
    assert mask_options["metadata"] == options["metadata"]


def test_a_frame_of_a_collection_knows_its_specimen(specimens):
    path = str(specimens / "train" / "00003_p1.tif")
    layers = get_reader(path)(path)
    assert layers[0][1]["metadata"]["specimen"] == "3"
    assert layers[0][1]["metadata"]["folder"] == str(specimens)


def test_a_lone_frame_with_its_mask_opens(tmp_path, frame):
    image, mask = frame
    Image.fromarray(image).save(tmp_path / "well.png")
    Image.fromarray(mask).save(tmp_path / "well_mask.png")
    path = str(tmp_path / "well.png")
    layers = get_reader(path)(path)
    np.testing.assert_array_equal(layers[0][0], image)
    np.testing.assert_array_equal(layers[1][0], mask > 0)


def test_the_picture_is_stretched_for_display_only(specimens):
    image, options, _ = read(str(specimens))[0]
    low, high = options["contrast_limits"]
    assert image.min() <= low < high <= image.max()
    assert image.max() < 100


def polite(tmp_path, name):
    return get_reader(str(tmp_path / name))


def test_every_other_image_is_left_to_napari(tmp_path, frame):
    Image.fromarray(frame[0]).save(tmp_path / "holiday.tif")
    Image.fromarray(frame[0]).save(tmp_path / "x_Mask.tif")
    (tmp_path / "notes.txt").write_text("none")
    assert polite(tmp_path, "holiday.tif") is None
    assert polite(tmp_path, "x_Mask.tif") is None
    assert polite(tmp_path, "notes.txt") is None
    assert polite(tmp_path, "not_there.tif") is None


def test_a_folder_of_images_without_masks_opens(tmp_path, frame):
    folder = tmp_path / "wells"
    folder.mkdir()
    for name in ("north", "south"):
        Image.fromarray(frame[0]).save(folder / f"{name}.tif")
    (image, options, kind), *masks = get_reader(str(folder))(str(folder))
    np.testing.assert_array_equal(image, frame[0])
    assert (kind, masks) == ("image", [])
    assert options["metadata"]["folder"] == str(folder)


def test_a_folder_without_images_is_left_to_napari(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    assert get_reader(str(tmp_path)) is None
    zarr = tmp_path / "big.zarr"
    zarr.mkdir()
    assert get_reader(str(zarr)) is None


def test_several_paths_are_left_to_napari(specimens):
    assert get_reader([str(specimens), str(specimens)]) is None


def test_a_mask_is_found_under_another_suffix(tmp_path, frame):
    Image.fromarray(frame[0]).save(tmp_path / "a.tif")
    Image.fromarray(frame[1]).save(tmp_path / "a_mask.png")
    assert find_mask(tmp_path / "a.tif") == tmp_path / "a_mask.png"


@pytest.mark.parametrize("name", ["a_cp_masks.png", "a_labels.png"])
def test_a_mask_of_another_tool_is_found(tmp_path, frame, name):
    Image.fromarray(frame[0]).save(tmp_path / "a.tif")
    Image.fromarray(frame[1]).save(tmp_path / name)
    assert find_mask(tmp_path / "a.tif") == tmp_path / name
    assert find_mask(tmp_path / name) is None
    assert get_reader(str(tmp_path)) is read


def test_a_set_of_regions_is_shown_as_labels(tmp_path, frame):
    Image.fromarray(frame[0]).save(tmp_path / "a.png")
    square = np.array([[40, 40], [80, 40], [80, 80], [40, 80]])
    roiwrite(tmp_path / "a_RoiSet.zip", [ImagejRoi.frompoints(square)])
    path = str(tmp_path / "a.png")
    labels = get_reader(path)(path)[1][0]
    assert labels.sum() == labels[40:80, 40:80].sum() == 1600


def test_the_channel_that_is_dropped_is_shown(tmp_path, frame):
    for number in (0, 1):
        grey = frame[0] + np.uint8(number)
        Image.fromarray(grey).save(tmp_path / f"a_ch0{number}.tif")
    Image.fromarray(frame[1]).save(tmp_path / "a_mask.png")
    path = str(tmp_path / "a_ch01.tif")
    layers = get_reader(path)(path)
    np.testing.assert_array_equal(layers[0][0], frame[0] + np.uint8(1))
    with pytest.raises(BadImageError, match="its channels are ch00"):
        get_reader(str(tmp_path))(str(tmp_path))


@pytest.mark.parametrize("version", [2, 3])
def test_an_ome_zarr_that_is_dropped_is_a_frame_with_its_labels(
    tmp_path, frame, version
):
    pytest.importorskip("zarr")
    path = write_zarr(tmp_path / "a.ome.zarr", frame[0], version=version)
    assert get_reader(str(path)) is None, "an image without nuclei is left to others"
    assert get_reader(str(tmp_path)) is read, "a folder of frames is ours"
    write_labels(path, "nuclei", (frame[1] > 0).astype(np.uint16), version)
    (image, options, _), (labels, _, kind) = get_reader(str(path))(str(path))
    np.testing.assert_array_equal(image, frame[0])
    np.testing.assert_array_equal(labels > 0, frame[1] > 0)
    assert (options["name"], kind) == ("a", "labels")
    assert len(get_reader(str(tmp_path))(str(tmp_path))) == 2


def test_napari_is_told_of_what_it_does_not_read_by_itself():
    manifest = Path(napari_hep2.__file__).with_name("napari.yaml").read_text()
    (patterns,) = (line for line in manifest.splitlines() if "filename_patt" in line)
    claimed = set(yaml.safe_load(patterns.split(": ", 1)[1]))
    assert claimed == {f"*{suffix}" for suffix in OWN_SUFFIXES}
    assert OWN_SUFFIXES < IMAGE_SUFFIXES


def test_what_is_claimed_is_read(tmp_path):
    (tmp_path / "a.czi").write_bytes(b"none")
    path = str(tmp_path / "a.czi")
    with pytest.raises(Hep2Error):
        get_reader(path)(path)


def test_a_folder_of_cut_cells_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "train").mkdir()
    for k in (1, 2):
        for name in (f"{k:05d}.png", f"{k:05d}_Mask.png"):
            cell = np.full((60, 60), 9, np.uint8)
            Image.fromarray(cell).save(tmp_path / "train" / name)
    table = "Image ID,Image class\n1,Golgi\n2,Golgi\n"
    (tmp_path / "gt_training.csv").write_text(table)
    with pytest.raises(BadLayoutError, match="cells that are already cut"):
        read(str(tmp_path))
