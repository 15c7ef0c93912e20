"""A table that says which frames are of one specimen."""

import numpy as np
import pytest
from PIL import Image

from training.data.layouts import read_collection
from training.data.layouts.series import find_series, read_series
from training.errors import BadLayoutError, SpecimensError

FRAMES = ("img_a", "img_b", "shot_c", "rest")


@pytest.fixture
def folder(tmp_path):
    """Four frames whose names tell nothing of their specimens."""
    for k, name in enumerate(FRAMES):
        grey = np.random.default_rng(k).integers(0, 99, (64, 64)).astype(np.uint8)
        Image.fromarray(grey).save(tmp_path / f"{name}.png")
    return tmp_path


def grouped(folder):
    found = read_collection(folder).specimens
    return {one.id: [frame.name for frame in one.frames] for one in found}


def test_frames_are_grouped_and_the_rest_go_by_their_names(folder):
    (folder / "frames.csv").write_text("image,patient\nimg_a.png,S1\nshot_c,S1\n")
    assert grouped(folder) == {
        "S1": ["img_a", "shot_c"],
        "img_b": ["img_b"],
        "rest": ["rest"],
    }
    collection = read_collection(folder)
    assert collection.specimens_from == "column 'patient' of frames.csv"
    assert collection.notes == ()


def test_the_table_of_the_series_can_group_them(folder):
    rows = "frame,specimen,role\nimg_a,S1,negative\nshot_c,S1,negative\nimg_b,S2,\n"
    (folder / "series.csv").write_text(rows)
    assert grouped(folder)["S1"] == ["img_a", "shot_c"]
    assert read_series(find_series(folder)).of("S1").role == "negative control"


def test_the_table_of_the_patterns_can_group_them(folder):
    rows = "file,specimen,pattern\n"
    rows += "".join(f"{name},S{k // 2},Golgi\n" for k, name in enumerate(FRAMES))
    (folder / "all.csv").write_text(rows)
    assert grouped(folder) == {"S0": ["img_a", "img_b"], "S1": ["rest", "shot_c"]}
    assert {one.pattern for one in read_collection(folder).specimens} == {"Golgi"}


def test_a_frame_of_two_specimens_and_two_tables_are_refused(folder):
    (folder / "one.csv").write_text("image,specimen\nimg_a,S1\nimg_a,S2\n")
    with pytest.raises(SpecimensError, match="img_a has two specimens or none"):
        read_collection(folder)
    (folder / "two.csv").write_text("image,specimen\nimg_a,S1\n")
    with pytest.raises(BadLayoutError, match=r"one.csv and two.csv both give"):
        read_collection(folder)
