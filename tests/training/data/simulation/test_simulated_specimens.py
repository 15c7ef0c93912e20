"""The folder that simulation writes, and what its specimens do to a classifier."""

from __future__ import annotations

import csv
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.config import SimulationSettings
from training.data.masks.files import read_mask
from training.data.simulation import (
    CONDITIONS,
    deal_patterns,
    frames,
    simulate,
    simulated_specimens,
)
from training.data.simulation.specimens import PROPORTIONS
from training.data.simulation.staining import N_PLANES
from training.data.simulation.styles import SIMULATED_PATTERNS
from training.errors import BadSettingError, StorageError, UnknownPatternError
from training.patterns import I3A
from training.storage.images import read_frame

SMALL = SimulationSettings(
    specimens=3, frames=2, seed=5, cells_min=8, cells_max=12, height=300, width=340
)


def rows_of(path: Path, delimiter: str = ",") -> list[list[str]]:
    with path.open(newline="") as stream:
        return list(csv.reader(stream, delimiter=delimiter))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "out"
    list(simulate(out, SMALL))
    return out


def test_ground_truth_has_the_official_form(written):
    lines = (written / "gt_train.csv").read_text().splitlines()
    assert lines[0] == "Specimen ID;Specimen class ;Intensity"
    number, pattern, intensity = lines[1].split(";")
    assert number == "1"
    assert pattern == "Homogeneous    "
    assert intensity in ("positive", "intermediate")
    assert len(lines) == 4


def test_frames_have_the_official_names_and_form(written):
    names = sorted(path.name for path in (written / "train").iterdir())
    expected = [
        f"0000{n}_p{k}{end}"
        for n in (1, 2, 3)
        for k in (0, 1)
        for end in (".tif", "_Mask.tif")
    ]
    assert names == sorted(expected)
    image = read_frame(written / "train/00002_p1.tif")
    mask = read_frame(written / "train/00002_p1_Mask.tif")
    assert image.note == ""
    assert image.pixels.shape == mask.pixels.shape == (300, 340)
    assert image.pixels.dtype == mask.pixels.dtype == np.uint8
    assert set(np.unique(mask.pixels)) == {0, 255}
    labels = read_mask(written / "train/00002_p1_Mask.tif", (300, 340))
    assert labels.max() == 1


def test_default_frame_is_1388_wide_and_1040_high():
    assert (SimulationSettings().width, SimulationSettings().height) == (1388, 1040)


def test_truth_has_one_row_a_nucleus(written):
    header, *rows = rows_of(written / "truth.csv")
    assert header == ["frame", "specimen", "pattern", "y", "x", "condition"]
    patterns = {row[1]: row[2] for row in rows}
    official = {r[0]: r[1].strip() for r in rows_of(written / "gt_train.csv", ";")[1:]}
    assert patterns == official
    assert {row[5] for row in rows} <= set(CONDITIONS)
    for row in rows:
        labels = read_mask(written / f"train/{row[0]}_Mask.tif", (300, 340))
        assert labels[round(float(row[3])), round(float(row[4]))] == 1


def test_source_says_that_it_is_simulated_and_how(written):
    source = json.loads((written / "source.json").read_text())
    assert source["simulated"] is True
    assert "no cell in this folder is real" in source["notice"]
    assert source["seed"] == 5
    assert SimulationSettings(**source["settings"]) == SMALL
    assert source["version"]


def test_progress_counts_specimens_and_nuclei(tmp_path):
    done = list(simulate(tmp_path / "o", SMALL))
    assert [(s.id, s.done, s.total) for s in done] == [
        ("1", 1, 3),
        ("2", 2, 3),
        ("3", 3, 3),
    ]
    assert done[0].frames == ("00001_p0", "00001_p1")
    rows = rows_of(tmp_path / "o/truth.csv")[1:]
    assert sum(s.n_nuclei for s in done) == len(rows)
    assert all(s.n_nuclei <= 2 * SMALL.cells_max for s in done)


@pytest.mark.parametrize("changed", [{"specimens": 1}, {"frames": 1}, {"specimens": 4}])
def test_a_specimen_is_the_same_whatever_else_is_made(written, tmp_path, changed):
    list(simulate(tmp_path / "o", SMALL.model_copy(update=changed)))
    for name in ("00001_p0.tif", "00001_p0_Mask.tif"):
        again = (tmp_path / "o/train" / name).read_bytes()
        assert again == (written / "train" / name).read_bytes()


def test_another_seed_gives_other_frames(written, tmp_path):
    list(simulate(tmp_path / "o", SMALL.model_copy(update={"seed": 6})))
    name = "train/00001_p0.tif"
    assert (tmp_path / "o" / name).read_bytes() != (written / name).read_bytes()


def test_stopping_early_leaves_tables_of_what_was_written(tmp_path):
    steps = simulate(tmp_path / "o", SMALL)
    next(steps)
    steps.close()
    assert len(rows_of(tmp_path / "o/gt_train.csv", ";")) == 2
    assert {row[1] for row in rows_of(tmp_path / "o/truth.csv")[1:]} == {"1"}
    source = json.loads((tmp_path / "o/source.json").read_text())
    assert source["specimens_written"] == 1
    assert len(list((tmp_path / "o/train").iterdir())) == 4


def test_refuses_a_folder_with_something_in_it(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(StorageError, match="not an empty folder"):
        simulate(tmp_path, SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_refuses_an_unknown_pattern(tmp_path):
    wrong = SMALL.model_copy(update={"patterns": ("Homogeneous", "Stripes")})
    with pytest.raises(UnknownPatternError, match="'Stripes' is unknown"):
        simulate(tmp_path / "o", wrong)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cells_min": 13}, "13 is more than cells_max, 12"),
        ({"cells_max": 18}, "18 cells do not fit in a frame of 340 x 300 pixels"),
    ],
)
def test_refuses_cells_that_cannot_be(tmp_path, change, sentence):
    with pytest.raises(BadSettingError, match=sentence):
        simulate(tmp_path / "o", SMALL.model_copy(update=change))


def test_patterns_are_dealt_in_the_proportions_of_the_public_data():
    dealt = list(islice(deal_patterns(), 320))
    assert {name: dealt.count(name) for name in PROPORTIONS} == PROPORTIONS
    first = dealt[:32]
    counts = [first.count(name) for name in PROPORTIONS]
    assert counts == pytest.approx([6.9, 6.8, 6.6, 6.7, 3.6, 1.4], abs=0.95)


def test_given_patterns_are_dealt_in_turn(tmp_path):
    assert list(islice(deal_patterns(("a", "b")), 5)) == ["a", "b", "a", "b", "a"]
    wanted = SMALL.model_copy(update={"patterns": ("golgi", "NUM"), "frames": 1})
    patterns = [s.pattern for s in simulate(tmp_path / "o", wanted)]
    assert patterns == ["Golgi", "NuMem", "Golgi"]


def test_simulated_patterns_are_those_of_the_vocabulary():
    assert tuple(PROPORTIONS) == SIMULATED_PATTERNS == I3A.names
    assert len(frames.DISCS) == N_PLANES


def features(crop: np.ndarray) -> list[float]:
    low, high = np.percentile(crop, [1, 99.5])
    stretched = (crop - low) / (high - low)
    centre = stretched[13:64, 13:64]
    details = [
        ndimage.gaussian_filter(centre, s) - ndimage.gaussian_filter(centre, 2 * s)
        for s in (0.8, 1.6, 3.2)
    ]
    return [
        *np.percentile(centre, [5, 25, 50, 75, 95]),
        *(d.std() for d in details),
        *(float(((d / d.std()) ** 3).mean()) for d in details),
    ]


def rate(truth: np.ndarray, found: np.ndarray) -> float:
    return float(np.mean([(found[truth == c] == c).mean() for c in np.unique(truth)]))


def test_ignoring_specimens_flatters(tmp_path):
    """Known specimens are told apart far better than unknown ones."""
    asked = SimulationSettings(
        specimens=24,
        seed=1,
        patterns=SIMULATED_PATTERNS,
        cells_min=10,
        cells_max=12,
        height=340,
        width=360,
        reject_share=0.0,
    )
    list(simulate(tmp_path / "o", asked))
    rows = [r for r in rows_of(tmp_path / "o/truth.csv")[1:] if r[5] == "good"]
    images = {
        name: np.pad(
            read_frame(tmp_path / f"o/train/{name}.tif").pixels, 40, mode="reflect"
        )
        for name in {row[0] for row in rows}
    }
    x = []
    for row in rows:
        top, left = round(float(row[3])) + 2, round(float(row[4])) + 2
        x.append(features(images[row[0]][top : top + 77, left : left + 77]))
    truth, groups = np.array([r[2] for r in rows]), np.array([r[1] for r in rows])
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(5))
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    leaky = rate(truth, cross_val_predict(model, x, truth, cv=folds))
    honest = rate(
        truth, cross_val_predict(model, x, truth, groups=groups, cv=GroupKFold(10))
    )
    assert honest > 0.4
    assert leaky > honest + 0.1


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, '{"simulated": true}'])
def test_a_folder_with_another_source_json_is_not_simulated(tmp_path, text):
    (tmp_path / "source.json").write_text(text)
    assert simulated_specimens(tmp_path) is None
