"""A simulated plate from frames to the worklist: controls, grades, bad series."""

from __future__ import annotations

import csv
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from training.cli import app
from training.data.layouts import read_collection
from training.data.layouts.series import find_series, read_series
from training.data.simulation.series import (
    Camera,
    Serum,
    simulate_serum,
)
from training.inference.cards import read_card
from training.patterns import I3A
from training.reports.specimens.stream import (
    ReportPlan,
    finish_worklist,
    report_specimens,
)
from training.reports.specimens.worklist import worklist_csv

CAMERA = Camera(gain=0.9, light=1.1)
SERA = {
    "N": ("negative control", Serum()),
    "P": ("positive control", Serum(("Homogeneous",), 1280)),
    "C": ("cut-off control", Serum(("Homogeneous",), 80)),
    "weak": ("patient", Serum(("Speckled",), 320)),
    "strong": ("patient", Serum(("Speckled",), 5120)),
    "clean": ("patient", Serum()),
    "cytoplasm": ("patient", Serum(("Cytoplasmic reticular",), 1280)),
}


class Speckled:
    """A scorer that finds every cell speckled."""

    vocabulary = I3A

    def __init__(self, card):
        self.card = card

    def scores(self, crops):
        row = np.float32([0.02, 0.9, 0.02, 0.02, 0.02, 0.02])
        return np.tile(row, (len(crops), 1))


@pytest.fixture(scope="module")
def model(request):
    sample = request.config.rootpath / "sample_data" / "model" / "simulated.json"
    return Speckled(read_card(sample).model_copy(update={"verdict": None}))


def field(name, camera):
    rng = np.random.default_rng(list(SERA).index(name))
    serum = SERA[name][1]
    return simulate_serum(serum, camera, 30, (400, 480), rng, 0.0, effect=0.2)


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    """A folder of seven wells with their masks, and its table."""
    folder = tmp_path_factory.mktemp("plate")
    for name in SERA:
        frame = field(name, CAMERA)
        Image.fromarray(frame.image).save(folder / f"{name}.png")
        Image.fromarray(frame.mask).save(folder / f"{name}_mask.png")
    rows = [f"{name},1,{role},80" for name, (role, _) in SERA.items()]
    table = "\n".join(["specimen,plate,role,exposure", *rows])
    (folder / "series.csv").write_text(table + "\n")
    return folder


@pytest.fixture
def own(plate, tmp_path):
    """A copy of the plate, to be spoilt."""
    return shutil.copytree(plate, tmp_path / "plate")


def judge(folder, out, model, **changes):
    """Return the content of the worklist, and its rows by specimen."""
    table = read_series(find_series(folder))
    words = ("hep2", "specimens", str(folder))
    plan = ReportPlan(
        read_collection(folder), model, (), out, words, series=table, **changes
    )
    content = finish_worklist(plan, list(report_specimens(plan)))
    return content, {row["specimen"]: row for row in content["specimens"]}


def grades(rows):
    return {name: row["intensity"]["grade"] for name, row in rows.items()}


@pytest.fixture(scope="module")
def judged(plate, tmp_path_factory, model):
    out = tmp_path_factory.mktemp("out")
    return out, *judge(plate, out, model)


def test_a_plate_is_positive_or_negative_first_then_graded(judged):
    _, content, rows = judged
    assert grades(rows) | {"cytoplasm": ""} == {
        "N": "negative",
        "P": "+++",
        "C": "borderline",
        "weak": "++",
        "strong": "++++",
        "clean": "negative",
        "cytoplasm": "",
    }
    assert rows["cytoplasm"]["intensity"]["result"] == "positive"
    assert content["results"] == {"negative": 2, "borderline": 1, "positive": 4}
    assert rows["N"]["intensity"]["index"]["median"] == 0
    assert rows["C"]["intensity"]["index"]["median"] == 1


def test_a_negative_has_no_pattern_and_a_borderline_one_a_warning(judged):
    out, _, rows = judged
    assert rows["clean"]["pattern"] is None
    assert rows["clean"]["withheld"] == "negative"
    assert rows["clean"]["scores"]["Speckled"] > 0.5
    assert rows["weak"]["pattern"] == "Speckled"
    told = json.loads((out / "C" / "verdict.json").read_text())
    assert told["pattern"] == "Speckled"
    assert (
        "The specimen is borderline: its pattern may be that of a negative one."
        in (told["notes"])
    )


def test_the_pages_say_it(judged):
    out, _, _ = judged
    page = (out / "clean" / "report.html").read_text()
    assert '<p class="figure">Negative</p>' in page
    assert "leads." not in page
    assert "most typical" not in page
    page = (out / "strong" / "report.html").read_text()
    assert '<p class="figure">Positive ++++</p>' in page
    page = (out / "N" / "report.html").read_text()
    assert "This is the negative control of 1." in page
    assert "negative control" in (out / "worklist.html").read_text()


def test_the_table_holds_index_contrast_and_every_score(judged):
    out, _, rows = judged
    text = (out / "worklist.csv").read_text()
    table = {row["specimen"]: row for row in csv.DictReader(io.StringIO(text))}
    assert table["weak"]["result"] == "positive"
    assert table["weak"]["grade"] == "'++"
    assert table["weak"]["series"] == "1"
    low, middle, high = (
        float(table["weak"][name]) for name in ("index_low", "index", "index_high")
    )
    assert low < middle < high
    median = rows["weak"]["intensity"]["index"]["median"]
    assert middle == pytest.approx(median, abs=1e-3)
    assert float(table["clean"]["share_Speckled"]) == 1


def test_every_probability_is_a_column_however_small(judged):
    _, _, rows = judged
    odds = {"Speckled": 0.989, "Golgi": 0.01, "Centromere": 0.001}
    row = {**rows["weak"], "rank": 1, "probabilities": odds}
    (read,) = csv.DictReader(io.StringIO(worklist_csv([row], tuple(odds))))
    assert {name: float(read[f"probability_{name}"]) for name in odds} == odds


def test_without_a_table_the_contrast_is_given_alone(own, tmp_path, model):
    (own / "series.csv").unlink()
    _, rows = judge(own, tmp_path / "out", model)
    told = rows["clean"]["intensity"]
    assert told["result"] == "not judged"
    assert told["reason"].startswith(
        "The specimen has no controls: intensity not judged; contrast "
    )
    assert told["nuclei"]["median"] > 0
    assert rows["clean"]["pattern"] == "Speckled"


def test_an_exposure_that_differs_is_told(own, tmp_path, model):
    table = (own / "series.csv").read_text()
    (own / "series.csv").write_text(table.replace("weak,1,patient,80", "weak,1,,160"))
    _, rows = judge(own, tmp_path / "out", model, only=("weak",))
    assert rows["weak"]["intensity"]["notes"] == [
        (
            "The column 'exposure' differs in the series 1 (160, 80): intensities "
            "are not comparable."
        )
    ]


def test_files_that_were_taken_otherwise_are_told(own, tmp_path, model):
    exif = Image.Exif()
    for name, seconds in (("weak", 0.1), ("clean", 0.2)):
        exif[0x829A] = seconds
        image = Image.open(own / f"{name}.png")
        (own / f"{name}.png").unlink()
        image.save(own / f"{name}.jpg", exif=exif, quality=98)
    _, rows = judge(own, tmp_path / "out", model, only=("N",))
    exposure, jpeg = rows["N"]["intensity"]["notes"]
    assert exposure == (
        "The exposure in the files of the series 1 goes from 100 to 200 ms: "
        "intensities are not comparable."
    )
    assert jpeg.startswith("Some files of the series 1 are JPEG")


def test_a_control_without_an_image_loses_nothing_but_the_index(own, tmp_path, model):
    (own / "N.png").unlink()
    (own / "N_mask.png").unlink()
    _, rows = judge(own, tmp_path / "out", model, only=("weak",))
    assert rows["weak"]["intensity"]["reason"].startswith(
        "The series 1 is not judged: its negative control N has no signal (it has no "
        "image); contrast "
    )
    assert rows["weak"]["pattern"] == "Speckled"


def test_a_saturated_specimen_is_one_sentence(own, tmp_path, model):
    Image.fromarray(field("weak", Camera(light=9)).image).save(own / "weak.png")
    _, rows = judge(own, tmp_path / "out", model, only=("weak",))
    told = rows["weak"]["intensity"]
    assert told["reason"] == "Intensity not judged: it is all saturated."


def test_reports_follow_their_controls(own, tmp_path, model):
    out = tmp_path / "out"

    def skipped():
        table = read_series(find_series(own))
        plan = ReportPlan(
            read_collection(own), model, (), out, ("x",), ("weak",), series=table
        )
        return [step.skipped for step in report_specimens(plan)]

    assert skipped() == [False]
    assert skipped() == [True]
    shutil.copy(own / "strong.png", own / "P.png")
    assert skipped() == [False]
    table = (own / "series.csv").read_text()
    (own / "series.csv").write_text(table.replace("cut-off control", "patient"))
    assert skipped() == [False]


def test_the_commands_simulate_and_judge_a_plate(tmp_path, request):
    words = ["simulate-plates", str(tmp_path / "plate"), "--json"]
    for change in ("wells=8", "cells=10", "height=200", "width=240"):
        words += ["--set", change]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["wells"] == 8
    sample = request.config.rootpath / "sample_data/model/simulated.safetensors"
    words = ["specimens", str(tmp_path / "plate" / "wells"), "--model", str(sample)]
    words += ["--out", str(tmp_path / "out"), "--device", "cpu", "--json"]
    done = CliRunner().invoke(app, words)
    content = json.loads(done.stdout)
    assert len(content["specimens"]) == 8
    assert sum(content["results"].values()) == 8
    table = tmp_path / "roles.csv"
    table.write_text("specimen,series,role\nP1-A01,7,pos\nP1-A02,7,\n")
    words += ["--series", str(table), "--only", "P1-A02"]
    done = CliRunner().invoke(app, words)
    assert (
        done.stderr.splitlines().count(
            "The series 7 is not judged: it has no negative control."
        )
        == 1
    )
