import numpy as np
import torch

from training.models.networks.devices import ResidentCells, choose_device

CPU = torch.device("cpu")


def test_the_device_can_be_named():
    assert choose_device("cpu") == CPU
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device("auto").type == expected


def test_mapped_images_stay_where_they_are(tmp_path):
    """Workers of a machine share the pages of one file."""
    images = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="c")
    cells = ResidentCells.place(mapped, np.array([0, 1]), CPU)
    assert cells.images.data_ptr() == mapped.ctypes.data
    assert cells.device == CPU


def test_what_may_not_be_written_is_copied():
    images = np.zeros((2, 4, 4), np.uint8)
    images.flags.writeable = False
    cells = ResidentCells.place(images, np.array([0, 1]), CPU)
    assert cells.images.data_ptr() != images.ctypes.data
    assert cells.patterns.tolist() == [0, 1]
