import json
import time
from datetime import datetime

import pytest
import yaml

from training.config import PaperNetworkSettings, ProtocolSettings
from training.errors import BadRunError, StorageError
from training.runs.folder import RunConfig, RunFolder


@pytest.fixture
def config() -> RunConfig:
    return RunConfig(
        experiment="set-1",
        data="cells",
        classifier=PaperNetworkSettings(width=0.5),
        protocol=ProtocolSettings(protocol="group-k", folds=3),
    )


@pytest.fixture
def run(tmp_path, config) -> RunFolder:
    return RunFolder.create(tmp_path / "run", config, "abc")


METRICS = {
    "n": 3,
    "mean_class_accuracy": 0.5,
    "interval": None,
    "rates": {"Golgi": 0.5},
    "specimens": {"Golgi": 1},
    "confusion": [[3]],
    "folds": 2,
    "folds_done": 1,
}


def started(run, folds=2, epochs=3):
    fold = {"specimens": ["a"], "patterns": ["Golgi"], "n_train": 9, "n_test": 3}
    described = [{"name": str(k), "done": False, **fold} for k in range(folds)]
    about = {"experiment": "set-1", "protocol": "loso", "leaky": False}
    about |= {"device": "cpu", "patterns": ["Golgi"], "workers": 1}
    run.append("run-started", folds=described, epochs=epochs, **about)


def test_the_configuration_comes_back(run, config):
    assert RunFolder.open(run.path).config() == config
    description = run.description()
    assert description["data_fingerprint"] == "abc"
    assert "torch" in description["versions"]


def test_its_folders_are_kept_by_the_way_from_the_run(tmp_path, config):
    data, extra = tmp_path / "cells", tmp_path / "more"
    given = config.model_copy(update={"data": str(data), "extra": str(extra)})
    run = RunFolder.create(tmp_path / "runs" / "a", given, "abc")
    assert str(tmp_path) not in (run.path / "config.yaml").read_text()
    assert run.config() == given


def test_a_run_is_never_written_over(run, config):
    with pytest.raises(BadRunError, match="it holds a run already; resume it"):
        RunFolder.create(run.path, config, "abc")


def test_a_folder_with_other_things_is_left_alone(tmp_path, config):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BadRunError, match="the folder is not empty"):
        RunFolder.create(tmp_path, config, "abc")


def test_not_a_run_folder(tmp_path):
    with pytest.raises(BadRunError, match="this is not a run folder"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[", "config: {width: 3}", "\x00", "- 1", "a: " + "[" * 5000),
        *("config: 1" + "0" * 5000, "x" * 200_000, "config: &c {data: *c}"),
        "config: !!python/object/apply:os.getcwd []",
    ],
)
def test_a_damaged_configuration(run, text):
    (run.path / "config.yaml").write_text(text)
    with pytest.raises(BadRunError, match="the configuration is damaged"):
        run.config()


@pytest.mark.parametrize("name", ["9" * 256, "ä" * 200, "/9" * 2001])
def test_a_folder_that_cannot_be(run, name):
    content = yaml.safe_load((run.path / "config.yaml").read_text())
    content["config"]["data"] = name
    (run.path / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(BadRunError, match="the configuration is damaged"):
        run.config()


def test_events_come_back_in_order(run):
    run.append("fold-started", fold="1", epoch=0)
    run.append("epoch", fold="1", epoch=1, loss=1.5, accuracy=0.5)
    kinds = [event["kind"] for event in run.events()]
    assert kinds == ["fold-started", "epoch"]
    assert run.events()[1]["loss"] == 1.5


def test_a_torn_line_is_no_event_and_does_not_spoil_the_next(run):
    run.append("stopped")
    with (run.path / "events.jsonl").open("ab") as stream:
        stream.write(b'{"kind": "ep')
    assert [event["kind"] for event in run.events()] == ["stopped"]
    run.append("run-done", seconds=1)
    assert [event["kind"] for event in run.events()] == ["stopped", "run-done"]
    lines = (run.path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["stopped", "run-done"]


def test_a_number_that_is_none_never_enters_an_event(run):
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.append("epoch", loss=float("nan"))
    assert run.events() == []


def test_the_names_of_folds_are_safe(run):
    assert run.fold_folder("../../etc").parent == run.path / "folds"
    assert run.fold_folder("11+12").name == "11+12"
    names = ["a b", "a_b", "a/b", ".", "..", "...", "x" * 300, "x" * 301]
    folders = {run.fold_folder(name).resolve() for name in names}
    assert len(folders) == len(names), "each has its own"
    assert {folder.parent for folder in folders} == {run.path / "folds"}


def test_a_stop_is_asked_for_once(run):
    run.request_stop()
    assert (run.path / "stop").exists()
    with run.lock():
        assert not (run.path / "stop").exists()


def test_the_status_is_read_from_the_events(run):
    started(run)
    run.append("epoch", fold="0", epoch=1, loss=1.0, accuracy=0.5)
    run.append("epoch", fold="1", epoch=1, loss=1.0, accuracy=0.5)
    run.append("epoch", fold="1", epoch=2, loss=1.0, accuracy=0.5)
    run.append("fold-done", fold="1", n=3, correct=2)
    run.append("metrics", **METRICS)
    status = run.status()
    assert status.state == "vanished"
    assert (status.folds_done, status.folds) == (1, 2)
    assert (status.epochs_done, status.epochs) == (4, 6), "a done fold had them all"
    assert status.metrics["n"] == 3
    assert status.seconds_left is None, "nobody works on it"


@pytest.mark.parametrize(
    ("kind", "content", "state"),
    [
        ("run-done", {"seconds": 1.0}, "done"),
        ("stopped", {}, "stopped"),
        ("run-failed", {"message": "the disk is full"}, "failed"),
    ],
)
def test_how_a_run_ended(run, kind, content, state):
    started(run)
    run.append(kind, **content)
    assert run.status().state == state


def test_a_running_run(run):
    started(run)
    with run.lock():
        status = run.status()
    assert (status.state, status.seconds_left) == ("running", None)


def test_the_time_left_of_a_running_run(run):
    started(run, folds=1, epochs=101)
    run.append("fold-started", fold="0", epoch=0)
    time.sleep(0.05)
    run.append("epoch", fold="0", epoch=1, loss=1.0, accuracy=0.5)
    run.append("progress", fold="0", epoch=2, share=0.5)
    first, last = run.events()[1], run.events()[-1]
    with run.lock():
        status = run.status()
    moments = [datetime.fromisoformat(event["time"]) for event in (first, last)]
    seconds = (moments[1] - moments[0]).total_seconds()
    assert status.epochs_done == 1, "an epoch under way is not done"
    assert status.seconds_left is not None
    assert seconds * 99.5 / 1.5 - 3 < status.seconds_left <= seconds * 99.5 / 1.5 + 0.1


def test_a_full_disk_is_one_sentence(run, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.runs.folder.os.fsync", full)
    with pytest.raises(StorageError, match="the disk is full; free some space"):
        run.append("stopped")
