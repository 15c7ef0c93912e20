"""Previews of nuclei in the part in view: the last that was asked for counts."""

import pytest

from napari_hep2.jobs import run_here
from napari_hep2.specimen.controllers.nuclei import PreviewController
from napari_hep2.state import FramePicture
from training.config import SegmentationSettings

CLASSICAL = SegmentationSettings(method="classical", diameter=32)


@pytest.fixture
def picture(state, frame, review):
    """The frame of the first specimen, read and not cut."""
    image, _ = frame
    opened = state.cells.frame
    state.cells = None
    state.picture = FramePicture(opened, image, (0, 99))
    return image


@pytest.fixture
def part():
    return [(slice(0, 240), slice(0, 360))]


@pytest.fixture
def jobs():
    return []


@pytest.fixture
def preview(state, picture, part, jobs):
    return PreviewController(state, lambda: part[0], jobs.append)


def test_the_part_in_view_is_looked_at_and_told(preview, jobs):
    preview.ask(CLASSICAL)
    run_here(jobs.pop())
    assert "nuclei in view, at a diameter of 32 pixels." in preview.text
    assert int(preview.text.split()[0]) >= 6
    assert preview.diameter == 32
    preview.stop()
    assert preview.text == ""


def test_of_those_asked_for_meanwhile_the_last_is_made(preview, jobs, part):
    told = []
    preview.changed.connect(lambda: told.append(preview.text))
    preview.ask(CLASSICAL)
    for settings in (SegmentationSettings(method="classical"), CLASSICAL):
        part[0] = (slice(0, 120), slice(0, 120))
        preview.ask(settings)
    assert len(jobs) == 1, "one at a time"
    run_here(jobs.pop())
    assert len(told) == 2
    assert int(told[-1].split()[0]) < int(told[0].split()[0])


def test_a_given_mask_is_not_looked_for(state, specimen, review, jobs):
    preview = PreviewController(state, lambda: (slice(0, 9), slice(0, 9)), jobs.append)
    assert state.cells is not None
    assert not preview.can_find
    preview.ask(CLASSICAL)
    assert jobs == []


def test_without_a_frame_nothing_is_made(state, jobs):
    preview = PreviewController(state, lambda: None, jobs.append)
    preview.ask(CLASSICAL)
    assert (jobs, preview.text) == ([], "")
