"""A line of a run's events is one, or none: a reader meets no half of it."""

import json

import pytest

from training.runs.events import parse_event

TIME = "2026-01-02T00:00:00+00:00"
EPOCH = {"kind": "epoch", "time": TIME, "fold": "1", "epoch": 2, "loss": 0.5}
EPOCH |= {"accuracy": 0.9}
FOLD = {"name": "1", "n_train": 9, "n_test": 6, "done": False, "specimens": ["1"]}
FOLD |= {"patterns": ["Golgi"]}
START = {
    "kind": "run-started",
    "time": TIME,
    "experiment": "set-1",
    "protocol": "loso",
    "leaky": False,
    "device": "cpu",
    "patterns": ["Homogeneous", "Golgi"],
    "epochs": 3,
    "workers": 1,
    "folds": [FOLD],
}
DONE = {"kind": "fold-done", "time": TIME, "fold": "1", "n": 6, "correct": 2}
METRICS = {
    "kind": "metrics",
    "time": TIME,
    "folds": 2,
    "folds_done": 1,
    "n": 6,
    "mean_class_accuracy": 0.25,
    "interval": [0.2, 0.3],
    "rates": {"Homogeneous": 0.5, "Golgi": None},
    "specimens": {"Homogeneous": 1, "Golgi": 0},
    "confusion": [[1, 2], [3, 0]],
}


@pytest.mark.parametrize(
    "event", [EPOCH, START, DONE, METRICS, {"kind": "of a later version", "more": [1]}]
)
def test_an_event_comes_back(event):
    assert parse_event(json.dumps(event).encode()) == event


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{", b"[]", b"1", b"null", b'{"a": 1}', b"[" * 100_000, b"\xff"),
        b'{"kind": ["epoch"]}',
    ],
)
def test_no_event(line):
    assert parse_event(line) is None


@pytest.mark.parametrize(
    ("event", "key", "value"),
    [
        (EPOCH, "fold", None),
        (EPOCH, "fold", ["1"]),
        (EPOCH, "epoch", "2"),
        (EPOCH, "epoch", -1),
        (EPOCH, "epoch", 2**63),
        (EPOCH, "epoch", True),
        (EPOCH, "loss", float("nan")),
        (EPOCH, "loss", "0.5"),
        (EPOCH, "time", "yesterday"),
        (EPOCH, "time", 5),
        (START, "epochs", None),
        (START, "folds", 2),
        (START, "folds", ["1"]),
        (START, "folds", [{**FOLD, "name": 1}]),
        (START, "folds", [{**FOLD, "n_train": "9"}]),
        (START, "folds", [{**FOLD, "specimens": "1"}]),
        (START, "folds", [{"name": "1"}]),
        (START, "notes", "a note"),
        (START, "folds", [{**FOLD, "n_test": -1}]),
        (DONE, "correct", -1),
        (DONE, "correct", -(10**400)),
        (DONE, "n", None),
        (METRICS, "interval", [0.2]),
        (METRICS, "interval", 0.2),
        (METRICS, "rates", {"Golgi": "a half"}),
        (METRICS, "specimens", {"Golgi": None}),
        (METRICS, "specimens", ["1"]),
        (METRICS, "confusion", [[1, -2]]),
        (METRICS, "mean_class_accuracy", float("inf")),
    ],
)
def test_an_event_without_what_its_kind_promises(event, key, value):
    assert parse_event(json.dumps({**event, key: value}).encode()) is None


@pytest.mark.parametrize("key", ["time", "fold", "epoch"])
def test_an_event_that_lacks_a_field(key):
    less = {name: value for name, value in EPOCH.items() if name != key}
    assert parse_event(json.dumps(less).encode()) is None
