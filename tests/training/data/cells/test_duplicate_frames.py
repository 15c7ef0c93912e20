"""A picture that stands in two files is refused by its pixels."""

from types import SimpleNamespace

import numpy as np
import pytest

from training.data.cells.duplicate_frames import PicturesSeen
from training.errors import BadImageError

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)


def cells(path, image):
    return SimpleNamespace(image=image, frame=SimpleNamespace(image=path))


def test_the_same_pixels_in_another_file_are_refused_with_both_names(tmp_path):
    seen = PicturesSeen()
    seen.add(cells(tmp_path / "S1.tif", GREY))
    with pytest.raises(BadImageError, match=r"S2\.png: it is the same picture as S1"):
        seen.add(cells(tmp_path / "S2.png", GREY.copy()))
    with pytest.raises(BadImageError, match=f"same picture as {tmp_path.name}/S1"):
        seen.add(cells(tmp_path / "other" / "S1.tif", GREY))


def test_other_pixels_shapes_and_the_same_file_again_are_not(tmp_path):
    seen = PicturesSeen()
    images = GREY, GREY + 1, GREY.reshape(4, 3), GREY.T, GREY.astype(np.uint16)
    for number, image in enumerate(images):
        seen.add(cells(tmp_path / f"{number}.tif", image))
    seen.add(cells(tmp_path / "0.tif", GREY))
