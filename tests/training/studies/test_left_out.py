"""Folds trained once more without each pattern: what they see, and that they go on."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from training.cli import app
from training.errors import BadRunError, InterruptedRunError
from training.models.networks.checkpoints import CHECKPOINT
from training.runs.fold_result import has_result
from training.runs.folder import RunFolder
from training.runs.predictions import read_predictions
from training.runs.verdicts import write_verdict
from training.studies.left_out import LeftOutFits


@pytest.fixture
def fits(run):
    return LeftOutFits.of(run)


def scores_of(run):
    fits = LeftOutFits.of(run)
    list(fits.train())
    return fits.scores()


def test_a_left_out_pattern_is_not_trained_on(fits, run):
    cells = fits.cells
    assert list(fits.tasks) == list(range(6))
    assert len(fits) == 6 * 2
    for pattern, tasks in fits.tasks.items():
        for task in tasks:
            trained = set(cells.patterns[task.fold.train].tolist())
            assert trained == set(range(6)) - {pattern}
            specimens = set(cells.specimens[task.fold.train])
            assert not specimens & set(cells.specimens[task.fold.test])
        tested = np.sort(np.concatenate([task.fold.test for task in tasks]))
        assert np.array_equal(tested, np.arange(len(cells)))
    folders = [task.folder for tasks in fits.tasks.values() for task in tasks]
    assert len({folder.name for folder in folders}) == len(fits)
    assert {folder.parent for folder in folders} == {run.path.absolute() / "left-out"}


def test_the_scores_are_those_of_the_predictions_in_their_order(run, fits):
    names = list(fits.train())
    assert names[:2] == ["group-1-without-Homogeneous", "group-2-without-Homogeneous"]
    assert len(names) == len(fits)
    scores = fits.scores()
    said = read_predictions(run)
    assert set(scores) == set(range(6))
    assert all(table.shape == said.scores.shape for table in scores.values())
    place = {name: row for row, name in enumerate(said.ids)}
    for pattern, tasks in fits.tasks.items():
        found = np.load(tasks[1].folder / "scores.npy")
        rows = [place[name] for name in fits.cells.ids[tasks[1].fold.test]]
        assert np.array_equal(scores[pattern][rows], found)
    assert not np.array_equal(scores[0], scores[1])
    fitted = write_verdict(run, left_out=scores).calibration
    assert fitted.left_out_by == "training"
    assert set(fitted.left_out) == set(said.patterns)


def test_it_goes_on_from_where_it_was_stopped(run, tmp_path, finished):
    steps = LeftOutFits.of(run).train()
    for _ in range(3):
        next(steps)
    run.request_stop()
    with pytest.raises(InterruptedRunError):
        next(steps)
    tasks = [t for some in LeftOutFits.of(run).tasks.values() for t in some]
    done = [task for task in tasks if has_result(task.folder)]
    assert len(done) == 3
    written = [(task.folder / "scores.npy").stat().st_mtime_ns for task in done]
    cut_off = scores_of(run)
    again = [(task.folder / "scores.npy").stat().st_mtime_ns for task in done]
    assert again == written, "what is finished is not trained again"
    assert not any((task.folder / CHECKPOINT).exists() for task in tasks)
    other = shutil.copytree(finished, tmp_path / "other")
    straight = scores_of(RunFolder.open(other))
    assert all(np.array_equal(cut_off[k], straight[k]) for k in straight)


def test_the_command_trains_once(run):
    words = ["verdicts", str(run.path), "--left-out", "--json"]
    first = CliRunner().invoke(app, words)
    assert first.exit_code == 0, first.output
    assert '"left_out_by": "training"' in first.stdout
    steps = LeftOutFits.of(run).train()
    with run.lock():
        assert len(list(steps)) == 12, "nothing is trained, so no lock is needed"
    again = CliRunner().invoke(app, [*words, "--set", "risk=0.3"])
    assert '"risk": 0.3' in again.stdout


def test_an_interrupted_command_says_how_it_goes_on(run, monkeypatch):
    def interrupted(_self):
        yield "group-1-without-Homogeneous"
        raise InterruptedRunError("it", "it was interrupted", "resume it")

    monkeypatch.setattr(LeftOutFits, "train", interrupted)
    words = ["verdicts", str(run.path), "--left-out"]
    told = str(CliRunner().invoke(app, words).exception)
    assert told.endswith(f"continue with: hep2 {' '.join(words)}.")


def test_a_fit_that_is_missing_or_of_other_cells_is_told(run):
    fits = LeftOutFits.of(run)
    with pytest.raises(BadRunError, match="group-1-without-Homogeneous was not"):
        fits.scores()
    list(fits.train())
    folder = fits.tasks[0][0].folder
    rows = np.load(folder / "rows.npy")
    np.save(folder / "rows.npy", rows[::-1].copy())
    with pytest.raises(BadRunError, match="the result of this fold is damaged"):
        fits.scores()


def test_a_fit_that_fails_is_told_after_the_others(run):
    fits = LeftOutFits.of(run)
    broken = fits.tasks[2][0]
    broken.folder.parent.mkdir()
    broken.folder.write_text("a file where a folder is needed")
    steps, names = fits.train(), []
    with pytest.raises(BadRunError, match="cannot be written"):
        names.extend(steps)
    assert len(names) == len(fits) - 1
    assert broken.fold.name not in names
    broken.folder.unlink()
    assert len(list(fits.train())) == len(fits)


def test_cells_that_changed_are_told(run):
    picture = Path(run.config().data) / "train" / "00001.png"
    Image.fromarray(255 - np.asarray(Image.open(picture))).save(picture)
    with pytest.raises(BadRunError, match="its cells have changed since"):
        LeftOutFits.of(run)
