"""Reports of specimens: what stands in them, hostile names, torn files, resuming."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from training.cli import app
from training.data.cells.frame_hashes import frame_hashes
from training.data.layouts import read_collection
from training.decisions.store import DecisionStore
from training.errors import BadCellsError, BadSettingError
from training.evaluation.verdict import specimen_verdict
from training.inference.cards import read_card
from training.inference.scorers import load_scorer
from training.patterns import I3A
from training.reports.specimens import stream
from training.reports.specimens.findings import (
    doubtful_cells,
    specimen_doubt,
    typical_cells,
)
from training.reports.specimens.freshness import folder_names, sealed_words
from training.reports.specimens.page import heat
from training.reports.specimens.reviews import find_store, read_reviews
from training.reports.specimens.stream import (
    ReportPlan,
    finish_worklist,
    report_specimens,
)
from training.reports.specimens.worklist import rank
from training.storage import seals

SAMPLE = Path(__file__).parents[4] / "sample_data" / "model" / "simulated.safetensors"
NINE = [(40 + 50 * k, 40 + 60 * m) for k in range(3) for m in range(4)]
TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Scripted:
    """A scorer that gives the same scores to every cell, or those it was told."""

    card = read_card(SAMPLE.with_suffix(".json")).model_copy(update={"verdict": None})
    vocabulary = I3A

    def __init__(self, row=(0.1, 0.6, 0.1, 0.1, 0.05, 0.05)):
        self.row = np.asarray(row, np.float32)
        self.seen = 0

    def scores(self, crops):
        self.seen += len(crops)
        return np.tile(self.row, (len(crops), 1))


@pytest.fixture
def model():
    return load_scorer(SAMPLE, device="cpu")


def plan_of(folder, out, model, **changes):
    files = (SAMPLE, SAMPLE.with_suffix(".json"))
    words = ("hep2", "specimens", str(folder))
    return ReportPlan(
        read_collection(folder), model, files, out, words, clock=lambda: TIME, **changes
    )


def test_typical_and_doubtful_cells_by_hand():
    scores = np.array(
        [[0.5, 0.3, 0.2], [0.9, 0.1, 0.0], [0.1, 0.45, 0.45], [0.6, 0.4, 0.0]],
        np.float32,
    )
    assert typical_cells(scores, 0, 2).tolist() == [1, 3]
    assert typical_cells(scores, 2).tolist() == []
    assert doubtful_cells(scores, 3).tolist() in ([2, 0, 3], [2, 3, 0])


def test_doubt_by_hand():
    def votes(*counts):
        rows = [
            np.eye(6)[k] * 0.9 + 0.1 / 6 for k, n in enumerate(counts) for _ in range(n)
        ]
        return specimen_verdict(np.asarray(rows, np.float32).reshape(-1, 6), I3A)

    assert specimen_doubt(votes(12)) == 0
    assert specimen_doubt(votes(15, 5)) == pytest.approx(0.5)
    assert specimen_doubt(votes()) == 1


def test_those_that_need_a_person_stand_first():
    def row(name, cells, pattern, doubt, withheld=""):
        return {
            "specimen": name,
            "cells": cells,
            "pattern": pattern,
            "doubt": doubt,
            "withheld": withheld,
        }

    rows = [
        row("1", 0, None, 0, "negative"),
        row("10", 50, "Golgi", 0.2),
        row("9", 50, "Golgi", 0.2),
        row("3", 50, "Golgi", 0.7),
        row("4", 5, None, 0.1),
        row("5", 0, None, 1.0),
    ]
    assert [one["specimen"] for one in rank(rows)] == ["5", "4", "3", "9", "10", "1"]
    assert [one["rank"] for one in rank(rows)] == [1, 2, 3, 4, 5, 6]


def test_folders_that_any_system_takes():
    names = ["7", "A", "a", "../x", "<script>", "nul", "a.b", "a b", "", "ü" * 90]
    found = folder_names(names)
    assert found["7"] == "7"
    folded = {name.casefold() for name in found.values()}
    assert len(folded) == len(names)
    for name in found.values():
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name)
    assert found["nul"] != "nul"


def test_a_map_colours_what_it_marks():
    crop = np.full((1, 2), 100, np.uint8)
    drawn = heat(crop, np.array([[0, 1]], np.float32))
    assert drawn[0, 0].tolist() == [100, 100, 100]
    expected = 0.45 * 100 + 0.55 * np.array([230, 110, 0])
    assert np.abs(drawn[0, 1] - expected).max() <= 0.5


def test_all_frames_are_pooled_into_one_verdict(tmp_path, write_task2):
    """Two frames of three cells each are too few; four frames make twelve."""
    scorer = Scripted()
    few = write_task2(tmp_path / "few", {"1": "golgi"}, frames=2)
    (step,) = report_specimens(plan_of(few, tmp_path / "o1", scorer))
    assert step.row["withheld"] == "too-few-cells"
    assert step.row["cells"] == 6
    enough = write_task2(tmp_path / "enough", {"1": "golgi"}, frames=4)
    (step,) = report_specimens(plan_of(enough, tmp_path / "o2", scorer))
    assert (step.row["pattern"], step.row["cells"]) == ("Speckled", 12)
    assert step.row["icap_group"] == "AC-2/4/5"
    assert step.row["shares"]["Speckled"] == 1
    page = (tmp_path / "o2" / "1" / "report.html").read_text()
    assert "ICAP group AC-2/4/5" in page
    assert not re.search(r"AC-4\b", page)
    assert "no probability" in page
    assert '<p class="alarm">This model was trained on simulated cells only.' in page
    assert page.count("data:image/jpeg") == 8
    assert "mean class accuracy 75.6 %" in page
    assert "Research use only, to be confirmed by a trained reviewer." in page
    assert "--only 1" in page
    assert "2026-01-02T03:04:05" in page
    assert "http" not in re.sub(r"http://www.w3.org\S*", "", page)


def test_table_and_json_say_what_the_page_says(tmp_path, write_task2, model):
    folder = write_task2(tmp_path / "in", {"5": "golgi"}, frames=4)
    list(report_specimens(plan_of(folder, tmp_path / "out", model)))
    table = pd.read_csv(tmp_path / "out" / "5" / "cells.csv", dtype={"specimen": str})
    content = json.loads((tmp_path / "out" / "5" / "verdict.json").read_text())
    assert len(table) == 12
    assert set(table["specimen"]) == {"5"}
    counted = table["predicted"].value_counts() / len(table)
    for name, share in content["shares"].items():
        assert counted.get(name, 0) == pytest.approx(share, abs=1e-4)
    scores = table[[f"score_{name}" for name in I3A.names]].to_numpy()
    margin = np.sort(scores, axis=1)[:, -1] - np.sort(scores, axis=1)[:, -2]
    ids = table["id"].to_numpy()[np.argsort(margin, kind="stable")]
    assert len(content["doubtful"]) == 6
    assert {one["cell"] for one in content["doubtful"]} == set(ids[:6])
    for one in content["doubtful"]:
        assert 0 <= one["views"]["lowest_score"] <= one["views"]["highest_score"] <= 1
        assert one["neighbours"] is None
    shown = {one["cell"] for one in content["typical"]}
    assert not shown & {one["cell"] for one in content["doubtful"]}
    assert content["given_pattern"] == "Golgi"
    assert content["notes"] == []


def cautions(folder, out, **card):
    """The notes of a report by a model whose card says something else."""
    model = Scripted()
    model.card = model.card.model_copy(update=card)
    (step,) = report_specimens(plan_of(folder, out, model))
    return json.loads((out / step.row["folder"] / "verdict.json").read_text())["notes"]


def test_a_seen_specimen_is_known_by_its_frames_and_not_by_its_name(
    tmp_path, write_task2
):
    folder = write_task2(tmp_path / "in", {"7": "Golgi"})
    seen = frame_hashes(folder)
    named = cautions(folder, tmp_path / "a", specimens=("7",), simulated=False)
    assert "a specimen that is also called 7" in named[0]
    alike = {"specimens": ("7",), "simulated": False, "frames": ("0" * 16,)}
    assert cautions(folder, tmp_path / "b", **alike) == named[1:]
    known = cautions(folder, tmp_path / "c", specimens=("x",), frames=seen)
    assert known[0].startswith("The model was trained on frames of this specimen")


def test_hostile_names_are_words_and_nothing_else(tmp_path, write_plain, model):
    names = ("<script>alert(1)<!--_p0", "=1+1_p0", "a&b'\"><img src=x>_p0")
    folder = write_plain(tmp_path / "in", names)
    plan = plan_of(folder, tmp_path / "out", model)
    steps = list(report_specimens(plan))
    finish_worklist(plan, steps)
    pages = list((tmp_path / "out").rglob("*.html"))
    assert len(pages) == 4
    for page in pages:
        text = page.read_text()
        assert "<script" not in text
        assert "<img src=x" not in text
    worklist = (tmp_path / "out" / "worklist.html").read_text()
    assert "&lt;script&gt;alert(1)" in worklist
    table = pd.read_csv(tmp_path / "out" / "worklist.csv", dtype=str)
    assert "'=1+1" in set(table["specimen"])
    for address in re.findall(r'href="([^"]+)"', worklist):
        assert (tmp_path / "out" / address).is_file()


def test_a_torn_image_is_one_sentence_and_the_rest_goes_on(tmp_path, write_task2):
    patterns = {"1": "golgi", "2": "numem", "3": "golgi"}
    folder = write_task2(tmp_path / "in", patterns, frames=4)
    torn = folder / "train" / "00001_p1.tif"
    torn.write_bytes(torn.read_bytes()[:4000])
    for part in range(4):
        (folder / "train" / f"00002_p{part}.tif").write_bytes(b"torn")
    plan = plan_of(folder, tmp_path / "out", Scripted())
    steps = list(report_specimens(plan))
    assert [len(step.faults) for step in steps] == [1, 4, 0]
    assert [step.row["cells"] for step in steps] == [9, 0, 12]
    assert "damaged or cut short" in steps[0].faults[0]
    content = finish_worklist(plan, steps)
    assert content["specimens"][0]["specimen"] == "2"
    assert content["faults"] == 5
    assert "Left out:" in (tmp_path / "out" / "1" / "report.html").read_text()
    page = (tmp_path / "out" / "2" / "report.html").read_text()
    assert "No verdict: Too few cells" in page


def test_a_worklist_tells_what_leads_where_no_verdict_is_given(tmp_path, write_task2):
    folder = write_task2(tmp_path / "in", {"1": "golgi", "2": "numem"}, frames=2)
    for part in range(2):
        (folder / "train" / f"00002_p{part}.tif").write_bytes(b"torn")
    plan = plan_of(folder, tmp_path / "out", Scripted())
    finish_worklist(plan, list(report_specimens(plan)))
    page = (tmp_path / "out" / "worklist.html").read_text()
    assert '<p class="alarm">This model was trained on simulated cells only.' in page
    assert page.count("No verdict: Too few cells") == 2
    assert page.count("Speckled leads") == 1


def test_what_is_done_is_not_done_again(tmp_path, write_task2):
    folder = write_task2(tmp_path / "in", {"1": "golgi", "2": "numem"}, frames=2)
    out, scorer = tmp_path / "out", Scripted()
    first = [step.row for step in report_specimens(plan_of(folder, out, scorer))]
    assert scorer.seen > 0

    def again(**changes):
        scorer.seen = 0
        steps = list(report_specimens(plan_of(folder, out, scorer, **changes)))
        return [step.skipped for step in steps], [step.row for step in steps]

    assert again() == ([True, True], first)
    assert scorer.seen == 0
    image = folder / "train" / "00002_p0.tif"
    content = bytearray(image.read_bytes())
    content[-1] ^= 1
    image.write_bytes(content)
    assert again()[0] == [True, False]
    (out / "1" / "verdict.json").write_text("{")
    assert again()[0] == [False, True]
    (out / "1" / "cells.csv").unlink()
    assert again()[0] == [False, True]
    (out / "2" / "report.html").write_text("<p>another page")
    assert again()[0] == [True, False]
    changed = stream.VerdictSettings(minimum_cells=3)
    assert again(verdict=changed)[0] == [False, False]


def test_a_run_that_was_cut_off_goes_on(tmp_path, write_task2):
    patterns = {str(k): "golgi" for k in range(1, 5)}
    folder = write_task2(tmp_path / "in", patterns)
    steps = report_specimens(plan_of(folder, tmp_path / "out", Scripted()))
    next(steps)
    next(steps)
    steps.close()
    rest = list(report_specimens(plan_of(folder, tmp_path / "out", Scripted())))
    assert [step.skipped for step in rest] == [True, True, False, False]


def test_one_specimen_alone_leaves_the_others_on_the_worklist(tmp_path, write_task2):
    folder = write_task2(tmp_path / "in", {"1": "golgi", "2": "numem", "3": "golgi"})
    out = tmp_path / "out"
    for only in ("1", "3"):
        plan = plan_of(folder, out, Scripted(), only=(only,))
        content = finish_worklist(plan, list(report_specimens(plan)))
    assert sorted(row["specimen"] for row in content["specimens"]) == ["1", "3"]
    assert content["in_folder"] == 3
    with pytest.raises(BadSettingError, match=r"--only 9: .* no such specimen"):
        list(report_specimens(plan_of(folder, out, Scripted(), only=("9",))))


def test_who_reviewed_it(tmp_path, write_task2):
    folder = write_task2(tmp_path / "in", {"1": "golgi", "2": "numem"})
    with DecisionStore(folder / "curation.sqlite", "<b>Ada", lambda: TIME) as store:
        store.decide(["00001_p0_0001", "00001_p1_0002"], "accepted")
        store.decide(["00001_p0_0002"], "relabelled", "Golgi")
        store.decide(["00001_p0_0003"], "rejected")
        store.undo()
    with DecisionStore(folder / "curation.sqlite", "Bob", lambda: TIME) as store:
        store.decide(["00001_p0_0001"], "rejected", reason="focus")
    store = find_store(None, folder)
    plan = plan_of(folder, tmp_path / "out", Scripted(), reviews=read_reviews(store))
    one, two = list(report_specimens(plan))
    ada, bob = one.row["reviews"]
    assert (ada["accepted"], ada["rejected"], ada["relabelled"]) == (2, 0, 1)
    assert (bob["reviewer"], bob["rejected"]) == ("Bob", 1)
    assert bob["last"] == "2026-01-02T03:04:05+00:00"
    assert one.row["decided_cells"] == 3
    assert two.row["reviews"] == []
    table = pd.read_csv(tmp_path / "out" / "1" / "cells.csv").set_index("id")
    said = table.loc["00001_p0_0001", "decisions"]
    assert said == "<b>Ada: accepted; Bob: rejected: out of focus"
    page = (tmp_path / "out" / "1" / "report.html").read_text()
    assert "&lt;b&gt;Ada" in page
    assert "<b>Ada" not in page
    assert "Nobody has decided" in (tmp_path / "out" / "2" / "report.html").read_text()
    plan = plan_of(folder, tmp_path / "out", Scripted())
    assert [step.skipped for step in report_specimens(plan)] == [False, True]
    with pytest.raises(BadCellsError, match="there are no decisions"):
        find_store(tmp_path / "out", folder)


def test_the_command(tmp_path, write_task2):
    folder = write_task2(tmp_path / "in", {"1": "golgi", "2": "numem"})
    (folder / "train" / "00002_p1.tif").write_bytes(b"torn")
    words = ["specimens", str(folder), "--model", str(SAMPLE), "--device", "cpu"]
    words += ["--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, [*words, "--only", "1"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["skipped"] == 0
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    content = json.loads(done.stdout)
    assert content["skipped"] == 1
    assert len(content["specimens"]) == 2
    assert "00002_p1.tif: this is not a TIFF" in done.stderr
    again = (tmp_path / "out" / "worklist.json").read_text()
    assert json.loads(again)["specimens"] == content["specimens"]
    assert "--device cpu" in content["command"]


def test_a_report_that_was_changed_by_hand_is_made_again(tmp_path, write_task2):
    folder = write_task2(tmp_path / "in", {"1": "golgi"})
    words = ["specimens", str(folder), "--model", str(SAMPLE), "--device", "cpu"]
    words += ["--out", str(tmp_path / "out"), "--json"]
    skipped = []
    for changed in ("", '"cells": 9', '"cells": '):
        path = tmp_path / "out" / "1" / "verdict.json"
        if changed:
            path.write_text(path.read_text().replace('"cells": ', changed, 1))
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0
        skipped.append(json.loads(done.stdout)["skipped"])
    assert skipped == [0, 0, 1]


def test_a_report_of_somebody_else_is_made_again_and_names_no_folder(
    tmp_path, write_task2
):
    folder = write_task2(tmp_path / "in", {"1": "golgi"})
    plan = plan_of(folder, tmp_path / "out", Scripted())
    (first,) = report_specimens(plan)
    path = tmp_path / "out" / "1" / "verdict.json"
    theirs = json.loads(path.read_text())
    theirs |= {"pattern": "NuMem", "folder": "../elsewhere"}
    for seal in ("0" * 64, None, seals.seal_of("other words")):
        theirs["made_from"]["seal"] = seal
        path.write_text(json.dumps(theirs))
        (step,) = report_specimens(plan)
        assert (step.skipped, step.row) == (False, first.row)
    # One's own, copied to where the folder is called otherwise.
    theirs["folder"] = "../elsewhere"
    theirs["made_from"]["seal"] = seals.seal_of(sealed_words(theirs, path.parent))
    path.write_text(json.dumps(theirs))
    (step,) = report_specimens(plan)
    assert (step.skipped, step.row["folder"]) == (True, "1")
