import json

import pytest
from typer.testing import CliRunner

from training.cli import app
from training.errors import BadRunError, BadSettingError, InterruptedRunError
from training.studies.reproduction.study import (
    finished_runs,
    plan_study,
    run_path,
    run_study,
    simulate_tasks,
    task_folders,
)

TINY = {
    "protocol": "group-k",
    "folds": "2",
    "epochs": "1",
    "vote_epochs": "1",
    "width": "0.04",
    "input_size": "32",
}


def test_without_extra_cells_the_rows_that_need_them_are_left_out():
    study = plan_study("data", "", changes={})
    assert set(study.left_out) == {"set-3", "pooled", "pooled-augmented", "imagenet"}
    assert "--extra" in study.left_out["set-3"]
    assert "imagenet.weights=FILE" in study.left_out["imagenet"]
    whole = plan_study("data", "more", changes={"imagenet.weights": "w.safetensors"})
    assert not whole.left_out
    assert whole.configs["set-3"].extra == "more"
    assert whole.configs["set-1"].extra == ""


def test_a_change_goes_to_those_that_have_it():
    changes = {"width": "0.5", "set-2.epochs": "6", "folds": "3"}
    study = plan_study("data", "", changes=changes | {"protocol": "group-k"})
    assert study.configs["set-1"].classifier.width == 0.5
    assert study.configs["set-1"].classifier.epochs == 50
    assert study.configs["set-2"].classifier.epochs == 6
    assert {c.protocol.folds for c in study.configs.values()} == {3}
    assert study.configs["set-1"].protocol.protocol == "group-k"
    assert study.configs["set-1-k-fold"].protocol.protocol == "k-fold"


@pytest.mark.parametrize("name", ["depth", "set-9.epochs", "set-1.depth"])
def test_a_change_that_nobody_has_is_told(name):
    with pytest.raises(BadSettingError, match="setting"):
        plan_study("data", "", changes={name: "1"})


def test_experiments_can_be_chosen():
    assert list(plan_study("d", "", changes={}, only=("lenet",)).configs) == ["lenet"]
    with pytest.raises(BadSettingError, match="there is no such experiment"):
        plan_study("d", "", changes={}, only=("set-9",))


@pytest.fixture
def study(cells, task1):
    only = ("set-1", "set-1-k-fold")
    data = str(task1(cells))
    return plan_study(data, "", changes=TINY, only=only, device="cpu", workers=1)


def test_a_study_runs_each_experiment_once(study, tmp_path):
    events = list(run_study(tmp_path / "out", study))
    assert list(dict.fromkeys(name for name, _ in events)) == list(study.configs)
    assert set(finished_runs(tmp_path / "out", study)) == set(study.configs)
    written = json.loads((tmp_path / "out" / "study.json").read_text())
    assert written["experiments"] == list(study.configs)
    assert list(run_study(tmp_path / "out", study)) == [], "finished runs are kept"


def test_a_study_that_was_stopped_goes_on(study, tmp_path):
    out = tmp_path / "out"
    events = run_study(out, study)
    for name, event in events:
        if name == "set-1-k-fold" and event["kind"] == "fold-started":
            (run_path(out, name) / "stop").touch()
            break
    with pytest.raises(InterruptedRunError, match="repeat the command to continue"):
        list(events)
    assert set(finished_runs(out, study)) == {"set-1"}
    before = (run_path(out, "set-1") / "events.jsonl").read_bytes()
    list(run_study(out, study))
    assert set(finished_runs(out, study)) == set(study.configs)
    assert (run_path(out, "set-1") / "events.jsonl").read_bytes() == before


def test_other_settings_are_refused(study, tmp_path):
    """Already by a study that was stopped as it began."""
    data = study.configs["set-1"].data
    events = run_study(tmp_path / "out", study)
    next(events)
    events.close()
    other = plan_study(data, "", changes={**TINY, "width": "0.05"}, only=("set-1",))
    with pytest.raises(BadRunError, match="it was started with other settings"):
        list(run_study(tmp_path / "out", other))


def test_a_run_that_cannot_be_done_does_not_end_the_study(study, tmp_path):
    bad = study.configs["set-1"].model_copy(update={"data": str(tmp_path / "none")})
    broken = {**study.configs, "set-1": bad}
    object.__setattr__(study, "configs", broken)
    events = list(run_study(tmp_path / "out", study))
    assert events[0][1]["kind"] == "run-failed"
    assert "none" in events[0][1]["message"]
    assert set(finished_runs(tmp_path / "out", study)) == set(broken) - {"set-1"}


def test_simulated_tasks_share_no_specimen_and_are_made_once(tmp_path, monkeypatch):
    made = []

    def make(path, settings):
        made.append((path.name, settings.specimens, settings.seed))
        path.mkdir(parents=True)
        source = {"simulated": True, "specimens_written": settings.specimens}
        (path / "source.json").write_text(json.dumps(source))
        return iter(())

    monkeypatch.setattr("training.studies.reproduction.study.simulate", make)
    simulate_tasks(tmp_path, 3, 5)
    assert {path.parent for path in task_folders(tmp_path)} == {tmp_path / "simulated"}
    assert [(name, count) for name, count, _ in made] == [("task-1", 3), ("task-2", 5)]
    assert len({seed for *_, seed in made}) == 2
    simulate_tasks(tmp_path, 3, 5)
    assert len(made) == 2
    simulate_tasks(tmp_path, 4, 5)
    assert len(made) == 3, "one with another number of specimens is made anew"


def test_a_setting_that_nothing_has_is_told_before_anything_is_simulated(tmp_path):
    out = tmp_path / "study"
    words = ["reproduce", "--out", str(out), "--set", "widht=1"]
    with pytest.raises(BadSettingError, match="widht"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert not out.exists()
