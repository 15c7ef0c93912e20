"""The curator's commands, on specimens of discs."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from training.cli import app
from training.config import ExtractionSettings, SegmentationSettings
from training.curation.quality import MEASURES, measure_quality
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.layouts import read_collection
from training.errors import BadCellsError, BadSettingError, SpecimensError

CENTRES = ((20, 20), (20, 60), (20, 100), (60, 20), (60, 60), (60, 100), (100, 40))


def invoke(*words):
    return CliRunner().invoke(app, [str(w) for w in words], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path, write_task2):
    root = write_task2(tmp_path / "specimens", centres=CENTRES)
    settings = ExtractionSettings(size=41), SegmentationSettings()
    list(write_cell_folder(read_collection(root), tmp_path / "cells", *settings))
    return tmp_path / "cells"


def test_quality_writes_every_measure_and_every_proposal(folder, tmp_path):
    words = ("--set", "least_detail=1", "--json")
    shown = invoke("quality", folder, "--out", tmp_path / "q.csv", *words)
    answer = json.loads(shown.stdout)
    cells = read_cell_folder(folder)
    assert answer["cells"] == len(cells.crops) == 28
    assert answer["masks_made"] == 0
    assert answer["proposed"] == sum(answer["reasons"].values()) > 0
    table = pd.read_csv(tmp_path / "q.csv")
    assert table["id"].tolist() == cells.table["id"].tolist()
    assert list(table)[4:] == [*MEASURES, "reason", "why"]
    written = dict(zip(table["id"], table["why"], strict=True))
    for proposal in answer["proposals"]:
        assert written[proposal["cell"]] == proposal["why"]
    assert table["reason"].notna().sum() == answer["proposed"]


def test_quality_gives_what_the_function_gives(folder, tmp_path):
    invoke("quality", folder, "--out", tmp_path / "q.csv")
    cells = read_cell_folder(folder)
    table = pd.read_csv(tmp_path / "q.csv")
    expected = measure_quality(cells.crops)["focus"]
    np.testing.assert_allclose(table["focus"], expected, rtol=1e-5)


def test_quality_leaves_the_cell_folder_as_it_is(folder):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert "proposed" in invoke("quality", folder).stdout
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_copies_lists_a_pair_of_two_specimens(make_cells, task1, tmp_path):
    cells = make_cells((2, 1, 0, 0, 0, 0), cells=3, side=60)
    cells.images[7] = np.rot90(cells.images[1])
    data = task1(cells)
    words = ("--out", tmp_path / "c.csv", "--set", "correlation=0.99", "--json")
    answer = json.loads(invoke("copies", data, *words).stdout)
    assert answer["cells"] == 9
    (pair,) = answer["copies"]
    assert (pair["first"], pair["second"]) == ("00002", "00008")
    assert (pair["first_specimen"], pair["second_specimen"]) == ("00", "10")
    assert pair["view"] == "turned to the right"
    assert pair["correlation"] == pytest.approx(1, abs=1e-4)
    assert len(pd.read_csv(tmp_path / "c.csv")) == 1


def test_copies_are_told_a_line_a_pair(make_cells, task1):
    cells = make_cells((2, 0, 0, 0, 0, 0), cells=2, side=60)
    cells.images[3] = cells.images[0]
    shown = invoke("copies", task1(cells), "--set", "correlation=0.99").stdout
    assert "00001 of 00 and 00004 of 01: 1.000, as it is" in shown


def test_copies_within_a_specimen_are_asked_for(make_cells, task1):
    cells = make_cells((1, 0, 0, 0, 0, 0), cells=3, side=60)
    cells.images[2] = cells.images[0]
    data, words = task1(cells), ("--set", "correlation=0.99", "--json")
    assert json.loads(invoke("copies", data, *words).stdout)["pairs"] == 0
    assert json.loads(invoke("copies", data, "--within", *words).stdout)["pairs"] == 1


def test_copies_need_specimens(make_cells, task1):
    data = task1(make_cells(side=60), specimens=False)
    with pytest.raises(SpecimensError, match="use --within"):
        invoke("copies", data)


def test_a_bad_setting_and_a_bad_folder_are_told(folder, tmp_path):
    with pytest.raises(BadSettingError, match="cut_share"):
        invoke("quality", folder, "--set", "cut_share=2")
    with pytest.raises(BadCellsError):
        invoke("quality", tmp_path / "none")
