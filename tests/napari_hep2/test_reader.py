import numpy as np
import pytest
from PIL import Image

from napari_hep2.reader import find_mask, get_reader, read
from training.errors import BadLayoutError


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


def test_a_folder_without_masks_is_left_to_napari(tmp_path, frame):
    folder = tmp_path / "stack"
    folder.mkdir()
    for k in range(3):
        Image.fromarray(frame[0]).save(folder / f"z{k}.tif")
    assert get_reader(str(folder)) is None
    zarr = tmp_path / "big.zarr"
    zarr.mkdir()
    assert get_reader(str(zarr)) is None


def test_several_paths_are_left_to_napari(specimens):
    assert get_reader([str(specimens), str(specimens)]) is None


def test_a_mask_is_found_under_another_suffix(tmp_path, frame):
    Image.fromarray(frame[0]).save(tmp_path / "a.tif")
    Image.fromarray(frame[1]).save(tmp_path / "a_mask.png")
    assert find_mask(tmp_path / "a.tif") == tmp_path / "a_mask.png"


def test_a_folder_of_cut_cells_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "train").mkdir()
    for k in (1, 2):
        for name in (f"{k:05d}.png", f"{k:05d}_Mask.png"):
            cell = np.full((60, 60), 9, np.uint8)
            Image.fromarray(cell).save(tmp_path / "train" / name)
    table = "Image ID,Image class\n1,Golgi\n2,Golgi\n"
    (tmp_path / "gt_training.csv").write_text(table)
    with pytest.raises(BadLayoutError, match="cells already cut"):
        read(str(tmp_path))
