"""What both ways of finding nuclei share: numbers, borders, and nothing there."""

from contextlib import suppress

import numpy as np
import pytest

from training.config import SegmentationSettings
from training.data.masks import classical_segmentation, network_segmentation, shapes
from training.data.masks.matching import match_nuclei
from training.data.masks.segmentation import NucleusFinder, segment_frame
from training.errors import BadImageError
from training.steps import drain

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
        np.full((200, 300), 255, np.uint8),
        np.full((200, 300), 60_000, np.uint16),
    ],
    ids=["black", "flat", "noise", "tiny", "saturated", "16-bit"],
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


def _striped(across, wide):
    y, x = np.mgrid[:400, :400]
    return (((x if across else x + y) // wide % 2) * 120 + 40).astype(np.uint8)


@pytest.mark.parametrize(
    "image",
    [
        np.full((400, 400), 90, np.uint8),
        np.full((400, 400), 255, np.uint8),
        _striped(across=True, wide=10),
        _striped(across=True, wide=20),
        _striped(across=False, wide=20),
        np.kron(np.indices((20, 20)).sum(0) % 2, np.full((20, 20), 200)).astype("u1"),
    ],
    ids=["flat", "saturated", "fine stripes", "stripes", "slanted", "squares"],
)
def test_fields_without_nuclei_are_as_little_work_as_others(
    image, draw_field, monkeypatch
):
    """Each step is bounded work: fifty regions, or one look at a tile."""
    looked_at = []
    real = shapes.solidity
    monkeypatch.setattr(shapes, "solidity", lambda m: looked_at.append(m) or real(m))

    def steps_of(image):
        looked_at.clear()
        return sum(1 for _ in _until_refused(NucleusFinder(image).find_all(AUTO)))

    usual = steps_of(draw_field(24, shape=(400, 400), gap=1.1)[0]), len(looked_at)
    assert steps_of(image) <= usual[0]
    assert len(looked_at) <= usual[1]


def _until_refused(steps):
    with suppress(BadImageError):
        yield from steps


@pytest.mark.parametrize("method", ["network", "classical"])
def test_a_step_looks_at_one_tile(draw_field, monkeypatch, method):
    image, _ = draw_field(32)
    way = {"network": network_segmentation, "classical": classical_segmentation}
    looks = {"network": "look", "classical": "blobs_of"}
    monkeypatch.setattr(way[method], "_TILE", 150)
    real, looked_at = getattr(way[method], looks[method]), []

    def counted(*given):
        signal = next(part for part in given if isinstance(part, np.ndarray))
        looked_at.append(signal.size)
        return real(*given)

    monkeypatch.setattr(way[method], looks[method], counted)
    settings = SegmentationSettings(method=method, diameter=32)
    counts, shares = [], []
    for share in NucleusFinder(image).find_all(settings):
        counts.append(len(looked_at))
        shares.append(share)
    assert max(np.diff([0, *counts])) == 1
    assert counts[-1] == 4 * 4
    assert max(looked_at) <= (150 + 2 * 96 + 1) ** 2
    assert shares == sorted(shares)
    assert len(set(shares)) == 4 * 4 + 1


@pytest.mark.parametrize("method", ["network", "classical"])
def test_a_part_shows_the_nuclei_that_the_whole_shows_there(draw_field, method):
    image, _ = draw_field(48)
    settings = SegmentationSettings(method=method)
    whole = segment_frame(image, settings).labels
    part = slice(100, 400), slice(150, 480)
    found = drain(NucleusFinder(image).find_in(part, settings))
    shown = np.zeros_like(whole)
    for k, piece in enumerate(found.pieces, start=1):
        shown[piece.box][piece.mask] = k
    inside = slice(130, 370), slice(180, 450)
    assert match_nuclei(shown[inside], whole[inside]).f1(0.9) == 1
    assert 40 < found.diameter < 60


def test_another_sensitivity_only_reads_the_maps_of_a_part_anew(
    draw_field, monkeypatch
):
    image, _ = draw_field(48)
    looked_at, real = [], network_segmentation.look
    monkeypatch.setattr(
        network_segmentation, "look", lambda *a: looked_at.append(a) or real(*a)
    )
    finder, part = NucleusFinder(image, 8), (slice(0, 300), slice(0, 300))
    first = drain(finder.find_in(part, SegmentationSettings(diameter=48)))
    once = len(looked_at)
    dimmer = SegmentationSettings(diameter=48, sensitivity=3)
    second = drain(finder.find_in(part, dimmer))
    assert (once, len(looked_at)) == (1, 1)
    areas = [sum(p.area for p in one.pieces) for one in (first, second)]
    assert areas[1] > areas[0]


@pytest.mark.parametrize("method", ["network", "classical"])
def test_the_nucleus_at_a_place_is_the_one_of_the_frame(draw_field, method):
    image, centres = draw_field(48)
    settings = SegmentationSettings(method=method)
    labels, finder = segment_frame(image, settings).labels, NucleusFinder(image)
    for y, x in centres[:6].round().astype(int):
        label = labels[y, x]
        taken = (labels > 0) & (labels != label)
        found = finder.find_at((y, x), taken, 48, settings)
        same = (labels == label)[found.box]
        assert (found.mask & same).sum() > 0.7 * (found.mask | same).sum()
