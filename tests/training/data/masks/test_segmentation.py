"""What both ways of finding nuclei share: numbers, borders, and nothing there."""

import numpy as np
import pytest

from training.config import SegmentationSettings
from training.data.masks.segmentation import segment_frame
from training.errors import BadImageError

AUTO = SegmentationSettings(method="classical")


def labels_of(image, settings=AUTO):
    return segment_frame(image, settings).labels


def test_labels_are_numbered_from_one_in_reading_order(draw_field):
    labels = labels_of(draw_field(48)[0], AUTO)
    values, first = np.unique(labels, return_index=True)
    assert values.tolist() == list(range(labels.max() + 1))
    assert np.all(np.diff(first[1:]) > 0)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((200, 300), np.uint8),
        np.full((200, 300), 17, np.uint8),
        np.random.default_rng(0).poisson(12, (300, 400)).astype(np.uint8),
        np.zeros((3, 3), np.uint8),
    ],
    ids=["black", "flat", "noise", "tiny"],
)
def test_nothing_there_is_said(image):
    with pytest.raises(BadImageError, match="no nucleus was found"):
        labels_of(image, AUTO)


@pytest.mark.parametrize("method", ["network", "classical"])
def test_a_ground_of_nothing_and_black_borders_hide_no_nucleus(
    draw_field, matched, method
):
    settings = SegmentationSettings(method=method)
    y, x = np.mgrid[:400, :500]
    centres = np.array([(80, 90), (90, 240), (220, 120), (230, 300), (330, 220)])
    frame = np.zeros(y.shape, np.uint8)
    for cy, cx in centres:
        frame[np.hypot(y - cy, x - cx) < 24] = 120
    assert matched(labels_of(frame, settings), centres, 6) == (5, 5)
    image, centres = draw_field(48)
    image[:, :90] = 0
    image[430:] = 0
    inside = centres[(centres[:, 1] > 120) & (centres[:, 0] < 400)]
    hits, found = matched(labels_of(image, settings), inside, 12)
    assert hits >= 0.95 * len(inside)
    assert found <= len(centres)
