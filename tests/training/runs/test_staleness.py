"""A run on a reviewed cell folder, and what later decisions do to it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.config import ProtocolSettings, TrainingSetSettings
from training.data.cells.folder import read_cell_folder
from training.data.cells.loading import load_packed
from training.decisions.applied import STORE, review_cells
from training.decisions.store import DecisionStore
from training.errors import BadRunError, BadSettingError
from training.runs.execution import execute, load_cells, start_run
from training.runs.folder import RunConfig, RunFolder
from training.runs.predictions import read_predictions
from training.runs.staleness import (
    find_stale,
    recorded_reviews,
    relabelled_predictions,
    rescore,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def decide(folder, cells, verdict, pattern=None, reviewer="ann"):
    with DecisionStore(folder / STORE, reviewer) as store:
        store.decide(cells, verdict, pattern)


@pytest.fixture
def folder(cell_folder, cells):
    return cell_folder(cells)


@pytest.fixture
def config(folder, tiny_network) -> RunConfig:
    return RunConfig(
        experiment="set-1",
        data=str(folder),
        classifier=tiny_network.model_copy(update={"epochs": 1, "vote_epochs": 1}),
        protocol=ProtocolSettings(protocol="group-k", folds=2),
        device="cpu",
        workers=1,
    )


@pytest.fixture
def finished(tmp_path, config) -> RunFolder:
    run = start_run(tmp_path / "run", config)
    list(execute(run))
    return run


def test_a_run_names_the_state_of_the_store(tmp_path, folder, config):
    decide(folder, ["cell0"], "rejected")
    decide(folder, ["cell1", "cell2"], "accepted", reviewer="bob")
    run = start_run(tmp_path / "run", config)
    data = json.loads((run.path / "data.json").read_text())
    (review,) = data["reviews"]
    assert review["store"] == f"{folder.name}/{STORE}"
    assert recorded_reviews(run)[0].store == str(folder / STORE)
    assert (review["last_step"], review["reviewers"]) == (2, ["ann", "bob"])
    counts = [review[k] for k in ("accepted", "rejected", "relabelled", "left_out")]
    assert counts == [2, 1, 0, 1]
    assert data["cells"] == review["used"] == 47
    table = read_cell_folder(folder).table
    again = review_cells(folder, table, "not-rejected", step=2)
    assert again.manifest.content() == review


def test_the_packed_cells_say_it_too(folder, monkeypatch):
    decide(folder, ["cell0"], "rejected")
    cells, packed = load_packed(folder, 32)
    said = json.loads((packed / "cells.json").read_text())["reviews"]
    assert said == [cells.reviews[0].content()]
    monkeypatch.chdir(folder.parent)
    again, _ = load_packed(Path("cells"), 32)
    assert again.reviews[0].store == f"cells/{STORE}"
    assert replace(again.reviews[0], store=cells.reviews[0].store) == cells.reviews[0]


def test_only_accepted_cells(folder, config):
    decide(folder, ["cell0", "cell1", "cell5"], "accepted")
    decide(folder, ["cell2"], "relabelled", "Golgi")
    decide(folder, ["cell3"], "rejected")
    accepted = TrainingSetSettings(reviewed="accepted")
    cells, _ = load_cells(config.model_copy(update={"training_set": accepted}))
    assert cells.ids.tolist() == ["cell0", "cell1", "cell2", "cell5"]
    assert cells.reviews[0].rule == "accepted"
    assert cells.reviews[0].left_out == 44
    assert "43 cells were left out because nobody accepted them" in cells.notes
    assert len(load_cells(config)[0]) == 47


def test_only_accepted_cells_need_a_cell_folder(task1, cells):
    with pytest.raises(BadSettingError, match="none of its cells is accepted"):
        load_packed(task1(cells), 32, reviewed="accepted")


def test_an_accepted_extra_folder_is_enough(tmp_path, folder, task1, cells):
    decide(folder, ["cell0"], "accepted")
    data = task1(cells)
    joined, _ = load_packed(data, 32, extra=folder, reviewed="accepted")
    assert (~joined.own).sum() == 1
    (review,) = joined.reviews
    assert review.extra
    assert review.store == str(folder / STORE)
    assert load_packed(data, 32, extra=folder)[0].reviews[0].rule == "not-rejected"


def test_a_run_is_current_until_a_cell_becomes_another(finished, folder):
    assert find_stale(finished).state == "current"
    decide(folder, ["cell0"], "accepted")
    assert find_stale(finished).state == "current", "it was used before"
    decide(folder, ["cell1"], "relabelled", "Golgi")
    decide(folder, ["cell47"], "rejected")
    found = find_stale(finished)
    assert found.state == "stale"
    assert [(c.id, c.before, c.now) for c in found.cells] == [
        ("cell1", "Homogeneous", "Golgi"),
        ("cell47", "Golgi", ""),
    ]
    with DecisionStore(folder / STORE, "ann") as store:
        store.undo()
        store.undo()
    assert find_stale(finished).state == "current"


def test_a_changed_cell_touches_models_that_train_on_it(finished, folder):
    said = read_predictions(finished)
    decide(folder, ["cell1"], "rejected")
    home = str(said.folds[said.ids == "cell1"][0])
    folds = {fold.name: fold for fold in find_stale(finished).folds}
    assert len(folds) == 2
    for name, fold in folds.items():
        assert (fold.trains_on, fold.holds_out) == ((0, 1) if name == home else (1, 0))
        assert fold.stale == (name != home)


def test_where_folds_ignore_specimens_each_cell_has_its_own(tmp_path, folder, config):
    leaky = ProtocolSettings(protocol="k-fold", folds=2)
    run = start_run(tmp_path / "k", config.model_copy(update={"protocol": leaky}))
    list(execute(run))
    said = read_predictions(run)
    gone = said.specimens == "00"
    decide(folder, said.ids[gone].tolist(), "rejected")
    for fold in find_stale(run).folds:
        held = int((said.folds[gone] == fold.name).sum())
        assert (fold.holds_out, fold.trains_on) == (held, 4 - held)
        assert held, "the specimen stands on both sides"


def test_cells_cut_anew_make_a_run_stale_as_a_whole(finished, cell_folder, make_cells):
    cells = make_cells()
    cell_folder(replace(cells, specimens=np.char.add("x", cells.specimens)))
    assert find_stale(finished).state == "recut"
    with pytest.raises(BadRunError, match="extracted again"):
        rescore(finished)


def test_another_store_is_not_taken_for_the_one_that_was_read(tmp_path, folder, config):
    decide(folder, ["cell0"], "rejected")
    run = start_run(tmp_path / "run", config)
    (folder / STORE).unlink()
    decide(folder, ["cell5"], "rejected")
    found = find_stale(run)
    assert found.state == "unknown"
    assert "is not the file of decisions" in found.reason


def test_runs_without_decisions(tmp_path, config, task1, cells):
    run = start_run(
        tmp_path / "run", config.model_copy(update={"data": str(task1(cells))})
    )
    assert find_stale(run).state == "current"
    list(execute(run))
    with pytest.raises(BadRunError, match="no decision affects them"):
        rescore(run)
    (run.path / "data.json").unlink()
    assert find_stale(run).state == "unknown"
    (run.path / "data.json").write_text("{}")
    assert find_stale(run).state == "unknown"
    assert "damaged" in find_stale(run).reason


def test_rescoring_changes_labels_and_nothing_else(finished, folder):
    before = {p.name: p.read_bytes() for p in finished.path.iterdir() if p.is_file()}
    said = read_predictions(finished)
    wrong = said.ids[said.predicted != said.truth]
    assert len(wrong) > 1, "the network is too good for this test"
    cell, gone = wrong[:2]
    taken_for = said.patterns[said.predicted[said.ids == cell][0]]
    decide(folder, [str(cell)], "relabelled", taken_for)
    decide(folder, [str(gone)], "rejected")
    metrics, content = rescore(finished)
    right = int((said.predicted == said.truth).sum())
    assert int(np.trace(metrics.confusion)) == right + 1
    assert metrics.n == content["n"] == 47
    assert (content["relabelled"], content["left_out"]) == (1, 1)
    assert content["measured"]["n"] == 48
    assert content["decisions"]["last_step"] == 2
    assert json.loads((finished.path / "metrics-rescored.json").read_text()) == content
    table = (finished.path / "confusion-rescored.csv").read_text().splitlines()
    assert table[0] == "truth," + ",".join(said.patterns)
    assert sum(int(n) for row in table[1:] for n in row.split(",")[1:]) == 47
    assert {name: (finished.path / name).read_bytes() for name in before} == before


def test_a_cell_that_was_taken_back_has_no_score(tmp_path, folder, config):
    decide(folder, ["cell0"], "rejected")
    run = start_run(tmp_path / "run", config)
    list(execute(run))
    decide(folder, ["cell0"], "accepted")
    _, content = rescore(run)
    assert (content["not_scored"], content["n"]) == (1, 47)


def test_labels_of_now(finished, folder):
    decide(folder, ["cell7"], "relabelled", "NuMem")
    said = relabelled_predictions(finished, read_predictions(finished))
    assert said.patterns[said.truth[said.ids == "cell7"][0]] == "NuMem"


def test_an_unfinished_run_is_not_rescored(tmp_path, config):
    run = start_run(tmp_path / "run", config)
    with pytest.raises(BadRunError, match="not finished"):
        rescore(run)
