"""Masks and label images are told from pictures by their pixels alone."""

import io

import numpy as np
import pytest
from PIL import Image

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.extraction import extract_frame
from training.data.layouts import Frame
from training.data.masks.appearance import file_looks_like_mask, looks_like_mask
from training.errors import BadImageError


def packed(pixels, quality):
    """Return pixels as JPEG leaves them."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def enlarged(pixels):
    """Return pixels three times as wide and high, with soft edges."""
    size = pixels.shape[1] * 3, pixels.shape[0] * 3
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


@pytest.fixture
def pair(frame_with_nuclei):
    return frame_with_nuclei(seed=3)


@pytest.mark.parametrize(
    "as_saved",
    [
        lambda mask: mask,
        lambda mask: 255 - mask,
        lambda mask: (mask > 0) * np.int32(70_000),
        lambda mask: np.stack([mask, mask // 2, mask // 3], axis=2),
        lambda mask: mask > 0,
        lambda mask: packed(mask, 90),
        lambda mask: enlarged(mask),
    ],
)
def test_pieces_of_one_value_are_a_mask(pair, as_saved):
    assert looks_like_mask(as_saved(pair[1]))


@pytest.mark.parametrize(
    "taken",
    [
        lambda frame: frame,
        lambda frame: frame.astype(np.uint16) * 16,
        lambda frame: np.where(frame < 30, 0, frame),
        lambda frame: np.minimum(frame, 60),
        lambda frame: np.stack([frame * 0, frame, frame * 0], axis=2),
        lambda frame: (frame > 16).astype(np.uint8),
        lambda frame: frame * 0,
        lambda frame: frame.astype(np.float32),
        lambda frame: frame[:, :1],
        lambda frame: packed(frame, 50),
        lambda frame: enlarged(frame),
        lambda frame: np.kron(frame, np.ones((6, 6), np.uint8)),
        lambda frame: np.where(frame == frame.max(), 65_535, frame.astype(np.uint16)),
    ],
)
def test_pictures_are_none(pair, taken):
    assert not looks_like_mask(taken(pair[0]))


def test_what_is_no_image_is_no_mask(tmp_path):
    (tmp_path / "a.tif").write_text("no image")
    assert not file_looks_like_mask(tmp_path / "a.tif")


def test_a_file_that_is_written_anew_is_looked_at_anew(tmp_path, pair):
    path = tmp_path / "a.png"
    Image.fromarray(pair[0]).save(path)
    assert not file_looks_like_mask(path)
    Image.fromarray(pair[1]).save(path)
    assert file_looks_like_mask(path)


def test_a_mask_is_never_cut_as_a_frame(tmp_path, pair):
    Image.fromarray(pair[1]).save(tmp_path / "zz.png")
    frame = Frame("zz", tmp_path / "zz.png", None)
    with pytest.raises(BadImageError, match=r"zz\.png: it is a mask by its values"):
        extract_frame(frame, ExtractionSettings(size=21), SegmentationSettings())
