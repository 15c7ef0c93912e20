import numpy as np
import pytest
from PIL import Image

from training.data.cells.cell_set import pack_images
from training.data.cells.loading import (
    load_cell_set,
    load_packed,
    read_cell_set,
    write_cell_set,
)
from training.errors import BadCellsError, UnknownPatternError


def test_packing_keeps_an_image_of_the_right_size():
    image = np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)
    assert np.array_equal(pack_images([image], 60)[0], image)


def test_packing_takes_all_sizes():
    sizes = [(54, 70), (111, 90), (77, 77)]
    images = [np.full(size, 9, np.uint8) for size in sizes]
    packed = pack_images(images, 60)
    assert packed.shape == (3, 60, 60)
    assert np.all(packed == 9)


def test_halving_averages_over_the_widened_support():
    """Bilinear with a triangle of twice the width: weights 1, 3, 3, 1 over 8."""
    ramp = np.tile(np.array([0, 0, 0, 0, 80, 80, 80, 80], np.uint8), (8, 1))
    row = pack_images([ramp], 4)[0][0]
    assert row.tolist() == [0, 10, 70, 80]


@pytest.mark.parametrize("bits", [9, 12, 14, 16])
@pytest.mark.parametrize("pedestal", [0, 100])
def test_sixteen_bits_are_stretched_from_the_cells_own_range(bits, pedestal):
    grey = np.arange(256, dtype=np.uint16).reshape(16, 16)
    deep = grey * (2**bits // 256 - 1) + pedestal
    assert np.array_equal(pack_images([deep], 16)[0], grey)


def test_a_cell_does_not_depend_on_others():
    rng = np.random.default_rng(0)
    dim = rng.integers(0, 200, (60, 60), np.uint16)
    bright = rng.integers(0, 16383, (60, 60), np.uint16)
    together = pack_images([dim, bright], 60)
    assert np.array_equal(together[0], pack_images([dim], 60)[0])
    assert len(np.unique(together[0])) == 200


def test_a_hot_pixel_leaves_grey_values_to_the_rest():
    dim = np.random.default_rng(0).integers(100, 400, (60, 60), np.uint16)
    hot = dim.copy()
    hot[0, 0] = 65535
    packed = pack_images([hot], 60)[0]
    assert packed[0, 0] == 255
    assert len(np.unique(packed)) > 85


def test_one_grey_value_of_sixteen_bits_is_blank():
    assert np.all(pack_images([np.full((9, 9), 700, np.uint16)], 9) == 0)


def test_a_few_bright_pixels_on_one_grey_value_are_kept():
    dots = np.full((60, 60), 300, np.uint16)
    dots[30, 30:40] = 900
    assert np.unique(pack_images([dots], 60)[0]).tolist() == [0, 255]


def test_a_task1_folder(cells, task1):
    loaded = load_cell_set(task1(cells), input_size=32)
    assert np.array_equal(loaded.images, cells.images)
    assert loaded.patterns.tolist() == cells.patterns.tolist()
    assert loaded.specimens.tolist() == cells.specimens.tolist()
    assert loaded.has_specimens
    assert loaded.source == "task1 (task1)"


def test_without_specimen_ids(cells, task1):
    loaded = load_cell_set(task1(cells, specimens=False), input_size=32)
    assert not loaded.has_specimens
    assert len(loaded.notes) == 1


def test_the_cache_is_used_and_notices_a_change(cells, task1, monkeypatch):
    folder = task1(cells)
    first, packed = load_packed(folder, 32)
    monkeypatch.setattr("training.data.cells.loading.read_collection", None)
    again, same = load_packed(folder, 32)
    assert same == packed
    assert again.fingerprint == first.fingerprint
    monkeypatch.undo()
    Image.fromarray(255 - cells.images[0]).save(folder / "train" / "00001.png")
    changed, other = load_packed(folder, 32)
    assert other != packed
    assert changed.fingerprint != first.fingerprint


def test_blank_cells_are_left_out(cells, task1):
    images = cells.images.copy()
    images[[3, 40]] = 17
    object.__setattr__(cells, "images", images)
    loaded = load_cell_set(task1(cells), input_size=32)
    assert len(loaded) == 46
    assert "00004" not in loaded.ids
    assert "2 blank cells were left out" in loaded.notes


def test_an_unknown_pattern_names_the_file(cells, task1):
    folder = task1(cells)
    table = folder / "gt_training.csv"
    table.write_text(table.read_text().replace("Golgi", "Purple"))
    with pytest.raises(UnknownPatternError, match=r"gt_training\.csv.*Purple"):
        load_cell_set(folder, input_size=32)


def test_a_damaged_cache_is_told(tmp_path, cells):
    write_cell_set(cells, tmp_path / "pack")
    assert read_cell_set(tmp_path / "pack").fingerprint == cells.fingerprint
    (tmp_path / "pack" / "images.npy").write_bytes(b"x")
    with pytest.raises(BadCellsError, match="delete this folder; it is rebuilt"):
        read_cell_set(tmp_path / "pack")


def test_the_fingerprint_is_of_what_decides(cells):
    same = cells.take(np.arange(len(cells)))
    assert same.fingerprint == cells.fingerprint
    assert cells.take(np.arange(47)).fingerprint != cells.fingerprint
    moved = cells.take(np.arange(len(cells)))
    object.__setattr__(moved, "specimens", np.roll(cells.specimens, 1))
    assert moved.fingerprint != cells.fingerprint


def test_no_cell_with_a_pattern_is_a_sentence(tmp_path, write_plain):
    with pytest.raises(BadCellsError, match="it holds no cell with a pattern"):
        load_cell_set(write_plain(tmp_path / "plain"), input_size=32)
