"""The demo as a person starts it, and its sentence where it cannot be shown."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from napari_hep2 import demo
from napari_hep2.samples import SAMPLE_FRAME, sample_specimens
from napari_hep2.session import session_of
from training.data.layouts import read_collection
from training.errors import Hep2Error


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What ``python -m napari_hep2.demo --picture`` leaves: process and folder."""
    out = tmp_path_factory.mktemp("demo")
    command = ["-m", "napari_hep2.demo", "--picture", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return done, out


def test_picture_holds_a_window_with_the_specimen_in_it(shown):
    picture = Image.open(shown[1] / "window.png").convert("RGB")

    assert picture.width > 1200
    assert picture.height > 700
    canvas = np.asarray(picture)[200:600, 200:800].astype(int)
    assert canvas.std() > 5  # an empty or unpainted canvas has one colour
    coloured = np.ptp(canvas, axis=2) > 60  # the frame is grey, the boxes are not
    assert coloured.mean() > 0.002


def test_verdict_is_the_pattern_that_was_simulated(shown):
    verdict = json.loads((shown[1] / f"{SAMPLE_FRAME}_verdict.json").read_text())
    specimens = read_collection(sample_specimens()).specimens
    owner = [s for s in specimens if any(f.name == SAMPLE_FRAME for f in s.frames)]

    assert verdict["pattern"] == owner[0].pattern
    assert verdict["cells"] >= 30
    assert verdict["notice"].endswith("not for diagnosis.")


def test_every_file_is_named_and_is_there(shown):
    done, out = shown
    named = {
        line.removeprefix("written: ").strip()
        for line in done.stdout.splitlines()
        if line.startswith("written: ")
    }

    assert named == {str(path) for path in out.iterdir()}
    assert len(named) == 4


def test_first_fault_is_told_and_not_what_follows_from_it(
    make_napari_viewer, monkeypatch, tmp_path
):
    monkeypatch.setattr(demo, "sample_specimens", lambda: tmp_path)
    session = session_of(make_napari_viewer())

    with pytest.raises(Hep2Error, match=tmp_path.name) as caught:
        demo.show_specimen(session, SAMPLE_FRAME)

    assert "Open a specimen first" not in str(caught.value)
