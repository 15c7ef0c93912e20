"""One line of a run's events, taken only where it holds what its kind promises.

A killed writer leaves half a line, a bad disk or a hand any other: such a line is no
event, and whoever reads the events never meets it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from training.storage.reading import parse_json

Event = dict[str, Any]


def parse_event(line: bytes) -> Event | None:
    """Return the event that a line holds, or None."""
    try:
        event = parse_json(line)
        return event if isinstance(event, dict) and _holds(event) else None
    except ValueError:
        return None


def _holds(event: Event) -> bool:
    kind = event.get("kind")
    return (
        isinstance(kind, str)
        and _NEEDED.get(kind, set()) <= event.keys()
        and all(_FIELDS[key](event[key]) for key in _FIELDS.keys() & event.keys())
        and (kind != "run-started" or _are_folds(event["folds"]))
    )


def _are_folds(folds: Any) -> bool:
    return isinstance(folds, list) and all(
        isinstance(fold, Mapping)
        and {"name", "n_train", "done"} <= fold.keys()
        and all(_OF_FOLD[key](fold[key]) for key in _OF_FOLD.keys() & fold.keys())
        for fold in folds
    )


def _is_word(value: Any) -> bool:
    return isinstance(value, str)


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_number(value: Any) -> bool:
    return _is_count(value) or (isinstance(value, float) and math.isfinite(value))


def _is_number_or_none(value: Any) -> bool:
    return value is None or _is_number(value)


def _is_interval(value: Any) -> bool:
    return value is None or (
        isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))
    )


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_count, value))


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and all(map(_are_counts, value))


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value) is not None


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_of_patterns(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return what tells whether each pattern has a value that holds."""
    return lambda value: isinstance(value, Mapping) and all(map(holds, value.values()))


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "time": _is_time,
    "fold": _is_word,
    "message": _is_word,
    "experiment": _is_word,
    "protocol": _is_word,
    "device": _is_word,
    "source": _is_word,
    "notes": _are_words,
    "patterns": _are_words,
    "leaky": _is_flag,
    "epoch": _is_count,
    "epochs": _is_count,
    "workers": _is_count,
    "seconds": _is_number,
    "loss": _is_number,
    "accuracy": _is_number,
    "share": _is_number,
    "n": _is_count,
    "correct": _is_count,
    "mean_class_accuracy": _is_number_or_none,
    "interval": _is_interval,
    "rates": _are_of_patterns(_is_number_or_none),
    "specimens": _are_of_patterns(_is_count),
    "confusion": _is_table,
}
_OF_FOLD: dict[str, Callable[[Any], bool]] = {
    "name": _is_word,
    "specimens": _are_words,
    "patterns": _are_words,
    "n_train": _is_count,
    "n_test": _is_count,
    "done": _is_flag,
}
_NEEDED = {
    "run-started": {"time", "epochs", "folds", "workers"},
    "fold-started": {"time", "fold", "epoch"},
    "progress": {"time", "fold", "epoch", "share"},
    "epoch": {"time", "fold", "epoch"},
    "fold-done": {"time", "fold"},
    "fold-failed": {"time", "fold"},
}
