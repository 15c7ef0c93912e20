"""The signal of simulated fields, and what does not move it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.extraction import FrameCells, extract_cells, label_nuclei
from training.data.layouts import Frame
from training.data.masks.segmentation import segment_frame
from training.data.signal import FrameSignal, frame_signal, pool_signals
from training.data.simulation.series import Camera, Serum, simulate_serum

SPECKLED = Serum(("Speckled",), 320)
SHAPE = (416, 512)


def field(serum=SPECKLED, camera=None, seed=0, reject_share=0.0):
    """Simulate a field; the same seed places the same nuclei."""
    rng = np.random.default_rng(seed)
    return simulate_serum(serum, camera or Camera(), 24, SHAPE, rng, reject_share)


def signal_of(image, mask) -> FrameSignal:
    labels = label_nuclei((mask > 0).astype(np.uint8))
    cells = extract_cells(image, labels, ExtractionSettings())
    frame = Frame("field", Path("field.tif"), None)
    return frame_signal(FrameCells(frame, image, labels, cells, (), mask_made=True))


def medians(image, mask) -> tuple[float, float]:
    signal = signal_of(image, mask)
    assert not signal.fault
    return float(np.median(signal.nuclei)), float(np.median(signal.cytoplasm))


@pytest.fixture(scope="module")
def speckled():
    return field()


@pytest.fixture(scope="module")
def usual(speckled) -> tuple[float, float]:
    return medians(speckled.image, speckled.mask)


def test_discs_of_known_contrast_are_measured_in_units_of_the_noise():
    """Discs 30 grey values above ground 50, with noise of deviation 4."""
    y, x = np.mgrid[:200, :300]
    discs = np.zeros(y.shape, bool)
    for cy in (50, 150):
        for cx in (50, 150, 250):
            discs |= np.hypot(y - cy, x - cx) < 11
    rng = np.random.default_rng(1)
    image = np.rint(50 + 30 * discs + rng.normal(0, 4, y.shape)).astype(np.uint8)
    signal = signal_of(image, discs)
    assert signal.noise == pytest.approx(4, rel=0.05)
    # Smoothing by 0.44 pixels leaves 0.76 of the noise, whose brightest tenth lies 1.28
    # deviations above the mean and whose darkest tenth as far below.
    assert np.median(signal.nuclei) == pytest.approx(30 / 4 + 1.28 * 0.76, abs=0.3)
    assert np.median(signal.cytoplasm) == pytest.approx(2 * 1.28 * 0.76, abs=0.3)


def test_more_staining_gives_more_signal():
    found = [
        medians(one.image, one.mask)[0]
        for one in (field(Serum(("Speckled",), titre)) for titre in (80, 320, 1280))
    ]
    assert found[0] < 0.6 * found[1] < 0.6 * 0.8 * found[2]


def test_a_cytoplasmic_serum_stains_the_cytoplasm():
    one = field(Serum(("Cytoplasmic reticular",), 1280))
    negative = field(Serum())
    assert medians(one.image, one.mask)[1] > 4 * medians(negative.image, one.mask)[1]


@pytest.mark.parametrize("gain", [0.8, 1.8])
def test_gain_hardly_moves_it(usual, gain):
    other = field(camera=Camera(gain=gain))
    assert medians(other.image, other.mask) == pytest.approx(usual, rel=0.15)


def test_a_scale_bar_does_not_move_it(speckled, usual):
    image = speckled.image.copy()
    image[390:400, 40:160] = 255
    assert medians(image, speckled.mask) == pytest.approx(usual, rel=0.02)


def test_a_bright_artefact_does_not_move_it(speckled, usual):
    image = speckled.image.copy()
    image[200:240, 200:260] = 250
    assert medians(image, speckled.mask) == pytest.approx(usual, rel=0.06)


def test_black_borders_do_not_move_it(speckled, usual):
    image, mask = (np.pad(one, 60) for one in (speckled.image, speckled.mask))
    found = signal_of(image, mask)
    # Nuclei that the frame cut are whole to the program now.
    assert np.median(found.nuclei) == pytest.approx(usual[0], rel=0.06)
    assert np.median(found.cytoplasm) == pytest.approx(usual[1], rel=0.06)


def test_saturation_of_a_twentieth_hardly_moves_it(speckled, usual):
    inside = speckled.image[speckled.mask > 0]
    end = int(np.percentile(inside, 95))
    raised = speckled.image.astype(np.int64) + 255 - end
    image = np.minimum(raised, 255).astype(np.uint8)
    signal = signal_of(image, speckled.mask)
    assert signal.saturated == pytest.approx(0.05, abs=0.02)
    assert np.median(signal.nuclei) == pytest.approx(usual[0], rel=0.1)


def test_a_few_mitoses_hardly_move_it():
    """Bright plates in a seventh of the nuclei: a mean moves by a half, this not."""
    one = field()
    labels = label_nuclei((one.mask > 0).astype(np.uint8))
    chosen = np.unique(labels)[1:][::7]
    image = one.image.astype(np.int64)
    image[np.isin(labels, chosen)] += 120
    moved = medians(np.minimum(image, 255).astype(np.uint8), one.mask)
    before = medians(one.image, one.mask)
    assert moved == pytest.approx(before, rel=0.15)


def test_a_frame_that_is_all_saturated_has_a_fault(speckled):
    image = np.where(speckled.mask > 0, 255, speckled.image).astype(np.uint8)
    assert signal_of(image, speckled.mask).fault == "it is all saturated"


def test_auto_contrast_is_recognised(speckled):
    negative = field(Serum())
    for one in (speckled, negative):
        grey = one.image.astype(float)
        low, high = np.percentile(grey, (0.35, 99.65))
        image = np.clip((grey - low) / (high - low) * 255, 0, 255).astype(np.uint8)
        assert "auto-contrasted" in signal_of(image, one.mask).fault
        assert not signal_of(one.image, one.mask).fault


def test_sixteen_bits_give_the_signal_of_eight(speckled, usual):
    deep = speckled.image.astype(np.uint16) * 16
    assert medians(deep, speckled.mask) == pytest.approx(usual, rel=0.02)


def test_a_jpeg_keeps_the_order(speckled):
    def packed(image):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=90)
        return np.asarray(Image.open(buffer))

    negative = field(Serum())
    bright = medians(packed(speckled.image), speckled.mask)[0]
    assert bright > 3 * medians(packed(negative.image), negative.mask)[0]


def test_magnification_hardly_moves_the_ratio_to_a_negative():
    def ratio(zoom):
        found = []
        for one in (field(), field(Serum())):
            image = ndimage.zoom(one.image, zoom, order=0)
            mask = ndimage.zoom(one.mask, zoom, order=0)
            found.append(medians(image, mask)[0])
        return found[0] / found[1]

    assert ratio(2) == pytest.approx(ratio(1), rel=0.15)


def test_a_segmented_negative_field_has_a_small_signal():
    one = field(Serum())
    labels = segment_frame(one.image, SegmentationSettings()).labels
    low = pool_signals([("n", signal_of(one.image, labels))]).nuclei
    high = pool_signals([("s", signal_of(*_pixels(field())))]).nuclei
    assert low is not None
    assert high is not None
    assert low.high < high.low / 3


def _pixels(frame):
    return frame.image, frame.mask


def test_debris_alone_has_no_values():
    image = np.full((64, 64), 20, np.uint8)
    image[30:33, 30:33] = 90
    signal = signal_of(image, image > 50)
    assert len(signal.nuclei) == len(signal.cytoplasm) == 0
