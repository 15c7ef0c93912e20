"""Plates as they are written."""

from __future__ import annotations

import csv
from collections import Counter

import pytest

from training.config import PlateSettings
from training.data.simulation.series import simulate_plates
from training.errors import StorageError

SMALL = PlateSettings(plates=2, wells=8, cells=8, height=160, width=160)


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_plate_has_its_controls_a_table_and_a_truth(tmp_path):
    wells = list(simulate_plates(tmp_path / "out", SMALL))
    assert len(wells) == 16
    table = rows(tmp_path / "out" / "wells" / "series.csv")
    assert Counter(row["role"] for row in table) == {
        "patient": 10,
        "negative control": 2,
        "positive control": 2,
        "cut-off control": 2,
    }
    assert {row["series"] for row in table} == {"P1", "P2"}
    truth = rows(tmp_path / "out" / "truth.csv")
    assert [row["specimen"] for row in truth] == [one.id for one in wells]
    images = sorted((tmp_path / "out" / "wells").glob("*/*.tif"))
    assert [path.parent.name for path in images] == [one.id for one in wells]


def test_the_tables_are_written_when_the_caller_stops(tmp_path):
    steps = simulate_plates(tmp_path / "out", SMALL)
    next(steps)
    steps.close()
    assert len(rows(tmp_path / "out" / "truth.csv")) == 1


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        simulate_plates(tmp_path, SMALL)
