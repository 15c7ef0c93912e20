import json
from dataclasses import replace

import pytest

from training.config import TrainingSetSettings
from training.data.cells.loading import load_packed
from training.errors import InterruptedRunError
from training.runs.engines import ATTEMPTS, FoldTask
from training.runs.engines.spool import (
    Attempt,
    FoldJob,
    Spool,
    clear_spools,
    count_deaths,
    what_is_unseen,
)
from training.splits.protocols import make_folds


@pytest.fixture
def spool(tmp_path) -> Spool:
    return Spool(tmp_path)


def epoch(number: int) -> dict[str, object]:
    return {"kind": "epoch", "fold": "a", "epoch": number}


def test_what_an_attempt_tells_is_read_once_and_in_order(spool):
    attempt = Attempt(spool.path, "a")
    attempt.tell(epoch(1))
    assert list(spool.news()) == [epoch(1)]
    attempt.tell(epoch(2))
    attempt.tell(epoch(3))
    assert list(spool.news()) == [epoch(2), epoch(3)]
    assert list(spool.news()) == []


def test_half_a_line_waits_for_its_end(spool):
    Attempt(spool.path, "a")
    line = json.dumps(epoch(1)) + "\n"
    path = spool.path / "a.1.jsonl"
    path.write_text(line[:9])
    assert list(spool.news()) == []
    path.write_text(line)
    assert list(spool.news()) == [epoch(1)]


def test_a_later_attempt_ends_an_earlier_one(spool):
    first = Attempt(spool.path, "a.b")
    first.tell(epoch(1))
    assert first.wanted()
    second = Attempt(spool.path, "a.b")
    assert (first.wanted(), second.wanted()) == (False, True)
    second.tell(epoch(1))
    assert list(spool.news()) == [epoch(1), epoch(1)]
    first.tell(epoch(2))
    assert list(spool.news()) == [], "nobody listens to the first any more"


def test_folds_do_not_end_each_other(spool):
    attempts = [Attempt(spool.path, name) for name in ("a", "a.1", "1")]
    assert all(attempt.wanted() for attempt in attempts)


def test_without_the_spool_nothing_is_wanted(tmp_path, spool):
    attempt = Attempt(spool.path, "a")
    clear_spools(tmp_path)
    assert not attempt.wanted()
    with pytest.raises(InterruptedRunError):
        attempt.tell(epoch(1))
    with pytest.raises(InterruptedRunError):
        Attempt(spool.path, "a")
    assert not spool.path.exists(), "a worker does not make it again"


def test_an_attempt_that_was_paused_after_an_epoch_is_no_death(spool):
    Attempt(spool.path, "a").tell(epoch(1))  # killed
    paused = Attempt(spool.path, "a")
    paused.tell(epoch(2))
    paused.pause()
    Attempt(spool.path, "a").pause()  # its time was up before it got anywhere
    assert count_deaths(spool.path, "a") == 2
    assert Attempt(spool.path, "a").deaths == 2
    assert Attempt(spool.path, "b").deaths == 0


@pytest.fixture
def task(tmp_path, config) -> FoldTask:
    from pathlib import Path

    cells, packed = load_packed(Path(config.data), config.classifier.input_size)
    (tmp_path / "config.yaml").touch()
    return FoldTask(
        make_folds(cells, config.protocol).folds[0],
        tmp_path / "folds" / "a",
        packed,
        config.classifier.model_copy(update={"epochs": 2}),
        TrainingSetSettings(),
        0,
        0,
        "cpu",
        tmp_path / "stop",
        cells.fingerprint,
    )


def test_a_fold_is_trained_once(spool, task, one_thread):
    done = FoldJob(task, spool.path, ATTEMPTS)()
    assert done["kind"] == "fold-done"
    kinds = [event["kind"] for event in spool.news()]
    assert kinds == ["fold-started", "epoch", "epoch", "fold-done"]
    before = (task.folder / "scores.npy").stat().st_mtime_ns
    assert FoldJob(task, spool.path, ATTEMPTS)() == done
    assert [event["kind"] for event in spool.news()] == ["fold-done"]
    assert (task.folder / "scores.npy").stat().st_mtime_ns == before


def test_a_fold_that_kills_its_workers_is_given_up(spool, task):
    for _ in range(ATTEMPTS):
        Attempt(spool.path, task.folder.name)
    ended = FoldJob(task, spool.path, ATTEMPTS)()
    assert ended["kind"] == "fold-failed"
    assert "its worker died 3 times" in ended["message"]


def test_the_stop_file_and_a_lost_spool_stop_a_fold(spool, task, one_thread):
    task.stop_file.touch()
    assert FoldJob(task, spool.path, ATTEMPTS)() == {"kind": "interrupted"}
    task.stop_file.unlink()
    spool.remove()
    assert FoldJob(task, spool.path, ATTEMPTS)() == {"kind": "interrupted"}


def test_a_folder_that_is_not_seen_is_named(tmp_path, spool, task):
    assert what_is_unseen(spool.path, task.cells) == ""
    elsewhere = replace(task, cells=tmp_path / "elsewhere")
    ended = FoldJob(elsewhere, spool.path, ATTEMPTS)()
    assert ended["kind"] == "unseen"
    assert str(tmp_path / "elsewhere") in ended["message"]
    (tmp_path / "config.yaml").unlink()
    assert "the run folder" in FoldJob(task, spool.path, ATTEMPTS)()["message"]
