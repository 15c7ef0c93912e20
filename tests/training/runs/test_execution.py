import csv
import json
import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.config import (
    KernelRidgeSettings,
    ProtocolSettings,
    ScaleSpaceSettings,
    ShapeIndexSettings,
)
from training.data.cells.loading import load_packed
from training.errors import (
    BadRunError,
    Hep2Error,
    InterruptedRunError,
    LeakError,
    RunLockedError,
    SpecimensError,
)
from training.models.networks import loop
from training.models.networks.checkpoints import CHECKPOINT
from training.runs import execution
from training.runs.execution import (
    execute,
    fold_seed,
    load_cells,
    run_forecast,
    start_run,
)
from training.runs.experiments import CORE_SECONDS
from training.runs.folder import PREDICTIONS, RunConfig, RunFolder
from training.runs.results import pool_folds
from training.splits.protocols import make_folds

pytestmark = pytest.mark.usefixtures("one_thread")


def kinds(run: RunFolder) -> list[str]:
    return [event["kind"] for event in run.events()]


def scores_of(run: RunFolder, config: RunConfig) -> np.ndarray:
    cells, _ = load_packed(run_data(config), config.classifier.input_size)
    plan = make_folds(cells, config.protocol)
    return pool_folds(run, plan, 6).scores


def run_data(config: RunConfig) -> Path:
    return Path(config.data)


def test_a_run_from_start_to_end(tmp_path, config):
    run = start_run(tmp_path / "run", config)
    yielded = list(execute(run))
    assert yielded == run.events()
    assert kinds(run) == [
        "run-started",
        *["fold-started", *["epoch"] * 3, "fold-done", "metrics"] * 2,
        "run-done",
    ]
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert metrics["n"] == 48
    assert metrics["folds_done"] == 2
    assert metrics["specimens"] == dict.fromkeys(metrics["patterns"], 2)
    assert not (run.path / "lock").exists()
    assert run.status().state == "done"


def test_the_files_agree_with_each_other(run):
    metrics = json.loads((run.path / "metrics.json").read_text())
    names = metrics["patterns"]
    rows = list(csv.DictReader((run.path / "predictions.csv").open()))
    assert len({row["id"] for row in rows}) == 48
    counted = np.zeros((6, 6), int)
    for row in rows:
        counted[names.index(row["pattern"]), names.index(row["predicted"])] += 1
        scores = [float(row[f"score_{name}"]) for name in names]
        assert names[int(np.argmax(scores))] == row["predicted"]
    assert counted.tolist() == metrics["confusion"]
    table = list(csv.reader((run.path / "confusion.csv").open()))
    assert table[0] == ["truth", *names]
    assert [[int(v) for v in row[1:]] for row in table[1:]] == metrics["confusion"]
    rates = np.diag(counted) / counted.sum(axis=1)
    assert metrics["mean_class_accuracy"] == pytest.approx(rates.mean())


def test_workers_give_the_scores_of_one_process(tmp_path, config, run):
    pooled = start_run(tmp_path / "pooled", config.model_copy(update={"workers": 2}))
    list(execute(pooled))
    assert np.array_equal(scores_of(run, config), scores_of(pooled, config))


def test_no_data_no_folder(tmp_path, config):
    broken = config.model_copy(update={"data": str(tmp_path / "nothing")})
    with pytest.raises(Hep2Error):
        start_run(tmp_path / "run", broken)
    assert not (tmp_path / "run").exists()


def test_no_specimen_ids_are_refused_before_anything_is_written(
    tmp_path, cells, task1, config
):
    nameless = str(task1(cells, name="nameless", specimens=False))
    with pytest.raises(SpecimensError, match="carry no specimen ids"):
        start_run(tmp_path / "run", config.model_copy(update={"data": nameless}))
    assert not (tmp_path / "run").exists()


def stop_after_two_epochs(run: RunFolder) -> None:
    for event in execute(run):
        if event["kind"] == "epoch" and event["epoch"] == 2:
            run.request_stop()


def test_stopped_and_resumed_gives_the_same_scores(tmp_path, config):
    straight = start_run(tmp_path / "straight", config)
    list(execute(straight))
    stopped = start_run(tmp_path / "stopped", config)
    with pytest.raises(InterruptedRunError):
        stop_after_two_epochs(stopped)
    assert stopped.status().state == "stopped"
    list(execute(stopped))
    assert stopped.status().state == "done"
    assert np.array_equal(scores_of(straight, config), scores_of(stopped, config))
    started = [e for e in stopped.events() if e["kind"] == "fold-started"]
    assert [event["epoch"] for event in started] == [0, 2, 0]


@pytest.mark.parametrize("last", ["write_predictions", "calibration_content"])
def test_killed_among_its_results_a_run_is_not_finished(
    tmp_path, config, monkeypatch, last
):
    run = start_run(tmp_path / "run", config)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"training.runs.results.{last}", die)
        with pytest.raises(KeyboardInterrupt):
            list(execute(run))
    assert not run.is_finished
    kinds_again = [event["kind"] for event in execute(run)]
    assert "epoch" not in kinds_again
    assert run.is_finished
    assert (run.path / PREDICTIONS).is_file()


def test_an_interrupt_between_two_events_stops_the_run_too(tmp_path, config):
    """Ctrl-C may come while the terminal draws what the run has told."""
    run = start_run(tmp_path / "run", config)

    def draw_until_interrupted():
        with closing(execute(run)) as events:
            for event in events:
                if event["kind"] == "epoch":
                    raise InterruptedRunError("the terminal", "Ctrl-C", "resume")

    with pytest.raises(InterruptedRunError):
        draw_until_interrupted()
    assert run.events()[-1]["kind"] == "stopped"
    assert run.status().state == "stopped"
    assert [event["kind"] for event in execute(run)][-1] == "run-done"


def test_a_finished_fold_is_not_trained_again(tmp_path, config):
    run = start_run(tmp_path / "run", config)
    list(execute(run))
    before = len(run.events())
    list(execute(run))
    again = kinds(run)[before:]
    assert again == ["run-started", "metrics", "run-done"]


@pytest.mark.parametrize("finished", [True, False])
def test_an_epoch_that_was_kept_and_not_told_is_told_later(tmp_path, config, finished):
    """A trainer may be killed between its checkpoint and its event."""
    run = start_run(tmp_path / "run", config)
    if finished:
        list(execute(run))
    else:
        with pytest.raises(InterruptedRunError):
            stop_after_two_epochs(run)
    path = run.path / "events.jsonl"
    told = run.events()
    torn = [e for e in told if (e["kind"], e.get("epoch")) != ("epoch", 2)]
    torn = [e for e in torn if finished <= (e["kind"] != "fold-done")]
    assert len(torn) < len(told)
    path.write_text("".join(json.dumps(event) + "\n" for event in torn))
    list(execute(run))
    again = [(e["fold"], e["epoch"]) for e in run.events() if e["kind"] == "epoch"]
    expected = [(f"group-{fold}", epoch) for fold in (1, 2) for epoch in (1, 2, 3)]
    assert sorted(again) == expected
    done = [event["fold"] for event in run.events() if event["kind"] == "fold-done"]
    assert sorted(done) == ["group-1", "group-2"]


def test_what_a_killed_trainer_left_half_is_cleared(tmp_path, config):
    run = start_run(tmp_path / "run", config)
    list(execute(run))
    folder = run.fold_folder("group-1")
    for left in (folder / CHECKPOINT, folder / ".scores.npy.1-1.part"):
        left.write_bytes(b"half")
    (run.path / "data.json").unlink()
    list(execute(run))
    assert not list(run.path.rglob(".*.part"))
    assert not (folder / CHECKPOINT).exists()
    assert (run.path / "data.json").is_file()


def test_other_data_are_refused(tmp_path, cells, task1, config):
    run = start_run(tmp_path / "run", config)
    image = run_data(config) / "train" / "00001.png"
    Image.fromarray(255 - cells.images[0]).save(image)
    with pytest.raises(BadRunError, match="have changed since it was started"):
        list(execute(run))


def test_a_diverged_fold_fails_alone_and_is_not_hidden(tmp_path, config, monkeypatch):
    real, asked = loop._accumulate, []

    def infinite_at_first(*given):
        asked.append(1)
        return real(*given) * (float("inf") if len(asked) == 1 else 1)

    monkeypatch.setattr(loop, "_accumulate", infinite_at_first)
    run = start_run(tmp_path / "run", config)
    events = list(execute(run))
    failed = [event for event in events if event["kind"] == "fold-failed"]
    assert [event["fold"] for event in failed] == ["group-1"]
    assert "the loss became infinite" in failed[0]["message"]
    assert events[-1]["folds_failed"] == 1
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert (metrics["folds_done"], metrics["folds"], metrics["n"]) == (1, 2, 24)


def test_no_fold_at_all_is_a_failed_run(tmp_path, config, monkeypatch):
    real = loop._accumulate
    monkeypatch.setattr(loop, "_accumulate", lambda *given: real(*given) * math.nan)
    run = start_run(tmp_path / "run", config)
    with pytest.raises(BadRunError, match="no fold could be trained"):
        list(execute(run))
    assert run.status().state == "failed"


def test_two_trainers_do_not_share_a_folder(tmp_path, config):
    run = start_run(tmp_path / "run", config)
    events = execute(run)
    next(events)
    with pytest.raises(RunLockedError):
        next(execute(RunFolder.open(run.path)))
    events.close()


@pytest.mark.parametrize("planted", ["specimen", "copy"])
def test_a_leak_in_a_fold_is_refused_before_training(
    tmp_path, config, monkeypatch, planted
):
    """Whoever made the folds: a held cell is trained on, or a turned copy of it."""
    run = start_run(tmp_path / "run", config)
    made, loaded = execution.make_folds, execution.load_cells

    def leaky_folds(*given):
        plan = made(*given)
        bad = replace(plan.folds[1], held=plan.folds[1].held[1:])
        return replace(plan, folds=(plan.folds[0], bad))

    def with_a_copy(*given):
        cells, packed = loaded(*given)
        plan = made(cells, config.protocol)
        monkeypatch.setattr(execution, "make_folds", lambda *_: plan)
        images = np.array(cells.images)
        images[plan.folds[1].train[0]] = np.rot90(images[plan.folds[1].test[0]])
        return replace(cells, images=images), packed

    if planted == "specimen":
        monkeypatch.setattr(execution, "make_folds", leaky_folds)
        expected = "fold group-2: 1 specimens and 1 images"
    else:
        monkeypatch.setattr(execution, "load_cells", with_a_copy)
        monkeypatch.setattr(execution, "_same_data", lambda *_: None)
        expected = "fold group-1: 0 specimens and 1 images"
    with pytest.raises(LeakError, match=expected):
        list(execute(run))
    assert kinds(run) == ["run-failed"]


def test_seeds_of_folds_and_epochs_do_not_meet():
    seeds = {
        fold_seed(seed, number) + epoch
        for seed in (0, 1)
        for number in range(252)
        for epoch in range(1000)
    }
    assert len(seeds) == 2 * 252 * 1000


def test_the_forecast_counts_every_training_image(config):
    cost = run_forecast(config)
    assert cost.folds == 2
    assert cost.image_steps == 24 * 2 * 3
    assert cost.images_per_second > 0
    assert cost.seconds == cost.image_steps / cost.images_per_second
    assert cost.specimens == load_cells(config)[0].census


def test_the_first_event_tells_the_specimens_and_how_many_of_each_pattern(
    config, tmp_path
):
    first = next(execute(start_run(tmp_path / "run", config)))
    census = load_cells(config)[0].census
    assert (first["kind"], first["notes"][0]) == ("run-started", census)


@pytest.mark.parametrize("settings", [KernelRidgeSettings(), ShapeIndexSettings()])
def test_features_are_forecast_once_and_folds_each(config, settings):
    changed = {"classifier": settings, "protocol": ProtocolSettings()}
    cost = run_forecast(config.model_copy(update=changed))
    assert cost.measured
    assert cost.once > 0
    folds = cost.image_steps / cost.images_per_second
    assert cost.seconds == pytest.approx(cost.once + folds)


def test_what_is_not_trained_in_steps_is_forecast_from_figures(config):
    features = config.model_copy(update={"classifier": ScaleSpaceSettings()})
    cost = run_forecast(features)
    assert not cost.measured
    assert cost.image_steps == 24 * 2
    assert cost.images_per_second == 1 / CORE_SECONDS["scale-space"]
    assert run_forecast(config).measured


@pytest.mark.usefixtures("one_thread")
def test_a_run_that_is_renamed_while_it_trains_stops_in_a_sentence(tmp_path, config):
    run = start_run(tmp_path / "run", config)
    events = execute(run)
    next(event for event in events if event["kind"] == "epoch")
    run.path.rename(tmp_path / "moved")
    with pytest.raises(Hep2Error, match="continue it where it is now"):
        list(events)
    assert not run.path.exists()
    # The trainer would have ended by now, and its lock with it.
    (tmp_path / "moved" / "lock").unlink()
    moved = RunFolder.open(tmp_path / "moved")
    list(execute(moved))
    assert moved.status().state == "done"
