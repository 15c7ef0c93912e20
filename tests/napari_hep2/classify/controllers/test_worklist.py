"""Reports of a folder and of the open specimen, without a window."""

import html
import json
import shlex

import pytest
from typer.testing import CliRunner

from napari_hep2.classify.controllers.model import ClassifyController
from napari_hep2.classify.controllers.worklist import WorklistController
from napari_hep2.classify.state import WorklistState
from napari_hep2.jobs import drain, run_here
from training.cli import app
from training.config.commands import PROGRAM
from training.decisions.specimens import Answer, give_answer


@pytest.fixture
def work(state, specimen, specimens, model_file, tmp_path):
    classify = ClassifyController(state)
    classify.choose_model(model_file)
    classify.choose_device("cpu")
    made = WorklistController(state, specimen, WorklistState())
    made.choose_folder(specimens)
    made.choose_out(tmp_path / "reports")
    return made


def test_every_specimen_is_reported_and_ranked(state, work):
    run_here(work.run())
    rows = work.found.rows
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert {row["specimen"] for row in rows} == {"1", "2", "3"}
    assert all(row["cells"] == 12 for row in rows)
    assert work.found.is_whole
    assert work.page().name == "worklist.html"
    assert work.page("2").read_text(encoding="utf-8").count("Specimen 2")
    assert state.message.startswith("3 specimens reported")


def test_a_series_is_judged_by_the_table_in_its_folder(work, specimens):
    (specimens / "series.csv").write_text("specimen,role\n1,nc\n2,\n3,\n")
    run_here(work.run())
    told = {row["specimen"]: row["intensity"] for row in work.found.rows}
    assert told["1"]["result"] == "negative"
    assert told["1"]["index"]["median"] == 0
    assert {one["result"] for one in told.values()} <= {
        "negative",
        "borderline",
        "positive",
    }


def test_rows_come_one_by_one_and_stay_after_a_cancel(state, work):
    generator = work.run().work()
    seen = []
    for k, step in enumerate(generator):
        state.busy = f"Worklist: {step.text} {k}"
        seen.append(len(work.found.rows))
        if len(work.found.rows) == 2:
            break
    generator.close()
    state.busy = ""
    assert seen == sorted(seen)
    assert len(work.found.rows) == 2
    assert work.found.total == 3
    assert not work.found.is_whole
    assert [row["rank"] for row in work.found.rows] == [1, 2]


def test_what_a_cancelled_run_still_does_is_not_shown_for_another_folder(
    state, work, tmp_path
):
    generator = work.run().work()
    next(generator)
    next(generator)
    work.choose_folder(tmp_path / "another")
    next(generator)
    state.busy = "something else"
    assert work.found.rows == ()


def test_a_frame_that_cannot_be_read_is_told(state, work, specimens):
    (specimens / "train" / "00002_p1.tif").write_bytes(b"no image")
    run_here(work.run())
    bad = [row for row in work.found.rows if row["faults"]]
    assert [row["specimen"] for row in bad] == ["2"]
    assert "1 frames could not be read" in state.fault


def test_a_click_opens_the_specimen(state, work, specimens):
    run_here(work.run())
    run_here(work.open_specimen("2"))
    assert (state.specimen, state.position) == ("2", (1, 0))
    cells = state.cells
    run_here(work.open_specimen("3"))
    assert state.specimen == "3"
    assert state.cells is not cells
    run_here(work.open_specimen("99"))
    assert state.specimen == "3"


def test_a_specimen_that_is_gone_is_told(state, work):
    run_here(work.open_specimen("99"))
    assert state.fault.endswith("no longer has the specimen 99.")


def test_the_command_gives_the_same(state, work, tmp_path):
    run_here(work.run())
    program, *words = shlex.split(work.command())
    assert program == PROGRAM
    again = tmp_path / "again"
    words[words.index("--out") + 1] = str(again)
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.output
    for one in ("1", "2", "3"):
        mine, theirs = (
            json.loads((folder / one / "verdict.json").read_text())
            for folder in (work.found.out, again)
        )
        for content in (mine, theirs):
            del content["made"], content["command"], content["made_from"]["seal"]
        assert mine == theirs


def test_the_report_of_the_open_specimen(state, specimen, work, specimens):
    run_here(specimen.open_folder(specimens, "00003_p1"))
    pages = []
    work.written.connect(pages.append)
    run_here(work.report())
    assert pages == [work.found.out / "3" / "report.html"]
    assert pages[0].is_file()
    assert "--only 3" in work.report_command()
    assert not (work.found.out / "1").exists()


def test_the_report_names_who_said_what_of_the_specimen(
    state, specimen, work, specimens
):
    run_here(specimen.open_folder(specimens))
    run_here(work.report())
    give_answer(specimens, "1", "Dr. Anna <b>", Answer("positive", ("AC-22",)))
    run_here(work.report())
    content = json.loads((work.found.out / "1" / "verdict.json").read_text())
    (said,) = content["specimen_decisions"]
    assert (said["reviewer"], said["patterns"]) == ("Dr. Anna <b>", ["AC-22"])
    page = (work.found.out / "1" / "report.html").read_text(encoding="utf-8")
    line = "Dr. Anna &lt;b&gt;: positive: AC-22 Polar, Golgi-like"
    assert f"Decision on the specimen by <b>{line}</b>" in page
    for name in ("worklist.csv", "worklist.html"):
        text = html.unescape((work.found.out / name).read_text(encoding="utf-8"))
        assert html.unescape(line) in text
    fhir = json.loads((work.found.out / "1" / "fhir.json").read_text())
    performers = [one.get("performer") for one in fhir["contained"]]
    assert performers[-1] == [{"display": "Dr. Anna <b>"}]


def test_decisions_kept_elsewhere_are_named_in_the_command(
    state, specimen, work, specimens, tmp_path
):
    run_here(specimen.open_folder(specimens))
    assert "--decisions" not in work.command()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    state.store = elsewhere
    assert "--decisions" not in work.command()
    give_answer(elsewhere, "1", "anna", Answer("positive", ("AC-22",)))
    assert f"--decisions {elsewhere}" in work.command()
    run_here(work.report())
    content = json.loads((work.found.out / "1" / "verdict.json").read_text())
    assert content["specimen_decisions"][0]["reviewer"] == "anna"


def test_what_is_missing_is_told(state, specimen):
    work = WorklistController(state, specimen, WorklistState())
    assert work.run() is None
    assert state.fault.startswith("Choose the folder of specimens")
    assert work.report() is None
    assert state.fault.startswith("Open a folder of specimens first")
    assert work.command() == work.report_command() == ""
    assert work.page() is None
    assert work.open_specimen("1") is None


def test_the_worker_touches_no_state(state, work):
    before = (work.found.rows, work.found.total)
    drain(work.run().work())
    assert (work.found.rows, work.found.total) == before
