"""What the bar of a run shows, drawn on a console of its own."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from training.cli import terminal
from training.cli.terminal import Pace, progress, run_progress


@pytest.fixture
def screen(monkeypatch):
    """The console that bars are drawn on."""
    console = Console(
        file=io.StringIO(), force_terminal=True, width=120, color_system=None
    )
    monkeypatch.setattr(terminal, "console", console)
    return console


def drawn(console):
    """Return the last line that was drawn."""
    lines = console.file.getvalue().replace("\r", "\n").splitlines()
    return [line for line in lines if "left" in line][-1]


def told(ago, kind, **fields):
    moment = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    return {"time": moment, "kind": kind, **fields}


def started(ago, *folds):
    about = {"specimens": ["s"], "patterns": ["Golgi"], "n_train": 100, "n_test": 9}
    rows = [{"name": name, "done": name == "old", **about} for name in folds]
    fields = {
        "experiment": "set-1",
        "protocol": "loso",
        "leaky": False,
        "device": "cpu",
    }
    fields |= {"patterns": ["Golgi"], "workers": 1, "epochs": 4, "notes": ["a note"]}
    return told(ago, "run-started", folds=rows, **fields)


def test_the_bar_of_a_run_counts_epochs_and_tells_the_time_left(screen):
    with run_progress() as show:
        show(started(1000, "old", "a", "b"))
        show(told(1000, "fold-started", fold="a", epoch=2))
        show(told(900, "epoch", fold="a", epoch=3, loss=1.0, accuracy=0.5))
        show(told(850, "progress", fold="a", epoch=4, share=0.5))
    line = drawn(screen)
    # Of six epochs one and a half are done, in 100 s each, the last of it 850 s ago.
    assert "fold a" in line
    assert "7/12 epochs" in line
    bar = line.count("\N{BOX DRAWINGS HEAVY HORIZONTAL}")
    assert bar == 10, "a quarter of its 40 characters"
    assert "0:06:40" in line, "the overdue fold ends at once, the other takes 400 s"
    assert "a note" in screen.file.getvalue()


def test_before_any_pace_is_known_no_time_is_told(screen):
    with run_progress() as show:
        show(started(5, "a"))
    assert "-:--:--" in drawn(screen)


def test_a_fold_that_starts_anew_is_counted_once(screen):
    with run_progress() as show:
        show(started(9, "a", "b"))
        for _ in range(2):
            show(told(8, "fold-started", fold="a", epoch=1))
    assert "1/8 epochs" in drawn(screen)


def test_the_next_run_begins_the_bar_anew(screen):
    with run_progress() as show:
        show(started(9, "a"))
        show(told(9, "fold-started", fold="a", epoch=0))
        show(told(5, "epoch", fold="a", epoch=1, loss=1.0, accuracy=0.5))
        show(started(0, "a", "b", "c"))
    line = drawn(screen)
    assert "0/12 epochs" in line
    assert "-:--:--" in line


def test_steps_are_counted(screen):
    assert list(progress("abc", 3, "frames")) == ["a", "b", "c"]
    assert "frames" in drawn(screen)
    assert "3/3" in drawn(screen)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_the_pace_is_the_mean_of_the_steps_waited_for():
    clock = Clock()
    pace = Pace(30, clock)
    assert pace.seconds_left(clock()) is None
    for wait in (70, 1, 69, 2):
        clock.now += wait
        pace.count()
    assert pace.seconds_left(clock()) == pytest.approx(142 / 4 * 26)
    assert pace.seconds_left(clock() + 35.5) == pytest.approx(142 / 4 * 25)
    assert pace.seconds_left(clock() + 1e6) == 0


def test_steps_of_an_earlier_session_tell_no_pace():
    clock = Clock()
    pace = Pace(20, clock)
    for _ in range(12):
        clock.now += 0.01
        pace.count()
    assert pace.seconds_left(clock()) is None
    clock.now += 10
    pace.count()
    assert pace.seconds_left(clock()) == pytest.approx(70)
