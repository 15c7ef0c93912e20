from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.model_selection import (
    GroupKFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.config import SimulationSettings
from training.data.images import read_frame, read_mask
from training.data.simulation import (
    CONDITIONS,
    SimulatedFrame,
    SpecimenStyle,
    deal_patterns,
    draw_style,
    frames,
    simulate,
    simulate_frame,
    simulated_specimens,
)
from training.data.simulation.nuclei import HALF, Nucleus, polar_window
from training.data.simulation.specimens import PROPORTIONS
from training.data.simulation.staining import (
    MARGIN,
    N_PLANES,
    Canvas,
    Grain,
    body,
    membrane,
)
from training.data.simulation.styles import SIMULATED_PATTERNS
from training.errors import BadSettingError, StorageError, UnknownPatternError
from training.patterns import I3A

SMALL = SimulationSettings(
    specimens=3, frames=2, seed=5, cells_min=8, cells_max=12, height=300, width=340
)
CIRCLE = Nucleus(100.0, 100.0, 20.0, 20.0, 0.0, (0j, 0j, 0j), 0.0, "good")


def typical(pattern: str) -> SpecimenStyle:
    return draw_style(pattern, 0.0, np.random.default_rng(0))


def frame_of(pattern: str, seed: int = 0, reject_share: float = 0.0) -> SimulatedFrame:
    rng = np.random.default_rng(seed)
    return simulate_frame(typical(pattern), 25, (420, 480), reject_share, rng)


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


# --- truth against the mask ------------------------------------------------------


@pytest.fixture(scope="module")
def crowded() -> SimulatedFrame:
    rng = np.random.default_rng(3)
    return simulate_frame(typical("Homogeneous"), 90, (760, 900), 0.4, rng)


def test_good_nuclei_are_single_components_at_their_centroid(crowded):
    parts, _ = ndimage.label(crowded.mask > 0, structure=np.ones((3, 3)))
    good = [n for n in crowded.nuclei if n.condition == "good"]
    assert len(good) >= 20
    for nucleus in good:
        part = parts == parts[round(nucleus.y), round(nucleus.x)]
        centre = ndimage.center_of_mass(part)
        assert centre == pytest.approx((nucleus.y, nucleus.x), abs=1e-6)
        assert 900 < part.sum() < 3200


def test_border_nuclei_are_those_at_the_border(crowded):
    parts, _ = ndimage.label(crowded.mask > 0, structure=np.ones((3, 3)))
    edges = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    border = [n for n in crowded.nuclei if n.condition == "border"]
    assert len(border) >= 5
    assert all(parts[round(n.y), round(n.x)] in edges for n in border)
    free = [n for n in crowded.nuclei if n.condition in ("good", "out of focus")]
    assert not any(parts[round(n.y), round(n.x)] in edges for n in free)


def test_touching_nuclei_share_a_component(crowded):
    parts, n_parts = ndimage.label(crowded.mask > 0, structure=np.ones((3, 3)))
    owner = [parts[round(n.y), round(n.x)] for n in crowded.nuclei]
    touching = [
        p
        for p, n in zip(owner, crowded.nuclei, strict=True)
        if n.condition == "touching"
    ]
    assert touching
    assert all(owner.count(part) >= 2 for part in touching)
    assert len(set(owner)) == n_parts


def test_every_condition_occurs(crowded):
    assert {n.condition for n in crowded.nuclei} == set(CONDITIONS)


def test_no_rejects_when_none_are_asked_for():
    conditions = {n.condition for n in frame_of("Speckled").nuclei}
    assert conditions <= {"good", "border", "touching"}


def test_mitotic_plate_is_brightest_in_homogeneous_cells(crowded):
    level = {
        c: np.median(
            [
                crowded.image[round(n.y), round(n.x)]
                for n in crowded.nuclei
                if n.condition == c
            ]
        )
        for c in ("mitotic", "good")
    }
    assert level["mitotic"] > 1.4 * level["good"]


# --- optics and camera: hand-made truth -------------------------------------------


def test_a_point_is_shared_among_its_neighbours():
    canvas = Canvas((10, 10))
    one = np.array([1.0])
    canvas.add_points(2.25 * one, 3.5 * one, 8 * one, 1.5 * one)
    y, x = 2 + MARGIN, 3 + MARGIN
    patch = canvas.planes[1:3, y : y + 2, x : x + 2]
    np.testing.assert_allclose(patch[0], [[1.5, 1.5], [0.5, 0.5]])
    np.testing.assert_allclose(patch[1], patch[0])
    assert canvas.planes.sum() == pytest.approx(8)


def test_a_point_beyond_the_canvas_is_left_out():
    canvas = Canvas((10, 10))
    far = np.array([1000.0, -1000.0])
    canvas.add_points(far, far, np.ones(2), np.zeros(2))
    assert canvas.planes.sum() == 0


def test_a_window_is_shared_between_its_planes():
    canvas = Canvas((10, 10))
    canvas.add_window(np.full((2, 3), 4, np.float32), (1, 2), 2.25)
    assert canvas.planes.sum(axis=(1, 2)) == pytest.approx([0, 0, 18, 6, 0])
    assert canvas.planes[2, MARGIN + 1, MARGIN + 2] == 3


def test_deep_light_lands_in_the_last_planes():
    canvas = Canvas((10, 10))
    canvas.add_window(np.ones((2, 2), np.float32), (0, 0), 99.0)
    assert canvas.planes[-1].sum() == pytest.approx(4, rel=0.01)


def focused_point(depth: float, **style: float) -> np.ndarray:
    canvas = Canvas((101, 101))
    fifty = np.array([50.0])
    canvas.add_points(fifty, fifty, np.array([100.0]), np.array([depth]))
    plain = replace(typical("Centromere"), haze=0.0, **style)
    return frames._focus(canvas, plain, (101, 101))


def test_a_point_in_focus_becomes_the_gaussian_of_the_optics():
    seen = focused_point(0.0, blur=1.5)
    y, x = np.mgrid[-50:51, -50:51]
    expected = 100 / (2 * np.pi * 1.5**2) * np.exp(-(y**2 + x**2) / (2 * 1.5**2))
    np.testing.assert_allclose(seen, expected, atol=2e-3)


def test_defocus_spreads_a_point_and_keeps_its_light():
    peaks = []
    for depth in range(N_PLANES - 1):
        seen = focused_point(float(depth))
        assert seen.sum() == pytest.approx(100, rel=0.01)
        peaks.append(seen.max())
    assert peaks == sorted(peaks, reverse=True)
    assert peaks[-1] < peaks[0] / 8


def test_camera_has_the_background_the_gain_and_shot_noise():
    style = replace(typical("Homogeneous"), strength=50.0, background=20.0, photons=40)
    grey = frames._expose(
        np.ones((300, 300), np.float32), style, np.random.default_rng(1)
    )
    middle = grey[130:170, 130:170].astype(float)
    assert middle.mean() == pytest.approx(70, abs=1.5)
    # shot noise 70 / 40, read noise 0.2 squared, rounding 1 / 12
    assert middle.var() == pytest.approx(70 / 40 + 0.04 + 1 / 12, rel=0.15)


def test_camera_saturates_at_255():
    light = np.full((20, 20), 1e4, np.float32)
    grey = frames._expose(light, typical("Golgi"), np.random.default_rng(0))
    assert grey.min() == 255


# --- shapes and stains --------------------------------------------------------------


def test_outline_of_a_circle_is_its_radius():
    polar = polar_window(CIRCLE)
    assert polar.rho.shape == (2 * HALF + 1, 2 * HALF + 1)
    assert polar.rho[HALF, HALF + 20] == pytest.approx(1, abs=1e-5)
    assert polar.rho[HALF + 10, HALF] == pytest.approx(0.5, abs=1e-5)
    assert polar.distance[HALF + 3, HALF + 4] == pytest.approx(5, abs=1e-5)


def test_outline_of_an_ellipse_follows_its_angle():
    upright = replace(CIRCLE, long=30.0, short=15.0, angle=np.pi / 2)
    rho = polar_window(upright).rho
    assert rho[HALF + 30, HALF] == pytest.approx(1, abs=1e-5)
    assert rho[HALF, HALF + 15] == pytest.approx(1, abs=1e-5)


def test_body_fills_the_nucleus_and_the_membrane_its_outline():
    polar = polar_window(CIRCLE)
    inside = body(polar, CIRCLE.radius)
    assert inside[HALF, HALF] == pytest.approx(1)
    assert inside[HALF, HALF + 30] == 0
    style = replace(typical("NuMem"), rim=2.0, punctate=0.0)
    ring = membrane(polar, CIRCLE, style, np.zeros_like(polar.rho))
    assert np.argmax(ring[HALF, HALF:]) == 20
    assert ring[HALF, HALF] < 1e-6


def test_grain_has_unit_variance_and_the_asked_size():
    fine = Grain(1.0, np.random.default_rng(0)).window(0.0, np.random.default_rng(1))
    large = Grain(2.0, np.random.default_rng(0)).window(0.0, np.random.default_rng(1))
    assert fine.std() == pytest.approx(1, abs=0.1)
    # neighbours of Gaussian-filtered noise correlate by exp(-1 / (4 size^2))
    for noise, size in ((fine, 1.0), (large, 2.0)):
        correlation = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
        assert correlation == pytest.approx(np.exp(-1 / (4 * size**2)), abs=0.05)


def measured(frame: SimulatedFrame) -> dict[str, float]:
    """Light at the edge, around the nucleus and in small spots, against its middle."""
    parts, _ = ndimage.label(frame.mask > 0)
    image = frame.image.astype(float) - np.percentile(frame.image, 2)
    spots = ndimage.gaussian_filter(image, 0.7) - ndimage.gaussian_filter(image, 3)
    found = []
    for nucleus in frame.nuclei:
        if nucleus.condition != "good":
            continue
        part = parts == parts[round(nucleus.y), round(nucleus.x)]
        deep = ndimage.distance_transform_edt(part)
        away = ndimage.distance_transform_edt(~part)
        middle = image[deep > 8].mean()
        edge = image[(deep > 0) & (deep < 2)].mean()
        around = image[(away > 3) & (away < 8)]
        found.append(
            (
                edge / middle,
                np.percentile(around, 95) / middle,
                spots[deep > 4].std() / middle,
                image[deep > 4].max() / middle,
            )
        )
    return dict(
        zip(("edge", "around", "spots", "peak"), np.median(found, axis=0), strict=True)
    )


@pytest.fixture(scope="module")
def looks() -> dict[str, dict[str, float]]:
    return {name: measured(frame_of(name, seed=2)) for name in SIMULATED_PATTERNS}


def test_each_pattern_has_its_mark(looks):
    others = {
        mark: {n: look[mark] for n, look in looks.items()}
        for mark in ("edge", "around", "spots", "peak")
    }
    assert max(others["spots"], key=others["spots"].__getitem__) == "Centromere"
    assert min(others["peak"], key=others["peak"].__getitem__) in (
        "Homogeneous",
        "NuMem",
    )
    assert others["edge"]["NuMem"] > 1.5 * others["edge"]["Homogeneous"]
    assert max(others["around"], key=others["around"].__getitem__) == "Golgi"
    assert others["peak"]["Nucleolar"] > 1.5 * others["peak"]["Homogeneous"]
    assert others["spots"]["Speckled"] > 1.2 * others["spots"]["Homogeneous"]


# --- the specimen effect -------------------------------------------------------------


def test_without_effect_specimens_are_alike():
    first = draw_style("Golgi", 0.0, np.random.default_rng(1))
    assert first == draw_style("Golgi", 0.0, np.random.default_rng(2))


def test_effect_widens_the_spread_of_specimens():
    def spread(effect: float) -> float:
        rng = np.random.default_rng(0)
        grain = [draw_style("Homogeneous", effect, rng).grain for _ in range(200)]
        return float(np.std(np.log(grain)))

    assert spread(0.5) == pytest.approx(0.5 * spread(1.0), rel=0.1)
    assert spread(1.0) > 0.4


def test_a_pattern_that_is_not_simulated_has_no_style():
    with pytest.raises(KeyError):
        draw_style("MitSp", 1.0, np.random.default_rng(0))


@given(
    pattern=st.sampled_from(SIMULATED_PATTERNS),
    effect=st.floats(0, 2),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_every_style_is_finite_and_not_negative(pattern, effect, seed):
    style = draw_style(pattern, effect, np.random.default_rng(seed))
    assert all(np.isfinite(v) and v >= 0 for v in asdict(style).values())
    assert style.pits <= 0.8
    assert 0 < style.strength <= 110


@given(pattern=st.sampled_from(SIMULATED_PATTERNS), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_the_strongest_effect_still_gives_a_frame(pattern, seed):
    rng = np.random.default_rng(seed)
    style = draw_style(pattern, 2.0, rng)
    frame = simulate_frame(style, 5, (160, 200), 0.5, rng)
    assert frame.image.shape == frame.mask.shape == (160, 200)
    assert (frame.mask > 0).any() == bool(frame.nuclei)


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
        specimens=30,
        seed=1,
        patterns=SIMULATED_PATTERNS,
        cells_min=20,
        cells_max=26,
        height=480,
        width=520,
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
