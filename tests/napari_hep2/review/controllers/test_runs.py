"""From review to experiment, without a window, on small real runs."""

import json
import shlex
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_hep2.jobs import drain, run_here
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.controllers.run_words import run_line
from napari_hep2.review.controllers.runs import ExperimentsController
from training.cli import app
from training.config.commands import PROGRAM
from training.runs.folder import RunFolder
from training.studies.label_errors import find_label_errors


@pytest.fixture
def cells(study):
    return study[0]


@pytest.fixture
def runs(study):
    return study[1]


@pytest.fixture
def controller(state, cells):
    made = ReviewController(state)
    run_here(made.open_cell_folder(cells))
    yield made
    made.decision_session.close()


@pytest.fixture
def verbs(state, controller):
    return ExperimentsController(state, controller)


def relabel(state, controller, cell, pattern=5):
    controller.navigation.select(state.review.row_of[cell])
    controller.decisions.relabel(pattern)


def told(command):
    """Return what the command shown in the window answers."""
    program, *words = shlex.split(command)
    assert program == PROGRAM
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def kept(state, k=0):
    """Return the id of a homogeneous cell that the extraction kept."""
    table = state.review.table
    chosen = table[(table["dropped"] == "") & (table["pattern"] == "Homogeneous")]
    return str(chosen["id"].iloc[k])


def test_the_queue_starts_at_the_most_doubted_cell(state, controller, verbs, runs):
    controller.state.descending = True
    run = runs / "all-seed-0"
    run_here(verbs.scores_job(run))
    assert (controller.state.sort, controller.state.descending) == ("suspicion", False)
    first = find_label_errors(RunFolder.open(run)).ids[0]
    assert state.review.ids[state.current] == first
    assert state.current == controller.state.shown[0]
    assert state.message == (
        "72 of 84 cells scored by all-seed-0, by models that never saw the cell's "
        "specimen."
    )
    assert told(verbs.desk.command)["queue"][0]["id"] == first
    assert verbs.queue.sources["run"].title == "epoch vote of all-seed-0"


def test_uncertainty_is_of_the_views_or_of_the_epochs(
    state, controller, verbs, runs, model_file
):
    run_here(verbs.scores_job(runs / "all-seed-0"))
    votes = controller.state.measures["uncertainty"]
    state.model, state.device = model_file, "cpu"
    run_here(verbs.views_job())
    assert controller.state.sort == "uncertainty"
    assert verbs.queue.taken == "views"
    spread = controller.state.measures["uncertainty"]
    assert state.current == spread.argmax()
    queue = told(verbs.desk.command)["queue"]
    assert queue[0]["id"] == state.review.ids[state.current]
    assert queue[0]["view_spread"] == pytest.approx(spread.max())
    run_here(verbs.queue.take("run"))
    assert controller.state.measures["uncertainty"] is votes
    assert verbs.queue.taken == "run"
    values = votes[controller.state.shown]
    finite = values[np.isfinite(values)]
    assert (np.diff(finite) <= 0).all()
    assert np.isnan(values[len(finite) :]).all(), "what is not known comes last"


def test_sources_are_of_the_cells_under_review(state, verbs, runs, controller, cells):
    run_here(verbs.scores_job(runs / "all-seed-0"))
    run_here(controller.open_cell_folder(cells))
    assert verbs.queue.sources == {}
    assert verbs.queue.taken is None


def test_a_model_that_saw_the_specimens_is_told(state, verbs, model_file):
    from training.inference.orientation_spread import spread_in_views

    class Sure:
        card = SimpleNamespace(
            specimens=("1", "3"), classifier=SimpleNamespace(test_views=1)
        )

        def scores(self, crops):
            return np.full((len(crops), 2), 0.5, np.float32)

    table = state.review.table
    found = drain(
        spread_in_views(
            Sure(), state.review.crops, table["specimen"].to_numpy(dtype=object)
        )
    )
    assert found.seen.sum() == table["specimen"].isin(["1", "3"]).sum() == 14
    assert not found.spread.any()


def test_without_a_model_the_views_are_refused(state, verbs):
    state.model = None
    assert verbs.views_job() is None
    assert state.fault == "No model is chosen: choose one in Classify."


def test_stale_runs_are_told_with_their_folds(state, verbs, runs, controller):
    run_here(verbs.stale_job(runs))
    assert [one.state for one in verbs.desk.runs] == ["current"] * 3
    assert state.message == "0 of 3 runs in runs are stale."
    relabel(state, controller, kept(state))
    run_here(verbs.stale_job(runs))
    assert state.message == "3 of 3 runs in runs are stale."
    one = verbs.desk.runs[0]
    assert run_line(one) == (
        "all-seed-0: 1 cell changed; 1 of 2 folds stale, 1 to rescore"
    )
    verbs.choose([0])
    names = [fold.name for fold in one.folds]
    assert all(name in verbs.details() for name in names)
    said = told(verbs.desk.command)
    assert [row["state"] for row in said] == ["stale"] * 3
    state.blind = True
    assert not any(f"Fold {name}" in verbs.details() for name in names)


def test_a_folder_without_runs(state, verbs, cells):
    from training.errors import BadRunError

    with pytest.raises(BadRunError, match="not a run folder and contains none"):
        run_here(verbs.stale_job(cells))


def test_one_damaged_run_does_not_hide_the_others(state, verbs, runs):
    """The copies lie beside the runs: they know the way to their data."""
    import shutil

    copied = runs.with_name("copied")
    shutil.copytree(runs, copied)
    (copied / "all-seed-0" / "data.json").write_text("{")
    run_here(verbs.stale_job(copied))
    assert [one.state for one in verbs.desk.runs] == ["unknown", "current", "current"]
    assert state.message.endswith("are stale, 1 could not be checked.")
    assert run_line(verbs.desk.runs[0]) == "all-seed-0: not known"


def test_rescoring_tells_before_and_after(state, verbs, runs, controller):
    run = runs / "all-seed-0"
    before = json.loads((run / "metrics.json").read_text())
    relabel(state, controller, kept(state))
    controller.navigation.select(state.review.row_of[kept(state, 1)])
    controller.decisions.reject("focus")
    run_here(verbs.rescore_job(run))
    said = told(verbs.desk.command)
    answer = verbs.desk.answer
    assert f"{100 * said['mean_class_accuracy']:.1f} %" in answer
    assert f"before {100 * before['mean_class_accuracy']:.1f} % (95 % " in answer
    assert "over 71 cells of 12 specimens" in answer, "one has two patterns now"
    assert "1 cell has another label, 1 left out, 0 without a score" in answer
    assert "of 2 folds trained on old labels" in answer


def test_a_run_that_ignores_specimens_is_called_optimistic():
    from napari_hep2.review.controllers.run_words import rescored_text

    content = {
        "n": 9, "mean_class_accuracy": 0.5, "interval": None, "relabelled": 2,
        "left_out": 0, "not_scored": 0, "stale_folds": 1, "folds": 2, "leaky": True,
        "held_out_specimens": 3,
        "measured": {"n": 9, "mean_class_accuracy": 0.6, "interval": [0.5, 0.7]},
    }  # fmt: skip
    said = rescored_text("r", content)
    assert "50.0 % with today's decisions, over 9 cells of 3 specimens" in said
    assert "before 60.0 % (95 % 50.0 to 70.0)" in said
    assert "2 cells have another label" in said
    assert said.endswith("both figures are optimistic.")


def test_the_curve_answers_in_a_sentence_and_a_page(state, verbs, runs, tmp_path):
    shown = []
    run_here(verbs.curve_job([runs], tmp_path, shown.append))
    assert shown == [tmp_path / "learning-curve.html"]
    content = json.loads((tmp_path / "learning-curve.json").read_text())
    assert verbs.desk.answer.startswith(content["sentence"])
    assert content["sentence"] in shown[0].read_text()
    assert told(verbs.desk.command)["sentence"] == content["sentence"]


def test_the_accepted_cells_go_with_the_step_of_the_store(
    state, verbs, controller, cells
):
    given = []
    run_here(verbs.accepted_job(given.append))
    assert given == []
    assert state.fault == "Nobody has accepted a cell of cells yet."
    controller.navigation.select(state.review.row_of[kept(state)])
    controller.decisions.accept()
    relabel(state, controller, kept(state, 1))
    run_here(verbs.accepted_job(given.append))
    assert given == [cells]
    assert "2 of 84 cells" in verbs.desk.answer
    assert verbs.desk.answer.endswith("records step 2 of the decisions.")
    assert shlex.split(verbs.desk.command)[-1] == "reviewed=accepted"


def test_decisions_that_a_run_would_not_find_are_refused(
    state, verbs, controller, tmp_path
):
    controller.decision_session.use(tmp_path)
    assert verbs.accepted_job(pytest.fail) is None
    assert "where a run on cells does not look" in state.fault


def test_a_frame_is_no_cell_folder(state, review):
    verbs = ExperimentsController(state, review)
    assert verbs.accepted_job(pytest.fail) is None
    assert state.fault.startswith("A run reads decisions from a cell folder")
